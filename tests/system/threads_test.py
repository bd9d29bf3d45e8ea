#!/usr/bin/env python3
"""Threads that open, close, walk and start threads while others fork. The system's loader is no judge
here: a good part of its children hang."""
import os
import shutil
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

# Fork handlers that use the loader, of somebody who registered them before the loader did its own ("first") or
# after that, while other threads open and close; with "open" the children open something, in the handler too.
HANDLERS = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int stop; static volatile long opened; static int first, children_open;
static void look(void) { Dl_info i; dlsym(RTLD_DEFAULT, "no_such_name"); dladdr((void *)look, &i); dlerror(); }
static void *nothing(void *a) { return a; }
static void in_child(void) {
  if (!children_open) return;
  void *h = dlopen("./slow0.so", RTLD_NOW); pthread_t t; alarm(20); if (!h || dlclose(h)) _exit(3);
  if (pthread_create(&t, 0, nothing, 0) || pthread_join(t, 0)) _exit(4); }
static void *work(void *name) {
  while (!stop) { void *h = dlopen(name, RTLD_NOW); if (!h) abort(); opened++; dlclose(h); } return 0; }
int main(int n, char **v) {
  pthread_t t[2]; int bad = 0; first = !strcmp(v[1], "first"); children_open = !strcmp(v[2], "open"); alarm(30);
  if (first) pthread_atfork(look, look, in_child);
  pthread_create(t, 0, work, "./slow0.so"); pthread_create(t + 1, 0, work, "./slow1.so");
  while (opened < 2) usleep(100);
  if (!first) pthread_atfork(look, look, in_child);
  for (int i = 0; i < 100; i++) {
    pid_t p = fork(); if (p == 0) { alarm(20); _exit(children_open && !dlopen("./slow1.so", RTLD_NOW)); }
    int status = -1; waitpid(p, &status, 0); bad += status != 0; }
  stop = 1; pthread_join(t[0], 0); pthread_join(t[1], 0); printf("%d of 100 children failed\\n", bad); return bad != 0; }
'''
SLOW = "#include <unistd.h>\n__attribute__((constructor)) static void begin(void) { usleep(300); }\n"

# A constructor that waits for a thread, which forks first.
FORKED_FOR = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
volatile int waiting, forked;
static void look(void) { Dl_info i; dladdr((void *)look, &i); }
static void *work(void *a) { return dlopen("./waits.so", RTLD_NOW); }
int main(int n, char **v) {
  pthread_t t; void *h; int status = -1; alarm(30); pthread_create(&t, 0, work, 0); while (!waiting) usleep(100);
  pid_t p = fork(); if (p == 0) { alarm(20); void *o = dlopen("./slow0.so", RTLD_NOW); _exit(!o || dlclose(o)); }
  forked = 1; pthread_join(t, &h); waitpid(p, &status, 0); printf("open %d, child %d\\n", h != 0, status); return 0; }
'''
WAITS = """#include <unistd.h>
extern volatile int waiting, forked;
__attribute__((constructor)) static void begin(void) { waiting = 1; while (!forked) usleep(100); }
"""

# The first thread ends and another one joins or detaches it; then modules with thread-local data come and go, and
# threads start and end. "grown": the first thread's vector was replaced by a longer one before.
FIRST_ENDS = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static pthread_t first; static const char *way; static __thread int mine = 4;
static int use(const char *name) {
  void *h = dlopen(name, RTLD_NOW); int (*value)(void) = h ? dlsym(h, "value") : 0; int got = value ? value() : -1;
  return h && dlclose(h) ? -2 : got + mine; }
static void *work(void *a) { return (void *)(long)use(a); }
static void *rest(void *a) {
  void *r = 0; int e;
  if (!strcmp(way, "join")) e = pthread_join(first, &r);
  else if (!strcmp(way, "try")) while ((e = pthread_tryjoin_np(first, &r)) == EBUSY) usleep(100);
  else { usleep(20000); e = pthread_detach(first); }
  printf("%s %d, result %ld\\n", way, e, (long)r);
  for (int i = 0; i < 50; i++) {
    pthread_t t[2]; void *got[2]; const char *names[] = {"./lib2.so", "./lib3.so"};
    for (int k = 0; k < 2; k++) pthread_create(&t[k], 0, work, (void *)names[k]);
    for (int k = 0; k < 2; k++) pthread_join(t[k], &got[k]);
    if ((long)got[0] != 11 || (long)got[1] != 11 || use("./lib1.so") != 11) abort(); }
  pid_t p = fork(); if (p == 0) { alarm(20); _exit(use("./lib0.so")); }
  int status = -1; waitpid(p, &status, 0); printf("child %d\\n", WEXITSTATUS(status)); exit(0); }
int main(int n, char **v) {
  pthread_t t; way = v[1]; first = pthread_self(); alarm(30);
  if (n > 2) for (int i = 0; i < 40; i++) {
    char name[40]; snprintf(name, sizeof name, "./many%d.so", i); void *h = dlopen(name, RTLD_NOW);
    int (*value)(void) = h ? dlsym(h, "value") : 0; if (!value || value() != 7) return puts(dlerror()), 1; }
  pthread_create(&t, 0, rest, 0); pthread_exit((void *)42); }
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
        for number in range(2):
            c.library(f"slow{number}.so", SLOW)
        c.compile("handlers", HANDLERS, "-pthread")
        for when in ("first", "later"):
            outcome = c.same(["{ld}", "./handlers", when, "leave"])
            c.expect(outcome.status == 0 and outcome.out.startswith("0 of"), f"handlers registered {when}: {outcome}")
            outcome = c.run("candidate", ["{ld}", "./handlers", when, "open"])
            c.expect(outcome.status == 0 and outcome.out.startswith("0 of"), f"handlers that open, {when}: {outcome}")
        c.library("waits.so", WAITS)
        c.compile("forked_for", FORKED_FOR, "-pthread", "-rdynamic")
        outcome = c.same(["{ld}", "./forked_for"])
        c.expect(outcome.out == "open 1, child 0\n", f"a constructor waits for a thread that forks: {outcome}")
        for number in range(40):
            shutil.copy("lib0.so", f"many{number}.so")
        c.compile("first_ends", FIRST_ENDS, "-pthread")
        for way in ("join", "try", "detach"):
            for grown in ([], ["grown"]):
                outcome = c.same(["{ld}", "./first_ends", way, *grown])
                c.expect(outcome.out == f"{way} 0, result {0 if way == 'detach' else 42}\nchild 11\n", f"{way} {grown} {outcome}")
        c.library("waiting.so", WAITING)
        c.compile("waited", WAITED, "-rdynamic")
        for env in ({}, {"LD_BIND_NOW": "1"}):
            c.expect(c.same(["{ld}", "./waited"], env).status == 0, "a constructor waits for a thread")
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
