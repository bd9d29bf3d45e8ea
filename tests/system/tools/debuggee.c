// A thread waits while the first one opens a library, calls it and closes it again. It is asleep in one known call
// by then, so that a debugger shows it in the same place each time.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static __thread int in_thread = 5;
static int ends[2];
static atomic_int waiter;

static void* work(void* argument) {
  char byte;
  in_thread += (int)(long)argument;
  atomic_store(&waiter, gettid());
  return (void*)(long)read(ends[0], &byte, 1);
}

// Nothing makes the thread sleep between the store of its number and the end of read, but read.
static int sleeps(int number) {
  char path[64], state = 0;
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", number);
  FILE* file = fopen(path, "r");
  if (file == NULL) return -1;
  const int found = fscanf(file, "%*d (%*[^)]) %c", &state);
  fclose(file);
  return found == 1 ? state == 'S' : -1;
}

static int wait_until_it_sleeps(void) {
  int asleep = 0;
  while (atomic_load(&waiter) == 0 || (asleep = sleeps(atomic_load(&waiter))) == 0) usleep(1000);
  return asleep;
}

int main(void) {
  pthread_t thread;
  if (pipe(ends) != 0 || pthread_create(&thread, NULL, work, (void*)3) != 0) return 1;
  if (wait_until_it_sleeps() != 1) return 2;
  void* library = dlopen("./late.so", RTLD_LAZY);
  int (*function)(int) = (int (*)(int))dlsym(library, "late_function");
  int result = function(4);
  dlclose(library);
  if (write(ends[1], "", 1) != 1) return 3;
  pthread_join(thread, NULL);
  printf("%d\n", result);
  return 0;
}
