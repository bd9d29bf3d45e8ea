#!/usr/bin/env python3
"""Which definitions count: every binding, type, visibility and section of a symbol, and every way a reference with
or without a version meets definitions with none, one, hidden and several. The system's loader is the judge."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import traces  # noqa: E402
from elf_patch import File  # noqa: E402
from relocations_test import symbol_number  # noqa: E402

DT_SYMTAB = 6
TLS, IFUNC, UNIQUE, ABSOLUTE = 6, 10, 10, 0xfff1
SYMBOLS = "int x_data[4] = {%d}; int x_fun(void) { return %d; } __thread int x_tls = %d;"
SHOWS = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
extern int x_data[4]; int x_fun(void); %s
int *data = x_data; int (*function)(void) = x_fun;
static const char *where(void *p) { static Dl_info i; return p && dladdr(p, &i) ? i.dli_fname : "nobody"; }
int main(void) {
  printf("data in %%s, function in %%s, ", where(data), where((void *)function)); fflush(stdout);
  printf("call %%d\\n", x_fun()); %s fflush(stdout);
  void *first = dlopen("libfirst.so", RTLD_LAZY);
  if (DLSYM) printf("default %%s %%s, ", where(dlsym(RTLD_DEFAULT, "x_data")), where(dlsym(RTLD_DEFAULT, "x_fun")));
  if (DLSYM) printf("handle %%s %%s\\n", where(dlsym(first, "x_data")), where(dlsym(first, "x_fun")));
  return 0; }
"""


def build_shows(c):
    c.library("good.so", SYMBOLS % (10, 11, 12), "-Wl,-soname,libfirst.so")
    c.library("libsecond.so", SYMBOLS % (20, 21, 22))
    os.symlink("good.so", "libfirst.so")
    both = ["-Wl,-z,lazy", "-Wl,--no-as-needed", "./libfirst.so", "./libsecond.so"]
    for name, asks in (("", 1), ("-mute", 0)):
        plain, thread = SHOWS % ("", ""), SHOWS % ("extern __thread int x_tls;", 'printf("thread %d\\n", x_tls);')
        c.compile("pic" + name, plain, "-fPIC", "-pie", f"-DDLSYM={asks}", *both)
        c.compile("fixed" + name, plain, "-fno-pic", "-no-pie", f"-DDLSYM={asks}", *both)
        c.compile("only" + name, plain, "-fPIC", "-pie", f"-DDLSYM={asks}", *both[:-1])
        c.compile("thread" + name, thread, "-fPIC", "-pie", f"-DDLSYM={asks}", *both)
    os.unlink("libfirst.so")


def patched(name, binding=None, kind=None, visibility=None, section=None, value=None, size=None):
    """libfirst.so with some fields of one symbol changed."""
    file = File("good.so")
    at = file.get(file.dynamic_offset(DT_SYMTAB) + 8, "Q") + 24 * symbol_number(file, name)[0]
    info = file.get(at + 4, "B")
    binding = info >> 4 if binding is None else binding
    file.put(at + 4, "B", binding << 4 | (info & 15 if kind is None else kind))
    for offset, form, wanted in ((5, "B", visibility), (6, "H", section), (8, "Q", value), (16, "Q", size)):
        if wanted is not None:
            file.put(at + offset, form, wanted)
    file.write("libfirst.so")


def changes(name):
    for binding in range(16):
        yield {"binding": binding}
    for kind in range(16):
        if not (kind == IFUNC and name == "x_data"):  # no code to call: hostile_test has that
            yield {"kind": kind}
    yield from ({"visibility": v} for v in (1, 2, 3, 4, 0x80))
    yield from ({"section": s} for s in (ABSOLUTE, 0xfff2, 0xff00, 0xffff, 200))
    yield from ({"value": 0}, {"value": 0, "section": ABSOLUTE}, {"value": 0x12345, "section": ABSOLUTE}, {"value": 0, "section": 0},
                {"size": 0}, {"size": 1000}, {"binding": 2, "visibility": 3}, {"binding": UNIQUE, "visibility": 3},
                {"binding": 2, "section": ABSOLUTE}, {"kind": 5, "section": 0xfff2})


def kinds(c):
    build_shows(c)
    for name in ("x_fun", "x_data"):
        for change in changes(name):
            patched(name, **change)
            # The address of thread-local data is not where dladdr would look for it.
            mute = "-mute" if change.get("kind") == TLS else ""
            for program in ("./pic", "./fixed", "./only"):
                c.same(["{ld}", program + mute], {"LD_LIBRARY_PATH": "."})
            c.same(["{ld}", "./pic" + mute], {"LD_LIBRARY_PATH": ".", "LD_BIND_NOW": "1"})
    for change in ({"kind": 0}, {"kind": 1}, {"kind": 2}, {"value": 0}, {"section": ABSOLUTE}, *({"binding": b} for b in (0, 1, 2, UNIQUE))):
        patched("x_tls", **change)
        c.same(["{ld}", "./thread"], {"LD_LIBRARY_PATH": "."})


def bind(*pairs):
    """Assembler words that make definitions f1, d1, ... those of fun and dat with a version each."""
    return "__asm__(\"" + "; ".join(f".symver f{n},fun{v}; .symver d{n},dat{v}" for n, v in pairs) + "\");"


