// Loaded into namespaces: everything here uses the C library of its own namespace.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int calls;
static __thread int in_thread = 5;

__attribute__((constructor)) static void begin(void) {
  puts("constructor");
  fflush(stdout);
}
__attribute__((destructor)) static void end(void) {
  puts("destructor");
  fflush(stdout);
}

int count_call(void) { return ++calls; }

static int show(struct dl_phdr_info* info, size_t size, void* data) {
  const char* name = strrchr(info->dlpi_name, '/');
  name = name ? name + 1 : info->dlpi_name;
  if (strncmp(name, "ld", 2) == 0) name = "the loader";
  printf("  inside sees [%s]\n", name);
  return 0;
}
void list_objects(void) {
  dl_iterate_phdr(show, NULL);
  fflush(stdout);
}

static void* work(void* argument) {
  in_thread++;
  free(malloc(100000));
  return (void*)(long)in_thread;
}
int run_threads(void) {
  long sum = 0;
  for (int i = 0; i < 5; i++) {
    pthread_t thread;
    void* result;
    if (pthread_create(&thread, NULL, work, NULL)) return -1;
    pthread_join(thread, &result);
    sum += (long)result;
  }
  return (int)sum;
}

int* errno_address(void) { return &errno; }
char* environment(const char* name) { return getenv(name); }

// The namespace of what is opened from here, -1 when that fails.
int open_from_here(const char* file) {
  void* handle = dlopen(file, RTLD_NOW | (getenv("OPEN_GLOBAL") ? RTLD_GLOBAL : 0));
  Lmid_t id = -2;
  if (handle == NULL) {
    printf("  inside: %s\n", dlerror());
    fflush(stdout);
    return -1;
  }
  dlinfo(handle, RTLD_DI_LMID, &id);
  return (int)id;
}
