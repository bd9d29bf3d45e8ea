#!/usr/bin/env python3
"""Programs of a C library for the machine: each says the same under that library's own loader and under ours. Variables
as in core_test.py, and

    PRELUDE_LIBRARIES   directories of libc.so.6 (with the loader that belongs to it) and libstdc++.so.6, as in LD_LIBRARY_PATH
"""
import glob
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import core_test  # noqa: E402

LIBRARIES = os.environ["PRELUDE_LIBRARIES"]
REFERENCE, = glob.glob(os.path.join(LIBRARIES.split(":")[0], "ld-linux*.so.*"))

THREADS = """
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static __thread int own = 3; static __thread char wide[64] __attribute__((aligned(512)));
static pthread_key_t key; static int destroyed;
static void destroy(void *a) { __atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED); }
static void *work(void *a) {
  int *(*where)(void) = (int *(*)(void))dlsym(a, "where");
  pthread_setspecific(key, &key);
  errno = 77;
  own += 1; *where() += 1; wide[63] = 1;
  return (void *)(long)(own + 10 * *where() + 1000 * ((unsigned long)wide % 512) + 10000 * (errno != 77)); }
int main(void) {
  pthread_t t[8]; void *result; long sum = 0;
  void *h = dlopen("./libt.so", RTLD_NOW); if (!h) { puts(dlerror()); return 1; }
  pthread_key_create(&key, destroy);
  for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, work, h);
  for (int i = 0; i < 8; i++) { pthread_join(t[i], &result); sum += (long)result; }
  printf("%ld %d %d\\n", sum, own, destroyed);
  pthread_create(&t[0], 0, (void *(*)(void *))pause, 0); pthread_cancel(t[0]); pthread_join(t[0], &result);
  printf("cancelled %d\\n", result == PTHREAD_CANCELED);
  return 0; }
"""

LATE = """
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
static void *(*where)(void); static pthread_barrier_t b;
static void *work(void *a) { pthread_barrier_wait(&b); pthread_barrier_wait(&b); return *(long *)where() == 9 ? a : 0; }
int main(void) {
  pthread_t t; void *r; pthread_barrier_init(&b, 0, 2);
  pthread_create(&t, 0, work, &t); pthread_barrier_wait(&b);
  for (int i = 0; i < 3; i++) {
    char name[20]; sprintf(name, "./libl%d.so", i);
    void *h = dlopen(name, RTLD_NOW); if (!h) { puts(dlerror()); return 1; }
    where = (void *(*)(void))dlsym(h, "where");
    printf("%d %ld %ld\\n", i, *(long *)where(), (long)where() % 64); }
  pthread_barrier_wait(&b); pthread_join(t, &r); printf("other thread %d\\n", r == &t);
  return 0; }
"""

DL = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
static int each(struct dl_phdr_info *i, size_t n, void *d) { ++*(int *)d; return 0; }
int main(void) {
  int count = 0, again = 0; Dl_info info;
  setvbuf(stdout, NULL, _IONBF, 0);
  dl_iterate_phdr(each, &count);
  void *h = dlopen("./libd.so", RTLD_LAZY); if (!h) { puts(dlerror()); return 1; }
  dl_iterate_phdr(each, &again);
  int (*f)(int) = (int (*)(int))dlsym(h, "twice");
  printf("%d %d\\n", again - count, f(21));
  int found = dladdr((void *)f, &info);
  printf("dladdr %d %s %s\\n", found, info.dli_sname, strrchr(info.dli_fname, '/'));
  printf("none %s\\n", dlsym(h, "none") == 0 ? strrchr(dlerror(), '/') : "?");
  printf("no file %s\\n", dlopen("./nothing.so", RTLD_NOW) == 0 ? dlerror() : "?");
  printf("close %d\\n", dlclose(h));
  printf("gone %d\\n", dlopen("./libd.so", RTLD_NOLOAD | RTLD_NOW) == 0);
  void *m = dlmopen(LM_ID_NEWLM, "./libd.so", RTLD_NOW); if (!m) { puts(dlerror()); return 1; }
  printf("other space %d\\n", ((int (*)(int))dlsym(m, "twice"))(4));
  return 0; }
