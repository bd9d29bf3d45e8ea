#!/usr/bin/env python3
"""Registers through the stubs of the loader, as many as this processor has: lazy binding and TLS descriptors keep every
one (zmm0-31, k0-7 and tiles with AVX-512 and AMX); an auditor sees and changes whole vectors. The first line of each
program's output says what was left out. The loader of glibc loses r10 and r11 in lazy binding, and 2.36 vectors in
descriptors, so only the auditor's part is compared."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402


def source(name):
    with open(os.path.join(HERE, "registers", name)) as file:
        return file.read()


def build(c):
    include = "-I" + os.path.join(HERE, "registers")
    c.library("callee.so", source("callee.c"), include)
    c.library("variable.so", source("variable.c"), include, "-mtls-dialect=gnu2")
    c.library("auditor.so", source("auditor.c"), include)
    c.compile("main", source("main.c"), include, "./callee.so", "-Wl,-z,lazy,-rpath,$ORIGIN")


def all_right(c, mode, lines, env=None):
    outcome = c.run("candidate", ["{ld}", "./main", mode], env)
    print(mode + ":", outcome.out.partition("\n")[0])
    c.expect(outcome.status == 0 and outcome.out.splitlines()[1:] == lines, f"{mode}\n{outcome}")


def test_lazy_binding(c):
    build(c)
    all_right(c, "plt", ["lazy call: right", "lazy return: right", "bound call: right", "bound return: right"])


def test_descriptors(c):
    build(c)
    lines = []
    for title in ("first use", "later use", "other thread"):
        lines += [f"descriptor, {title}: right", f"descriptor, {title}: its variable"]
    all_right(c, "descriptor", lines)


def test_audited_calls(c):
    build(c)
    environment = {"LD_AUDIT": "./auditor.so"}
    all_right(c, "audited", ["auditor: entered", "auditor: left", "audited call: right", "audited return: right"], environment)
    c.same(["{ld}", "./main", "audited"], environment)


if __name__ == "__main__":
    comparison.run_cases([test_lazy_binding, test_descriptors, test_audited_calls])
