#!/usr/bin/env python3
"""Hostile files in every way a file gets to the loader: start-up, dlopen, preload, --list, ldd mode, --verify.

Each run has little memory, 64 KiB of stack and a time limit. The loader must end by itself, never by a signal, and where it
refuses it says a word and, for dlopen, the process goes on. Where a damaged file is accepted, its own code is
not called: what is checked is the loader."""
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from elf_patch import PT_DYNAMIC, PT_LOAD, PT_TLS, File  # noqa: E402
from loader import OURS  # noqa: E402

LIBRARY = r'''
#include <stdio.h>
__thread int local = 3;
int value = 5, *address = &value;
int unused(void) { return printf("%d", local) + *address; }
'''
CALLING = r'''
#include <stdio.h>
__attribute__((constructor)) static void constructor(void) { puts("never"); }
'''
WITH_SYMBOL = r'''
extern void stranger(void);
__attribute__((section(".init_array"), used)) static void (*entry)(void) = stranger;
'''
STARTED = '#include <stdio.h>\nint main(void) { puts("ran"); return 0; }'
OPENER = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
void stranger(void) { puts("stranger"); }
int main(int argc, char **argv) {
  void *first = dlopen(argv[1], RTLD_NOW);
  Dl_info nearest;
  if (!first) fprintf(stderr, "%s\n", dlerror());
  else if (!dladdr(((struct link_map *)first)->l_ld, &nearest)) return 8;
  void *second = dlopen("libm.so.6", RTLD_NOW);
  puts(second && dlsym(second, "cos") ? "goes on" : "broken");
  return second ? 0 : 9;
}
'''
GNU_HASH, STRTAB, STRSZ, SYMTAB, RELA, RELASZ, RELACOUNT = 0x6ffffef5, 5, 10, 6, 7, 8, 0x6ffffff9
VERNEED, VERNEEDNUM, HASH, INIT_ARRAY, INIT_ARRAYSZ, VERSYM = 0x6ffffffe, 0x6fffffff, 4, 25, 27, 0x6ffffff0
NOTE, RELRO, PROPERTY, STACK, INTERP, PHDR = 4, 0x6474e552, 0x6474e553, 0x6474e551, 3, 6
LOOS = 0x6000000d
HUGE = (0, 1, 7, 8, 0xfff, 0x7fffffff, 0xffffffff, 1 << 40, (1 << 47) - 1, (1 << 63) - 1, (1 << 64) - 8, (1 << 64) - 1)


def table(tag):
    """Offset of a table in the file; the first segments lie in the file as in memory."""
    return lambda file: file.get(file.dynamic_offset(tag) + 8, "Q")


def words(tag, changes):
    """A damage: 32-bit words of a table set."""
    def damage(file):
        at = table(tag)(file)
        for index, value in changes:
            file.put(at + 4 * index, "I", value & 0xffffffff)
    return damage


def tag_value(tag, value):
    return lambda file: file.dynamic(tag, value)


def without(tag):
    return lambda file: file.dynamic(tag, 0, LOOS)


def segment(kind, index, **fields):
    def damage(file):
        for field, value in fields.items():
            file.segment(kind, index, "p_" + field, value)
    return damage


def every_chain_loops(file):
    at = table(HASH)(file)
    buckets, chains = file.get(at, "I"), file.get(at + 4, "I")
    for i in range(chains):
        file.put(at + 4 * (2 + buckets + i), "I", 1 + i % max(chains - 1, 1))


def symbol_indexes(value):
    def damage(file):
        at, size = table(RELA)(file), file.get(file.dynamic_offset(RELASZ) + 8, "Q")
        for entry in range(at, at + size, 24):
            if file.get(entry + 12, "I"):
                file.put(entry + 12, "I", value)
    return damage


def relocation_targets(value):
    def damage(file):
        at, size = table(RELA)(file), file.get(file.dynamic_offset(RELASZ) + 8, "Q")
        for entry in range(at, at + size, 24):
            file.put(entry, "Q", value & (1 << 64) - 1)
    return damage


def need_chain(next_offset):
    """vn_next, and vna_next of the first record."""
    def damage(file):
        at = table(VERNEED)(file)
        file.put(at + 12, "I", next_offset)
        file.put(at + file.get(at + 8, "I") + 12, "I", next_offset)
        file.dynamic(VERNEEDNUM, 0xffffffff)
    return damage


def names(value):
    """Every st_name."""
    def damage(file):
        start, end = table(SYMTAB)(file), table(STRTAB)(file)
        for at in range(start + 24, end - 23, 24):
            file.put(at, "I", value)
    return damage


def reversed_segments(file):
    places = file.segments(PT_LOAD)
    parts = [bytes(file.data[at:at + 56]) for at in places]
    for at, part in zip(places, reversed(parts)):
        file.data[at:at + 56] = part


def notes(file):
    for at in file.segments(NOTE) + file.segments(PROPERTY):
        start = file.get(at + 8, "Q")
        file.put(start, "I", 0xfffffff0).put(start + 4, "I", 0xffffffff)


def cases():
    """(name, damage) of the library."""
    yield "whole", lambda file: None
    yield "no section headers", lambda file: file.put(40, "Q", 0).put(60, "H", 0).put(62, "H", 0)
    yield "wild section headers", lambda file: file.put(40, "Q", (1 << 64) - 1).put(60, "H", 0xffff)
    for value in HUGE:
        for tag in (GNU_HASH, STRTAB, STRSZ, SYMTAB, RELA, RELASZ, RELACOUNT, VERNEED, VERNEEDNUM, HASH, INIT_ARRAYSZ, VERSYM):
            yield f"tag {tag:#x} = {value:#x}", tag_value(tag, value)
        for field in ("offset", "vaddr", "filesz", "memsz", "align"):
            yield f"first load {field} {value:#x}", segment(PT_LOAD, 0, **{field: value})
            yield f"last load {field} {value:#x}", segment(PT_LOAD, -1, **{field: value})
            yield f"dynamic {field} {value:#x}", segment(PT_DYNAMIC, 0, **{field: value})
            yield f"tls {field} {value:#x}", segment(PT_TLS, 0, **{field: value})
            for kind in (NOTE, RELRO, PROPERTY, STACK):
                yield f"segment {kind:#x} {field} {value:#x}", segment(kind, 0, **{field: value})
        yield f"symbol indexes {value:#x}", symbol_indexes(value & 0xffffffff)
        yield f"relocation targets {value:#x}", relocation_targets(value)
        yield f"names {value:#x}", names(value & 0xffffffff)
        yield f"version chain {value:#x}", need_chain(value & 0xffffffff)
    for tag in (GNU_HASH, STRTAB, STRSZ, SYMTAB, RELA, HASH, VERSYM):
        yield f"no tag {tag:#x}", without(tag)
    for index in range(4):
        for value in (0, 1, 3, 0x80000000, 0xffffffff):
            yield f"gnu hash word {index} = {value:#x}", words(GNU_HASH, [(index, value)])
            yield f"hash word {index} = {value:#x}", words(HASH, [(index, value)])
    yield "hash chains in rings", every_chain_loops
    yield "loads in reverse", reversed_segments
    yield "loads over each other", segment(PT_LOAD, 1, vaddr=0, offset=0)
    yield "notes without end", notes
    yield "as interpreter", segment(STACK, 0, type=INTERP, offset=0, filesz=(1 << 64) - 1)
    yield "many headers", lambda file: file.header("e_phnum", 0xffff)


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_STACK, (64 << 10, 64 << 10))


class Runs:
    def __init__(self):
        self.count = 0
        self.failures = []

    def run(self, what, command, env=None, allowed=(0, 1, 2, 127), says=b""):
        self.count += 1
        variables = {"PATH": os.environ["PATH"], "LC_ALL": "C", **(env or {})}
        try:
            done = subprocess.run(command, env=variables, preexec_fn=limits, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=60)
        except subprocess.TimeoutExpired:
            self.fail(what, command, "hangs")
            return
        if done.returncode not in allowed:
            self.fail(what, command, f"status {done.returncode}: {done.stderr[-300:]}")
        elif done.returncode == 127 and not done.stderr.strip():
            self.fail(what, command, "silent")
        elif says not in done.stdout + done.stderr:
            self.fail(what, command, f"says {done.stderr[-300:]}")
        if command[1:2] == ["./opener"] and 0 in allowed and b"goes on" not in done.stdout:
            self.fail(what, command, f"does not go on: {done.stderr[-300:]}")

    def fail(self, what, command, why):
        self.failures.append(what)
        print(f"FAILED: {what}: {' '.join(command)}: {why}", flush=True)

    def every_way(self, what, path):
        """With the file in the place of libvictim.so."""
        self.run(what, [OURS, "./started"])
        self.run(what, [OURS, "--list", "./started"])
        self.run(what, [OURS, "./started"], {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1", "LD_BIND_NOW": "1", "LD_VERBOSE": "1"})
        self.directly(what, path)

    def directly(self, what, path):
        self.run(what, [OURS, "./opener", path], allowed=(0,))
        self.run(what, [OURS, "/bin/true"], {"LD_PRELOAD": path})
        self.run(what, [OURS, "--list", path])
        self.run(what, [OURS, "--verify", path])


def gcc(output, source, *options):
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-w", "-o", output, *options], input=source, text=True, check=True)


def test_damaged(runs, share):
    for number, (what, damage) in enumerate(cases()):
        if number % share:
            continue
        file = File("whole.so")
        try:
            damage(file)
        except (KeyError, IndexError):
            continue
        os.unlink("libvictim.so")
        file.write("libvictim.so")
        runs.every_way(what, "./libvictim.so")


def test_cut(runs, share):
    whole = File("whole.so")
    for size in range(0, len(whole.data), 512 * share):
        os.unlink("libvictim.so")
        File("whole.so").cut(size).write("libvictim.so")
        runs.every_way(f"cut at {size}", "./libvictim.so")


def test_strange_files(runs, _):
    os.mkfifo("fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    os.mkdir("directory")
    open("empty", "w").close()
    with open("sparse", "wb") as file:
        file.write(File("whole.so").data)
        file.truncate(1 << 40)
    with open("hole", "wb") as file:
        file.truncate(1 << 40)
    os.symlink("loop", "loop")
    for path in ("./fifo", "./socket", "./directory", "./empty", "./sparse", "./hole", "./loop", "/dev/zero", "/dev/null", "/dev/full",
                 "/proc/self/maps", "/proc/self/mem", "/proc/self/exe", "/proc/self/environ", "/proc/self/auxv", "/proc/kmsg", "/sys/kernel",
                 "/dev/tty", "./missing", "/"):
        runs.directly(path, path)
    listener.close()


def test_pointers_into_the_plt(runs, _):
    """Code of the object, but not a function: PLT0, where it begins and behind its first byte. Whatever it finds on
    the stack leads to the loader, which is the last to know that something is wrong."""
    for binding in ("lazy", "now"):
        gcc("whole-plt.so", CALLING, "-shared", "-fPIC", "-Wl,-z," + binding, "-Wl,-soname,libvictim.so", "-fcf-protection=none")
        sections = subprocess.run(["readelf", "-SW", "whole-plt.so"], stdout=subprocess.PIPE, text=True, check=True).stdout
        start = int(re.search(r" \.plt +PROGBITS +([0-9a-f]+)", sections).group(1), 16)
        for distance in (0, 1, 6):
            file = File("whole-plt.so")
            array, size = (file.get(file.dynamic_offset(tag) + 8, "Q") for tag in (INIT_ARRAY, INIT_ARRAYSZ))
            changed = 0
            at, bytes_ = table(RELA)(file), file.get(file.dynamic_offset(RELASZ) + 8, "Q")
            for entry in range(at, at + bytes_, 24):
                if array <= file.get(entry, "Q") < array + size:
                    file.put(entry + 16, "Q", start + distance)
                    changed += 1
            assert changed
            os.unlink("libvictim.so")
            file.write("libvictim.so")
            for command in ([OURS, "./started"], [OURS, "./opener", "./libvictim.so"]):
                runs.run(f"constructor at PLT0 + {distance}, {binding}", command, allowed=(127,))


def cut_without_zeros(file, size):
    """The kernel itself clears what follows the bytes of a segment, and ends a program where it cannot."""
    data = file.segments(PT_LOAD)[-1]
    file.put(data + 40, "Q", file.get(data + 32, "Q")).cut(size)


MOVED = "without the first of the headers"  # at fixed addresses nobody needs it


def kernel_cases(size):
    """Damages that the kernel does not notice: it finds the interpreter and maps the program."""
    yield "whole", lambda file: None
    for value in HUGE + (0x41, 0x1040, 0x2004, (1 << 64) - 0x1000):
        yield f"own headers at {value:#x}", segment(PHDR, 0, vaddr=value)
    for kind in (0, NOTE, 0x70000000):
        yield f"first load of type {kind:#x}", segment(PT_LOAD, 0, type=kind)
        yield f"no own headers, first load of type {kind:#x}", lambda file, kind=kind: (
            file.segment(PHDR, 0, "p_type", 0), file.segment(PT_LOAD, 0, "p_type", kind))
    yield "first load nobody may read", segment(PT_LOAD, 0, flags=0)
    yield "first load without bytes", segment(PT_LOAD, 0, filesz=0)
    yield MOVED, lambda file: file.header("e_phoff", 64 + 56).header("e_phnum", file.get(56, "H") - 1)
    for cut in range(0x1000, size & -0x1000, 0x800):
        yield f"cut at {cut:#x}", lambda file, cut=cut: cut_without_zeros(file, cut)


def test_started_by_the_kernel(runs, _):
    """By PT_INTERP, the program is in memory before anybody has looked at it."""
    for kind in ("-pie", "-no-pie"):
        gcc("program", STARTED, kind, "-Wl,-dynamic-linker," + OURS)
        whole = File("program")
        data = whole.segments(PT_LOAD)[-1]
        ending = lambda what: {"whole": (0,), MOVED: (0, 127)}.get(what, (127,))
        for what, damage in kernel_cases(whole.get(data + 8, "Q") + whole.get(data + 32, "Q")):
            file = File("program")
            damage(file)
            if os.path.exists("damaged"):
                os.unlink("damaged")
            os.chmod(file.write("damaged"), 0o755)
            runs.run(f"{kind} started by the kernel, {what}", ["./damaged"], allowed=ending(what))


def array_word(file, tag):
    """File offset of an array's first word, and of the relocation that fills it."""
    array = file.get(file.dynamic_offset(tag) + 8, "Q")
    at, size = table(RELA)(file), file.get(file.dynamic_offset(RELASZ) + 8, "Q")
    entry = next(entry for entry in range(at, at + size, 24) if file.get(entry, "Q") == array)
    load = next(at for at in file.segments(PT_LOAD) if 0 <= array - file.get(at + 16, "Q") < file.get(at + 32, "Q"))
    return array - file.get(load + 16, "Q") + file.get(load + 8, "Q"), entry


def test_functions_of_others(runs, _):
    """A constructor of another object is called where a symbol leads to it, and not where a number does."""
    gcc("opener", OPENER, "-no-pie", "-rdynamic")
    listed = subprocess.run(["nm", "opener"], stdout=subprocess.PIPE, text=True, check=True).stdout
    stranger = int(re.search(r"([0-9a-f]+) T stranger", listed).group(1), 16)
    gcc("libvictim.so", WITH_SYMBOL, "-shared", "-fPIC", "-nostdlib")
    runs.run("constructor by symbol", [OURS, "./opener", "./libvictim.so"], allowed=(0,), says=b"stranger")
    gcc("whole-array.so", CALLING, "-shared", "-fPIC")
    file = File("whole-array.so")
    word, relocation = array_word(file, INIT_ARRAY)
    other = table(RELA)(file)
    other += 24 if other == relocation else 0
    file.data[relocation:relocation + 24] = file.data[other:other + 24]  # twice, and the word stays as it is
    file.put(word, "Q", stranger)
    os.unlink("libvictim.so")
    file.write("libvictim.so")
    runs.run("constructor by number", [OURS, "./opener", "./libvictim.so"], allowed=(0,), says=b"init array entry")
    gcc("opener", OPENER)


def relocations_of(file, name):
    for entry in range(table(RELA)(file), table(RELA)(file) + file.get(file.dynamic_offset(RELASZ) + 8, "Q"), 24):
        at = table(STRTAB)(file) + file.get(table(SYMTAB)(file) + 24 * file.get(entry + 12, "I"), "I")
        if file.data[at:at + len(name) + 1] == name + b"\0":
            yield entry


def test_blame(runs, _):
    """A relocation of TLS that names no symbol of TLS: its object is at fault, not that of the symbol."""
    gcc("whole-plt.so", CALLING, "-shared", "-fPIC", "-fno-plt")
    for kind in (16, 18):
        file = File("whole-plt.so")
        file.put(next(relocations_of(file, b"puts")) + 8, "I", kind)
        os.unlink("libvictim.so")
        file.write("libvictim.so")
        runs.run(f"puts by relocation {kind}", [OURS, "./opener", "./libvictim.so"], allowed=(0,), says=b"libvictim.so: TLS symbol")


def test_files_that_change(runs, _):
    """Another process replaces the file, and cuts or extends it; cut under a mapping, that is SIGBUS by the kernel."""
    stop = threading.Event()

    def replace():
        whole = File("whole.so").data
        sizes = [len(whole), 100, len(whole) // 2, len(whole) + 9000]
        turn = 0
        while not stop.is_set():
            turn += 1
            with open("next", "wb") as file:
                file.write(bytes(whole[:sizes[turn % 4]]) + bytes(max(sizes[turn % 4] - len(whole), 0)))
            os.rename("next", "libvictim.so")
    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _ in range(25):
            runs.every_way("replaced", "./libvictim.so")
    finally:
        stop.set()
        thread.join()


def main():
    share = 1 if "--all" in sys.argv else 7
    runs = Runs()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        gcc("whole.so", LIBRARY, "-shared", "-fPIC", "-Wl,-soname,libvictim.so", "-Wl,--hash-style=both")
        File("whole.so").write("libvictim.so")
        gcc("started", STARTED, "-Wl,--no-as-needed", "libvictim.so", "-Wl,-rpath,.")
        gcc("opener", OPENER)
        for test in (test_damaged, test_cut, test_strange_files, test_pointers_into_the_plt,
                     test_started_by_the_kernel, test_functions_of_others, test_blame, test_files_that_change):
            before = runs.count
            test(runs, share)
            print(f"{test.__name__}: {runs.count - before} runs", flush=True)
        os.chdir("/")
    print(f"{runs.count} runs, {len(runs.failures)} failures")
    sys.exit(1 if runs.failures or not runs.count else 0)


main()
