// Many threads bind and call the same functions at once.
#include <pthread.h>
#include <stdio.h>

int lib_answer(int);
double lib_half(double);
enum { kThreads = 8, kCalls = 2000 };
static __thread int own = 7;

static void *run(void *argument) {
  long sum = 0;
  for (int i = 0; i < kCalls; i++) sum += lib_answer(i) + (long)lib_half(2 * i) + own;
  return (void *)(sum + 0 * (long)argument);
}

int main(void) {
  pthread_t threads[kThreads];
  long total = 0;
  for (long i = 0; i < kThreads; i++) pthread_create(&threads[i], 0, run, (void *)i);
  for (int i = 0; i < kThreads; i++) {
    void *sum;
    pthread_join(threads[i], &sum);
    total += (long)sum;
  }
  printf("total %ld\n", total);
  return 0;
}
