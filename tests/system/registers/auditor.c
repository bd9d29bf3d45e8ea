// Tells whether an auditor sees the arguments and results of `callee` as main.c sets them, and changes one of each.
#define _GNU_SOURCE
#include "registers.inc"

#include <link.h>
#include <stdio.h>

unsigned int la_version(unsigned int offered) { return offered; }

unsigned int la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie) {
  (void)space, (void)cookie;
  if (strstr(map->l_name, "callee")) return LA_FLG_BINDTO;
  return map->l_name[0] ? 0 : LA_FLG_BINDFROM;
}

static void compare(const char *what, const La_x86_64_vector *is, const unsigned char *was, int i) {
  if (memcmp(is, was, 16UL << find_levels().vectors)) dprintf(1, "auditor: %s %d differs\n", what, i);
}

static void change(La_x86_64_vector *vector) {
  for (int i = 0; i < (16 << find_levels().vectors); i++) ((unsigned char *)vector)[i] ^= 0xff;
}

Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to,
                                  La_x86_64_regs *regs, unsigned int *flags, const char *name, long *frame) {
  (void)index, (void)from, (void)to, (void)flags;
  *frame = 0;
  if (strcmp(name, "callee")) return sym->st_value;
  struct registers was;
  fill(&was, 11);
  for (int i = 0; i < 8; i++) compare("argument", &regs->lr_vector[i], was.vector[i], i);
  change(&regs->lr_vector[5]);
  dprintf(1, "auditor: entered\n");
  return sym->st_value;
}

unsigned int la_x86_64_gnu_pltexit(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to,
                                   const La_x86_64_regs *in, La_x86_64_retval *out, const char *name) {
  (void)sym, (void)index, (void)from, (void)to, (void)in;
  if (strcmp(name, "callee")) return 0;
  struct registers was;
  fill(&was, 101);
  compare("result", &out->lrv_vector0, was.vector[0], 0);
  compare("result", &out->lrv_vector1, was.vector[1], 1);
  change(&out->lrv_vector1);
  dprintf(1, "auditor: left\n");
  return 0;
}
