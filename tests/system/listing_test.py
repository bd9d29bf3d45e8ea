#!/usr/bin/env python3
"""ldd mode, --list and the distribution's ldd script, line by line as with the system's loader."""
import os
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import loader  # noqa: E402

CONSTRUCTOR = '''
#include <unistd.h>
__attribute__((constructor)) static void begin(void) { write(1, "constructor ran\\n", 16); }
static int one(void) { return 1; }
static void *choose(void) { write(1, "resolver ran\\n", 13); return one; }
int picked(void) __attribute__((ifunc("choose")));
int (*keep)(void) = picked;
'''
MAIN = "int top(void), flat(void); int main(void) { return top() + flat(); }"
LDD = {"LD_TRACE_LOADED_OBJECTS": "1"}


def build(c):
    c.library("libdeep.so", "int deep(void) { return 3; }")
    c.library("libmiddle.so", "int deep(void); int middle(void) { return deep(); }", "./libdeep.so")
    c.library("libtop.so", "int middle(void); int top(void) { return middle(); }", "./libmiddle.so", "-Wl,-rpath-link,.")
    c.library("libflat.so", CONSTRUCTOR + "int flat(void) { return picked(); }")
    c.compile("libpath.so", "int path(void) { return 1; }", "-shared", "-fPIC")
    rest = ["./libflat.so", "./libtop.so", "-Wl,-rpath-link,.", "-Wl,-z,lazy"]
    c.compile("plain", MAIN, *rest)
    c.program_for_each_side("plain", MAIN, *rest)
    c.compile("origin", MAIN, *rest, "-Wl,-rpath,$ORIGIN")
    c.compile("slash", "int path(void); int main(void) { return path(); }", "./libpath.so")
    c.compile("unused", MAIN, "-Wl,--no-as-needed", *rest, "-lm", "./libdeep.so")
    c.compile("needs-loader", "int main(void) { return 0; }", "-Wl,--no-as-needed", loader.SYSTEM, "./libflat.so")
    c.library("libneedsloader.so", "int x;", "-Wl,--no-as-needed", loader.SYSTEM, "./libdeep.so")
    c.compile("copies", "extern int shared[]; int main(void) { return shared[0]; }", c.library("libcopy.so", "int shared[4];"), "-no-pie")
    c.library("other/libcopy.so", "int shared[9];")
    c.compile("static", "int main(void) { return 5; }", "-static")
    c.compile("static-pie", "int main(void) { return 6; }", "-static-pie")


def test_unused_beside_missing(c):
    """The first objects of the list pass for the direct dependencies: the loader too, where a missing one lies behind it."""
    for name in ("libone.so", "libtwo.so", "libgone.so"):
        c.library(name, "int " + name[3:-3] + "(void) { return 1; }", "-nostdlib")
    c.library("libasks.so", "int asks(void) { return 1; }", "-Wl,--no-as-needed", "./libgone.so")
    one, two, gone, asks = ("./libone.so", "./libtwo.so", "./libgone.so", "./libasks.so")
    linked = {"last": [one, two, "-lc", gone], "middle": [one, gone, two], "first": [gone, one], "behind": ["-lc", gone, one],
              "loader": [one, loader.SYSTEM, gone, two], "indirect": [asks, two], "all": ["-lc", one, asks, two, gone]}
    for name, libraries in linked.items():
        c.compile(name, "int one(void); int main(void) { return one(); }" if one in libraries else "int main(void) { return 0; }",
                  "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", *libraries)
        c.compile("lib" + name, "int x;", "-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed", *libraries)
    os.remove("libgone.so")
    for name in linked:
        for program in ("./" + name, "./lib" + name):
            c.same(["{ld}", program], {**LDD, "LD_LIBRARY_PATH": "."})
            for preload in ({}, {"LD_PRELOAD": "./libpath.so"}):
                c.same(["{ld}", program], {**LDD, "LD_LIBRARY_PATH": ".", "LD_DEBUG": "unused", **preload})


def test_lists(c):
    for missing in ((), ("libdeep.so",), ("libflat.so", "libmiddle.so"), ("libtop.so",)):
        for name in missing:
            os.rename(name, "away/" + name)
        for program in ("./plain", "./origin", "./unused", "./libtop.so", "./libmiddle.so", "./needs-loader", "./libneedsloader.so", "./slash"):
            c.same(["{ld}", "--list", "--library-path", ".", program])
            c.same(["{ld}", "--list", "--library-path", "away", program])
            c.same(["{ld}", "--list", program])
            for level in ("", "0", "1", "2", "yes"):
                c.same(["{ld}", program], {"LD_TRACE_LOADED_OBJECTS": level, "LD_LIBRARY_PATH": "."})
            for extra in ({"LD_WARN": "1"}, {"LD_WARN": "1", "LD_BIND_NOW": "1"}, {"LD_BIND_NOW": "1"}, {"LD_VERBOSE": "1"},
                          {"LD_WARN": "1", "LD_BIND_NOW": "1", "LD_VERBOSE": "1"}, {"LD_DEBUG": "unused"}, {"LD_WARN": ""}):
                c.same(["{ld}", program], {**LDD, "LD_LIBRARY_PATH": ".", **extra})
        c.same(["{ld}", "--list", "./unused"], {"LD_LIBRARY_PATH": ".", "LD_DEBUG": "unused"})
        for level in ("1", "2"):
            c.same(["{side}/plain"], {"LD_TRACE_LOADED_OBJECTS": level, "LD_LIBRARY_PATH": ".", "LD_VERBOSE": "1"})
        for name in missing:
            os.rename("away/" + name, name)


