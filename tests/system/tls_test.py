#!/usr/bin/env python3
"""Thread-local storage of objects opened late: initial-exec beyond every surplus, dynamic on first use,
TLS descriptors, alignment, ids used again; all models also at start, against the system's loader."""
import concurrent.futures
import os
import resource
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

STARTED = '''
#include <pthread.h>
#include <stdio.h>
int start_using(int), use_again(int);
__thread __attribute__((aligned(4096))) int aligned = 3;
__thread int *own = &aligned_target, after = 9;
static void *work(void *a) {
  int r = start_using((int)(long)a);
  return (void *)(long)(r ? r : use_again((int)(long)a) + ((unsigned long)&aligned % 4096 != 0 || aligned != 3 || *own != 4 || after != 9) * 16); }
int main(void) {
  pthread_t t[8]; void *r; long all = (long)work((void *)90);
  for (long i = 0; i < 8; i++) pthread_create(&t[i], 0, work, (void *)(i + 1));
  for (int i = 0; i < 8; i++) { pthread_join(t[i], &r); all |= (long)r; }
  printf("%ld\\n", all); return all != 0; }
'''.replace("__thread int *own", "static int aligned_target = 4;\n__thread int *own")


MANY_AT_ONCE = '''
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
__thread int own = 3;
int main(int argc, char **argv) {
  int sum = 0, count = atoi(argv[1]);
  void *handle = dlopen("./all.so", RTLD_NOW);
  if (!handle) { puts(dlerror()); return 1; }
  for (int i = 0; i < count; i++) {
    char name[20];
    sprintf(name, "value_%d", i);
    sum += ((int (*)(void))dlsym(handle, name))(); }
  printf("%d\\n", sum);
  return 0; }
'''

# Threads whose stacks are smaller than an initial-exec block that comes late: not all of them can have one.
LARGE = '__attribute__((tls_model("initial-exec"))) __thread char large[65536]; char *where(void) { return large; }'
SMALL_STACKS = '''
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
static sem_t go; static char *(*where)(void);
static void *work(void *a) { char *at = where(); sem_wait(&go); return at[0] || at[65535] ? a : 0; }
int main(int n, char **v) {
  void *h = dlopen("./large.so", RTLD_NOW); if (!h) { puts(dlerror()); return 1; }
  where = (char *(*)(void))dlsym(h, "where");
  { int size = atoi(v[1]);
    pthread_attr_t a; pthread_t t[4]; int begun = 0; void *bad = 0; sem_init(&go, 0, 0);
    pthread_attr_init(&a); pthread_attr_setstacksize(&a, size * 1024);
    for (int i = 0; i < 4; i++) {
      int status = pthread_create(&t[begun], &a, work, &go);
      if (status == 0) begun++; else if (status != EAGAIN) return 2; }
    for (int i = 0; i < begun; i++) sem_post(&go);
    for (int i = 0; i < begun; i++) { pthread_join(t[i], &bad); if (bad) return 3; }
    printf("%d KiB: %s\\n", size, begun == 4 ? "all" : begun ? "some" : "none"); }
  return 0; }
'''

# An allocator whose own storage is dynamic, asked for a longer vector of such storage.
ALLOCATOR = '''
#define _GNU_SOURCE
#include <stddef.h>
__attribute__((tls_model("global-dynamic"))) __thread unsigned long calls;
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t); void __libc_free(void *);
void *malloc(size_t n) { calls++; return __libc_malloc(n); }
void *calloc(size_t a, size_t b) { calls++; return __libc_calloc(a, b); }
void *realloc(void *p, size_t n) { calls++; return __libc_realloc(p, n); }
void free(void *p) { calls++; __libc_free(p); }
unsigned long calls_here(void) { return calls; }
'''
COUNTED = '''
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
unsigned long calls_here(void);
static void *handles[40];
static void *use(void *a) {
  int sum = 0; unsigned long before = calls_here();
  for (int i = 0; i < 40; i++) {
    char name[40];
    sprintf(name, "./value%d.so", i); if (!handles[i] && !(handles[i] = dlopen(name, RTLD_NOW))) return "?";
    sprintf(name, "value_%d", i); sum += ((int (*)(void))dlsym(handles[i], name))(); }
  printf("%d %d\\n", sum, calls_here() > before);
  return 0; }
int main(void) {
  pthread_t other; if (use(0)) return 1;
  if (pthread_create(&other, 0, use, 0)) return 1;
  return pthread_join(other, 0); }
'''

