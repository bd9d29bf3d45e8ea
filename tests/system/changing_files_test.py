#!/usr/bin/env python3
"""A library changes while programs start: another process replaces it (rename), or cuts it in place.

    changing_files_test.py [--starts N] [--system]

A replaced file is always one of the two: every start has the right result of one of them. Of a file that is cut at a page's end
there is a clean error, or SIGBUS, which is what the kernel has for pages that are gone, or the right result; never another one.
--starts: of each kind (60); --system: with the system's loader, for comparison."""
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from loader import OURS, SYSTEM  # noqa: E402

PAGE = 4096
# Every part of the file tells of which of the two libraries it is.
LIBRARY = r'''
#define FOUR(x) x, x, x, x
#define MANY(x) FOUR(FOUR(FOUR(FOUR(FOUR(FOUR(x))))))
const char constants[] = { MANY(WHO), MANY(WHO) };
char data[] = { MANY(WHO), MANY(WHO) };
const char *const pointers[] = { FOUR(FOUR(FOUR(FOUR(FOUR(constants + 9))))) };
__thread char local = WHO;
static char whole(const char *at, unsigned long bytes) {
  for (unsigned long i = 0; i < bytes; i++) if (at[i] != WHO) return '!';
  return *at; }
const char *who(void) {
  static char text[6];
  text[0] = WHO; text[1] = whole(constants, sizeof constants); text[2] = whole(data, sizeof data); text[3] = WHO; text[4] = local;
  for (unsigned i = 0; i < sizeof pointers / sizeof *pointers; i++) if (*pointers[i] != WHO) text[3] = '!';
  return text; }
'''
STARTED = '#include <stdio.h>\nconst char *who(void);\nint main(void) { puts(who()); return 0; }'
OPENER = r'''
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
  void *library = dlopen("./libmoves.so", RTLD_NOW);
  if (!library) { puts(dlerror()); return 3; }
  const char *(*who)(void) = dlsym(library, "who");
  puts(who ? who() : dlerror());
  return 0; }
'''
RIGHT = ("AAAAA\n", "BBBBB\n")


def gcc(output, source, *options):
    subprocess.run(["gcc", "-O1", "-x", "c", "-", "-x", "none", "-w", "-o", output, *options], input=source, text=True, check=True)


def put(which):
    with open("next", "wb") as file:
        file.write(which)
    os.rename("next", "libmoves.so")


def replace(libraries, chance):
    for turn in range(sys.maxsize):
        put(libraries[turn % 2])
        time.sleep(chance.random() / 2000)


def cut(libraries, chance):
    while True:
        put(libraries[0])
        time.sleep(chance.random() / 250)
        os.truncate("libmoves.so", chance.randrange(len(libraries[0]) // PAGE + 1) * PAGE)
        time.sleep(chance.random() / 1000)


def kind_of(done):
    """Its kind; None where there must be none such."""
    if done.returncode == 0 and done.stdout in RIGHT:
        return "right"
    if done.returncode == -signal.SIGBUS:
        return "SIGBUS"
    if done.returncode in (3, 127) and "libmoves.so" in done.stdout + done.stderr:
        return "error"
    return None


class Mover:
    """The process that changes the file; a context manager."""

    def __init__(self, move, libraries):
        self.move, self.libraries = move, libraries

    def __enter__(self):
        put(self.libraries[0])
        self.child = os.fork()
        if self.child == 0:
            self.move(self.libraries, random.Random(1))

    def __exit__(self, *_):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)


def test_starts(loader, move, allowed, libraries, count):
    failures = 0
    for program in ("started", "opener"):
        kinds = collections.Counter()
        with Mover(move, libraries):
            for _ in range(count):
                done = subprocess.run([loader, "./" + program], env={"LD_HINTS": "0"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, timeout=60)
                kind = kind_of(done)
                kinds[kind] += 1
                if kind not in allowed:
                    failures += 1
                    print(f"FAILED: {move.__name__}, {program}: {done}", flush=True)
        print(f"{move.__name__}, {program}: " + ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items(), key=str)), flush=True)
    return failures


def main():
    words = sys.argv[1:]
    count = int(words[words.index("--starts") + 1]) if "--starts" in words else 60
    loader = SYSTEM if "--system" in words else OURS
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        libraries = []
        for who in "AB":
            gcc("libmoves.so", LIBRARY, "-shared", "-fPIC", f"-DWHO='{who}'", "-Wl,-soname,libmoves.so")
            with open("libmoves.so", "rb") as file:
                libraries.append(file.read())
        gcc("started", STARTED, "libmoves.so", "-Wl,-rpath,.")
        gcc("opener", OPENER)
        failures = test_starts(loader, replace, ("right",), libraries, count)
        failures += test_starts(loader, cut, ("right", "error", "SIGBUS"), libraries, count)
        os.chdir("/")
    sys.exit(1 if failures else 0)


main()