def numbered(*numbers):
    return "".join(f"int f{n}(void) {{ return {n}; }} int d{n} = {n};" for n in numbers)


PLAIN = "int fun(void) { return %d; } int dat = %d; int other, other2;"
CHAIN = "V_1 { global: fun; dat; other; }; V_2 { global: fun; dat; other2; } V_1; V_3 { global: fun; dat; } V_2;"
DEFINITIONS = {
    "none": (None, PLAIN % (1, 1)),
    "v1": ("V_1 { global: fun; dat; };", PLAIN % (2, 2)),
    "v1v2": (CHAIN, numbered(3, 4) + "int other, other2;" + bind((3, "@V_1"), (4, "@@V_2"))),
    "v1v2v3": (CHAIN, numbered(5, 6, 7) + "int other, other2;" + bind((5, "@V_1"), (6, "@V_2"), (7, "@@V_3"))),
    "hidden1": (CHAIN, numbered(8) + "int other, other2;" + bind((8, "@V_1"))),
    "hidden12": (CHAIN, numbered(9, 10) + "int other, other2;" + bind((9, "@V_1"), (10, "@V_2"))),
    "hidden2": (CHAIN, numbered(11) + "int other, other2;" + bind((11, "@V_2"))),
    "late": ("V_1 { global: other; }; V_2 { global: other2; } V_1; V_3 { global: fun; dat; } V_2;", PLAIN % (12, 12)),
    "base": ("{ global: fun; dat; local: *; };", PLAIN % (13, 13)),
    "beside": ("V_1 { global: other; };", PLAIN % (14, 14)),
    "foreign": ("W_1 { global: fun; dat; };", PLAIN % (15, 15)),
    "local": ("V_1 { global: dat; local: fun; };", PLAIN % (16, 16)),
}
ASKS = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
%s
int fun(void); extern int dat; int (*volatile function)(void) = fun; int *volatile data = &dat;
int main(void) {
  const char *versions[] = {"V_1", "V_2", "V_3", "W_1", "NO"};
  int (*f)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "fun");
  printf("%%d %%d %%d %%d", fun(), function(), *data, f ? f() : -1);
  for (int i = 0; i < 5; ++i) { f = (int (*)(void))dlvsym(RTLD_DEFAULT, "fun", versions[i]); printf(" %%d", f ? f() : -1); }
  puts(""); return 0; }
"""
REFERENCES = {"unversioned": ("none", ""), "first": ("v1", ""), "second": ("v1v2", ""), "third": ("v1v2v3", ""), "foreign": ("foreign", ""),
              "old": ("v1v2", '__asm__(".symver fun,fun@V_1; .symver dat,dat@V_1");'), "weak": ("v1", "#pragma weak fun\n#pragma weak dat\n")}


def library(c, name, output, *options):
    script, source = DEFINITIONS[name]
    if script is not None:
        with open("script.map", "w") as file:
            file.write(script)
        options = ("-Wl,--version-script=script.map", *options)
    c.library(output, source, *options)


def judged(c, command, env, edit=None):
    """2.36 ends in an assertion where the object that a version is wanted of has no versions; later ones go on."""
    theirs, ours = (c.run(side, command, env) for side in comparison.SIDES)
    if "Assertion `version->filename == NULL" in theirs.err:
        c.expect(ours.status in (0, 127) and "no version information available" in ours.err, f"{env} {command}: {ours}")
        return
    for outcome in (theirs, ours):
        if edit is not None:
            edit(outcome)
    c.expect(theirs == ours, f"{env} {command}\n{theirs}\n{ours}")


def own_bindings(outcome):
    """What the trace says of the program's own references to the library."""
    traces.trace_only(outcome)
    outcome.err = "\n".join(line for line in outcome.err.splitlines() if "libver.so" in line or not line.startswith("0: "))


def versions(c):
    for name in DEFINITIONS:
        os.mkdir(name)
        library(c, name, name + "/libver.so", "-Wl,-soname,libver.so")
        library(c, name, f"libpre-{name}.so")
    for name, (home, prefix) in REFERENCES.items():
        for style in ("lazy", "now"):
            c.compile(f"{name}-{style}", ASKS % prefix, home + "/libver.so", "-fPIC", "-Wl,-z," + style)
    for name in REFERENCES:
        for directory in DEFINITIONS:
            here = {"LD_LIBRARY_PATH": directory}
            judged(c, ["{ld}", f"./{name}-lazy"], here)
            judged(c, ["{ld}", f"./{name}-now"], here)
            judged(c, ["{ld}", f"./{name}-lazy"], {**here, "LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1", "LD_BIND_NOW": "1"})
        for directory in ("none", "v1", "hidden2"):
            judged(c, ["{ld}", f"./{name}-lazy"], {"LD_LIBRARY_PATH": directory, "LD_DEBUG": "bindings"}, own_bindings)
        for directory in ("v1v2", "none"):
            for preload in DEFINITIONS:
                judged(c, ["{ld}", f"./{name}-lazy"], {"LD_LIBRARY_PATH": directory, "LD_PRELOAD": f"./libpre-{preload}.so"})


CASES = (kinds, versions)


if __name__ == "__main__":
    comparison.run_cases(CASES)
