// Its own debugger: a breakpoint in r_brk, which says at each stop what the records hold. The words of the
// command line are requests: o = dlopen, m = dlmopen into a new namespace, M = into that of the last handle,
// l = RTLD_NOLOAD, g = RTLD_GLOBAL, n = RTLD_NODELETE, i = an invalid mode, c = dlclose of the handle with this
// number.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

struct record {
  struct r_debug base;
  struct record* next;
};
static struct record* records;

static const char* last_part(const char* path) {
  const char* name = strrchr(path, '/');
  name = name ? name + 1 : path;
  return strncmp(name, "ld", 2) == 0 ? "the-loader" : name;
}

static void show(const char* when) {
  static const char* const states[] = {"CONSISTENT", "ADD", "DELETE"};
  char line[4000];
  int n = sprintf(line, "%s:", when);
  for (struct record* r = records; r != NULL; r = r->base.r_version > 1 ? r->next : NULL) {
    n += sprintf(line + n, " version %d %s [", r->base.r_version, states[r->base.r_state]);
    for (struct link_map* map = r->base.r_map; map != NULL; map = map->l_next)
      n += sprintf(line + n, " %s", last_part(map->l_name));
    n += sprintf(line + n, " ]");
  }
  line[n++] = '\n';
  write(1, line, n);
}

// The function is nothing but a return.
static void on_trap(int signal, siginfo_t* info, void* context) {
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  show("  stop");
  registers[REG_RIP] = *(greg_t*)registers[REG_RSP];
  registers[REG_RSP] += 8;
}

int main(int argc, char** argv) {
  void* handles[20];
  int count = 0;
  for (ElfW(Dyn)* entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++)
    if (entry->d_tag == DT_DEBUG) records = (struct record*)entry->d_un.d_ptr;
  show("start");
  char* const at = (char*)records->base.r_brk;
  const struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGTRAP, &action, NULL);
  if (mprotect((void*)((uintptr_t)at & -4096), 8192, PROT_READ | PROT_WRITE | PROT_EXEC)) return 9;
  *at = (char)0xcc;
  for (int i = 1; i < argc; i++) {
    char* name = argv[i] + 1;
    Lmid_t space = LM_ID_NEWLM;
    show(argv[i]);
    switch (argv[i][0]) {
      case 'o':
        handles[count++] = dlopen(name, RTLD_NOW);
        break;
      case 'l':
        handles[count++] = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
        break;
      case 'g':
        handles[count++] = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
        break;
      case 'n':
        handles[count++] = dlopen(name, RTLD_NOW | RTLD_NODELETE);
        break;
      case 'i':
        handles[count++] = dlopen(name, 0);
        break;
      case 'M':
        dlinfo(handles[count - 1], RTLD_DI_LMID, &space);  // and on:
      case 'm':
        handles[count++] = dlmopen(space, name, RTLD_NOW);
        break;
      default:
        if (handles[*name - '0'] != NULL) dlclose(handles[*name - '0']);
    }
  }
  show("end");
  return 0;
}