def test_levels(c):
    """LD_TRACE_LOADED_OBJECTS above 1 lists the program, too; the number is read as strtoul reads it."""
    for level in (" 2", "\t+2", "-1", "0x2", "0X1f", "010", "01", "0x", "2abc", "a2", "1.5", "-", "4294967297", "9" * 30):
        c.same(["{ld}", "./plain"], {"LD_TRACE_LOADED_OBJECTS": level, "LD_LIBRARY_PATH": "."})


def test_others(c):
    for program in ("./static-pie", "{ld}", "./libdeep.so", "/lib/x86_64-linux-gnu/libc.so.6", "/bin/sh", "/usr/bin/env"):
        c.same(["{ld}", "--list", program])
        c.same(["{ld}", program], LDD)
        c.same(["{ld}", "--verify", program])
    c.same(["{ld}", "--list", "./plain"], LDD)  # --list wins
    c.same(["{ld}", "--list", "--library-path", ".", "./plain"], {"LD_WARN": "1", "LD_BIND_NOW": "1", "LD_VERBOSE": "1"})
    c.same(["{ld}", "--verify", "./static"])
    c.same(["{ld}", "--library-path", ".", "./plain"], {**LDD, "LD_PRELOAD": "./libpath.so libdeep.so"})
    c.same(["{ld}", "--library-path", ".", "./plain"], {**LDD, "LD_PRELOAD": "./missing.so"})
    c.same(["{ld}", "--library-path", ".", "./copies"], {**LDD, "LD_WARN": "1"})
    for verbose in ("", "1"):
        c.same(["{ld}", "--library-path", "other", "./copies"], {**LDD, "LD_WARN": "1", "LD_VERBOSE": verbose})
    # The reference dies of SIGSEGV here.
    outcome = c.run("candidate", ["{ld}", "--list", "./static"])
    c.expect((outcome.status, outcome.out) == (0, "\tstatically linked\n"), f"--list of a static program: {outcome}")


def addresses(name):
    """Value of a symbol in a file, as nm prints it."""
    for line in subprocess.run(["nm", "-D", name], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        value, _, symbol = line.partition(" ")
        if symbol.split()[-1].split("@")[0] == "deep" and value:
            return int(value, 16)
    raise KeyError(name)


def test_symbols(c):
    # The reference prints decimal digits behind 0x, so the words are compared, and the value with nm's.
    text = subprocess.run([c.ld("candidate"), "--list", "--library-path", ".", "./plain", "deep"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    c.expect(f"\ndeep found at 0x{addresses('libdeep.so'):016x} in object at 0x" in text, text)

    def words_only(result):
        result.out = "\n".join(line.split(" found at ")[0] for line in result.out.splitlines())

    c.same(["{ld}", "--list", "--library-path", ".", "./plain", "deep", "malloc", "nothing", "top"], edit=words_only)
    c.same(["{ld}", "--list", "./libdeep.so", "deep"], edit=words_only)


def test_ldd_script(c):
    with open("/usr/bin/ldd") as file:
        script = file.read()
    for side in comparison.SIDES:
        path = f"{side}/ldd"
        with open(path, "w") as file:
            file.write("".join(f'RTLDLIST="{c.ld(side)}"\n' if line.startswith("RTLDLIST=") else line
                               for line in script.splitlines(True)))
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    with open("text", "w") as file:
        file.write("no program\n")
    for options in ([], ["-v"], ["-r"], ["-d"], ["-u"], ["-v", "-r"], ["-r", "-u"]):
        for program in ("./plain", "./unused", "./static", "./static-pie", "./libtop.so", "/bin/sh", "./text", "./missing"):
            for env in ({"LD_LIBRARY_PATH": "."}, {"LD_LIBRARY_PATH": "away"}):
                c.same(["{side}/ldd", *options, program], env)
    c.same(["{side}/ldd", "/bin/sh", "./plain", "./text"])


def is_dynamic(path):
    """The reference dies of SIGSEGV on static programs."""
    with open(path, "rb") as file:
        head = file.read(4096)
    return head[:4] == b"\x7fELF" and loader.SYSTEM.encode() in head


def test_real_programs(c):
    names = [os.path.join("/usr/bin", name) for name in sorted(os.listdir("/usr/bin"))]
    programs = [name for name in names if os.path.isfile(name) and is_dynamic(name)]
    for program in programs[::max(1, len(programs) // 100)]:
        c.same(["{ld}", program], {**LDD, "LD_WARN": "1", "LD_BIND_NOW": "1", "LD_VERBOSE": "1"})


def test(c):
    for folder in ("away", "other"):
        os.mkdir(folder)
    build(c)
    test_lists(c)
    test_unused_beside_missing(c)
    test_levels(c)
    test_others(c)
    test_symbols(c)
    test_ldd_script(c)
    test_real_programs(c)


if __name__ == "__main__":
    comparison.main(test)
