#!/usr/bin/env python3
"""Random dependency graphs: the order in which constructors and destructors run must equal the system
loader's. ORDER_GRAPHS=N sets their number, ORDER_SEED the first seed. A failing graph is printed with
its seed; ORDER_KEEP=DIR keeps its files. Every graph is run a second time with the old order of glibc
(GLIBC_TUNABLES=glibc.rtld.dynamic_sort=1)."""
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import loader  # noqa: E402

SHAPES = ("chain", "diamond", "cycle", "tree", "random", "dense", "flat", "islands")


class Library:
    def __init__(self, number):
        self.number = number
        self.needed = []
        self.data_uses = []   # bound when the library is relocated
        self.calls = []       # bound by g_N, lazily
        self.options = []
        self.libc = False
        self.old_style = False  # DT_INIT and DT_FINI besides the arrays


class Graph:
    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)
        self.shape = SHAPES[seed % len(SHAPES)]
        count = self.random.randint(2, 12)
        self.libraries = [Library(i) for i in range(count)]
        self.main_needs = []
        self.main_flags = []
        self.environment = {}
        self.add_edges(count)
        self.add_properties()
        self.script = self.make_script(count)

    def add_edges(self, count):
        r, libraries = self.random, self.libraries
        if self.shape in ("chain", "cycle"):
            for i in range(count - 1):
                libraries[i].needed.append(i + 1)
            if self.shape == "cycle":
                libraries[-1].needed.append(r.randrange(count))
        elif self.shape == "diamond":
            for i in range(1, count - 1):
                libraries[0].needed.append(i)
                libraries[i].needed.append(count - 1)
        elif self.shape == "tree":
            for i in range(1, count):
                libraries[(i - 1) // 2].needed.append(i)
        elif self.shape in ("random", "dense"):
            share = 0.18 if self.shape == "random" else 0.45
            for i in range(count):
                libraries[i].needed += [j for j in range(count) if j != i and r.random() < share]
        elif self.shape == "islands":
            for i in range(count):
                if i % 3 != 2 and i + 1 < count:
                    libraries[i].needed.append(i + 1)
        for _ in range(r.choice((0, 0, 0, 1, 2, 3))):  # disturbances: cross links, cycles, self-needs
            libraries[r.randrange(count)].needed.append(r.randrange(count))
        for library in libraries:
            library.needed = list(dict.fromkeys(library.needed))
            if r.random() < 0.4:
                r.shuffle(library.needed)
        self.main_needs = r.sample(range(count), r.choice((0, 0, 1, 1, 2, 3)) % (count + 1))

    def add_properties(self):
        r, count = self.random, len(self.libraries)
        for library in self.libraries:
            library.libc = r.random() < 0.25
            library.old_style = r.random() < 0.2
            if r.random() < 0.08:
                library.options += ["-z", "initfirst"]
            if r.random() < 0.08:
                library.options += ["-z", "nodelete"]
            if r.random() < 0.2:
                library.options += ["-z", "now"]
            if r.random() < 0.1:
                library.options += ["-Bsymbolic"]
            library.options += ["--hash-style=" + r.choice(("gnu", "gnu", "sysv", "both"))]
            if r.random() < 0.08:
                library.options += [r.choice("fF").join(("-", "")), "lib%d.so" % r.randrange(count)]
            for uses, share in ((library.data_uses, 0.35), (library.calls, 0.35)):
                while r.random() < share:
                    uses.append(r.randrange(count))
        if r.random() < 0.3:
            self.main_flags += ["-z", "now"]
        if r.random() < 0.1:
            self.environment["LD_BIND_NOW"] = "1"
        if r.random() < 0.15:
            self.environment["LD_PRELOAD"] = " ".join(
                "lib%d.so" % i for i in r.sample(range(count), r.randint(1, min(2, count))))

    def open_action(self, count):
        r = self.random
        flags = "n" if r.random() < 0.4 else ""
        for flag, share in (("g", 0.4), ("d", 0.06), ("p", 0.06), ("b", 0.06)):
            flags += flag if r.random() < share else ""
        return "o%d%s" % (r.randrange(count), flags)

    def actions(self, count, length):
        r, result, opened = self.random, [], []
        for _ in range(length):
            choice = r.random()
            if choice < 0.5 or not opened:
                result.append(self.open_action(count))
                opened.append(int(result[-1][1:].rstrip("ngdpb")))
            elif choice < 0.78:
                result.append("x%d" % opened.pop(r.randrange(len(opened))))
            elif choice < 0.93:
                result.append("y%d" % r.choice(opened))
            else:
                result.append("s%d" % r.randrange(count))
        return result

    def make_script(self, count):
        r = self.random
        parts = ["m=" + ",".join(self.actions(count, r.randint(0, 10)))]
        if r.random() < 0.3:
            for _ in range(r.randint(1, 3)):
                key = "%s%d" % (r.choice("cccd"), r.randrange(count))
                actions = self.actions(count, r.randint(1, 3))
                if r.random() < 0.4:
                    actions.insert(0, "x%d" % r.randrange(count))
                if r.random() < 0.05:
                    actions.append("e")
                parts.append(key + "=" + ",".join(actions))
        if r.random() < 0.1:
            parts.append(r.choice("pCD") + "0=" + ",".join(self.actions(count, 2)))
        return " ".join(parts)

    def describe(self):
        lines = ["seed %d, %s: main needs %s %s %s" % (self.seed, self.shape, self.main_needs,
                                                      self.environment, self.script)]
        for l in self.libraries:
            lines.append("  lib%d needs %s data %s calls %s%s %s" % (
                l.number, l.needed, l.data_uses, l.calls, " libc" if l.libc else "", " ".join(l.options)))
        return "\n".join(lines)


def assembly(library):
    n = library.number
    text = [".text", ".globl f_%d, g_%d" % (n, n), ".type f_%d,@function" % n, ".type g_%d,@function" % n,
            "f_%d: ret" % n, "g_%d: sub $8,%%rsp" % n]
    text += ["call f_%d@plt" % used for used in library.calls]
    text += ["add $8,%rsp", "ret"]
    phases = [("made", "c"), ("ended", "d")]
    if library.old_style:
        phases += [("made_old", "i"), ("ended_old", "f")]
    for label, phase in phases:
        text += [".globl %s" % label, ".hidden %s" % label,
                 "%s: mov $%d,%%edi; mov $%d,%%esi; jmp event@plt" % (label, n, ord(phase))]
    text += ['.section .init_array,"aw"', ".quad made", '.section .fini_array,"aw"', ".quad ended"]
    for used in library.data_uses:
        text += ['.section .data,"aw"', ".weak f_%d" % used if used not in library.calls else "", ".quad f_%d" % used]
    text += ['.section .note.GNU-stack,"",@progbits']
    return "\n".join(text) + "\n"


def link(arguments):
    subprocess.run(["ld"] + arguments, check=True, stderr=subprocess.PIPE)


def build(graph, directory, start_files):
    # Empty stand-ins let cycles be linked: only the soname is read from them.
    for library in graph.libraries:
        n = library.number
        source = os.path.join(directory, "%d.s" % n)
        with open(source, "w") as file:
            file.write(assembly(library))
        subprocess.run(["as", source, "-o", source[:-2] + ".o"], check=True)
        library.output = os.path.join(directory, "lib%d.so" % n)
        link(["-shared", "-soname", "lib%d.so" % n, source[:-2] + ".o", "-o", library.output])
    for library in graph.libraries:
        n = library.number
        init = ["-init=made_old", "-fini=ended_old"] if library.old_style else ["-init=", "-fini="]
        needed = [os.path.join(directory, "lib%d.so" % i) for i in library.needed]
        temporary = library.output + ".new"
        link(["-shared", "-soname", "lib%d.so" % n, "--no-as-needed", os.path.join(directory, "%d.o" % n)]
             + init + library.options + needed + ([start_files["libc"]] if library.libc else []) + ["-o", temporary])
        library.temporary = temporary
    for library in graph.libraries:
        os.replace(library.temporary, library.output)
    link(["-pie", "--dynamic-linker", loader.SYSTEM, "--export-dynamic", "--no-as-needed", "--eh-frame-hdr",
          "--allow-shlib-undefined", start_files["Scrt1.o"], start_files["crti.o"], start_files["driver.o"]]
         + [os.path.join(directory, "lib%d.so" % i) for i in graph.main_needs]
         + [start_files["libc"], start_files["crtn.o"]] + graph.main_flags + ["-o", os.path.join(directory, "main")])


def library_path(directory):
    """With PRELUDE_ROOT the judge's own libraries."""
    return directory + ":" + loader.LIBRARIES if loader.ROOT else directory


def run(which, graph, directory, extra):
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": library_path(directory), **graph.environment, **loader.SEAL, **extra}
    done = subprocess.run([which, "./main", graph.script], cwd=directory, env=environment, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first_words = done.stderr.decode("latin-1").split("\n")[0]
    return done.stdout.decode("latin-1"), done.returncode, first_words


def judge_failed(result):
    return result[1] < 0 or "Inconsistency" in result[2]


ORDERS = ({}, {"GLIBC_TUNABLES": "glibc.rtld.dynamic_sort=1"})


def compare(graph, directory, extra):
    theirs = run(loader.SYSTEM, graph, directory, extra)
    ours = run(loader.OURS, graph, directory, extra)
    if judge_failed(theirs):
        # The system's loader gave up on this graph; ours must not die of it too.
        return ("unjudged", None) if ours[1] >= 0 else ("different", "%s\nours died: %s" % (graph.describe(), ours))
    if ours == theirs:
        return "equal", None
    return "different", "%s %s\nsystem: %s\nours:   %s" % (
        extra or "", graph.describe(), " ".join(theirs[0].split("\n")) + repr(theirs[1:]),
        " ".join(ours[0].split("\n")) + repr(ours[1:]))


def check(seed, start_files):
    graph = Graph(seed)
    directory = tempfile.mkdtemp(prefix="order-")
    try:
        build(graph, directory, start_files)
        results = [compare(graph, directory, extra) for extra in ORDERS]
        keep = os.environ.get("ORDER_KEEP")
        if keep and any(kind == "different" for kind, _ in results):
            shutil.copytree(directory, os.path.join(keep, str(seed)), dirs_exist_ok=True)
        return results
    finally:
        shutil.rmtree(directory)


def check_reopened(start_files):
    """A finaliser opens its own library and others on their way out: they stay usable with us."""
    graph = Graph(0)
    graph.libraries = [Library(i) for i in range(3)]
    graph.libraries[0].needed, graph.libraries[1].needed = [1], [2]
    graph.main_needs, graph.main_flags, graph.environment = [], [], {}
    with tempfile.TemporaryDirectory() as directory:
        build(graph, directory, start_files)
        environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": library_path(directory), **loader.SEAL}
        done = subprocess.run([loader.OURS, "./main", "m=o0,x0,y2,y1,x1,x2,o0,x0 d1=o2,o1", "reopen"], cwd=directory,
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = " ".join(done.stdout.decode().split("\n"))
    wanted = ("p0 C0 main 0 c2 c1 c0 opened 0 closing 0 d0 d1 opened 2 c1 opened 1 d2 closed 0 found 2 found 1 "
              "closing 1 d1 closed 1 closing 2 closed 2 c2 c1 c0 opened 0 closing 0 d0 d1 d2 closed 0 end 0 D0 ")
    if done.returncode == 0 and text == wanted:
        return None
    return "reopened by a finaliser\nwanted: %s\nours:   %s %s" % (wanted, text, done)


def main():
    number = int(os.environ.get("ORDER_GRAPHS", "60"))
    first = int(os.environ.get("ORDER_SEED", "1"))
    with tempfile.TemporaryDirectory() as shared:
        start_files = {name: loader.compiler_file(name) for name in ("Scrt1.o", "crti.o", "crtn.o")}
        start_files["libc"] = loader.libc_path()
        start_files["driver.o"] = os.path.join(shared, "driver.o")
        subprocess.run(["gcc", "-O1", "-fPIC", "-c", os.path.join(HERE, "order", "driver.c"), "-o",
                        start_files["driver.o"]], check=True)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = sum(pool.map(lambda seed: check(seed, start_files), range(first, first + number)), [])
        reopened = check_reopened(start_files)
    counts = {}
    for kind, text in results:
        counts[kind] = counts.get(kind, 0) + 1
        if text:
            print(text)
    if reopened:
        print(reopened)
    print("graphs: %d, each in two orders, %s" % (number, ", ".join("%s: %d" % item for item in sorted(counts.items()))))
    # A judge that fails on most graphs judges nothing.
    good = counts.get("different", 0) == 0 and counts.get("equal", 0) * 10 >= len(results) * 9 and not reopened
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
