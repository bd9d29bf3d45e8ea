#!/usr/bin/env python3
"""Options of `ld.so PROGRAM` and LD_* variables: what a program sees of them, as with the system's loader."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

WHO = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
extern char **environ;
int which(void);
static int show(struct dl_phdr_info *info, size_t size, void *data) { printf("object [%s]\\n", info->dlpi_name); return 0; }
int main(int n, char **v) {
  Dl_info info;
  for (int i = 0; i < n; ++i) printf("argv[0%d]=%s\\n", i, v[i]);  /* no number that could be the process's */
  printf("which %d short %s execfn %s\\n", which(), program_invocation_short_name, (char *)getauxval(AT_EXECFN));
  for (char **e = environ; *e; ++e) if (!strncmp(*e, "LD_", 3)) puts(*e);
  dladdr(main, &info);
  printf("main is in %s\\n", info.dli_fname);
  dl_iterate_phdr(show, 0);
  return 40 + n;
}
'''


def build(c):
    for number, folder in enumerate((".", "one", "two", "glibc-hwcaps/mine", "run"), 1):
        os.makedirs(folder, exist_ok=True)
        c.library(f"{folder}/libwhich.so", f"int which(void) {{ return {number}; }}")
    os.remove("libwhich.so")
    c.library("stub/libwhich.so", "int which(void) { return 0; }")
    c.compile("who", WHO, "stub/libwhich.so")
    c.compile("who-rpath", WHO, "stub/libwhich.so", "-Wl,-rpath,$ORIGIN/run", "-Wl,--disable-new-dtags")
    c.compile("who-runpath", WHO, "stub/libwhich.so", "-Wl,-rpath,$ORIGIN/run", "-Wl,--enable-new-dtags")
    c.program_for_each_side("who", WHO, "stub/libwhich.so")
    c.compile("static", '#include <stdio.h>\nint main(int n, char **v) { printf("%s %d\\n", v[0], n); return 9; }', "-static")
    c.compile("static-pie", "int main(void) { return 8; }", "-static-pie")
    c.compile("locked", "int main(void) { return 8; }", "-static")
    os.chmod("locked", 0o644)
    c.library("libnothing.so", "int nothing;")


def test_usage(c):
    for words in ([], ["--nonsense"], ["-x"], ["--library-path"], ["--argv0"], ["--preload"], ["--audit"], ["--inhibit-rpath"],
                  ["--glibc-hwcaps-prepend"], ["--glibc-hwcaps-mask"], ["--list"], ["--verify"], ["--list", "--nonsense"],
                  ["--inhibit-cache"], ["--argv0", "x"], ["--listx", "./who"], ["--library-path=one", "./who"],
                  ["--nonsense", "--help-me"], ["--list", "--verify"], ["-"], ["--verify", "--nonsense"], ["--" + "n" * 3000]):
        c.same(["{ld}", *words])
    # Newer releases end the options there, 2.36 does not know it.
    c.expect(c.run("candidate", ["{ld}", "--library-path", "one", "--", "./who"]).status == 41, "-- ends the options")


def test_paths(c):
    for program in ("./who", "./who-rpath", "./who-runpath"):
        for words in (["--library-path", "one"], ["--library-path", "one:two"], ["--library-path", "none:two;one"], ["--library-path", ""],
                      ["--library-path", ":"], ["--library-path", "$ORIGIN/one"], ["--library-path", "${ORIGIN}/two", "--inhibit-cache"],
                      ["--library-path", "one", "--library-path", "two"], ["--library-path", ".", "--glibc-hwcaps-prepend", "mine"],
                      ["--library-path", ".:one", "--glibc-hwcaps-prepend", "other:mine"], ["--library-path", "one", "--glibc-hwcaps-mask", "mine"],
                      ["--inhibit-rpath", "", "--library-path", "two"], ["--inhibit-rpath", ""], ["--inhibit-rpath", "who:x"],
                      ["--inhibit-rpath", ":x", "--library-path", "two"], ["--inhibit-rpath", "x:", "--library-path", "two"],
                      ["--inhibit-rpath", "x ", "--library-path", "two"], ["--inhibit-rpath", "x::y", "--library-path", "two"], []):
            for env in ({}, {"LD_LIBRARY_PATH": "two"}, {"LD_LIBRARY_PATH": ""}):
                c.same(["{ld}", *words, program, "a b", "c"], env)
    for env in ({"LD_LIBRARY_PATH": "one"}, {"LD_LIBRARY_PATH": ":two"}, {"LD_LIBRARY_PATH": "two:one", "LD_BIND_NOW": "1"},
                {"LD_LIBRARY_PATH": "one", "LD_NO_SUCH": "kept", "LD_DYNAMIC_WEAK": "", "LD_ORIGIN_PATH": "/x"},
                {"LD_LIBRARY_PATH": "one", "LD_USE_LOAD_BIAS": "1", "LD_ASSUME_KERNEL": "2.4", "LD_POINTER_GUARD": "0"}, {}):
        c.same(["{side}/who", "x"], env)
        c.same(["{ld}", "./who", "x"], env)


def test_without_effect(c):
    """What glibc has for hardware directories of the past and for call counts; with us it does nothing."""
    def run(**variables):
        outcome = c.run("candidate", ["{ld}", "./who", "x"], {"LD_LIBRARY_PATH": "one", **variables})
        lines = outcome.out.splitlines(True)
        outcome.out = "".join(line for line in lines if not line.startswith(tuple(variables or " ")))
        c.expect(len(lines) - len(outcome.out.splitlines()) == len(variables), f"the variables stay: {lines}")
        return outcome

    os.mkdir("profiles")
    plain = run()
    c.expect(plain.status == 42, str(plain))
    for variables in ({"LD_HWCAP_MASK": "0"}, {"LD_HWCAP_MASK": "-1"}, {"LD_PROFILE": "libwhich.so"},
                      {"LD_PROFILE": "libc.so.6", "LD_PROFILE_OUTPUT": "profiles"}, {"LD_PROFILE_OUTPUT": "profiles"}):
        outcome = run(**variables)
        c.expect(outcome == plain, f"{variables}: {outcome}")
    c.expect(os.listdir("profiles") == [], f"profiles: {os.listdir('profiles')}")


def test_names(c):
    path = ["--library-path", "one"]
    for words in (["--argv0", "zero"], ["--argv0", ""], ["--argv0", "zero", "--argv0", "last"], ["--inhibit-cache"], ["--inhibit-cache", "--inhibit-cache"]):
        c.same(["{ld}", *path, *words, "./who", "--list"])
        c.same(["{ld}", *words, "./static", "x"])
    c.same(["{ld}", *path, "who"])  # not searched for in the current directory, nor through PATH
    c.same(["{ld}", *path, "sh"])
    c.same(["{ld}", *path, c.root + "/who"])
    c.same(["{ld}", *path, "./one/../who"])
    c.same(["{ld}", "{ld}"])
    c.same(["{ld}", "--argv0", "zero", "{ld}", "./who"])
    c.same(["{ld}", "./static-pie"])
    # The reference jumps to the library's first byte.
    outcome = c.run("candidate", ["{ld}", "./one/libwhich.so"])
    c.expect(outcome.status == 127 and "./one/libwhich.so: e_entry is 0x0" in outcome.err, f"a library as program: {outcome}")
    c.same(["{ld}", "./locked"])
    c.same(["{ld}", "--argv0", "zero", "./locked"])
    c.same(["{ld}", 1000 * "./" + "locked"])
    c.same(["{ld}", "/lib/x86_64-linux-gnu/libc.so.6"])
    os.symlink("who", "link")
    c.same(["{ld}", *path, "./link"])
    # Too many arguments for the words in front of them to matter.
    c.same(["{ld}", *path, "./who", *("argument" * 9 for _ in range(3000))])


KEEPS = '''
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static void *work(void *a) { return dlopen("libm.so.6", RTLD_LAZY); }
int main(int n, char **v) {
  char text[4096] = {0}, line[4096]; pthread_t t; void *opened;
  readlink("/proc/self/exe", text, sizeof text - 1); puts(text);
  FILE *file = fopen("/proc/self/cmdline", "r"); size_t got = fread(text, 1, sizeof text, file);
  for (size_t i = 0; i < got; ++i) putchar(text[i] ? text[i] : '|');
  file = fopen("/proc/self/environ", "r"); got = fread(text, 1, sizeof text - 1, file); text[got] = 0;
  printf("\\nenvironment %zu %.4s\\n", got, text);
  file = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, file)) if (strstr(line, "/ld.so\\n") || strstr(line, "rwxp")) fputs(line, stdout);
  pthread_create(&t, 0, work, 0); pthread_join(t, &opened);
  printf("%d %d\\n", opened != 0, dlsym(opened, "cos") != 0);
  return n; }
'''


def test_keep_exe(c):
    """--keep-exe: /proc/self shows the program as if the kernel had started it. A user namespace gives the privilege."""
    c.compile("keeps", KEEPS, "-pthread", "-Wl,-z,lazy")
    c.compile("keeps-fixed", KEEPS, "-pthread", "-no-pie", "-Wl,-z,now")
    os.symlink("keeps", "keeps-link")
    c.library("libkept.so", "int kept;")
    privilege = ["unshare", "-r"]
    if c.run("candidate", [*privilege, "true"]).status != 0:
        privilege = []
    if c.run("candidate", [*privilege, "{ld}", "--keep-exe", "./keeps"]).status == 127:
        print("no privilege to change /proc/self/exe here")
        return
    for program in ("./keeps", "./keeps-fixed", "./keeps-link", c.root + "/keeps"):
        for words in ([], ["a b", "", "c"]):
            by_kernel = c.run("candidate", [program, *words])
            kept = c.run("candidate", [*privilege, "{ld}", "--keep-exe", program, *words])
            by_kernel.out = "".join(line for line in by_kernel.out.splitlines(True) if "ld-linux" not in line)
            c.expect(kept == by_kernel and kept.status == 1 + len(words), f"{program} {words}: {kept}\n{by_kernel}")
    for options in (["--preload", "./libkept.so"], ["--library-path", "one", "--argv0", "zero"], ["--inhibit-cache"]):
        kept = c.run("candidate", [*privilege, "{ld}", *options, "--keep-exe", "./keeps", "x"])
        c.expect(kept.status == 2 and kept.out.startswith(f"{c.root}/keeps\n./keeps|x|\n"), f"{options}: {kept}")
    kept = c.run("candidate", [*privilege, "{ld}", "--keep-exe", "libc.so.6"])
    c.expect(kept.status == 0 and kept.out.startswith("GNU C Library"), f"found by the cache: {kept}")
    # Listings do not need it, a static program has it anyway, and without privilege nothing starts.
    c.expect(c.run("candidate", ["{ld}", "--keep-exe", "--list", "./keeps"]).status == 0, "--list --keep-exe")
    c.expect(c.run("candidate", ["{ld}", "--keep-exe", "./static", "x"]).out == "./static 2\n", "a static program")
    if os.geteuid() == 0:
        somebody = 65534
        os.chmod(".", 0o755)
        kept = c.run("candidate", ["{ld}", "--keep-exe", "./keeps"], user=somebody, group=somebody, extra_groups=[])
        c.expect((kept.status, kept.out) == (127, "") and kept.err.endswith(
            "./keeps: naming the program in /proc/self/exe failed: Operation not permitted\n"), f"without privilege: {kept}")


def test_secure_trace(c):
    """A set-group-ID program run by somebody else: ldd mode ends with status 5 and prints nothing."""
    if os.geteuid() != 0:
        print("not root: no set-group-ID program is tried")
        return
    somebody, group = 65534, 12345
    os.chmod(".", 0o755)
    c.program_for_each_side("plain", '#include <sys/auxv.h>\nint main(void) { return getauxval(AT_SECURE) ? 20 : 21; }')
    for side in comparison.SIDES:
        os.chown(f"{side}/plain", 0, group)
        os.chmod(f"{side}/plain", 0o2755)
    for env in ({}, {"LD_TRACE_LOADED_OBJECTS": "1"}, {"LD_TRACE_LOADED_OBJECTS": ""}, {"LD_SHOW_AUXV": "1"},
                {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1", "LD_DEBUG": "unused"}, {"LD_PRELOAD": "/missing.so", "LD_HINTS": "1"}):
        outcome = c.same(["{side}/plain"], env, user=somebody, group=somebody, extra_groups=[])
        if not env:
            if outcome.status == 21:
                print("set-group-ID has no effect here")
                return
            c.expect(outcome.status == 20, str(outcome))
        elif "LD_TRACE_LOADED_OBJECTS" in env:
            c.expect((outcome.status, outcome.out, outcome.err) == (5, "", ""), str(outcome))


SEES_ENVIRONMENT = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
int main(int n, char **v) {
  for (int i = 1; i < n; i++) printf("%d%d ", getenv(v[i]) != 0, secure_getenv(v[i]) != 0);
  puts(""); return 0; }
"""


