// Opens COUNT libraries under THREADS running threads; each thread, running, new or in a child
// process, must find its own values. late COUNT THREADS
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kMost = 256 };
static int (*start_using[kMost])(int), (*use_again[kMost])(int);
static void* handles[kMost];
static int count, threads, opened;
static pthread_barrier_t running, ready;

static int use_all(int seed) {
  for (int i = 0; i < opened; i++) {
    const int wrong = start_using[i](seed);
    if (wrong) return printf("thread %d library %d: %d\n", seed, i, wrong);
  }
  for (int i = 0; i < opened; i++)
    if (use_again[i](seed)) return printf("thread %d library %d again\n", seed, i);
  return 0;
}

static void* early(void* argument) {
  pthread_barrier_wait(&running);
  pthread_barrier_wait(&ready);
  return (void*)(long)use_all((int)(long)argument);
}
static void* late(void* argument) { return (void*)(long)use_all((int)(long)argument); }

static int run(int how_many, int seed) {
  pthread_t thread[64];
  pthread_attr_t attributes;
  int wrong = 0;
  pthread_attr_init(&attributes);
  for (int i = 0; i < how_many; i++) {
    pthread_attr_setstacksize(&attributes, i % 2 ? 256 * 1024 : 8 << 20);
    if (pthread_create(&thread[i], &attributes, late, (void*)(long)(seed + i)))
      return printf("no thread\n");
  }
  for (int i = 0; i < how_many; i++) {
    void* result;
    pthread_join(thread[i], &result);
    wrong |= result != NULL;
  }
  return wrong;
}

static int open_all(int backwards) {
  for (opened = 0; opened < count; opened++) {
    char name[64];
    sprintf(name, "./late%d.so", backwards ? count - opened : opened + 1);
    void* handle = handles[opened] = dlopen(name, RTLD_NOW);
    if (handle == NULL) return printf("%s\n", dlerror());
    start_using[opened] = (int (*)(int))dlsym(handle, "start_using");
    use_again[opened] = (int (*)(int))dlsym(handle, "use_again");
  }
  return 0;
}

static int in_child(void) {
  const pid_t child = fork();
  if (child == 0) _exit(run(8, 70) ? 3 : 0);
  int status;
  waitpid(child, &status, 0);
  return status;
}

int main(int argc, char** argv) {
  pthread_t thread[64];
  count = atoi(argv[1]);
  threads = atoi(argv[2]);
  pthread_barrier_init(&running, NULL, threads + 1);
  pthread_barrier_init(&ready, NULL, threads + 1);
  for (long i = 0; i < threads; i++) pthread_create(&thread[i], NULL, early, (void*)(i + 1));
  pthread_barrier_wait(&running);
  int wrong = open_all(0);
  pthread_barrier_wait(&ready);
  for (int i = 0; i < threads; i++) {
    void* result;
    pthread_join(thread[i], &result);
    wrong |= result != NULL;
  }
  wrong |= run(threads, 60);  // stacks used again
  wrong |= run(threads < 60 ? threads + 4 : 60, 65);
  wrong |= in_child();
  wrong |= use_all(99);
  for (int i = 0; i < opened; i++) dlclose(handles[i]);
  wrong |= open_all(1);  // module ids and room used again
  wrong |= use_all(98) | run(8, 90);
  printf("%d opened, %s\n", opened, wrong ? "wrong" : "right");
  return wrong != 0;
}