"""
DL_LIBRARY = """
#include <stdio.h>
int twice(int n) { return 2 * n; }
__attribute__((constructor)) static void begin(void) { puts("begin"); fflush(stdout); }
__attribute__((destructor)) static void end(void) { puts("end"); fflush(stdout); }
"""

THROWER = """
#include <stdexcept>
struct Counted { static int now; Counted() { ++now; } ~Counted() { --now; } };
int Counted::now = 0;
int counted() { return Counted::now; }
void thrower(int n) { Counted c; if (n == 0) throw std::runtime_error("deep"); thrower(n - 1); }
"""
CATCHER = """
#include <future>
#include <iostream>
#include <stdexcept>
void thrower(int); int counted();
struct Last { ~Last() { std::cout << "last" << std::endl; } };
thread_local Last last;
int main() {
  (void)&last;
  try { thrower(5); } catch (const std::exception &e) { std::cout << e.what() << " " << counted() << std::endl; }
  auto f = std::async(std::launch::async, [] { (void)&last; thrower(2); return 1; });
  try { f.get(); } catch (const std::runtime_error &e) { std::cout << "async " << e.what() << std::endl; }
  try { std::stoi("x"); } catch (const std::invalid_argument &) { std::cout << "library's" << std::endl; }
  return 0; }
"""

AUDITOR = """
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <string.h>
unsigned int la_version(unsigned int v) { return v; }
unsigned int la_objopen(struct link_map *m, Lmid_t l, uintptr_t *c) { return LA_FLG_BINDTO | LA_FLG_BINDFROM; }
uintptr_t la_symbind64(Elf64_Sym *s, unsigned int n, uintptr_t *r, uintptr_t *d, unsigned int *flags, const char *name) {
  if (strcmp(name, "many") != 0) *flags |= LA_SYMB_NOPLTENTER | LA_SYMB_NOPLTEXIT;
  return s->st_value; }
Elf64_Addr la_aarch64_gnu_pltenter(Elf64_Sym *s, unsigned int n, uintptr_t *r, uintptr_t *d, La_aarch64_regs *regs,
                                   unsigned int *flags, const char *name, long *frame) {
  dprintf(1, "enter %s %ld %ld %.1f\\n", name, (long)regs->lr_xreg[0], (long)regs->lr_xreg[7], regs->lr_vreg[7].d);
  regs->lr_xreg[1] += 100; *frame = 64;
  return s->st_value; }
unsigned int la_aarch64_gnu_pltexit(Elf64_Sym *s, unsigned int n, uintptr_t *r, uintptr_t *d, const La_aarch64_regs *regs,
                                    La_aarch64_retval *result, const char *name) {
  dprintf(1, "exit %s %ld\\n", name, (long)result->lrv_xreg[0]);
  result->lrv_xreg[0] += 1;
  return 0; }
"""
WATCHED_LIBRARY = """
long many(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, double k, double l, double m, double n,
          double o, double p, double q, double r) {
  return a + b + c + d + e + f + g + h + 1000 * i + 10000 * j + (long)(k + l + m + n + o + p + q + r); }
"""
WATCHED = """
#include <stdio.h>
long many(long, long, long, long, long, long, long, long, long, long, double, double, double, double, double, double, double, double);
int main(void) {
  for (int n = 0; n < 2; n++) dprintf(1, "%ld\\n", many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 1, 1, 1, 1, 1, 1, 2.5));
  return 0; }
