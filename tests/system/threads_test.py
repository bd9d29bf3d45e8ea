#!/usr/bin/env python3
"""Threads that open, close, walk and start threads while others fork. The system's loader is no judge
here: a good part of its children hang."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

LIBRARY = '''
static __thread int seven = 7; static __thread char room[%d];
int dependency(void);
__attribute__((constructor)) static void begin(void) { room[0]++; }
int value(void) { return seven + dependency(); }
'''
# A constructor that waits for a thread which binds a function for the first time and opens an object itself.
WAITING = '''
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
int later(void);
static void *work(void *a) { return (void *)(long)later(); }
__attribute__((constructor)) static void begin(void) {
  pthread_t t; void *r; pthread_create(&t, 0, work, 0); pthread_join(t, &r); printf("constructor got %ld\\n", (long)r); }
'''
WAITED = '''
#include <dlfcn.h>
#include <stdio.h>
int later(void) { return 5; }
int main(void) { void *h = dlopen("./waiting.so", RTLD_LAZY); puts(h ? "open" : dlerror()); return !h; }
'''
# _Fork runs no handlers: what the child may do (bind a function, throw nothing, wait for nothing) must not wait
# for the thread that was in dlopen.
BARE_FORKS = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
extern __thread int lazy_tls; int lazy_one(void); int lazy_two(void);
static volatile int stop; static volatile long opened;
static void *work(void *a) {
  while (!stop) { void *h = dlopen("./lib0.so", RTLD_LAZY); opened += h != 0; if (h) dlclose(h); } return 0; }
int main(void) {
  pthread_t t; int bad = 0; pthread_create(&t, 0, work, 0); while (opened == 0) usleep(100);
  for (int i = 0; i < 300; i++) {
    pid_t p = _Fork(); if (p == 0) { alarm(20); _exit(lazy_one() + lazy_two() + lazy_tls); }
    int status = -1; waitpid(p, &status, 0); bad += !WIFEXITED(status) || WEXITSTATUS(status) != 6; }
  stop = 1; pthread_join(t, 0); printf("%d of 300 children failed\\n", bad); return bad != 0; }
'''


def source(name):
    with open(os.path.join(HERE, "threads", name)) as file:
        return file.read()


def main():
    with comparison.Comparison() as c:
        c.library("libdependency.so", "int dependency(void) { return 0; }")
        for number in range(4):
            c.library(f"lib{number}.so", LIBRARY % (64 << number), "./libdependency.so", "-Wl,-rpath,$ORIGIN")
        c.compile("forks", source("forks.c"), "-pthread")
        outcome = c.run("candidate", ["{ld}", "./forks", "150"])
        c.expect(outcome.status == 0 and outcome.out == "0 of 150 children failed\n", f"forks: {outcome}")
        c.library("liblazy.so", "__thread int lazy_tls = 3; int lazy_one(void) { return 1; } int lazy_two(void) { return 2; }")
        c.compile("bare_forks", BARE_FORKS, "-pthread", "./liblazy.so", "-Wl,-z,lazy", "-Wl,-rpath,$ORIGIN")
        outcome = c.same(["{ld}", "./bare_forks"])
        c.expect(outcome.status == 0 and outcome.out.startswith("0 of"), f"_Fork: {outcome}")
        c.library("waiting.so", WAITING)
        c.compile("waited", WAITED, "-rdynamic")
        for env in ({}, {"LD_BIND_NOW": "1"}):
            c.expect(c.same(["{ld}", "./waited"], env).status == 0, "a constructor waits for a thread")
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
