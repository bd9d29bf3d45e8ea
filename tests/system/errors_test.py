#!/usr/bin/env python3
"""Broken and missing files, symbols and versions: words and exit status as the system's loader gives them."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import traces  # noqa: E402
from elf_patch import PT_DYNAMIC, PT_LOAD, File  # noqa: E402

PAGE = 4096


def header_patches():
    """Name and change of files that the reference refuses with a message (it dies on others)."""
    fields = [("ei_mag0", 0x7e), ("ei_class", 0), ("ei_class", 1), ("ei_class", 7), ("ei_data", 2), ("ei_data", 9), ("ei_version", 2),
              ("ei_osabi", 9), ("ei_osabi", 3), ("ei_abiversion", 1), ("ei_pad", 1), ("e_type", 1), ("e_type", 4),
              ("e_machine", 40), ("e_machine", 3), ("e_version", 2), ("e_phentsize", 32), ("e_phentsize", 57),
              ("e_phoff", 1 << 40), ("e_phoff", 1 << 63), ("e_phnum", 0), ("e_type", 0xffff)]
    for field, value in fields:
        yield f"{field}-{value:x}", lambda file, f=field, v=value: file.header(f, v)
    yield "empty", lambda file: file.cut(0)
    yield "one-byte", lambda file: file.cut(1)
    yield "short-header", lambda file: file.cut(63)
    yield "no-load", no_load_segments
    yield "no-dynamic", lambda file: file.segment(PT_DYNAMIC, 0, "p_type", 0x6fff0000)
    yield "dynamic-at-0", lambda file: file.segment(PT_DYNAMIC, 0, "p_vaddr", 0)
    yield "odd-offset", lambda file: file.segment(PT_LOAD, 1, "p_offset", PAGE + 8)
    yield "relocation", unknown_relocation


def no_load_segments(file):
    for offset in file.segments(PT_LOAD):
        file.put(offset, "I", 0x6fff0001)
    return file


def unknown_relocation(file):
    rela = file.get(file.dynamic_offset(7) + 8, "Q")
    count = file.get(file.dynamic_offset(8) + 8, "Q") // 24
    # The last one is symbolic; the tables lie in the first segment, where offset and address are equal.
    return file.put(rela + 24 * (count - 1) + 8, "I", 250)


def test_broken_libraries(c):
    c.library("libbroken.so", "int value = 1; int *pointer = &value; int broken(void) { return *pointer; }")
    c.compile("uses", "int broken(void); int main(void) { return broken(); }", "./libbroken.so")
    c.compile("opens", '#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v) {'
              'if (dlopen(v[1], RTLD_NOW)) puts("opened"); else puts(dlerror()); return 0; }')
    os.mkdir("broken")
    for name, change in header_patches():
        path = os.path.join("broken", "libbroken.so")
        change(File("libbroken.so")).write(path)
        for env in ({"LD_LIBRARY_PATH": "broken"}, {"LD_LIBRARY_PATH": "broken:."}, {"LD_LIBRARY_PATH": "broken", "LD_TRACE_LOADED_OBJECTS": "1"}):
            label(c, name, c.same(["{ld}", "./uses"], env))
        label(c, name, c.same(["{ld}", "./opens", "./broken/libbroken.so"]))
        label(c, name, c.same(["{ld}", "--list", "./broken/libbroken.so"]))
        label(c, name, c.same(["{ld}", "--verify", "./broken/libbroken.so"]))
        label(c, name, c.same(["{ld}", "./uses"], {"LD_LIBRARY_PATH": ".", "LD_PRELOAD": "./broken/libbroken.so"}))


def label(c, name, outcome):
    """A signal is never an answer."""
    c.expect(outcome.status >= 0, f"{name}: died by signal {-outcome.status}")


def test_programs(c):
    c.compile("prog", "int main(void) { return 7; }")
    for field, value in (("ei_class", 1), ("ei_data", 2), ("e_type", 1), ("e_machine", 40), ("e_phentsize", 32),
                         ("ei_version", 0), ("e_version", 3)):
        File("prog").header(field, value).write("broken-prog")
        os.chmod("broken-prog", 0o755)
        c.same(["{ld}", "./broken-prog"])
        c.same(["{ld}", "--verify", "./broken-prog"])
        c.same(["{ld}", "--list", "./broken-prog"])
    with open("text", "w") as file:
        file.write("#!/bin/sh\necho not an object\n")
    os.chmod("text", 0o755)
    with open("unreadable", "w") as file:
        file.write("x")
    os.mkfifo("pipe")
    os.symlink("loop", "loop")
    for name in ("./text", ".", "./missing", "missing", "missing/missing", "./text/x", "./loop", "", "./" + "x" * 300):
        c.same(["{ld}", name])
        c.same(["{ld}", "--verify", name])
        c.same(["{ld}", "--list", name])
    # The reference waits for a writer for ever.
    outcome = c.run("candidate", ["{ld}", "./pipe"])
    c.expect((outcome.status, outcome.out) == (127, "") and "./pipe: " in outcome.err, f"FIFO as program: {outcome}")


def test_missing_libraries(c):
    c.library("libdeep.so", "int deep(void) { return 0; }")
    c.library("libtop.so", "int deep(void); int top(void) { return deep(); }", "./libdeep.so")
    c.compile("needs", "int top(void); int main(void) { return top(); }", "./libtop.so", "-Wl,-rpath-link,.")
    c.library("slash.so", "int slash(void) { return 0; }", "-Wl,-soname,./slash.so")
    c.compile("needs-path", "int slash(void); int main(void) { return slash(); }", "./slash.so")
    c.compile("dlopens", '#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v) {'
              'if (dlopen(v[1], RTLD_NOW)) puts("opened"); else puts(dlerror()); return 0; }')
    os.rename("slash.so", "moved.so")
    os.mkdir("some")
    os.rename("libdeep.so", "some/libdeep.so")
    c.same(["{ld}", "./needs"])
    c.same(["{ld}", "--argv0", "other", "./needs"])
    c.same(["{ld}", "--library-path", ".", "./needs"])
    c.same(["{ld}", "--library-path", ".", "--list", "./needs"])
    c.same(["{ld}", "--library-path", ".:some", "./needs"])
    c.same(["{ld}", "./needs-path"])
    c.same(["{ld}", "--library-path", ".", "./dlopens", "libtop.so"])
    c.same(["{ld}", "--library-path", ".", "./dlopens", "./libtop.so"])
    c.same(["{ld}", "./dlopens", "libnothing.so"])
    c.same(["{ld}", "./dlopens", "/no/such/libnothing.so"])
    os.mkdir("some/libtop.so")
    c.same(["{ld}", "--library-path", "some", "./needs"])
    os.rmdir("some/libtop.so")
    os.symlink("libtop.so", "some/libtop.so")
    c.same(["{ld}", "--library-path", "some", "./needs"])
    c.compile("executable", "int main(void) { return 0; }", "-no-pie")
    c.compile("pie", "int main(void) { return 0; }", "-pie", "-fPIE")
    shutil.copy("needs", "patched")
    for name in ("./executable", "./pie"):
        c.same(["{ld}", "./dlopens", name])
        c.same(["{ld}", "--library-path", ".:some", "./needs"], {"LD_PRELOAD": name})
        shutil.copy(name, "x.so")
        File("needs").replace(b"libtop.so\0", b"././/x.so\0").write("patched")
        c.same(["{ld}", "--library-path", ".:some", "./patched"])


def test_symbols(c):
    c.library("libsymbols.so", "int variable = 3; int (*table)(void); int early(void) { return 1; } int late(void) { return 2; }")
    os.mkdir("old")
    c.library("old/libsymbols.so", "int unrelated(void) { return 1; }")
    c.compile("data", "extern int variable; int *p = &variable; int main(void) { return *p; }", "./libsymbols.so", "-fPIC")
    c.compile("calls", '#include <stdio.h>\nint late(void); int main(void) { puts("before"); fflush(stdout); return late(); }',
              "./libsymbols.so", "-Wl,-z,lazy")
    c.compile("now", '#include <stdio.h>\nint late(void); int main(void) { puts("before"); return late(); }',
              "./libsymbols.so", "-Wl,-z,now")
    c.compile("weak", "int late(void) __attribute__((weak)); int main(void) { return late ? 1 : 0; }", "-Wl,--no-as-needed", "./libsymbols.so", "-fPIC")
    for name in ("data", "calls", "now", "weak"):
        for path in (".", "old"):
            for env in ({}, {"LD_BIND_NOW": "1"}, {"LD_BIND_NOW": ""}):
                c.same(["{ld}", "--library-path", path, "./" + name], env)
    c.compile("looks", '#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v) {'
              'void *h = dlopen(v[1], RTLD_LAZY); puts(h && dlsym(h, "late") ? "found" : dlerror());'
              'puts(h && dlvsym(h, "late", "V9") ? "found" : dlerror()); return 0; }')
    for path in ("./libsymbols.so", "old/libsymbols.so"):
        c.same(["{ld}", "./looks", path])
    c.library("wants.so", "int late(void); int (*p)(void) = late;")
    c.same(["{ld}", "./looks", "./wants.so"])
    c.same(["{ld}", "./weak"], {"LD_PRELOAD": "./wants.so", "LD_LIBRARY_PATH": "old"})


def versioned_library(c, output, versions, symbols):
    with open("map", "w") as file:
        file.write("".join(f"{version} {{ global: {' '.join(n + ';' for n, v in symbols if v == version)} }};\n"
                           for version in versions))
    c.library(output, "".join(f"int {name}(void) {{ return 1; }}\n" for name, _ in symbols), "-Wl,--version-script=map",
              "-Wl,-soname,libversions.so")


def test_versions(c):
    os.mkdir("new"), os.mkdir("lost"), os.mkdir("none")
    versioned_library(c, "new/libversions.so", ["V_1", "V_2", "V_3"], [("one", "V_1"), ("two", "V_2"), ("three", "V_3")])
    versioned_library(c, "lost/libversions.so", ["V_1"], [("one", "V_1"), ("two", "V_1"), ("three", "V_1")])
    c.library("none/libversions.so", "int one(void) { return 1; } int two(void) { return 1; } int three(void) { return 1; }",
              "-Wl,-soname,libversions.so")
    c.compile("strong", "int one(void), two(void), three(void); int main(void) { return one() + two() + three(); }", "new/libversions.so")
    c.library("libmiddle.so", "int two(void); int middle(void) { return two(); }", "new/libversions.so")
    c.compile("both", "int one(void), middle(void), three(void); int main(void) { return one() + middle() + three(); }",
              "./libmiddle.so", "new/libversions.so")
    c.compile("weak-version", "int two(void) __attribute__((weak)); int one(void); int main(void) { return two ? 1 : one(); }",
              "new/libversions.so", "-fPIC")
    for name in ("strong", "both", "weak-version"):
        for path in ("new", "lost"):
            for env in ({}, {"LD_BIND_NOW": "1"}, {"LD_VERBOSE": "1"}, {"LD_TRACE_LOADED_OBJECTS": "1"},
                        {"LD_TRACE_LOADED_OBJECTS": "1", "LD_VERBOSE": "1"},
                        {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1", "LD_BIND_NOW": "1"}):
                c.same(["{ld}", "--library-path", path + ":.", "./" + name], env)
            c.same(["{ld}", "--library-path", path + ":.", "--list", "./" + name])
    # Without a version table the reference warns twice and then asserts (2.36); newer ones only warn, and so do we.
    command = ["{ld}", "--library-path", "none:.", "./strong"]
    outcome = c.run("candidate", command)
    text = "./strong: none/libversions.so: no version information available (required by ./strong)\n"
    c.expect((outcome.status, outcome.err) == (3, 3 * text), f"lost version table: {outcome}")
    c.same(command, {"LD_TRACE_LOADED_OBJECTS": "1"})
    outcome = c.run("candidate", command, {"LD_DEBUG": "versions"})
    c.expect(outcome.err.count("error: version lookup error: no version information available (required by ./strong) (continued)") == 3,
             f"lost version table in the trace: {outcome}")
    # A library that is opened later: no word of a lost table, and the first version that is missing ends it.
    c.compile("opens-middle", '#include <dlfcn.h>\n#include <stdio.h>\nint main(void) { puts(dlopen("libmiddle.so", RTLD_LAZY) ? "opened" : dlerror()); return 0; }')
    for path in ("new", "lost", "none"):
        c.same(["{ld}", "./opens-middle"], {"LD_LIBRARY_PATH": path + ":."})
        c.same(["{ld}", "./opens-middle"], {"LD_LIBRARY_PATH": path + ":.", "LD_DEBUG": "versions"}, edit=traces.trace_only)
    for path in ("new", "lost"):
        for name in ("strong", "weak-version"):
            c.same(["{ld}", "./" + name], {"LD_LIBRARY_PATH": path + ":.", "LD_DEBUG": "versions"}, edit=traces.trace_only)


def test_hints(c):
    def lines(command, **env):
        return c.run("candidate", command, {"LD_HINTS": "1", **env})

    def has(outcome, *wanted):
        first, *rest = outcome.err.splitlines()
        c.expect(all(line.startswith("  ") for line in rest), f"hint lines are indented: {outcome}")
        for text in wanted:
            c.expect(any(text in line for line in rest), f"'{text}' in the hints of {outcome}")
        return first

    quiet = c.run("reference", ["{ld}", "--library-path", ".", "./needs"])
    outcome = lines(["{ld}", "--library-path", ".", "./needs"])
    first = has(outcome, "needed by ./libtop.so, needed by ./needs", "tried ./libdeep.so (--library-path): no such file",
                "tried /lib/x86_64-linux-gnu/libdeep.so: no such file", "/etc/ld.so.cache: no entry")
    c.expect(first + "\n" == quiet.err, f"first line unchanged: {outcome}")
    os.mkdir("wrong")
    File("libtop.so").header("ei_class", 1).write("wrong/libtop.so")
    has(lines(["{ld}", "--library-path", "wrong", "./needs"]), "tried wrong/libtop.so (--library-path): wrong ELF class")
    c.library("libone.so", "int o1(void) { return 1; }")
    c.library("libtwo.so", "int o2(void) { return 1; }")
    c.compile("two", "int o1(void), o2(void); int main(void) { return o1() + o2(); }", "./libone.so", "./libtwo.so")
    os.remove("libone.so"), os.remove("libtwo.so")
    has(lines(["{ld}", "./two"]), "also missing: libtwo.so")
    File("prog").replace(b"libc.so.6\0", b"libc.so.7\0").write("seven")
    os.chmod("seven", 0o755)
    has(lines(["{ld}", "./seven"]), "did you mean libc.so.6?")
    with open("libone.so", "w") as file:
        file.write("a text that is long enough to be taken for a header of an object file")
    has(lines(["{ld}", "--library-path", ".", "./two"]), "needed by ./two")
    os.remove("libone.so")
    has(lines(["{ld}", "--library-path", "old", "./data"]), "searched in ./data, old/libsymbols.so")
    outcome = lines(["{ld}", "--library-path", "lost:.", "./strong"])
    c.expect(outcome.status == 1 and outcome.err.count("not found (required by") == 2 and "  lost/libversions.so defines V_1" in outcome.err,
             f"versions: {outcome}")
    for value, shown in (("0", False), ("1", True), ("", True), ("no", True)):
        outcome = c.run("candidate", ["{ld}", "./two"], {"LD_HINTS": value})
        c.expect(("\n  " in outcome.err) == shown, f"LD_HINTS={value}: {outcome}")
    # Without descriptors nothing is known about any file.
    c.program_for_each_side("closed", "int main(void) { return 0; }")
    command = ["bash", "-c", "ulimit -n 3; exec {side}/closed"]
    outcome = lines(command)
    first = has(outcome, "tried /etc/ld.so.cache: too many open files", "tried /lib/x86_64-linux-gnu/libc.so.6: too many open files")
    c.expect(first + "\n" == c.run("reference", command).err, f"no descriptor: {outcome}")
    c.expect("no such file" not in outcome.err and "no entry" not in outcome.err, f"no descriptor: {outcome}")
    # dlerror: the first line is the reference's, below it the chain; none for the file that was asked for itself.
    c.compile("opens", "#include <dlfcn.h>\n#include <stdio.h>\n#include <locale.h>\nint main(int n, char **v) { setlocale(LC_ALL, \"\");"
              "for (int i = 1; i < n; ++i) puts(dlopen(v[i], RTLD_NOW) ? \"opened\" : dlerror()); return 0; }")
    command = ["{ld}", "--library-path", ".", "./opens", "./libtop.so", "libabsent.so", "./libtop.so", "./libone.so"]
    # Without what makes locales all texts are English.
    os.mkdir("locales")
    if shutil.which("localedef"):
        subprocess.run(["localedef", "-c", "-i", "de_DE", "-f", "UTF-8", "./locales/de_DE.UTF-8"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for locale in ("C", "de_DE.UTF-8"):
        theirs = c.same(command, {"LC_ALL": locale, "LOCPATH": "locales"}).out.splitlines()
        ours = lines(command, LC_ALL=locale, LOCPATH="locales").out.splitlines()
        chain = "  needed by ./libtop.so"
        c.expect(ours == [theirs[0], chain, theirs[1], theirs[2], chain, theirs[3]], f"dlerror with hints, {locale}: {ours} {theirs}")
    # With a trace: the trace as it is without hints, then the report as it is without a trace.
    for command in (["./needs"], ["./two"], ["./data"]):
        path = "old" if command == ["./data"] else "."
        command = ["{ld}", "--library-path", path, *command]
        for words in ("libs", "all"):
            both, trace, report = lines(command, LD_DEBUG=words), c.run("candidate", command, {"LD_DEBUG": words}), lines(command)
            cut = trace.err.rindex(report.err.splitlines()[0])
            c.expect(both.err == trace.err[:cut] + report.err, f"LD_DEBUG={words} with a report: {both}\n{report}")


def test(c):
    test_broken_libraries(c)
    test_programs(c)
    test_missing_libraries(c)
    test_symbols(c)
    test_versions(c)
    test_hints(c)


if __name__ == "__main__":
    comparison.main(test)
