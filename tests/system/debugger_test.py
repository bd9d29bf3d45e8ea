#!/usr/bin/env python3
"""Tools that look at a process from outside by r_debug, probes and symbols: gdb with the probes and with a core
file, perf, pldd, eu-stack. A tool that is not installed or may not run here is named and left out."""
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

NR_PAUSE = 34
PROBES = ["init_complete", "init_start", "map_complete", "map_failed", "map_start", "reloc_complete", "reloc_start",
          "unmap_complete", "unmap_start"]
GDB = ["gdb", "-nx", "-batch", "-ex", "set pagination off", "-ex", "set auto-load safe-path /", "-ex", "set breakpoint pending on",
       "-ex", "set stop-on-solib-events 1"]
OPENS = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
  dlopen("./nosuch.so", RTLD_NOW);
  for (int i = 0; i < 3; i++) {
    void *h = i == 1 ? dlmopen(LM_ID_NEWLM, "./later.so", RTLD_NOW) : dlopen("./later.so", RTLD_NOW);
    if (!h) { puts(dlerror()); return 1; }
    printf("%d\\n", ((int (*)(int))dlsym(h, "later"))(i)); dlclose(h); }
  return 0; }
'''
LOOKS_UP = '''
#include <dlfcn.h>
#include <time.h>
int main(void) {
  for (clock_t end = clock() + CLOCKS_PER_SEC / 2; clock() < end;)
    for (int i = 0; i < 1000; i++) dlsym(RTLD_DEFAULT, "a_name_that_nobody_defines");
  return 0; }
