#!/usr/bin/env python3
"""LD_PRELOAD, --preload and /etc/ld.so.preload: order, tokens, failures. The file is tried in a mount
namespace of its own, with a folder of ours in the place of /etc."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import traces  # noqa: E402
from elf_patch import File  # noqa: E402

LIBRARY = '''
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>
__attribute__((constructor)) static void begin(void) {
  if (strcmp(program_invocation_short_name, "prog")) return;  /* not in the shell that starts it */
  write(1, "init %(n)s\\n", sizeof "init %(n)s\\n" - 1); }
const char *winner(void) { return "%(n)s"; }
'''
PROGRAM = '''
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
const char *winner(void) __attribute__((weak));
static int show(struct dl_phdr_info *info, size_t size, void *data) { printf("object [%s]\\n", info->dlpi_name); return 0; }
int main(void) { puts(winner ? winner() : "nobody"); dl_iterate_phdr(show, 0); return 0; }
'''


def build(c):
    for name in "abcd":
        c.library(f"lib{name}.so", LIBRARY % {"n": name})
    c.compile("prog", PROGRAM, "-fPIC", "-Wl,-z,lazy")
    c.program_for_each_side("prog", PROGRAM, "-fPIC")
    c.compile("static", "int main(void) { return 0; }", "-static")
    File("liba.so").header("ei_class", 1).write("lib32.so")
    File("liba.so").header("e_machine", 183).write("libarm.so")
    with open("text.so", "w") as file:
        file.write("GROUP ( libc.so.6 )\n" * 8)
    open("empty.so", "w").close()
    c.library("libneedy.so", "int gone(void); int needy(void) { return gone(); }", c.library("libgone.so", "int gone(void) { return 1; }"))
    os.remove("libgone.so")


def test_lists(c):
    lists = ("./liba.so", "./liba.so ./libb.so", "./libb.so:./liba.so", "liba.so", " : ./liba.so:: ./libb.so ", "./missing.so ./liba.so",
             "missing.so", "./lib32.so", "./libarm.so", "libarm.so", "lib32.so", "./text.so", "./empty.so", ".", "/dev/null", "./libneedy.so",
             "$ORIGIN/liba.so", "${ORIGIN}/libb.so", "$LIB/liba.so", "$NOTHING/liba.so", "./liba.so ./liba.so", 
             "libc.so.6", "", " ", "./libm.so.6 libm.so.6", "{ld}", "ld-linux-x86-64.so.2", "linux-vdso.so.1 ./liba.so", "./prog")
    for text in lists:
        for env in ({}, {"LD_LIBRARY_PATH": "."}):
            c.same(["{ld}", "./prog"], {"LD_PRELOAD": text, **env})
            c.same(["{side}/prog"], {"LD_PRELOAD": text, **env})
            c.same(["{ld}", "--preload", text, "./prog"], env)
            c.same(["{ld}", "--list", "./prog"], {"LD_PRELOAD": text, **env})
    # What is refused, and what was there before: also in the trace.
    for text in ("./prog", "./static", "./libarm.so", "./text.so", "{ld}", "linux-vdso.so.1", "./liba.so ./liba.so"):
        c.same(["{ld}", "./prog"], {"LD_PRELOAD": text, "LD_DEBUG": "files"}, edit=traces.trace_only)
        c.same(["{side}/prog"], {"LD_PRELOAD": text, "LD_DEBUG": "files"}, edit=traces.trace_only)
    # Another copy of the loader: the reference dies of SIGFPE. A name that no path can have: it says nothing.
    shutil.copy(c.ld("candidate"), "second.so")
    for text, reason in (("./second.so", "loader cannot load itself"), ("n" * 5000, "cannot open shared object file")):
        outcome = c.run("candidate", ["{ld}", "./prog"], {"LD_PRELOAD": text + " ./liba.so"})
        c.expect(outcome.status == 0 and f"from LD_PRELOAD cannot be preloaded ({reason}): ignored." in outcome.err
                 and "object [./liba.so]" in outcome.out, f"{text[:20]}: {outcome}")
    c.same(["{ld}", "--preload", "./liba.so ./libb.so", "./prog"], {"LD_PRELOAD": "./libc.so ./libd.so"})
    c.same(["{ld}", "--preload", "./liba.so", "--preload", "./libb.so", "./prog"], {"LD_PRELOAD": "./liba.so"})
    c.same(["{ld}", "--preload", "./missing.so", "./prog"], {"LD_PRELOAD": "./missing.so"})


def can_mount():
    return subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL).returncode == 0


def test_file(c):
    if not can_mount():
        print("no mount namespaces here: /etc/ld.so.preload is not tried")
        return
    os.mkdir("etc")
    shutil.copy("/etc/ld.so.cache", "etc")
    open("etc/ld.so.preload", "w").close()

    def command(text, variables, words):
        with open("preload", "w") as file:
            file.write(text)
        script = "mount --bind etc /etc && mount --bind preload /etc/ld.so.preload && "
        script += "".join(f"export {name}={value}; " for name, value in variables.items())
        return ["unshare", "-rm", "sh", "-c", script + 'exec "$@"', "sh", "{ld}", *words, "./prog"]

    here = c.root
    for text in (f"{here}/liba.so\n", f"{here}/libb.so {here}/liba.so", f"\n\t {here}/liba.so:{here}/libd.so\n\n",
                 f"# {here}/libb.so\n{here}/liba.so\n", "/missing.so\n", f"/missing.so\n{here}/liba.so\n", "", "\n\n", "#", ":"):
        for variables in ({}, {"LD_PRELOAD": "./libc.so"}):
            outcome = c.same(command(text, variables, []))
            c.expect(outcome.status == 0 and "object [" in outcome.out, str(outcome))
            c.same(command(text, variables, ["--preload", "./libb.so"]))
    # 2.36 takes the words of every comment but the first for names.
    text = f"# one\n{here}/liba.so # two words\n# three {here}/libb.so\n"
    outcome = c.run("candidate", command(text, {}, []))
    c.expect(outcome.err == "" and f"object [{here}/liba.so]" in outcome.out and "libb.so" not in outcome.out, str(outcome))


def test(c):
    build(c)
    test_lists(c)
    test_file(c)


if __name__ == "__main__":
    comparison.main(test)
