#!/usr/bin/env python3
"""C++ exceptions and backtraces through many objects, in threads, while others open and close."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

LINK = '''
extern "C" int link%(next)d(int);
struct Guard { int *n; ~Guard() { ++*n; } };
extern "C" int unwound%(n)d = 0;
extern "C" int link%(n)d(int depth) { Guard guard{&unwound%(n)d}; return link%(next)d(depth + 1) + 1; }
'''
LAST = '''
#include <stdexcept>
struct Own : std::runtime_error { int depth; Own(int d) : std::runtime_error("thrown"), depth(d) {} };
extern "C" int link%(n)d(int depth) { if (depth %% 2) throw Own(depth); throw std::out_of_range("other"); }
'''
PROGRAM = '''
#include <atomic>
#include <cstdio>
#include <dlfcn.h>
#include <stdexcept>
#include <thread>
#include <vector>
extern "C" int link0(int);
static std::atomic<bool> stop;
static long catch_many(int times) {
  long caught = 0;
  for (int i = 0; i < times; i++) {
    try { caught += 1000 * link0(i); }
    catch (const std::out_of_range &) { caught += 1; }
    catch (const std::runtime_error &e) { caught += 2; } }
  return caught; }
int main() {
  std::printf("%ld\\n", catch_many(10));
  std::thread opener([] { while (!stop) { void *h = dlopen("./other.so", RTLD_NOW); if (h) dlclose(h); } });
  std::vector<std::thread> threads; std::atomic<long> sum{0};
  for (int i = 0; i < 4; i++) threads.emplace_back([&] { sum += catch_many(60); });
  for (auto &t : threads) t.join();
  stop = true; opener.join(); std::printf("%ld\\n", sum.load()); return 0; }
'''
# Frames of the loader below a constructor and below a first call: the walk must pass them.
TRACE = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <stdio.h>
#include <string.h>
static int passes(const char *wanted) {
  void *frames[64]; int found = 0, n = backtrace(frames, 64); Dl_info info;
  for (int i = 0; i < n; i++) if (dladdr(frames[i], &info) && info.dli_sname && !strcmp(info.dli_sname, wanted)) found = 1;
  return found; }
int from_library(void) { return passes("main"); }
'''
TRACE_LIBRARY = '''
#include <stdio.h>
int from_library(void);
__attribute__((constructor)) static void begin(void) { printf("constructor: %d\\n", from_library()); }
static int chosen(void) { return 3; }
static int (*choose(void))(void) { printf("resolver: %d\\n", from_library()); return chosen; }
int picked(void) __attribute__((ifunc("choose")));
int call(void) { return from_library(); }
'''
TRACE_MAIN = '''
int main(void) { setvbuf(stdout, 0, _IONBF, 0); void *h = dlopen("./traced.so", RTLD_LAZY);
  if (!h) { puts(dlerror()); return 1; }
  int (*call)(void) = (int (*)(void))dlsym(h, "call"); printf("call: %d\\n", call());
  int (*picked)(void) = (int (*)(void))dlsym(h, "picked"); printf("picked: %d\\n", picked()); return 0; }
'''


def build_chain(c, length):
    for n in range(length, -1, -1):
        text = LAST if n == length else LINK
        needed = [] if n == length else [f"./link{n + 1}.so"]
        c.library(f"link{n}.so", text % {"n": n, "next": n + 1}, "-xc++", "-xnone", "-lstdc++", *needed, "-Wl,-rpath,$ORIGIN")


def main():
    with comparison.Comparison() as c:
        c.library("other.so", "int other(void) { return 1; }")
        for length in (1, 100):
            build_chain(c, length)
            c.compile("prog", PROGRAM, "-xc++", "-xnone", "-std=c++17", "./link0.so", "-lstdc++", "-pthread", "-Wl,-rpath,$ORIGIN")
            for env in ({}, {"LD_BIND_NOW": "1"}):
                outcome = c.same(["{ld}", "./prog"], env)
                c.expect(outcome.status == 0, f"{length} objects: {outcome}")
        c.library("traced.so", TRACE_LIBRARY)
        c.compile("trace", TRACE + TRACE_MAIN, "-rdynamic")
        outcome = c.same(["{ld}", "./trace"])
        c.expect(outcome.status == 0 and outcome.out.count(": 1") == 3, f"backtrace: {outcome}")
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