# A program that replaces malloc and nothing else: a thread's block comes from it.
REPLACES_MALLOC = '''
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
void *__libc_malloc(size_t);
static int watched, calls, (*value)(void);
void *malloc(size_t n) { calls += watched; return __libc_malloc(n); }
static void *use(void *a) { watched = 1; a = value() == 7 ? a : 0; watched = 0; return a; }
int main(void) {
  pthread_t t; void *h = dlopen("./big.so", RTLD_NOW), *r;
  if (!h) { puts(dlerror()); return 1; }
  value = (int (*)(void))dlsym(h, "value");
  if (pthread_create(&t, 0, use, h) || pthread_join(t, &r)) return 1;
  printf("%d %d\\n", calls > 0, r == h); return 0; }
'''


def source(name):
    with open(os.path.join(HERE, "tls", name)) as file:
        return file.read()


def late_libraries(numbers, model, size, align, options=()):
    """size and align by number. Compiled side by side: there are many."""
    with open("late_library.c", "w") as file:
        file.write(source("late_library.c"))

    def compile_one(number):
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", f"late{number}.so", "late_library.c", f"-DN={number}",
                        f"-DBYTES={size(number)}", f"-DALIGN={align(number)}", f'-DMODEL="{model}"', *options], check=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, numbers))


def run_late(c, what, count, threads, **options):
    outcome = c.run("candidate", ["{ld}", "./late", str(count), str(threads)], **options)
    c.expect(outcome.status == 0 and outcome.out == f"{count} opened, right\n", f"{what}: {outcome}")


def main():
    with comparison.Comparison() as c:
        c.compile("late", source("late.c"), "-pthread")
        late_libraries(range(1, 201), "initial-exec", lambda n: 65536, lambda n: 64)
        run_late(c, "initial-exec, 64 KiB each", 200, 50)
        # Puts mappings, and with them thread pointers, low.
        if resource.getrlimit(resource.RLIMIT_STACK)[1] == resource.RLIM_INFINITY:
            run_late(c, "the same, stacks without limit", 200, 50,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY,) * 2))
        else:
            print("left out: the size of stacks has a hard limit")
        late_libraries(range(1, 41), "initial-exec", lambda n: 1 + 1000 * (n % 5), lambda n: 1 << n % 7)
        run_late(c, "initial-exec, small", 40, 10)
        c.library("large.so", LARGE)
        c.compile("small_stacks", SMALL_STACKS, "-pthread")
        for size, begun in (("16", "some"), ("32", "some"), ("256", "all")):
            outcome = c.run("candidate", ["{ld}", "./small_stacks", size])
            c.expect((outcome.status, outcome.out) == (0, f"{size} KiB: {begun}\n"), f"small stacks: {outcome}")
        # What the system's loader can do as well.
        # One request brings more modules than the vector of a thread has room for.
        for n in range(40):
            c.library(f"value{n}.so", f"__thread char data_{n}[100] = {{{n}}}; int value_{n}(void) {{ return data_{n}[0]; }}")
        c.library("all.so", "", "-Wl,--no-as-needed", *(f"./value{n}.so" for n in range(40)), "-Wl,-rpath,.")
        c.compile("many_at_once", MANY_AT_ONCE)
        outcome = c.same(["{ld}", "./many_at_once", "40"])
        c.expect(outcome.out == "780\n", f"forty modules at once: {outcome}")
        # No judge: releases before 2.41 call themselves without end.
        c.library("allocator.so", ALLOCATOR)
        c.compile("counted", COUNTED, "./allocator.so", "-Wl,-rpath,.", "-pthread")
        outcome = c.run("candidate", ["{ld}", "./counted"])
        c.expect((outcome.status, outcome.out) == (0, "780 1\n780 1\n"), f"an allocator with dynamic storage: {outcome}")
        c.library("big.so", "__thread char data[5000] = {7}; int value(void) { return data[0] + data[4999]; }")
        c.compile("replaces_malloc", REPLACES_MALLOC, "-pthread")
        outcome = c.same(["{ld}", "./replaces_malloc"])
        c.expect(outcome.out == "1 1\n", f"malloc of the program: {outcome}")
        dialects = (["-mtls-dialect=gnu"], ["-mtls-dialect=gnu2"])
        for options in dialects:
            late_libraries(range(1, 41), "global-dynamic", lambda n: 5000, lambda n: 1 << n % 13, options)
            outcome = c.same(["{ld}", "./late", "40", "10"])
            c.expect(outcome.status == 0, f"dynamic {options}: {outcome}")
        for model in ("initial-exec", "global-dynamic", "local-dynamic"):
            for options in dialects:
                late_libraries([1], model, lambda n: 300, lambda n: 64, options)
                c.compile("started", STARTED, "./late1.so", "-pthread", *options)
                outcome = c.same(["{ld}", "./started"], {"LD_LIBRARY_PATH": "."})
                c.expect(outcome.status == 0, f"{model} {options}: {outcome}")
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
