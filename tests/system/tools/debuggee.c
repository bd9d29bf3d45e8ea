// A thread waits while the first one opens a library, calls it and closes it again.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static __thread int in_thread = 5;
static pthread_barrier_t barrier;

static void* work(void* argument) {
  in_thread += (int)(long)argument;
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return NULL;
}

int main(void) {
  pthread_t thread;
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_create(&thread, NULL, work, (void*)3);
  pthread_barrier_wait(&barrier);
  void* library = dlopen("./late.so", RTLD_LAZY);
  int (*function)(int) = (int (*)(int))dlsym(library, "late_function");
  int result = function(4);
  dlclose(library);
  pthread_barrier_wait(&barrier);
  pthread_join(thread, NULL);
  printf("%d\n", result);
  return 0;
}
