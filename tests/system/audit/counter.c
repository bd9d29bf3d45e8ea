// An auditor that counts the calls into one library. It has thread-local data, and a thread of its own
// that opens a library.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_int entered, left, bound;
static __thread int mine = 5;
static __thread char much[3000];

static void *helper(void *argument) {
  (void)argument;
  mine += much[7];
  void *handle = dlopen("libm.so.6", RTLD_NOW);
  double (*root)(double) = handle ? (double (*)(double))dlsym(handle, "sqrt") : 0;
  return (void *)(long)(root ? root(mine * 5.0) : 0);
}

unsigned int la_version(unsigned int offered) {
  pthread_t thread;
  void *result = 0;
  pthread_create(&thread, 0, helper, 0);
  pthread_join(thread, &result);
  char line[64];
  write(1, line, snprintf(line, sizeof line, "helper %ld mine %d\n", (long)result, mine));
  return offered;
}
unsigned int la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie) {
  (void)space, (void)cookie;
  return strstr(map->l_name, "lib.so") ? LA_FLG_BINDTO : map->l_name[0] ? 0 : LA_FLG_BINDFROM;
}
uintptr_t la_symbind64(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to, unsigned int *flags,
                       const char *name) {
  (void)index, (void)from, (void)to, (void)flags, (void)name;
  bound++;
  return sym->st_value;
}
Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to,
                                  La_x86_64_regs *regs, unsigned int *flags, const char *name, long *frame) {
  (void)index, (void)from, (void)to, (void)regs, (void)flags, (void)name;
  entered++;
  mine++;
  *frame = 0;
  return sym->st_value;
}
unsigned int la_x86_64_gnu_pltexit(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to,
                                   const La_x86_64_regs *in, La_x86_64_retval *out, const char *name) {
  (void)sym, (void)index, (void)from, (void)to, (void)in, (void)out, (void)name;
  left++;
  return 0;
}
void la_activity(uintptr_t *cookie, unsigned int flag) {
  (void)cookie;
  char line[96];
  if (flag == LA_ACT_DELETE)
    write(1, line, snprintf(line, sizeof line, "bound %d entered %d left %d mine %d\n", bound > 1, entered, left, mine));
}
