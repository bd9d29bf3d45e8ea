// Forks while other threads open, close, look up and walk; every child must be able to open, throw
// no lock away, make a thread and walk itself. forks CHILDREN
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int stop;

static int count(struct dl_phdr_info* info, size_t size, void* data) {
  ++*(int*)data;
  return 0;
}

static void* open_and_close(void* argument) {
  unsigned state = (unsigned)(long)argument * 2654435761u + 1;
  while (!stop) {
    char name[32];
    state = state * 1664525 + 1013904223;
    sprintf(name, "./lib%d.so", (int)(state >> 16) % 4);
    void* handle = dlopen(name, state & 1 ? RTLD_NOW : RTLD_LAZY);
    if (handle == NULL) abort();
    if (((int (*)(void))dlsym(handle, "value"))() != 7) abort();
    dlclose(handle);
    if (dlopen("./missing.so", RTLD_NOW)) abort();
    dlerror();
  }
  return NULL;
}

static void* walk(void* argument) {
  while (!stop) {
    int objects = 0;
    dl_iterate_phdr(count, &objects);
    if (objects < 3) abort();
  }
  return NULL;
}

static void* work(void* argument) { return argument; }

static int child(void) {
  alarm(20);
  int objects = 0;
  pthread_t thread;
  void* handle = dlopen("./lib1.so", RTLD_NOW);
  if (handle == NULL) return 1;
  if (((int (*)(void))dlsym(handle, "value"))() != 7) return 2;
  if (dlclose(handle)) return 3;
  dl_iterate_phdr(count, &objects);
  if (objects < 3) return 4;
  if (pthread_create(&thread, NULL, work, &objects) || pthread_join(thread, NULL)) return 5;
  return dlopen("./lib2.so", RTLD_LAZY) == NULL ? 6 : 0;
}

int main(int argc, char** argv) {
  pthread_t threads[4];
  int failed = 0, children = atoi(argv[1]);
  for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, open_and_close, (void*)i);
  pthread_create(&threads[3], NULL, walk, NULL);
  for (int i = 0; i < children; i++) {
    const pid_t pid = fork();
    if (pid == 0) _exit(child());
    int status;
    waitpid(pid, &status, 0);
    if (status) failed++, printf("child %d: status %x\n", i, status);
  }
  stop = 1;
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  printf("%d of %d children failed\n", failed, children);
  return failed != 0;
}
