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
  for (int i = 0; i < n; ++i) printf("argv[%d]=%s\\n", i, v[i]);
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
                  ["--nonsense", "--help-me"], ["--list", "--verify"], ["-"], ["--verify", "--nonsense"]):
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
    c.same(["{ld}", "./locked"])
    c.same(["{ld}", "--argv0", "zero", "./locked"])
    c.same(["{ld}", "/lib/x86_64-linux-gnu/libc.so.6"])
    os.symlink("who", "link")
    c.same(["{ld}", *path, "./link"])
    # Too many arguments for the words in front of them to matter.
    c.same(["{ld}", *path, "./who", *("argument" * 9 for _ in range(3000))])


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


def test(c):
    os.mkdir("stub")
    build(c)
    test_usage(c)
    test_paths(c)
    test_names(c)
    test_secure_trace(c)


if __name__ == "__main__":
    comparison.main(test)
