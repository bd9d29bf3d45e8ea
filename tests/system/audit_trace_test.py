#!/usr/bin/env python3
"""Auditors: what LD_DEBUG and listings say and tell in their presence, what a call costs whom, how many there can be.
The auditors and programs are those of audit_test.py, in audit/."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import traces  # noqa: E402

HERE_PATH = "-Wl,-rpath,."
LIBRARY = "int lib_answer(int x) { return x + 3; } int more(void) { return 2; }"
# See APART of audit_test.py.
APART = re.compile(r"symbind (_dl_exception_create|__tunable_get_val|_dl_fatal_printf) |__tunable_get_val |_dl_fatal_printf |"
                   r"objsearch \S*/(tls|x86_64|haswell|xeon_phi|avx512_1)/")


def comparable(outcome):
    text = re.sub(r"(?m)^ *PID:\t", "         1:\t", outcome.err)
    others = [line for line in text.split("\n") if not traces.PREFIX.match(line)]
    outcome.err = re.sub(r"\S*/(ld-linux-x86-64\.so\.2|ld\.so)\b", "LOADER", "\n".join(traces.explained(traces.normalise(text)) + others))
    outcome.out = "".join(line for line in outcome.out.splitlines(True) if not APART.search(line))


def source(name):
    with open(os.path.join(HERE, "audit", name)) as file:
        return file.read()


def build(c):
    c.library("lib.so", LIBRARY)
    c.library("spy.so", source("spy.c"), '-DNAME="spy"')
    c.library("two.so", source("spy.c"), '-DNAME="two"')
    c.library("zero.so", "unsigned la_version(unsigned v) { return 0; }")
    c.library("late.so", "unsigned la_version(unsigned v) { return 77; }")
    c.library("bare.so", "unsigned la_version(unsigned v) { return v; }")
    options = ["-Wl,--no-as-needed", "./lib.so", "-lm", HERE_PATH, "-Wl,-z,lazy"]
    for program in ("prog", *(side + "/prog" for side in comparison.SIDES)):
        linker = [] if program == "prog" else ["-Wl,--dynamic-linker=" + c.ld(os.path.dirname(program))]
        c.compile(program, "int lib_answer(int); int main(void) { return lib_answer(1) - 4; }", *options, *linker)


def test_traces(c):
    build(c)
    for words in ("files", "bindings", "libs,scopes", "all"):
        for auditors in ("./zero.so", "./late.so", "./bare.so", "./missing.so", "./spy.so", "./zero.so:./spy.so:./two.so"):
            for now in ({}, {"LD_BIND_NOW": "1"}):
                c.same(["{ld}", "./prog"], {"LD_DEBUG": words, "LD_AUDIT": auditors, **now}, edit=comparable)
    outcome = c.run("candidate", ["{ld}", "./prog"], {"LD_DEBUG": "files", "LD_AUDIT": "./zero.so"})
    c.expect("file=./zero.so [1]; audit interface function la_version returned zero; ignored.\n" in outcome.err, str(outcome))


def test_lists(c):
    """What a listing finds out about calls is told to auditors."""
    build(c)
    for auditors in ("./spy.so", "./spy.so:./two.so", "./zero.so"):
        for env in ({}, {"LD_WARN": "1"}, {"LD_WARN": "1", "LD_BIND_NOW": "1"}, {"LD_VERBOSE": "1"}, {"LD_DEBUG": "unused"},
                    {"LD_DEBUG": "files,bindings"}):
            for command in (["{ld}", "./prog"], ["{side}/prog"]):
                c.same(command, {"LD_TRACE_LOADED_OBJECTS": "1", "LD_AUDIT": auditors, **env}, edit=comparable)
    outcome = c.run("candidate", ["{ld}", "./prog"], {"LD_TRACE_LOADED_OBJECTS": "1", "LD_AUDIT": "./spy.so", "LD_WARN": "1", "LD_BIND_NOW": "1"})
    c.expect("symbind lib_answer" in outcome.out, str(outcome))


def slots(c, auditors, env):
    outcome = c.run("candidate", ["{ld}", "./slots"], {"LD_AUDIT": auditors, **env})
    return dict(re.findall(r"^slot of (\w+): (.*)$", outcome.out, re.M))


def test_cost_of_calls(c):
    """Only calls that somebody wants to see take the long way: the PLT slots of all others hold the functions."""
    build(c)
    c.library("plt.so", source("spy.c"), "-DPLT=1", '-DNAME="plt"')
    c.library("nobody.so", source("spy.c"), "-DPLT=1", "-DBINDFLAGS=0", '-DNAME="nobody"')
    c.library("to.so", source("spy.c"), "-DPLT=1", "-DBINDFLAGS=LA_FLG_BINDTO", '-DNAME="to"')
    c.compile("slots", source("slots.c"), "./lib.so", HERE_PATH, "-Wl,-z,lazy")
    direct = {"lib_answer": "the function", "puts": "the function"}
    for env in ({}, {"LD_BIND_NOW": "1"}):
        # Nobody has la_pltenter or la_pltexit; nobody asks about any object; none asks about the program's calls.
        for auditors in ("", "./bare.so", "./spy.so", "./nobody.so", "./to.so", "./spy.so:./nobody.so"):
            found = slots(c, auditors, env)
            c.expect(found == direct, f"{auditors} {env}: {found}")
    c.expect(slots(c, "./plt.so", {}) == {"lib_answer": "a stub", "puts": "a stub"}, "calls that are watched")


SILENT = '''
static void say(const char *s, unsigned long n) {
  long r; __asm__ volatile("syscall" : "=a"(r) : "0"(1), "D"(1), "S"(s), "d"(n) : "rcx", "r11", "memory"); }
unsigned la_version(unsigned v) { say("version %02d\\n", 11); return v; }
void la_preinit(unsigned long *cookie) { say("preinit %02d\\n", 11); }
'''


def test_number(c):
    """Sixteen auditors, the next ones are refused with a line each; the program runs. The system's loader has no
    room for so many."""
    build(c)
    names = [c.library(f"silent{i}.so", SILENT % (i, i), "-nostdlib") for i in range(18)]
    outcome = c.run("candidate", ["{ld}", "./prog"], {"LD_AUDIT": ":".join("./" + name for name in names)})
    c.expect(outcome.status == 0 and [f"preinit {i:02}" for i in range(16)] == re.findall(r"preinit \d+", outcome.out), str(outcome))
    refused = re.findall(r"ERROR: ld\.so: object '\./(\w+)\.so' cannot be loaded as audit interface: [a-z].*; ignored\.", outcome.err)
    c.expect(refused == ["silent16", "silent17"], str(outcome))


if __name__ == "__main__":
    comparison.run_cases([test_traces, test_lists, test_cost_of_calls, test_number])
