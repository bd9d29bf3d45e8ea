#!/usr/bin/env python3
"""Damaged /etc/ld.so.cache and /etc/ld.so.preload, in a mount namespace of our own.

    system_files_test.py [--count N] [--first N] [--system]

Whatever stands in them, a program runs right or ends with a message: no signal, no hang, no silence, no wrong result.
--count: mutations of each file (50), which their numbers make; --first: the first number (1); --system: with the system's
loader, for comparison (not a failure of ours)."""
import collections
import os
import random
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from loader import OURS, SYSTEM  # noqa: E402

# One library that only the cache knows, one that the default directories have, too.
PROGRAM = r'''
#include <math.h>
#include <stdio.h>
int only_cached(void);
int main(int argc, char **argv) { printf("%d %d\n", only_cached(), (int)sqrt(argc * 49.0)); return 0; }
'''
RIGHT = "41 7\n"
HEADER, ENTRY = 48, 24
WILD = (0, 1, 3, 7, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff)


def word(data, at, value):
    data[at:at + 4] = struct.pack("<I", value & 0xffffffff)


def some_word(chance, data):
    return chance.choice((chance.choice(WILD), chance.randrange(len(data)), chance.getrandbits(32)))


def entries_of(data):
    return struct.unpack_from("<I", data, 20)[0] if len(data) >= HEADER else 0


