#!/usr/bin/env python3
"""Programs that look into a process from outside or replace parts of it: gdb, valgrind, sanitizers,
strace, ltrace. A tool that is not installed is named and left out."""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

GDB_STEPS = {
    "late breakpoint": ["set breakpoint pending on", "break late_function", "run", "bt", "print x", "info threads",
                        "thread apply all print in_thread", "info sharedlibrary", "finish", "next", "next", "info sharedlibrary",
                        "continue"],
    "step over dlopen": ["break main", "run", "next", "next", "next", "print library != 0", "next", "next", "print result",
                         "info sharedlibrary", "continue"],
}
SANITIZED = '''
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int shared;
static void *race(void *a) { shared++; return 0; }
int main(int argc, char **argv) {
  char *p = malloc(10); void *h = dlopen("libm.so.6", RTLD_NOW); int large = 0x7fffffff;
  const char *what = argc > 1 ? argv[1] : "";
  printf("%d\\n", h != 0); fflush(stdout); strcpy(p, "abc");
  if (!strcmp(what, "overflow")) p[10] = 1;
  if (!strcmp(what, "undefined")) { large += argc; printf("%d\\n", large < 0); }
  if (!strcmp(what, "race")) {
    pthread_t t[2]; for (int i = 0; i < 2; i++) pthread_create(&t[i], 0, race, 0);
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0); }
  free(p); dlclose(h); return 0; }
'''


def installed(c, tool):
    if shutil.which(tool):
        return True
    print(f"left out: {tool} is not installed")
    return False


def neutral(text):
    """What differs from run to run, and that the system's loader has debugging information of its own."""
    for pattern, replacement in ((r"0x[0-9a-f]+", "X"), (r"LWP \d+", "LWP"), (r"process \d+", "process"), (r" \(\*\)", "    "),
                                 (r"\(\*\): Shared library.*\n", ""), (r"warning: .*\n", ""),
                                 # gdb says so of a process that ends while it looks for threads.
                                 (r"\[New process\]\n", ""),
                                 # Columns are as wide as the longest number of a thread.
                                 (r"Target Id +Frame", "Target Id Frame"), (r'(\(LWP\) "[^"]*") +', r"\1 ")):
        text = re.sub(pattern, replacement, text)
    # Threads start and end at their own pace.
    return re.sub(r"\[(New )?Thread \S+ \(LWP\)( exited)?\]\n", "", text)


def edit_gdb(outcome):
    outcome.out, outcome.err = neutral(outcome.out), ""


def test_gdb(c):
    with open(os.path.join(HERE, "tools", "debuggee.c")) as file:
        text = file.read()
    c.library("late.so", "__thread int late_tls = 11;\nint late_function(int x) { late_tls += x; return x * late_tls; }", "-g")
    os.rename("source.c", "late.c")
    c.program_for_each_side("debuggee", text, "-g", "-O0", "-pthread")
    for what, steps in GDB_STEPS.items():
        command = ["gdb", "-nx", "-batch", "-ex", "set pagination off", "-ex", "set auto-load safe-path /"]
        for step in steps:
            command += ["-ex", step]
        outcome = c.same(command + ["{side}/debuggee"], edit=edit_gdb)
        c.expect("exited normally" in outcome.out and "late.so" in outcome.out, f"gdb, {what}:\n{outcome.out}")


def with_our_interpreter(c, program):
    """A copy of a system program whose PT_INTERP is a short link to our object."""
    link = "/tmp/pl-" + str(os.getpid())
    os.symlink(c.ld("candidate"), link)
    with open(program, "rb") as file:
        data = bytearray(file.read())
    known = b"/lib64/ld-linux-x86-64.so.2\0"
    at = data.find(known)
    data[at:at + len(known)] = link.encode().ljust(len(known), b"\0")
    with open(os.path.basename(program), "wb") as file:
        file.write(data)
    os.chmod(file.name, 0o755)
    return link


def test_ls(c):
    link = with_our_interpreter(c, "/bin/ls")
    try:
        if installed(c, "valgrind"):
            outcome = c.run("candidate", ["valgrind", "./ls", "-d", "/"])
            c.expect(outcome.status == 0 and outcome.out == "/\n", f"valgrind: {outcome}")
            c.expect("ERROR SUMMARY: 0 errors" in outcome.err and "Fatal" not in outcome.err, f"valgrind: {outcome.err}")
        if installed(c, "ltrace"):
            outcome = c.run("candidate", ["ltrace", "-e", "setlocale", "./ls", "-d", "/"])
            c.expect(outcome.status == 0 and "setlocale(LC_ALL" in outcome.err, f"ltrace: {outcome}")
        if installed(c, "strace"):
            outcome = c.run("candidate", ["strace", "-e", "trace=write", "./ls", "-d", "/"])
            c.expect(outcome.status == 0 and 'write(1, "/\\n", 2)' in outcome.err, f"strace: {outcome}")
    finally:
        os.unlink(link)


def test_sanitizers(c):
    for kind, fault, words in (("address", "overflow", "heap-buffer-overflow"), ("undefined", "undefined", "signed integer overflow"),
                               ("thread", "race", "data race"), ("leak", "nothing", None)):
        try:
            c.compile("probe", "int main(void) { return 0; }", "-fsanitize=" + kind)
        except subprocess.CalledProcessError:
            print(f"left out: no run time for -fsanitize={kind}")
            continue
        c.program_for_each_side("checked", SANITIZED, "-g", "-fsanitize=" + kind, "-pthread")
        # The tools walk all threads and modules: each must work without a fault, and find a planted one.
        clean = c.run("candidate", ["./candidate/checked"])
        c.expect(clean.status == 0 and clean.out == "1\n" and clean.err == "", f"{kind}: {clean}")
        if words:
            found = c.run("candidate", ["./candidate/checked", fault])
            c.expect(words in found.err, f"{kind} {fault}: {found}")


def main():
    with comparison.Comparison() as c:
        if installed(c, "gdb"):
            test_gdb(c)
        test_ls(c)
        test_sanitizers(c)
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