"""


class GlibcTest(core_test.Programs):
    def build(self, output, source, *options, cxx=False):
        with open("source." + ("cc" if cxx else "c"), "w") as file:
            file.write(source)
        subprocess.run([*core_test.COMPILER, "-O1", "-o", output, file.name, *options, *(["-lstdc++"] if cxx else [])], check=True)

    def shared(self, name, source, *options, **kind):
        self.build(name, source, "-shared", "-fPIC", *options, **kind)

    def same(self, *arguments, env=None, status=0, needle=""):
        """Under both loaders by their names, and under ours as the program's interpreter."""
        env = {"LC_ALL": "C", "LD_LIBRARY_PATH": f"{LIBRARIES}:.", **(env or {})}
        outcomes = []
        for command in ([REFERENCE, "./program"], [core_test.LOADER, "./program"], ["./program"]):
            result = self.run_it(*command, *arguments, env=env)
            outcomes.append((result.returncode, result.stdout, result.stderr))
        self.assertEqual(outcomes[0][0], status, outcomes[0])
        self.assertIn(needle, outcomes[0][1])
        self.assertEqual(outcomes[1], outcomes[0])
        self.assertEqual(outcomes[2], outcomes[0])

    def executable(self, source, *options, cxx=False):
        self.build("program", source, "-Wl,--dynamic-linker=" + core_test.LOADER, *options, cxx=cxx)

    def test_a_program(self):
        self.executable('#include <stdio.h>\n#include <stdlib.h>\nint main(int n, char **v) {'
                        'printf("%d %s %s %.3f\\n", n, v[1], getenv("X"), atof("2.5")); return 3; }')
        self.same("one", env={"X": "1"}, status=3, needle="2 one 1 2.500")

    def test_a_program_at_fixed_addresses_that_binds_late(self):
        self.executable('#include <stdio.h>\nint main(void) { fprintf(stdout, "%s\\n", "copied"); puts("late"); return 0; }',
                        "-no-pie", "-Wl,-z,lazy")
        self.same(needle="copied\nlate\n")

    def test_threads_and_their_storage(self):
        self.shared("libt.so", "__thread int library = 5; int *where(void) { return &library; }")
        self.executable(THREADS, "-pthread")
        self.same(needle="512 3 8\ncancelled 1\n")

    def test_static_storage_of_late_libraries(self):
        for number, bytes_ in enumerate((24, 1000, 200000)):  # the last one has no room beside the others
            self.shared(f"libl{number}.so", '__attribute__((tls_model("initial-exec"))) __thread struct { long first; char'
                        f' rest[{bytes_}]; }} s __attribute__((aligned(64))) = {{9}}; void *where(void) {{ return &s; }}')
        self.executable(LATE, "-pthread")
        result = self.run_it(core_test.LOADER, "./program", env={"LD_LIBRARY_PATH": f"{LIBRARIES}:."})
        self.assertEqual(result.stdout, "0 9 0\n1 9 0\n2 9 0\nother thread 1\n", result.stderr)

    def test_functions_of_the_loader(self):
        self.shared("libd.so", DL_LIBRARY)
        self.executable(DL)
        self.same(needle="1 42\n")

    def test_exceptions_across_objects(self):
        self.shared("libthrow.so", THROWER, cxx=True)
        self.executable(CATCHER, "libthrow.so", "-pthread", cxx=True)
        self.same(needle="deep 0\nlast\nasync deep\nlibrary's\nlast\n")

    @unittest.skipUnless("aarch64" in os.path.basename(REFERENCE), "an auditor's functions are those of aarch64")
    def test_auditors_see_calls_and_change_them(self):
        self.shared("libw.so", WATCHED_LIBRARY)
        self.shared("auditor.so", AUDITOR)
        self.executable(WATCHED, "libw.so", "-Wl,-z,lazy")
        self.same(env={"LD_AUDIT": "./auditor.so"}, needle="enter many 1 8 2.5\nexit many 109145\n109146\n")

    def test_protected_stacks(self):
        self.executable('#include <stdio.h>\n#include <string.h>\nint main(int n, char **v) {'
                        'char small[8]; volatile int size = 7; memset(small, 65, size); small[7] = 0; puts(small); return 0; }',
                        "-fstack-protector-all")
        self.same(needle="AAAAAAA")


if __name__ == "__main__":
    unittest.main()
