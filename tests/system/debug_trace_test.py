#!/usr/bin/env python3
"""LD_DEBUG: every category of real programs' traces equals the system loader's line by line, started both
ways. What may differ is written down, with its reason, as rules in tests/support/traces.py."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import traces  # noqa: E402

PROGRAMS = (
    ["/bin/true"],
    ["/bin/ls", "/"],
    ["/bin/bash", "-c", ":"],
    ["/usr/bin/python3", "-c", "import ssl, ctypes"],
    ["/usr/bin/perl", "-e", "use POSIX; 1"],
    ["/usr/bin/git", "--version"],
    ["/usr/bin/gcc", "--version"],
    ["/bin/tar", "--version"],
)
CATEGORIES = ("libs", "files", "versions", "scopes", "reloc", "bindings", "symbols", "all", "libs,scopes", "unused")

OPENER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
  void* m = dlopen("libm.so.6", RTLD_LAZY);
  void* again = dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  void* self = dlopen(NULL, RTLD_LAZY);
  void* a = dlopen("./liba.so", RTLD_LAZY | RTLD_GLOBAL);
  void* b = dlopen("./libb.so", RTLD_NOW);
  void* none = dlopen("libnone.so", RTLD_LAZY);
  void* present = dlopen("./libb.so", RTLD_LAZY | RTLD_NOLOAD);
  int (*call)(void) = (int (*)(void))dlsym(b, "call_used");
  printf("%d %d %p %d\n", m == again, self != 0, none, present == b);
  printf("%d %d %d\n", call ? call() : -1, dlsym(RTLD_DEFAULT, "used") != 0, dlvsym(m, "cos", "GLIBC_2.2.5") != 0);
  printf("%d %d\n", dlsym(b, "no_such") != 0, dlvsym(m, "cos", "GLIBC_9.9") != 0);
  printf("%d\n", dlopen("./libc1.so", RTLD_NOW) != 0);
  dlclose(a);
  dlclose(present);
  dlclose(b);
  dlclose(m);
  dlclose(self);
  return 0;
}
"""
LIBRARIES = {
    "liba.so": ("int used(void) { return 7; }\nint thing = 3;", []),
    "libb.so": ("int used(void); extern int thing; int* where = &thing;\nint call_used(void) { return used(); }", []),
    "libc1.so": ("int never(void); int call_never(void) { return never(); }", []),
}


def compile_opener(directory):
    for name, (source, options) in LIBRARIES.items():
        file = os.path.join(directory, name + ".c")
        with open(file, "w") as out:
            out.write(source)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", os.path.join(directory, name), file, *options], check=True)
    with open(os.path.join(directory, "opener.c"), "w") as out:
        out.write(OPENER)
    os.mkdir(os.path.join(directory, "programs"))
    program = os.path.join(directory, "programs", "opener")
    subprocess.run(["gcc", "-o", program, os.path.join(directory, "opener.c")], check=True)
    return program


def compile_failing(directory):
    """Programs that end at a missing symbol, at once and at the first call, and at a missing version."""
    def compile(name, source, *options):
        file = os.path.join(directory, os.path.basename(name) + ".c")
        with open(file, "w") as out:
            out.write(source)
        subprocess.run(["gcc", "-o", os.path.join(directory, name), file, *options], check=True, cwd=directory)
    with open(os.path.join(directory, "v.map"), "w") as out:
        out.write("V_1 { global: fun; local: *; }; V_2 { global: more; } V_1;")
    compile("libv.so", "int fun(void) { return 1; } int more(void) { return 2; }", "-shared", "-fPIC",
            "-Wl,--version-script=v.map", "-Wl,-soname,libv.so")
    compile("programs/calls", "int fun(void); int more(void); int main(void) { return fun() + more(); }", "./libv.so",
            "-Wl,-z,lazy")
    compile("libw.so", "int fun(void) { return 1; }", "-shared", "-fPIC", "-Wl,-soname,libw.so")
    compile("programs/late", "int fun(void); int used(void); int main(void) { return used() + fun(); }", "./liba.so",
            "./libw.so", "-Wl,-z,lazy")
    compile("libw.so", "int other(void) { return 1; }", "-shared", "-fPIC", "-Wl,-soname,libw.so")
    with open(os.path.join(directory, "v.map"), "w") as out:
        out.write("V_1 { global: fun; local: *; };")
    compile("libv.so", "int fun(void) { return 1; }", "-shared", "-fPIC", "-Wl,--version-script=v.map",
            "-Wl,-soname,libv.so")
    return os.path.join(directory, "programs", "calls"), os.path.join(directory, "programs", "late")


def check(pair, mode, command, environment):
    theirs, ours = pair.both(mode, command, {"PATH": os.environ["PATH"], "LC_ALL": "C", **environment})
    lines = traces.difference(theirs[1], ours[1])
    lines += traces.listing_difference(theirs[0], ours[0])
    if not lines and theirs[2] == ours[2]:
        return len(traces.normalise(theirs[1]))
    print("%s %s %s: status %d and %d, %d lines of difference" % (mode, environment, command, theirs[2], ours[2],
                                                                 len(lines)))
    print("\n".join(line[:300] for line in lines[:20]))
    return -1


def main():
    results = []
    with tempfile.TemporaryDirectory() as directory:
        pair = traces.Pair(directory)
        opener = compile_opener(directory)
        failing = compile_failing(directory)
        for mode in ("direct", "interp"):
            for category in CATEGORIES:
                for program in PROGRAMS + ([opener],):
                    if os.path.exists(program[0]):
                        results.append(check(pair, mode, program, {"LD_DEBUG": category}))
            results.append(check(pair, mode, [opener], {"LD_DEBUG": "all", "LD_BIND_NOW": "1"}))
            for program in failing:
                for variables in ({}, {"LD_BIND_NOW": "1"}, {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1",
                                                             "LD_BIND_NOW": "1"}):
                    results.append(check(pair, mode, [program], {"LD_DEBUG": "bindings", "LD_LIBRARY_PATH": ".",
                                                                 "LD_HINTS": "0", **variables}))
            results.append(check(pair, mode, ["/bin/ls"], {"LD_DEBUG": "files,libs", "LD_PRELOAD": "libm.so.6"}))
            results.append(check(pair, mode, ["/bin/ls"], {"LD_DEBUG": "libs", "LD_LIBRARY_PATH": "/usr/lib:/nowhere::."}))
    print("traces: %d, lines: %d, different: %d" % (len(results), sum(r for r in results if r > 0), results.count(-1)))
    # Most of the categories print something: a comparison of nothing shows nothing.
    sys.exit(0 if results.count(-1) == 0 and sum(r > 0 for r in results) * 10 > len(results) * 8 else 1)


if __name__ == "__main__":
    main()
