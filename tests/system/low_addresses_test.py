#!/usr/bin/env python3
"""Objects at low addresses, as glibc.cpu.prefer_map_32bit_exec asks for them. Releases before 2.37 do not know the
tunable; with such a judge the outcome is asserted alone."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import comparison  # noqa: E402
import loader  # noqa: E402

NAME = "glibc.cpu.prefer_map_32bit_exec"
PROGRAM = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
extern int one(void), wide(void);
static void tell(const char *what, const void *address) { printf("%s %s\n", what, (unsigned long)address >> 31 ? "high" : "low"); }
static void fill(unsigned long start, unsigned long bytes) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  if (mmap((void *)start, bytes, PROT_NONE, flags, -1, 0) != MAP_FAILED || bytes == 4096) return;
  fill(start, bytes / 2), fill(start + bytes / 2, bytes / 2);
}
int main(int n, char **v) {
  if (n > 1 && !strcmp(v[1], "full")) fill(0x40000000, 0x40000000);  /* where the kernel looks for MAP_32BIT */
  void *late = dlopen("./late.so", RTLD_NOW);
  tell("program", main), tell("one", one), tell("wide", wide), tell("libc", dlsym(RTLD_NEXT, "puts"));
  tell("late", late ? dlsym(late, "late") : 0);
  return late == 0;
}
'''
ENVIRONMENTS = (
    # The last value that is one counts, and the newer name wherever it stands.
    ({"GLIBC_TUNABLES": NAME + "=1"}, True), ({"LD_PREFER_MAP_32BIT_EXEC": "1"}, True),
    ({"LD_PREFER_MAP_32BIT_EXEC": " 0x1"}, True), ({"LD_PREFER_MAP_32BIT_EXEC": ""}, False),
    ({"LD_PREFER_MAP_32BIT_EXEC": "2"}, False), ({"LD_PREFER_MAP_32BIT_EXEC": "yes"}, False),
    ({"GLIBC_TUNABLES": NAME + "=0", "LD_PREFER_MAP_32BIT_EXEC": "1"}, False),
    ({"GLIBC_TUNABLES": NAME + "=2", "LD_PREFER_MAP_32BIT_EXEC": "1"}, True),
    ({"GLIBC_TUNABLES": f"{NAME}=1:{NAME}=2"}, False), ({"GLIBC_TUNABLES": f"{NAME}=x:nobody:{NAME}=1"}, True),
    # A text that is no list of assignments, and secure mode.
    ({"GLIBC_TUNABLES": NAME + "=1:"}, False), ({"GLIBC_TUNABLES": NAME + "=1=1"}, False),
    ({"GLIBC_TUNABLES": f"glibc.rtld.enable_secure=1:{NAME}=1", "LD_PREFER_MAP_32BIT_EXEC": "1"}, False),
    ({}, False),
)


def knows_tunable():
    listing = subprocess.run([loader.SYSTEM, "--list-tunables"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return NAME in listing


def compare(c, judged, command, env, what):
    """The objects named in `what` lie low, and with a judge the same ones there."""
    if judged:
        outcome = c.same(command, env)
    else:
        outcome = c.run("candidate", command, env)
    lines = dict(line.split() for line in outcome.out.splitlines())
    low = {name for name, place in lines.items() if place == "low"}
    c.expect(outcome.status == 0 and len(lines) == 5 and low == set(what), f"{env} {command}: {outcome}")


def test(c):
    aligned = "__attribute__((aligned(65536))) int x[40000] = {1}; int wide(void) { return x[3]; }"
    c.library("libone.so", "int one(void) { return 1; }", "-Wl,-z,noseparate-code")
    c.library("libwide.so", aligned, "-Wl,-z,max-page-size=65536")
    c.library("late.so", "int late(void) { return 1; }")
    libraries = ("libone.so", "libwide.so", "-Wl,-rpath," + c.root)
    c.program_for_each_side("started", PROGRAM, *libraries)
    c.compile("named", PROGRAM, *libraries)
    everything = {"program", "one", "wide", "libc", "late"}
    judged = knows_tunable()
    for env, low in ENVIRONMENTS:
        compare(c, judged, ["{ld}", "./named"], env, everything if low else ())
        # A program that the kernel has mapped lies where it lies.
        compare(c, judged, ["{side}/started"], env, everything - {"program"} if low else ())
    compare(c, judged, ["{ld}", "./named", "full"], ENVIRONMENTS[0][0], everything - {"late"})


if __name__ == "__main__":
    comparison.main(test)
