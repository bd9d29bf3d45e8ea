#!/usr/bin/env python3
"""System calls that the kernel refuses: the same words from both loaders. Calls are chosen by their
arguments, so that both loaders meet the refusal at the same step."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import traces  # noqa: E402
from elf_patch import File  # noqa: E402
from refuse import MAP_FIXED, PROT_EXEC, PROT_READ, PROT_WRITE, refuse  # noqa: E402

PAGE = 4096
OPENS = '''
#include <dlfcn.h>
#include <stdio.h>
int main(int n, char **v) { void *h = dlopen(v[1], RTLD_NOW); puts(h ? "opened" : dlerror()); return 0; }
'''


def everywhere(c, library, words, **chosen):
    """As a needed library, preloaded, and through dlopen; `words` must be among those of the first."""
    if os.path.lexists("libpart.so"):
        os.unlink("libpart.so")
    os.symlink(library, "libpart.so")
    here = {"LD_LIBRARY_PATH": "."}
    outcome = c.same(["{ld}", "./uses"], here)
    c.expect(outcome.status == 3, f"{library} without refusal: {outcome}")
    outcome = c.same(["{ld}", "./uses"], here, preexec_fn=refuse(**chosen))
    c.expect(outcome.status == 127 and f": {words}" in outcome.err, f"{library} refused: {outcome}")
    c.same(["{ld}", "./opens", "./libpart.so"], preexec_fn=refuse(**chosen))
    c.same(["{ld}", "./opens", "-"], {"LD_PRELOAD": "./libpart.so"}, preexec_fn=refuse(**chosen))


def mapping(c):
    c.library("whole.so", "char room[40 << 20]; int part(void) { return 3 + room[5]; }", "-Wl,-soname,libpart.so")
    everywhere(c, "whole.so", "failed to map segment from shared object", call="mmap", at_least={1: 32 << 20}, equal={2: PROT_READ})
    everywhere(c, "whole.so", "cannot map zero-fill pages", call="mmap", at_least={1: 32 << 20}, equal={2: PROT_READ | PROT_WRITE})
    code = ".rept 100000; nop; .endr"
    c.library("code.so", 'void never(void) { __asm__("%s"); } int part(void) { return 3; }' % code, "-Wl,-soname,libpart.so")
    everywhere(c, "code.so", "failed to map segment from shared object", call="mmap", at_least={1: 90000},
               equal={2: PROT_READ | PROT_EXEC}, flags={3: MAP_FIXED})
    c.library("holes.so", "int data = 1; int part(void) { return 2 + data; }", "-Wl,-soname,libpart.so", "-Wl,-z,max-page-size=0x200000")
    everywhere(c, "holes.so", "cannot change memory protections", call="mprotect", equal={2: 0})


def protections(c):
    functions = "".join(f"int f{i}(void) {{ return {i}; }} " for i in range(3 * PAGE // 8))
    table = "int (*const table[])(void) = {" + ", ".join(f"f{i}" for i in range(3 * PAGE // 8)) + "};"
    c.library("relro.so", functions + table + "int part(void) { return table[3](); }", "-Wl,-soname,libpart.so", "-Wl,-z,relro,-z,now")
    everywhere(c, "relro.so", "cannot apply additional memory protection after relocation", call="mprotect",
               at_least={1: 3 * PAGE}, equal={2: PROT_READ})
    # The reference writes into executable memory here, ours takes the right to execute away for the time.
    source = '__asm__(".text; .globl part; part: movabs $value, %rax; mov (%rax), %eax; ret"); int value = 3;'
    c.library("text.so", source, "-Wl,-soname,libpart.so", "-Wl,-z,notext", "-fno-pic", "-Wl,-Bsymbolic")
    everywhere(c, "text.so", "cannot make segment writable for relocation", call="mprotect", flags={2: PROT_WRITE})
    everywhere(c, "text.so", "cannot restore segment prot after reloc", call="mprotect", equal={2: PROT_READ | PROT_EXEC})


DT_NEEDED, DT_DEBUG, DT_AUXILIARY = 1, 21, 0x7ffffffd


def origin(c):
    """Where /proc/self/exe cannot be read, the program has no $ORIGIN but for LD_ORIGIN_PATH."""
    os.makedirs("away/sub", exist_ok=True)
    c.library("away/sub/libfar.so", "int far(void) { return 3; }")
    main = "int far(void); int main(void) { return far(); }"
    c.program_for_each_side("far", main, "away/sub/libfar.so", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/sub")
    c.library("away/sub/libslash.so", "int far(void) { return 3; }", "-Wl,-soname,$ORIGIN/sub/libslash.so")
    c.program_for_each_side("slash", main, "away/sub/libslash.so")
    c.program_for_each_side("weak", main.replace("far(void);", "far(void) __attribute__((weak));").replace("far()", "far ? far() : 5"),
                            "-Wl,--no-as-needed", "away/sub/libslash.so")
    environments = ({}, {"LD_ORIGIN_PATH": os.path.abspath("away")}, {"LD_ORIGIN_PATH": "away///", "LD_TRACE_LOADED_OBJECTS": "1"},
                    {"LD_ORIGIN_PATH": "nowhere"}, {"LD_ORIGIN_PATH": ""}, {"LD_LIBRARY_PATH": "$ORIGIN/sub:away/sub"},
                    {"LD_ORIGIN_PATH": "/", "LD_TRACE_LOADED_OBJECTS": "1"})
    for program in ("far", "slash", "weak"):
        for env in environments:
            c.same(["{side}/" + program], env, preexec_fn=refuse("readlink"))
        c.same(["{side}/" + program], {"LD_DEBUG": "libs"}, edit=traces.trace_only, preexec_fn=refuse("readlink"))
    outcome = c.run("candidate", ["{side}/far"], {"LD_ORIGIN_PATH": os.path.abspath("away")}, preexec_fn=refuse("readlink"))
    c.expect(outcome.status == 3, f"LD_ORIGIN_PATH: {outcome}")
    # A program that names its filtee, which no linker makes: the reference ends it when nothing is left of the name
    # of an auxiliary one.
    file = File("candidate/weak")
    needed = file.get(file.dynamic_offset(DT_NEEDED) + 8, "Q")
    file.dynamic(DT_DEBUG, needed, DT_AUXILIARY).dynamic(DT_NEEDED, needed, DT_DEBUG).write("candidate/optional")
    os.chmod("candidate/optional", 0o755)
    outcome = c.run("candidate", ["{side}/optional"], {"LD_DEBUG": "libs"}, preexec_fn=refuse("readlink"))
    c.expect(outcome.status == 5 and "because of empty dynamic string token substitution" in outcome.err, f"auxiliary: {outcome}")


def filtees(c):
    """The trace names filtees with their tokens replaced."""
    os.makedirs("sub", exist_ok=True)
    c.library("sub/libreal.so", "int far(void) { return 3; }")
    for letter in "fF":
        c.library("lib%s.so" % letter, "int far(void) { return 4; }", "-Wl,-%s,$ORIGIN/sub/libreal.so" % letter)
        c.compile(letter, "int far(void); int main(void) { return far(); }", "./lib%s.so" % letter)
        c.same(["{ld}", "./" + letter], {"LD_LIBRARY_PATH": ".", "LD_DEBUG": "libs"}, edit=traces.trace_only)


def test(c):
    c.library("libpart.so", "int part(void) { return 3; }")
    c.compile("uses", "int part(void); int main(void) { return part(); }", "./libpart.so", "-Wl,-rpath-link,.")
    c.compile("opens", OPENS)
    mapping(c)
    protections(c)
    origin(c)
    filtees(c)


if __name__ == "__main__":
    comparison.main(test)