def test_secure_by_tunable(c):
    """The judge knows the tunable from 2.40 on; ours under any release, as none is known when it is read."""
    c.compile("sees", SEES_ENVIRONMENT)
    names = ["PLAIN", "TMPDIR", "LD_WARN", "GLIBC_TUNABLES"]
    environment = {name: "1" for name in names}
    for text, wanted in (("glibc.rtld.enable_secure=1", "10 00 00 00 \n"), ("glibc.rtld.enable_secure=0", "11 11 11 11 \n")):
        environment["GLIBC_TUNABLES"] = text
        outcome = c.run("candidate", ["{ld}", "./sees", *names], environment)
        c.expect((outcome.status, outcome.out, outcome.err) == (0, wanted, ""), f"{text}: {outcome}")
    environment = {"GLIBC_TUNABLES": "glibc.rtld.enable_secure=1", "LD_DEBUG": "all", "LD_PRELOAD": "./none.so", "LD_BIND_NOW": "1"}
    outcome = c.run("candidate", ["{ld}", "./sees", "LD_DEBUG"], environment)
    c.expect((outcome.status, outcome.out) == (0, "00 \n"), f"nothing has an effect: {outcome}")


def test(c):
    os.mkdir("stub")
    build(c)
    test_usage(c)
    test_paths(c)
    test_without_effect(c)
    test_names(c)
    test_keep_exe(c)
    test_secure_trace(c)
    test_secure_by_tunable(c)


if __name__ == "__main__":
    comparison.main(test)
