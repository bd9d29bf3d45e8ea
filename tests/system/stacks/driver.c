// Opens a library that builds a function on the stack; says what may be done with stacks before and
// after.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static pthread_barrier_t barrier;

static void stack(const char* what) {
  char line[512], permissions[8];
  unsigned long start, end, here = (unsigned long)line;
  FILE* maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps))
    if (sscanf(line, "%lx-%lx %7s", &start, &end, permissions) == 3 && start <= here && here < end)
      printf("%s: %s\n", what, permissions);
  fclose(maps);
}

static void* work(void* argument) {
  stack("thread before");
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  stack("thread after");
  return NULL;
}

int main(void) {
  pthread_t thread;
  setvbuf(stdout, NULL, _IONBF, 0);
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_create(&thread, NULL, work, NULL);
  pthread_barrier_wait(&barrier);
  stack("main before");
  void* library = dlopen("./nested.so", RTLD_NOW);
  printf("%s\n", library ? "opened" : dlerror());
  stack("main after");
  pthread_barrier_wait(&barrier);
  pthread_join(thread, NULL);
  if (library == NULL) return 0;
  pthread_barrier_init(&barrier, NULL, 1);
  pthread_create(&thread, NULL, work, NULL);
  pthread_join(thread, NULL);
  printf("%d\n", ((int (*)(void))dlsym(library, "nested"))());
  return 0;
}
