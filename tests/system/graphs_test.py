#!/usr/bin/env python3
"""Graphs of thousands of libraries, at start-up and by dlopen: each library's constructor runs once, after those of
what it needs, and look-ups give the first definition in breadth-first order. Where the graph is small enough for the
system's loader it is asked for the same order. A loader whose work grew with the square of the number would meet the
limit of processor time, tens of times what is needed."""
import os
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import elf_writer  # noqa: E402
from loader import OURS, SYSTEM  # noqa: E402

MANY, SOME = 5000, 200
PROGRAM = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int counter, order[5000];
static long value(void *handle, const char *name) {
  long *at = dlsym(handle, name);
  return at ? *at : -1;
}
int main(int argc, char **argv) {
  int many = atoi(argv[1]);
  void *handle = argc > 2 ? dlopen(argv[2], RTLD_LAZY) : RTLD_DEFAULT;
  if (argc > 2 && !handle) { puts(dlerror()); return 1; }
  printf("%d %ld %ld %ld", counter, value(handle, "everywhere"), value(handle, "some"), value(handle, "last"));
  for (int i = 0; i < many; ++i) printf(" %d", order[i]);
  if (argc > 2) {
    int closed = dlclose(handle);
    printf(" closed=%d gone=%d", closed, !dlopen(argv[2], RTLD_LAZY | RTLD_NOLOAD));
  }
  putchar('\n');
  return 0;
}
'''


def chain(many):
    return [[i + 1] if i + 1 < many else [] for i in range(many)]


def wide(many):
    return [list(range(1, many))] + [[] for _ in range(many - 1)]


def ring(many):
    return [[(i + 1) % many] for i in range(many)]


def layers(many, width=12):
    """Each library needs the whole next layer; the first one is alone."""
    def needs(i):
        first = 1 + ((i + width - 1) // width) * width
        return list(range(first, min(first + width, many)))
    return [needs(i) for i in range(many)]


def layers_with_ways_back(many):
    return [edges + [i // 2, i] for i, edges in enumerate(layers(many))]


def name(i):
    return f"libn{i}.so"


def write(graph):
    for i, edges in enumerate(graph):
        defined = ["everywhere"] + (["some"] if i % 7 == 3 else []) + (["last"] if i + 1 == len(graph) else [])
        with open(name(i), "wb") as file:
            file.write(elf_writer.library(name(i), [name(k) for k in edges], i, defined))


def breadth_first(graph):
    seen, found = {0}, [0]
    for i in found:
        for k in graph[i]:
            if k not in seen:
                seen.add(k)
                found.append(k)
    return found


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_STACK, (64 << 10, 64 << 10))


def run(side, arguments):
    done = subprocess.run([side, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limits,
                          env={"LD_LIBRARY_PATH": "."})
    assert done.returncode == 0, (side, arguments, done.returncode, done.stdout[-300:])
    return done.stdout


def check(graph, arguments, acyclic, compare):
    output = run(OURS, arguments)
    if compare:
        reference = run(SYSTEM, arguments)
        assert output == reference, (output, reference)
    words = output.split()
    found = breadth_first(graph)
    assert words[0] == str(len(graph)), words[:4]
    assert words[1:4] == ["0", str(next(i for i in found if i % 7 == 3)), str(len(graph) - 1)], words[:4]
    order = [int(word) for word in words[4:4 + len(graph)]]
    assert sorted(order) == list(range(1, len(graph) + 1)), "a constructor ran twice or never"
    for i, edges in enumerate(graph if acyclic else []):
        assert all(order[k] < order[i] for k in edges), f"{name(i)} was initialised before what it needs"
    if len(arguments) > 2:
        assert words[-2:] == ["closed=0", "gone=1"], words[-2:]


def test(shape, acyclic):
    for many in (SOME, MANY):
        graph = shape(many)
        write(graph)
        check(graph, ["./start", str(many)], acyclic, many == SOME)
        check(graph, ["./open", str(many), "./" + name(0)], acyclic, many == SOME)


def main():
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        subprocess.run(["gcc", "-x", "c", "-", "-shared", "-o", name(0), "-Wl,-soname," + name(0)], input="", text=True, check=True)
        for program, libraries in (("start", ["-Wl,--no-as-needed", name(0)]), ("open", [])):
            subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-rdynamic", "-o", program, *libraries], input=PROGRAM, text=True, check=True)
        for shape, acyclic in ((chain, True), (wide, True), (ring, False), (layers, True), (layers_with_ways_back, False)):
            test(shape, acyclic)
            print("ok", shape.__name__, flush=True)
        os.chdir("/")


main()