def change_header(chance, data):
    if len(data) < HEADER:
        return
    word(data, chance.randrange(HEADER // 4) * 4, some_word(chance, data))


def change_entry(chance, data):
    at = HEADER + chance.randrange(max(entries_of(data), 1)) * ENTRY + chance.randrange(ENTRY // 4) * 4
    if at + 4 <= len(data):
        word(data, at, some_word(chance, data))


def change_every_entry(chance, data):
    field, value = chance.randrange(ENTRY // 4) * 4, some_word(chance, data)
    for at in range(HEADER + field, min(HEADER + entries_of(data) * ENTRY, len(data) - 4), ENTRY):
        word(data, at, value)


def change_end(chance, data):
    """The strings, and the extension at the end."""
    for _ in range(chance.randrange(1, 20)):
        data[chance.randrange(max(len(data) - 4000, 0), len(data))] = chance.choice((0, 47, 255, chance.randrange(256)))


def noise(chance, data):
    for _ in range(chance.randrange(1, 200)):
        data[chance.randrange(len(data))] = chance.randrange(256)


def cut(chance, data):
    del data[chance.choice((0, 1, 19, 20, 47, 48, 71, chance.randrange(len(data)), chance.randrange(len(data)))):]


def longer(chance, data):
    data.extend(bytes(chance.choice((1, 7, 4096, 1 << 20))) if chance.random() < 0.5 else bytes(data))


def zeros(chance, data):
    start = chance.randrange(len(data))
    data[start:start + chance.randrange(1, 5000)] = bytes(min(chance.randrange(1, 5000), len(data) - start))


def shift(chance, data):
    at = chance.randrange(len(data))
    if chance.random() < 0.5:
        data[at:at] = bytes(chance.choice((1, 4, 24)))
    else:
        del data[at:at + chance.choice((1, 4, 24))]


def old_header(chance, data):
    data[:0] = b"ld.so-1.7.0\0" + struct.pack("<I", some_word(chance, data) if chance.random() < 0.7 else 0)


CACHE_CHANGES = (change_header, change_entry, change_every_entry, change_end, noise, cut, longer, zeros, shift, old_header)
LIST_CHANGES = (noise, cut, longer, zeros, shift)
WORDS = (b"/", b"//", b".", b"..", b"/etc", b"/dev/null", b"/dev/zero", b"/etc/passwd", b"libc.so.6", b"ld-linux-x86-64.so.2",
         b"libm.so.6", b"$ORIGIN/x", b"$LIB", b"${PLATFORM", b"#", b"# x\n", b":", b"\n", b"\t", b"\0", b"x" * 255, b"y/" * 5000,
         b"/proc/self/mem", b"\xff\xfe", b"%s%n")


def damaged_cache(good, number):
    chance, data = random.Random(number), bytearray(good)
    for _ in range(chance.choice((1, 1, 2, 5))):
        if data:
            chance.choice(CACHE_CHANGES)(chance, data)
    return bytes(data)


def damaged_list(good, number):
    chance = random.Random(number)
    words = [chance.choice(WORDS + (good,) * 6) for _ in range(chance.randrange(1, 8))]
    data = bytearray(chance.choice((b" ", b"\n", b":", b"\t")).join(words))
    for _ in range(chance.choice((0, 1, 1, 2))):
        if data:
            chance.choice(LIST_CHANGES)(chance, data)
    return bytes(data)


def kind_of(done):
    """Its kind; None where there must be none such."""
    if done.returncode == 0 and done.stdout == RIGHT:
        return "right" if not done.stderr else "right, with a message"
    if done.returncode == 127 and done.stderr.strip() and RIGHT not in done.stdout:
        return "error"
    return None


def test_file(loader, path, damaged, good, numbers):
    kinds, failures = collections.Counter(), 0
    for number in numbers:
        with open(path, "wb") as file:
            file.write(damaged(good, number))
        done = subprocess.run([loader, "./program"], env={"LD_HINTS": "0"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding="utf-8", errors="backslashreplace", timeout=60)
        kind = kind_of(done)
        kinds[kind] += 1
        if kind is None:
            failures += 1
            print(f"FAILED: {path}, mutation {number}: {done}", flush=True)
    print(f"{path}: " + ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items(), key=str)), flush=True)
    return failures


def gcc(output, source, *options):
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-w", "-o", output, *options], input=source, text=True, check=True)


def make_etc():
    """A directory to lie over /etc, and what is needed to run a program."""
    os.mkdir("etc")
    os.mkdir("cached")
    gcc("cached/libonlycached.so.1", "int only_cached(void) { return 41; }", "-shared", "-fPIC", "-Wl,-soname,libonlycached.so.1")
    gcc("preloaded.so", "int only_preloaded;", "-shared", "-fPIC")
    gcc("program", PROGRAM, "cached/libonlycached.so.1", "-lm", "-Wl,--no-as-needed")
    with open("conf", "w") as file:
        file.write(os.path.abspath("cached") + "\n/usr/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu\n")
    subprocess.run(["/sbin/ldconfig", "-X", "-f", "conf", "-C", "etc/ld.so.cache"], check=True, stderr=subprocess.DEVNULL)


def number_after(words, option, otherwise):
    return int(words[words.index(option) + 1]) if option in words else otherwise


def inside(words):
    first, count = number_after(words, "--first", 1), number_after(words, "--count", 50)
    numbers = range(first, first + count)
    loader = SYSTEM if "--system" in words else OURS
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        os.chdir(directory)
        make_etc()
        subprocess.run(["mount", "--bind", "etc", "/etc"], check=True)
        with open("etc/ld.so.cache", "rb") as file:
            good_cache = file.read()
        good_list = os.path.join(directory, "preloaded.so").encode()
        failures = test_file(loader, "/etc/ld.so.cache", damaged_cache, good_cache, numbers)
        with open("/etc/ld.so.cache", "wb") as file:
            file.write(good_cache)
        failures += test_file(loader, "/etc/ld.so.preload", damaged_list, good_list, numbers)
        os.unlink("/etc/ld.so.preload")
        os.chdir("/")
    return failures


def main():
    words = sys.argv[1:]
    if "--inside" in words:
        sys.exit(1 if inside(words) else 0)
    if subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("no mount namespaces here: damaged system files are not tried")
        sys.exit(0)
    os.execvp("unshare", ["unshare", "-rm", sys.executable, os.path.abspath(__file__), *words, "--inside"])


main()