'''
WAITS = '''
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) static int inner(void) { puts("ready"); fflush(stdout); return pause(); }
int main(void) { if (!dlopen("./later.so", RTLD_NOW)) return 1; return inner() + 1; }
'''


def installed(tool):
    if shutil.which(tool):
        return True
    print(f"left out: {tool} is not installed")
    return False


def only_changes(outcome):
    """Events in which no library came or went differ with the probes that a loader has."""
    text = re.sub(r"Stopped due to shared library event \(no libraries added or removed\)\n", "", outcome.out)
    text = re.sub(r"\[Thread debugging.*\n|Using host libthread_db.*\n|process \d+|\n(?=\n)", "", text)
    outcome.out, outcome.err = re.sub(r"0x[0-9a-f]+", "X", text), ""


def test_gdb_probes(c):
    c.library("later.so", "int later(int x) { return x + 1; }", "-g", "-nostdlib")
    c.program_for_each_side("opens", OPENS, "-g", "-O0")
    steps = ["break later", "run"] + ["continue"] * 40
    outcome = c.same(GDB + [word for step in steps for word in ("-ex", step)] + ["{side}/opens"], edit=only_changes)
    c.expect(outcome.out.count("Breakpoint 1, ") == 3 and outcome.out.count("Inferior unloaded ./later.so") == 3, outcome)
    outcome = c.run("candidate", GDB + ["-ex", "run", "-ex", "info probes stap rtld", "-ex", "maint info breakpoints", "candidate/opens"])
    c.expect(re.findall(r"^stap +rtld +(\w+) ", outcome.out, re.M) == PROBES, outcome)
    events = re.findall(r"^-\d+ +shlib events .*<(.*)>", outcome.out, re.M)
    c.expect(len(events) >= 7 and not any("_dl_debug_state" in event for event in events), f"gdb does not use the probes: {outcome}")


def test_perf(c):
    c.program_for_each_side("looks_up", LOOKS_UP)
    record = c.run("candidate", ["perf", "record", "-e", "cpu-clock:u", "-F", "999", "-o", "samples", "candidate/looks_up"])
    if record.status != 0:
        return print(f"left out: perf cannot record here: {record.err.strip()[-200:]}")
    report = c.run("candidate", ["perf", "report", "-i", "samples", "--stdio", "--sort", "dso,symbol"])
    names = re.findall(r"%\s+ld\.so\s+\[\.\] (.*)", report.out)
    c.expect(any("find_in_list" in name for name in names), f"perf names no function of the loader: {report}")
    c.expect(not any(re.match(r"0x", name) for name in names), f"perf has samples in the loader without a name: {report}")
    return None


class Waiting:
    """A process of one side that waits inside inner()."""

    def __init__(self, c, side):
        self.process = subprocess.Popen([os.path.join(side, "waits")], stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.pid = self.process.pid
        while not self.pauses():
            time.sleep(0.01)

    def pauses(self):
        with open(f"/proc/{self.pid}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
        with open(f"/proc/{self.pid}/syscall") as file:
            return state == "S" and file.read().startswith(f"{NR_PAUSE} ")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def look(side, pid, command):
    done = subprocess.run([word.replace("{pid}", str(pid)).replace("{side}", side) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    text = re.sub(rf"\b{pid}\b", "PID", done.stdout).replace(f"/{side}/", "/SIDE/").replace(side + "/", "SIDE/")
    text = re.sub(r"\(\*\): Shared library.*\n", "", re.sub(r"0x[0-9a-f]+", "X", text)).replace(" (*) ", "     ")
    return "\n".join(line.rstrip() for line in text.splitlines() if "LWP" not in line and "libthread_db" not in line)


def test_waiting_processes(c):
    c.library("later.so", "int later(int x) { return x + 1; }", "-g", "-nostdlib")
    c.program_for_each_side("waits", WAITS, "-g", "-O0")
    core = ["gdb", "-nx", "-batch", "-ex", "set auto-load safe-path /", "-ex", "bt", "-ex", "info sharedlibrary"]
    for tool, command, wanted in (
            ("pldd", ["pldd", "{pid}"], "later.so"),
            ("eu-stack", ["eu-stack", "-p", "{pid}"], "inner"),
            ("gcore", ["gcore", "-o", "{side}/core", "{pid}"], "Saved corefile"),
            ("gdb", core + ["{side}/waits", "{side}/core.{pid}"], "later.so"),
            ("gdb", core + ["-p", "{pid}"], "inner ()"),
            ("eu-stack", ["eu-stack", "--core", "{side}/core.{pid}", "-e", "{side}/waits"], "inner")):
        if not installed(tool):
            continue
        texts = []
        for side in comparison.SIDES:
            with Waiting(c, side) as process:
                if "core.{pid}" in " ".join(command):
                    subprocess.run(["gcore", "-o", f"{side}/core", str(process.pid)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, check=False)
                texts.append(look(side, process.pid, command))
        c.expect(texts[0] == texts[1] and wanted in texts[1], f"{command}:\n--- reference\n{texts[0]}\n--- candidate\n{texts[1]}")


def test_stops(c):
    """The break function and what r_debug holds at each of its calls, seen from within the process."""
    with open(os.path.join(HERE, "debugger", "stops.c")) as file:
        c.compile("stops", file.read())
    here = ["-Wl,--no-as-needed", "-Wl,-rpath,."]
    c.library("one.so", "int a;")
    c.library("two.so", "int b;", *here, "./one.so")
    c.library("gone.so", "int g;")
    c.library("undefined.so", "int never(void); int q(void) { return never(); }", *here, "./one.so", "-Wl,-z,now")
    c.library("missing.so", "int x;", *here, "./one.so", "./gone.so")
    os.remove("gone.so")
    c.library("opens.so", '#include <dlfcn.h>\n__attribute__((constructor)) static void up(void) { dlopen("./one.so", RTLD_NOW); }'
              '__attribute__((destructor)) static void down(void) { dlopen("./two.so", RTLD_NOW); }')
    c.library("again.so", '#define _GNU_SOURCE\n#include <dlfcn.h>\n__attribute__((constructor)) static void up(void) { dlopen("./again.so", RTLD_NOW); '
              'dlopen("./one.so", RTLD_NOW | RTLD_NOLOAD); dlmopen(LM_ID_NEWLM, "./little.so", RTLD_NOW); }')
    c.library("little.so", "int s;", "-nostdlib")
    with open("text.so", "w") as file:
        file.write("no object " * 20)

    def first_of_a_namespace(outcome):
        # At the first stop 2.36 does not show the first object of a new namespace, later releases do.
        outcome.out = re.sub(r"(?<=\] )version 2 ADD \[.*?\]", "version 2 ADD", outcome.out)

    for requests in ("o./one.so c0", "o./two.so o./one.so c0 c1", "onone.so o./undefined.so o./missing.so o./text.so", "l./one.so",
                     "o./one.so l./one.so c0 c1", "o./opens.so c0", "m./one.so c0", "m./one.so m./two.so c0 c1",
                     "m./little.so M./one.so c0 c1 m./undefined.so m./missing.so mnone.so", "o./one.so m./little.so o./two.so c1 c0 c2",
                     "o", "m./little.so o./little.so c1 c0", "mnone.so", "mnone.so m./little.so c1 Mnone.so m./text.so",
                     "o./one.so o./one.so g./one.so g./one.so n./one.so n./one.so c0", "o./two.so g./one.so n./one.so l./none.so",
                     "i./one.so o./one.so i./one.so", "m m./little.so M./little.so M", "m./little.so M./none.so l./little.so", "o./one.so o././one.so o././one.so n././one.so c0 c1 c2", "o o olibc.so.6 olibc.so.6 olibc.so.6", "o./one.so o././one.so o././/one.so l././././one.so",
                     "lnone.so l gnone.so g", "o./again.so c0"):
        outcome = c.same(["{ld}", "./stops", *requests.split()], edit=first_of_a_namespace)
        c.expect(outcome.status == 0, str(outcome))


COPIES = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
static void show(const char *when) {
  struct r_debug *loaders = dlsym(RTLD_NEXT, "_r_debug");
  printf("%s: version %d of %d, state %d, list %d, %s\\n", when, _r_debug.r_version, loaders->r_version, _r_debug.r_state,
         _r_debug.r_map == loaders->r_map, loaders == &_r_debug ? "one record" : "a copy"); }
int main(void) {
  show("start");
  void *handle = dlopen("./one.so", RTLD_NOW); show("open");
  dlclose(handle); show("close");
  dlmopen(LM_ID_NEWLM, "./one.so", RTLD_NOW); show("namespace");
  return 0; }
'''


def test_copy(c):
    """A program that is not position-independent and names _r_debug has a copy of it. From 2.41 on its state follows."""
    c.library("one.so", "int a;")
    for name, options in (("copies", ["-fno-pie", "-no-pie"]), ("shares", ["-fpie", "-pie"])):
        c.compile(name, COPIES, *options)
        outcome = c.same(["{ld}", "./" + name])
        c.expect(outcome.status == 0 and "namespace: version" in outcome.out, str(outcome))


def test(c):
    test_stops(c)
    test_copy(c)
    if installed("gdb"):
        test_gdb_probes(c)
    if installed("perf"):
        test_perf(c)
    test_waiting_processes(c)


if __name__ == "__main__":
    comparison.main(test)
