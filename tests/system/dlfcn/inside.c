// The dl calls out of constructors and destructors of an object that is being opened or closed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>

int interposed(void);

static int list(struct dl_phdr_info* info, size_t size, void* data) {
  printf(" [%s]", info->dlpi_name);
  return 0;
}

static void look(const char* when) {
  printf("%s:", when);
  dl_iterate_phdr(list, NULL);
  int (*next)(void) = dlsym(RTLD_NEXT, "interposed");
  int (*first)(void) = dlsym(RTLD_DEFAULT, "interposed");
  printf("\n own %d next %d default %d\n", interposed(), next ? next() : -1, first ? first() : -1);
  dlerror();
  Dl_info info;
  printf(" dladdr %d %s\n", dladdr((void*)interposed, &info),
         dlopen("./inside.so", RTLD_NOW | RTLD_NOLOAD) ? "open" : "closed");
  void* other = dlopen("./libb.so", RTLD_NOW);
  printf(" other %d\n", other != NULL && dlsym(other, "a_function") != NULL);
  if (other) printf(" close %d\n", dlclose(other));
}

__attribute__((constructor)) static void begin(void) { look("constructor"); }
__attribute__((destructor)) static void end(void) { look("destructor"); }
int interposed(void) { return 1; }
