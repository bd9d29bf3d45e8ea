#!/usr/bin/env python3
"""The dl functions of libc under the system's loader and under ours: results, texts, counters."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

SPOKEN = '''
#include <unistd.h>
int a_function(void) { return 1; }
__attribute__((constructor)) static void begin(void) { write(1, "begin %(n)s\\n", 8); }
__attribute__((destructor)) static void end(void) { write(1, "end %(n)s\\n", 6); }
'''
INSIDE_DRIVER = '''
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  for (int round = 0; round < 2; round++) {
    void *h = dlopen("./inside.so", RTLD_NOW | (round ? RTLD_GLOBAL : 0));
    if (!h) { puts(dlerror()); return 1; }
    printf("closed %d\\n", dlclose(h)); }
  dlopen("./inside.so", RTLD_LAZY);  /* its destructor runs at exit */
  return 0; }
'''
# dlclose waits for the thread's destructor: the object must stay until then.
PINNED = '''
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
static void *h; static pthread_barrier_t b;
static void *work(void *a) { ((void (*)(void))dlsym(h, "touch"))(); pthread_barrier_wait(&b); pthread_barrier_wait(&b); return 0; }
static int there(void) { void *p = dlopen("./pinned.so", RTLD_NOW | RTLD_NOLOAD); if (p) dlclose(p); return p != 0; }
int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0); pthread_t t; pthread_barrier_init(&b, 0, 2);
  h = dlopen("./pinned.so", RTLD_NOW); if (!h) { puts(dlerror()); return 1; }
  pthread_create(&t, 0, work, 0); pthread_barrier_wait(&b);
  printf("close %d\\n", dlclose(h)); printf("while it runs %d\\n", there());
  pthread_barrier_wait(&b); pthread_join(t, 0); printf("after it %d\\n", there()); return 0; }
'''
PINNED_LIBRARY = '''
#include <stdio.h>
struct Thing { int used; ~Thing() { puts("destroyed"); } };
static thread_local Thing thing;
extern "C" void touch(void) { thing.used = 1; }
__attribute__((destructor)) static void end(void) { puts("end"); }
'''
CORNERS_LIBRARY = '''
int f1(void) { return 1; }
__asm__(".globl zero_size, first, absolute, zero_absolute\\n.type zero_size, @function\\nzero_size: nop\\n nop\\n"
        ".size zero_size, 0\\nfirst: nop\\n.set absolute, 0x1234\\n.set zero_absolute, 0\\n.globl no_type\\nno_type: nop\\n");
int f2(void) { return 2; }
char data[40] = {1};
int common[10];
__thread int tls = 5;
__attribute__((weak)) int weak_f(void) { return 3; }
__attribute__((visibility("hidden"))) int hidden(void) { return 4; }
static int local(void) { return 5; }
void *get_hidden(void) { return (void *)hidden; }
void *get_static(void) { return (void *)local; }
int original(void) { return 9; }
int alias(void) __attribute__((alias("original")));
static void *choose(void) { return (void *)local; }
int picked(void) __attribute__((ifunc("choose")));
extern int weak_undefined(void) __attribute__((weak));
int use(void) { return weak_undefined ? 1 : 0; }
'''


def source(name):
    with open(os.path.join(HERE, "dlfcn", name)) as file:
        return file.read()


def build(c):
    for name in ("liba.so", "libb.so", "libnodelete.so", "librunpath.so", "librpath.so"):
        options = {"libnodelete.so": ["-Wl,-z,nodelete"],
                   "librunpath.so": ["-Wl,--enable-new-dtags,-rpath,$ORIGIN/x:/nonexistent:$ORIGIN:."],
                   "librpath.so": ["-Wl,--disable-new-dtags,-rpath,$ORIGIN/x/../:/nonexistent//:/usr/lib"]}.get(name, [])
        c.library(name, SPOKEN % {"n": name[3]}, *options)
    c.library("libtls.so", "__thread int t = 7; int *tls(void) { return &t; }")
    c.library("libundefined.so", "int absent(void); int use(void) { return absent(); }")
    c.library("libundefdata.so", "extern int absent; int use(void) { return absent; }")
    c.library("libgone.so", "int gone(void) { return 1; }")
    c.library("libneedy.so", "int gone(void); int use(void) { return gone(); }", "./libgone.so")
    os.remove("libgone.so")
    with open("old.map", "w") as file:
        file.write("OLD { global: *; };")
    with open("new.map", "w") as file:
        file.write("NEW { global: *; };")
    c.library("libversioned.so", "int f(void) { return 1; }", "-Wl,--version-script=new.map")
    c.library("libversion.so", "int f(void); int use(void) { return f(); }", "./libversioned.so")
    c.library("libversioned.so", "int f(void) { return 1; }", "-Wl,--version-script=old.map")
    c.compile("prog.pie", "int main(void) { return 0; }", "-pie", "-fPIE")
    c.compile("prog.exec", "int main(void) { return 0; }", "-no-pie")
    with open("short", "w") as file:
        file.write("abc")
    c.compile("api", source("api.c"), "-rdynamic")
    c.library("inside.so", source("inside.c"))
    c.compile("driver", INSIDE_DRIVER + "int interposed(void) { return 2; }", "-rdynamic")
    c.library("pinned.so", PINNED_LIBRARY, "-xc++", "-xnone", "-std=c++17", "-lstdc++")
    c.compile("pinned", PINNED, "-pthread")


def build_corners(c):
    c.library("corners.so", CORNERS_LIBRARY)
    c.library("other.so", "int o;")
    c.library("second.so", "int o;")
    c.library("oldpath.so", "int q;", "-Wl,--disable-new-dtags,-rpath,$ORIGIN/a:/nonexistent:.:", "-Wl,--no-as-needed", "./other.so")
    c.library("lost.so", "int g;")
    c.library("nodependency.so", "int z;", "-Wl,--no-as-needed", "./lost.so")
    os.remove("lost.so")
    c.library("badversion.so", "int f(void); int k(void) { return f(); }", "./libversioned.so", "-Wl,-rpath,.,--allow-shlib-undefined")
    c.library("libversioned.so", "int f(void) { return 1; }", "-Wl,--version-script=new.map")
    c.library("undefined.so", "int absent(void); int k(void) { return absent(); }")
    c.compile("corners", source("corners.c"), "-rdynamic", "-pthread")


def main():
    with comparison.Comparison() as c:
        build(c)
        for env in ({}, {"LD_LIBRARY_PATH": "/tmp:/nonexistent:."}, {"LD_BIND_NOW": "1"}):
            for program in ("./api", "./driver", "./pinned"):
                outcome = c.same(["{ld}", program], env)
                c.expect(outcome.status == 0, f"{program} ends with {outcome.status}\n{outcome.err}")
        build_corners(c)
        for env in ({}, {"LD_LIBRARY_PATH": "/nonexistent:.::/usr/lib//:$ORIGIN"}):
            outcome = c.same(["{ld}", "./corners"], env)
            c.expect(outcome.status == 0 and "Too many open files" in outcome.out, str(outcome))
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
