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
        c.library("waiting.so", WAITING)
        c.compile("waited", WAITED, "-rdynamic")
        for env in ({}, {"LD_BIND_NOW": "1"}):
            c.expect(c.same(["{ld}", "./waited"], env).status == 0, "a constructor waits for a thread")
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
