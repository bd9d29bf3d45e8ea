#!/usr/bin/env python3
"""dlmopen under the system's loader and under ours; and more namespaces than the system's allows."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

MANY = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
enum { kCount = 40 };
int main(void) {
  for (int round = 0; round < 3; round++) {
    void *h[kCount];
    for (int i = 0; i < kCount; i++) {
      h[i] = dlmopen(LM_ID_NEWLM, "./inside.so", RTLD_NOW);
      if (!h[i]) { puts(dlerror()); return 1; }
      Lmid_t id; dlinfo(h[i], RTLD_DI_LMID, &id);
      if (id != i + 1) { printf("id %ld\\n", id); return 2; }
      if (((int (*)(void))dlsym(h[i], "count_call"))() != 1) return 3;
      if (((int (*)(void))dlsym(h[i], "run_threads"))() != 30) return 4; }
    for (int i = 0; i < kCount; i++) if (dlclose(h[i])) return 5; }
  return 0; }
'''

# describe() in the last of so many namespaces; then the debugger's records of all of them.
HIGH = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
struct record { struct r_debug base; struct record *next; };
int main(int n, char **v) {
  const int count = atoi(v[1]); void *h = 0; struct record *all = 0; int records = 0, maps = 0;
  for (int i = 0; i < count; i++) if (!(h = dlmopen(LM_ID_NEWLM, "./high.so", RTLD_NOW))) { puts(dlerror()); return 1; }
  ((void (*)(void))dlsym(h, "describe"))();
  for (ElfW(Dyn) *d = _DYNAMIC; d->d_tag; d++) if (d->d_tag == DT_DEBUG) all = (void *)d->d_un.d_ptr;
  for (; all; all = all->base.r_version >= 2 ? all->next : 0, records++)
    for (struct link_map *m = all->base.r_map; m; m = m->l_next) maps++;
  printf("records: %d too many, maps: %d too many\\n", records - 1 - count, maps - 4 - 7 * count);
  return 0; }
'''

# The flag as the program has it, which is its own copy: a thread of another C library may come.
ALONE = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/single_threaded.h>
int main(void) {
  const char before = __libc_single_threaded;
  if (!dlmopen(LM_ID_NEWLM, "./inside.so", RTLD_NOW)) { puts(dlerror()); return 1; }
  printf("alone: %d, then %d\\n", before, __libc_single_threaded);
  return 0; }
'''

# Threads of several C libraries, one after the other and at the same time: the libraries share the stacks of threads
# that have ended, with what lies in them.
STARTS = '''
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
static __thread char word[3000] = {5}; static pthread_key_t key; static int destroyed; static pthread_t waiting[8]; static sem_t go;
static void destroy(void *p) { __sync_fetch_and_add(&destroyed, 1); }
static void *work(void *a) { char big[20000]; memset(big, 1, sizeof big); word[0] += (long)a; pthread_setspecific(key, a);
  return (void *)(long)(word[0] + big[7]); }
static void *wait_for(void *a) { word[0] += (long)a; sem_wait(&go); return (void *)(long)word[0]; }
int run(int rounds) {
  int bad = 0; pthread_t t[8]; void *v; pthread_key_create(&key, destroy); destroyed = 0;
  for (int r = 0; r < rounds; r++) {
    for (long i = 0; i < 8; i++) bad += pthread_create(&t[i], 0, work, (void *)i) != 0;
    for (long i = 0; i < 8; i++) { pthread_join(t[i], &v); bad += (long)v != 6 + i; } }
  pthread_key_delete(key); return bad + (destroyed != 7 * rounds); }
int start(void) { int bad = 0; sem_init(&go, 0, 0);
  for (long i = 0; i < 8; i++) bad += pthread_create(&waiting[i], 0, wait_for, (void *)i) != 0; return bad; }
int stop(void) { int bad = 0; void *v; for (int i = 0; i < 8; i++) sem_post(&go);
  for (long i = 0; i < 8; i++) { pthread_join(waiting[i], &v); bad += (long)v != 5 + i; } return bad; }
'''
STACKS = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  void *base = dlopen("./starts.so", RTLD_NOW); int (*run_here)(int) = dlsym(base, "run"), bad = 0; alarm(50);
  for (int round = 0; round < 3; round++) {
    void *h[3]; int (*run[3])(int), (*start[3])(void), (*stop[3])(void);
    for (int i = 0; i < 3; i++) { h[i] = dlmopen(LM_ID_NEWLM, "./starts.so", RTLD_NOW); if (!h[i]) { puts(dlerror()); return 1; }
      run[i] = dlsym(h[i], "run"); start[i] = dlsym(h[i], "start"); stop[i] = dlsym(h[i], "stop"); }
    for (int i = 0; i < 3; i++) bad += run[i](2) + run_here(2) + start[i]();
    pid_t p = fork(); if (p == 0) { alarm(20); _exit(run_here(2) + run[0](2)); }
    int status = -1; waitpid(p, &status, 0); bad += status != 0;
    for (int i = 0; i < 3; i++) bad += stop[i]() + run[i](2);
    for (int i = 0; i < 3; i++) bad += dlclose(h[i]) + run_here(2); }
  printf("%d wrong\\n", bad); return bad != 0; }
'''
# By which names the objects of a namespace go, the loader's namesake among them.
LISTED = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
int main(int n, char **v) {
  for (int i = 1; i < n; i++) {
    struct link_map *m; Dl_info info;
    void *h = dlmopen(LM_ID_NEWLM, v[i], RTLD_NOW);
    if (!h || dlinfo(h, RTLD_DI_LINKMAP, &m)) { puts(dlerror()); return 1; }
    while (m->l_prev) m = m->l_prev;
    for (; m; m = m->l_next) printf("%d: %s\\n", i, m->l_name);
    void *p = dlsym(h, "__tls_get_addr");
    printf("%d: in the loader: %d\\n", i, p && dladdr(p, &info)); }
  return 0; }
'''


def keep_searches(outcome):
    """An `edit`: who needs what, and what is tried for it. Without process ids."""
    lines = (line.split("\t", 1)[-1].strip() for line in outcome.err.splitlines())
    outcome.err = "\n".join(line for line in lines if re.match("file=.* needed|find library|trying file|calling", line))


def source(name):
    with open(os.path.join(HERE, "namespaces", name)) as file:
        return file.read()


def main():
    with comparison.Comparison() as c:
        c.library("inside.so", source("inside.c"), "-pthread")
        c.library("undefined.so", "int absent(void); int use(void) { return absent(); }")
        c.compile("driver", source("driver.c"))
        c.compile("many", MANY, "-pthread")
        c.compile("listed", LISTED)
        for env in ({}, {"LD_DEBUG": "files,libs"}):
            listed = c.same(["{ld}", "./listed", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2"], env, edit=keep_searches)
            c.expect(listed.status == 0 and "3: /" in listed.out, f"names: {listed}")
        for env in ({"MARK": "1"}, {"MARK": "2", "LD_BIND_NOW": "1"}):
            outcome = c.same(["{ld}", "./driver"], env)
            c.expect(outcome.status == 0, f"driver ends with {outcome.status}\n{outcome.err}")
        # The system's loader crashes on RTLD_GLOBAL in another namespace.
        outcome = c.run("candidate", ["{ld}", "./driver"], {"OPEN_GLOBAL": "1"})
        c.expect(outcome.status == 0 and "from inside: 2 -1" in outcome.out, f"global inside: {outcome}")
        # The system's loader stops after some ten: no room for the static TLS of another C library.
        outcome = c.run("candidate", ["{ld}", "./many"])
        c.expect(outcome.status == 0, f"many namespaces: {outcome}")
        c.expect(outcome.out.count("constructor") == outcome.out.count("destructor") == 120, "a constructor for each")
        c.library("other.so", "int opened_here(void) { return 5; }")
        c.library("given.so", "int given_back(void) { return 6; }")
        c.library("high.so", source("high.cc"), "-xc++", "-xnone", "./other.so", "-Wl,-rpath,.", "-Wl,--no-as-needed", "-lstdc++", "-lm", "-lgcc_s")
        c.compile("high", HIGH)
        low = c.same(["{ld}", "./high", "3"])
        c.expect(low.status == 0 and "left with 5" in low.out, f"three namespaces: {low}")
        # The system's loader leaves the flag as it is.
        c.compile("alone", ALONE, "-no-pie", "-fno-pie")
        outcome = c.run("candidate", ["{ld}", "./alone"])
        c.expect("alone: 1, then 0" in outcome.out, f"the program's copy of libc's flag: {outcome}")
        # The system's loader has a table of 16 namespaces.
        high = c.run("candidate", ["{ld}", "./high", "40"])
        c.expect(high == low, f"the last of forty namespaces is not like the last of three: {high}")
        # The system's loader crashes: a C library frees thread-local blocks that another one has allocated.
        c.library("starts.so", STARTS, "-pthread")
        c.compile("stacks", STACKS)
        # What goes wrong here goes wrong now and then: before the program's libc knew of the others' threads, one run in four.
        for _ in range(10):
            outcome = c.run("candidate", ["{ld}", "./stacks"])
            c.expect(outcome.status == 0, f"threads of several C libraries: {outcome}")
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
