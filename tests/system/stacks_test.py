#!/usr/bin/env python3
"""Executable stacks as the system's loader grants them; and C libraries of releases and builds nobody knows."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
from elf_patch import File  # noqa: E402

NESTED = '''
__attribute__((noinline)) static int call(int (*f)(int)) { return f(3); }
int nested(void) { volatile int k = 4; int inner(int x) { return x + k; } return call(inner); }
'''


def test_stacks(c):
    with open(os.path.join(HERE, "stacks", "driver.c")) as file:
        driver = file.read()
    c.library("nested.so", NESTED, "-Wl,-z,execstack")
    for name, options in (("plain", []), ("asking", ["-Wl,-z,execstack"]), ("linked", ["-Wl,--no-as-needed", "./nested.so"])):
        c.compile(name, driver, "-pthread", *options)
        c.program_for_each_side(name, driver, "-pthread", *options)
        for command in (["{ld}", "./" + name], ["{side}/" + name]):
            outcome = c.same(command, {"LD_LIBRARY_PATH": "."})
            c.expect(outcome.status == 0, f"{name}: {outcome}")


def test_unknown_release(c):
    with open("libc.map", "w") as file:
        file.write("GLIBC_2.2.5 { global: puts; local: *; }; GLIBC_2.99 { global: newest; } GLIBC_2.2.5;")
    os.mkdir("unknown")
    c.library("unknown/libc.so.6", "int puts(const char *t) { return 0; } int newest;", "-nostdlib", "-Wl,--version-script=libc.map")
    c.compile("prog", "int puts(const char *); void _start(void) { puts(\"\"); }", "-nostdlib", "-nostartfiles",
              "-Wl,--no-as-needed", "unknown/libc.so.6")
    outcome = c.run("candidate", ["{ld}", "--library-path", "unknown", "./prog"])
    c.expect(outcome.status == 127 and outcome.out == "" and outcome.err.count("\n") == 1, f"unknown libc: {outcome}")
    for word in ("libc.so.6", "2.99", "2.36, 2.39, 2.41, 2.43, 2.44"):
        c.expect(word in outcome.err, f"{word} in: {outcome.err}")


def test_unknown_builds(c):
    """Another build of a release is served as long as its structures are those known."""
    library = "/lib/x86_64-linux-gnu/libc.so.6"
    symbols = subprocess.run(["readelf", "-W", "--dyn-syms", library], capture_output=True, text=True, check=True).stdout
    notes = subprocess.run(["readelf", "-n", library], capture_output=True, text=True, check=True).stdout
    build_id = bytes.fromhex(re.search(r"Build ID: (\w+)", notes)[1])

    def place(name):
        return int(re.search(rf"^ *\d+: (\w+) .* {name}@", symbols, re.M)[1], 16)

    changes = {None: (0, b""), "_thread_db_sizeof_pthread": (place("_thread_db_sizeof_pthread"), b"\x08"),
               "_thread_db_rtld_global__dl_stack_used": (place("_thread_db_rtld_global__dl_stack_used") + 8, b"\x08"),
               "dlclose": (place("dlclose"), b"\x90" * 64)}
    for number, (symbol, (offset, new)) in enumerate(changes.items()):
        os.mkdir(f"build{number}")
        file = File(library).replace(build_id, bytes(len(build_id)))
        file.data[offset:offset + len(new)] = new
        with open(f"build{number}/libc.so.6", "wb") as copy:
            copy.write(file.data)
        outcome = c.run("candidate", ["{ld}", "--library-path", f"build{number}", "/bin/echo", "word"])
        if symbol is None:
            c.expect(outcome.status == 0 and outcome.out == "word\n", f"another build: {outcome}")
        else:
            c.expect(outcome.status == 127 and outcome.out == "" and outcome.err.count("\n") == 1, f"{symbol}: {outcome}")
            for word in (f"build{number}/libc.so.6: unsupported build of C library version 2.", f"({symbol} "):
                c.expect(word in outcome.err, f"{word} in: {outcome.err}")


def main():
    with comparison.Comparison() as c:
        test_stacks(c)
        test_unknown_release(c)
        test_unknown_builds(c)
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
