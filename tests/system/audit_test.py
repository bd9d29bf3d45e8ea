#!/usr/bin/env python3
"""Auditors (rtld-audit(7)) under the system's loader and under ours: what they are told, in which order,
and what comes of their answers. The auditors are in audit/; each prints what it is told."""
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import loader  # noqa: E402

LIB = '''
#include <stdio.h>
#include <string.h>
int lib_answer(int x) { return (int)strlen("abc") + x; }
double lib_half(double x) { return x / 2; }
__attribute__((constructor)) static void up(void) { puts("lib up"); fflush(stdout); }
__attribute__((destructor)) static void down(void) { puts("lib down"); fflush(stdout); }
'''
DEP = '''
#include <stdio.h>
__thread int counter = 3;
int depf(int x) { return x + counter++; }
__attribute__((constructor)) static void up(void) { puts("dep up"); fflush(stdout); }
__attribute__((destructor)) static void down(void) { puts("dep down"); fflush(stdout); }
'''
PLUG = '''
#include <stdio.h>
#include <stdlib.h>
int depf(int);
int plug(int x) { return depf(abs(atoi("39")) + x); }
__attribute__((constructor)) static void up(void) { puts("plug up"); fflush(stdout); }
__attribute__((destructor)) static void down(void) { puts("plug down"); fflush(stdout); }
'''
# What our loader does in another way than glibc 2.36: it does not search the directories that later
# releases have given up; it makes libc's exceptions without libc's help; libc's allocator starts, and asks
# for its tunables, when somebody needs it, not when it is found.
APART = re.compile(r"objsearch \S*/(tls|x86_64|haswell|xeon_phi|avx512_1)/|symbind _dl_exception_create |"
                   r"plt(enter|exit) _dl_exception_create |__tunable_get_val |_dl_fatal_printf ")


def without_differences(outcome):
    outcome.out = "".join(line for line in outcome.out.splitlines(True) if not APART.search(line))


def without_errno(outcome):
    """The system's loader says of a refusal by an auditor what errno, and an earlier search, have left over."""
    without_differences(outcome)
    outcome.out = re.sub(r"^(\./plug\.so) (cannot open shared object file.*|wrong ELF class.*)$", r"\1 refused", outcome.out,
                         flags=re.M)


def source(name):
    with open(os.path.join(HERE, "audit", name)) as file:
        return file.read()


# Where the programs find the libraries of a test.
HERE_PATH = "-Wl,-rpath,."


def auditor(c, name, *options):
    c.library(name + ".so", source("spy.c"), f'-DNAME="{name}"', *options)


def build(c):
    auditor(c, "spy")
    auditor(c, "plt", "-DPLT=1")
    c.library("lib.so", LIB)
    c.library("dep.so", DEP)
    c.library("plug.so", PLUG, "-fno-builtin", "./dep.so", HERE_PATH)
    c.library("gone.so", "int gone(void) { return 1; }")
    c.library("lackdep.so", "int gone(void); int use(void) { return gone(); }", "./gone.so")
    os.remove("gone.so")
    c.library("lacksym.so", "int nowhere(void); int use(void) { return nowhere(); }")
    c.compile("prog", source("plain.c"), "./lib.so", HERE_PATH, "-Wl,-z,lazy")
    c.compile("prognow", source("plain.c"), "./lib.so", HERE_PATH, "-Wl,-z,now")


def same(c, command, env=None, edit=without_differences):
    """Both loaders give the same, and auditors did say something."""
    outcome = c.same(command, env, edit)
    c.expect("version 2" in outcome.out, f"an auditor ran: {env} {command}\n{outcome}")
    return outcome


def test_start(c):
    build(c)
    for auditors in ("./spy.so", "./plt.so", "./spy.so:./plt.so", "./plt.so:./spy.so:./plt.so"):
        for env in ({}, {"LD_BIND_NOW": "1"}, {"LD_BIND_NOT": "1"}):
            for program in ("./prog", "./prognow"):
                outcome = same(c, ["{ld}", program], {"LD_AUDIT": auditors, **env})
                c.expect(outcome.status == 0, f"{auditors} {env} {program}: {outcome.status}")
    same(c, ["{ld}", "./prog", "exit"], {"LD_AUDIT": "./spy.so"})
    # Parent and child write as they come.
    c.same(["{ld}", "./prog", "fork"], {"LD_AUDIT": "./spy.so"},
           lambda outcome: (without_differences(outcome), comparison.sort_lines("out")(outcome)))
    same(c, ["{ld}", "./prog"], {"LD_AUDIT": "./spy.so", "LD_PRELOAD": "./dep.so"})
    for mode in ("--list", "--verify"):
        c.same(["{ld}", mode, "./prog"], {"LD_AUDIT": "./spy.so"}, without_differences)
    same(c, ["{ld}", "./prog"], {"LD_AUDIT": "./spy.so", "LD_TRACE_LOADED_OBJECTS": "1"})


def test_later(c):
    """dlopen and its relatives, from a program that is being audited."""
    build(c)
    for auditors in ("./spy.so", "./plt.so", "./spy.so:./plt.so"):
        for words in (["open"], ["fail"], ["name"], ["spaces"], ["open", "fail", "spaces", "open"]):
            # Where returns are reported, dlsym sees the loader as its caller; the system's crashes then.
            crashes = words == ["name"] and "plt" in auditors
            run = c.run("candidate", ["{ld}", "./prog", *words], {"LD_AUDIT": auditors}) if crashes else \
                same(c, ["{ld}", "./prog", *words], {"LD_AUDIT": auditors})
            c.expect(run.status == 0, f"{auditors} {words}: {run}")
        same(c, ["{ld}", "./prog", "open", "fail"], {"LD_AUDIT": auditors, "LD_BIND_NOW": "1"})


def test_where_named(c):
    """LD_AUDIT, --audit, DT_AUDIT, DT_DEPAUDIT; lists, tokens, the search for an auditor."""
    build(c)
    for env, options in (({}, ["--audit", "./spy.so"]), ({"LD_AUDIT": "./plt.so"}, ["--audit", "./spy.so"]),
                         ({}, ["--audit", "./spy.so:./plt.so"]), ({"LD_AUDIT": ":./spy.so::./missing.so:./plt.so:"}, []),
                         ({"LD_AUDIT": "./spy.so"}, ["--audit", "./plt.so", "--audit", "./missing.so"])):
        same(c, ["{ld}", *options, "./prog"], env)
    os.mkdir("own")
    auditor(c, "own/kept")
    for name, options in (("audit", ["-Wl,--audit,./spy.so"]), ("depaudit", ["-Wl,-P,./spy.so"]),
                          ("both", ["-Wl,--audit,./spy.so:./plt.so", "-Wl,-P,./missing.so"]),
                          ("runpath", ["-Wl,--audit,kept.so", "-Wl,-rpath,$ORIGIN/own:.", "-Wl,--enable-new-dtags"]),
                          ("rpath", ["-Wl,--audit,kept.so", "-Wl,-rpath,$ORIGIN/own:.", "-Wl,--disable-new-dtags"])):
        c.compile(name, source("plain.c"), "./lib.so", *([] if "path" in name else [HERE_PATH]), *options)
        same(c, ["{ld}", "./" + name])
        same(c, ["{ld}", "--audit", "./plt.so", "./" + name])
    there = "$ORIGIN/../" + os.path.basename(os.getcwd())
    # With $ORIGIN the program's directory is meant; only a program that the kernel starts has one for
    # the system's loader.
    c.program_for_each_side("tokens", source("plain.c"), "./lib.so", HERE_PATH, f"-Wl,--audit,{there}/own/kept.so")
    for env in ({}, {"LD_AUDIT": there + "/spy.so"}, {"LD_AUDIT": there + "/spy.so:$LIB/none.so:$NO/none.so"}):
        same(c, ["{side}/tokens"], env)
    same(c, ["{ld}", "./prog"], {"LD_AUDIT": "spy.so:plt.so", "LD_LIBRARY_PATH": "."})
    same(c, ["{ld}", "./prog"], {"LD_AUDIT": "spy.so"})


def test_refusals(c):
    build(c)
    for version in ("0", "1", "3", "77"):
        auditor(c, "wants" + version, f"-DVERSION={version}U")
    c.library("none.so", "int nothing;")
    c.library("lacks.so", "unsigned la_version(unsigned v) { return v; } int nowhere(void); int (*p)(void) = nowhere;")
    with open("text.so", "w") as file:
        file.write("no object at all\n" * 8)
    single = ["wants0", "wants1", "wants3", "wants77", "none", "lacks", "text", "missing", "lackdep"]
    for name in single:
        c.same(["{ld}", "./prog"], {"LD_AUDIT": f"./{name}.so"}, without_differences)
        same(c, ["{ld}", "./prog"], {"LD_AUDIT": f"./{name}.so:./spy.so"})
        same(c, ["{ld}", "./prog", "open"], {"LD_AUDIT": f"./spy.so:./{name}.so:./plt.so"})
    same(c, ["{ld}", "./prog", "spaces"], {"LD_AUDIT": ":".join(f"./{name}.so" for name in single + ["spy"])})


def test_search(c):
    """la_objsearch sends the loader elsewhere, or nowhere."""
    build(c)
    shutil.copy("lib.so", "other.so")
    os.mkdir("sub")
    shutil.copy("lib.so", "sub/moved.so")
    original, path, cache = "1", "2", "8"
    there = '"' + os.path.abspath("sub/moved.so") + '"'
    for number, (pattern, flag, to) in enumerate((
            ("lib.so", original, "0"), ("lib.so", original, '"./other.so"'), ("lib.so", original, '"other.so"'),
            ("lib.so", original, '"nowhere.so"'), ("lib.so", original, '"libc.so.6"'), ("/lib.so", path, "0"),
            ("/lib.so", path, there), ("/lib.so", path, '"nowhere"'), ("libc.so.6", cache, "0"), ("libc.so.6", original, "0"),
            ("plug.so", original, "0"), ("plug.so", original, '"./dep.so"'), ("dep.so", original, there),
            ("dep.so", original, '"./absent.so"'))):
        name = f"ren{number}"
        auditor(c, name, f'-DRENAME_FROM="{pattern}"', f"-DRENAME_FLAG={flag}", f"-DRENAME_TO={to}")
        c.compile("searcher", source("plain.c"), "./" + c.library("lib.so", LIB))
        same(c, ["{ld}", "./searcher", "open", "spaces"], {"LD_AUDIT": f"./{name}.so", "LD_LIBRARY_PATH": "."}, without_errno)
        same(c, ["{ld}", "./searcher", "open"], {"LD_AUDIT": f"./spy.so:./{name}.so", "LD_LIBRARY_PATH": "."}, without_errno)


def test_wishes(c):
    """What la_objopen and the flags of la_symbind64 and la_pltenter ask for."""
    build(c)
    for name, options in (("nobody", ["-DBINDFLAGS=0"]), ("to", ["-DBINDFLAGS=LA_FLG_BINDTO"]),
                          ("from", ["-DBINDFLAGS=LA_FLG_BINDFROM"]), ("onlylib", ['-DONLY="/lib.so"']),
                          ("noenter", ["-DFLAGS=LA_SYMB_NOPLTENTER"]), ("noleave", ["-DFLAGS=LA_SYMB_NOPLTEXIT"]),
                          ("neither", ["-DFLAGS=LA_SYMB_NOPLTENTER|LA_SYMB_NOPLTEXIT"]),
                          ("nobind", ["-DNO_BIND"]), ("nosearch", ["-DNO_SEARCH"])):
        auditor(c, name, "-DPLT=1", *options)
        same(c, ["{ld}", "./prog", "open"], {"LD_AUDIT": f"./{name}.so"})
        same(c, ["{ld}", "./prog", "name"], {"LD_AUDIT": f"./spy.so:./{name}.so", "LD_BIND_NOW": "1"})
    auditor(c, "noframe", "-DPLT=0")
    same(c, ["{ld}", "./prog", "open"], {"LD_AUDIT": "./noframe.so"})
    same(c, ["{ld}", "./prog", "open"], {"LD_AUDIT": "./noframe.so:./plt.so"})


def test_calls(c):
    """Arguments and results of all classes, shown and changed."""
    vectors = ["-mavx"] if "avx" in open("/proc/cpuinfo").read() else []
    c.library("target.so", source("target.c"), *vectors)
    c.library("changer.so", source("changer.c"), *vectors)
    c.library("watcher.so", source("changer.c"), "-DNO_EXIT", *vectors)
    for name, options in (("caller", []), ("callernow", ["-Wl,-z,now"])):
        c.compile(name, source("caller.c"), "./target.so", HERE_PATH, *options, *vectors)
        for auditors in ("./changer.so", "./watcher.so", "./changer.so:./watcher.so"):
            for env in ({}, {"LD_BIND_NOW": "1"}, {"LD_BIND_NOT": "1"}):
                outcome = c.same(["{ld}", "./" + name], {"LD_AUDIT": auditors, **env})
                c.expect(("> many flags 0 1 2 3 4 5 6 stack 7 8 9" in outcome.out) == ("LD_BIND_NOW" not in env),
                         f"{auditors} {env} {name}\n{outcome}")
                c.expect("bound_elsewhere 1001" in outcome.out, "la_symbind64 has the last word")
    # The system's loader leaves two values on the x87 stack behind a call whose return it reports.
    c.compile("clean", source("caller.c"), "./target.so", HERE_PATH, "-DCHECK_X87", *vectors)
    outcome = c.run("candidate", ["{ld}", "./clean"], {"LD_AUDIT": "./changer.so"})
    c.expect("x87 clean" in outcome.out, f"{outcome}")


def test_threads(c):
    build(c)
    c.library("counter.so", source("counter.c"), "-pthread")
    c.compile("threads", source("threads.c"), "./lib.so", HERE_PATH, "-pthread")
    for env in ({}, {"LD_BIND_NOT": "1"}):
        # A stack that the auditor's thread has left is used again; the system's loader crashes then.
        outcome = c.run("candidate", ["{ld}", "./threads"], {"LD_AUDIT": "./counter.so", **env})
        c.expect("entered 32000 left 32000 mine 5\n" in outcome.out and "helper 5 mine 5\n" in outcome.out and
                 "total 32144000\n" in outcome.out and outcome.status == 0, f"{outcome}")


THROWS = '''
#include <stdexcept>
#include <cstring>
void thrower(int x) { if (x > 1) throw std::runtime_error("thrown"); }
'''
CATCHES = '''
#include <cstdio>
#include <stdexcept>
void thrower(int x);
int main() {
  for (int i = 0; i < 4; i++)
    try { thrower(i); puts("returned"); } catch (const std::runtime_error &e) { puts(e.what()); }
  fflush(stdout); }
'''
IN_CXX = '''
#include <link.h>
#include <string>
#include <map>
#include <stdexcept>
#include <unistd.h>
static std::map<std::string, int> seen;
extern "C" unsigned la_version(unsigned v) {
  try { throw std::runtime_error("own"); } catch (const std::exception &e) { seen[e.what()]++; }
  return v; }
extern "C" unsigned la_objopen(struct link_map *map, Lmid_t, uintptr_t *) { seen[map->l_name]++; return 3; }
extern "C" void la_preinit(uintptr_t *) {
  std::string text = "version 2, seen own " + std::to_string(seen["own"]) + " program " + std::to_string(seen[""]) + "\\n";
  write(1, text.data(), text.size()); }
'''
NO_LIBC_AUDITOR = '''
static unsigned long length(const char *s) { unsigned long n = 0; while (s[n]) n++; return n; }
static void say(const char *s) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "0"(1), "D"(1), "S"(s), "d"(length(s)) : "rcx", "r11", "memory"); }
unsigned la_version(unsigned v) { say("version 2 without libc\\n"); return v; }
unsigned la_objopen(void *map, long space, unsigned long *cookie) { say("opened\\n"); return 3; }
void la_preinit(unsigned long *cookie) { say("preinit\\n"); }
'''
NO_LIBC_PROGRAM = '''
void answer(void);
void _start(void) {
  answer();
  __asm__ volatile("syscall" : : "a"(231), "D"(5)); }
'''
TLS_LIBRARY = "__thread char data_%(n)d[700] = {%(n)d, 1}; int sum_%(n)d(void) { return data_%(n)d[0] + data_%(n)d[699]; }"
TLS_PROGRAM = '''
#include <pthread.h>
#include <stdio.h>
%(declare)s
__thread int own = 4;
static void *run(void *a) { int s = own; %(add)s return (void *)(long)s; }
int main(void) {
  pthread_t t; void *r;
  pthread_create(&t, 0, run, 0); pthread_join(t, &r);
  printf("%%ld %%ld\\n", (long)r, (long)run(0)); fflush(stdout); return 0; }
'''


def test_own_worlds(c):
    """Auditors and programs with unusual needs: C++, no libc, much thread-local data."""
    build(c)
    c.library("throws.so", THROWS, "-xc++", "-lstdc++")
    c.compile("catches", CATCHES, "-xc++", "-xnone", "./throws.so", HERE_PATH, "-lstdc++")
    c.library("incxx.so", IN_CXX, "-xc++", "-lstdc++")
    outcome = same(c, ["{ld}", "./catches"], {"LD_AUDIT": "./plt.so"})
    c.expect(outcome.out.count("thrown") == 2 and outcome.status == 0, f"{outcome}")
    same(c, ["{ld}", "./prog"], {"LD_AUDIT": "./incxx.so"})
    # Behind an auditor without la_symbind64 the system's loader does not tell others of dlsym.
    same(c, ["{ld}", "./catches"], {"LD_AUDIT": "./spy.so:./incxx.so"})
    c.library("nolibc.so", NO_LIBC_AUDITOR, "-nostdlib")
    same(c, ["{ld}", "./prog", "open", "spaces"], {"LD_AUDIT": "./nolibc.so"})
    same(c, ["{ld}", "./prog", "open"], {"LD_AUDIT": "./spy.so:./nolibc.so"})
    c.library("alone.so", "void answer(void) { }", "-nostdlib")
    c.compile("nolibc", NO_LIBC_PROGRAM, "-nostdlib", "./alone.so", HERE_PATH, "-Wl,-z,lazy")
    for auditors in ("./spy.so", "./nolibc.so"):
        outcome = c.run("candidate", ["{ld}", "./nolibc"], {"LD_AUDIT": auditors})
        c.expect(outcome.status == 5 and "version 2" in outcome.out, f"{auditors}: {outcome}")
    count = 20
    libraries = [c.library(f"tls{n}.so", TLS_LIBRARY % {"n": n}, "-ftls-model=" + ("initial-exec" if n % 2 else "global-dynamic"))
                 for n in range(count)]
    c.compile("manytls", TLS_PROGRAM % {"declare": " ".join(f"int sum_{n}(void);" for n in range(count)),
                                        "add": " ".join(f"s += sum_{n}();" for n in range(count))},
              *("./" + name for name in libraries), HERE_PATH, "-pthread")
    # More initial-exec data than the system's loader has room for behind auditors' own.
    outcome = c.run("candidate", ["{ld}", "./manytls"], {"LD_AUDIT": "./spy.so"})
    c.expect(outcome.status == 0 and "194 194" in outcome.out, f"{outcome}")


FINDS_CALLER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
unsigned la_version(unsigned v) {
  struct dl_find_object found; char* here = __builtin_return_address(0);
  int status = _dl_find_object(here, &found);
  printf("%d %d\\n", status, status == 0 && (char*)found.dlfo_map_start <= here && here < (char*)found.dlfo_map_end);
  fflush(stdout); return v; }
"""


def test_caller(c):
    """The loader is among the objects while nobody has needed it yet: unwinders go through its frames."""
    c.library("finds.so", FINDS_CALLER)
    for program in ("/bin/true", "/bin/ls"):
        outcome = c.same(["{ld}", program, "--version"], {"LD_AUDIT": "./finds.so"})
        c.expect(outcome.out.startswith("0 1\n"), f"{outcome}")


def test_programs(c):
    build(c)
    same(c, ["{ld}", "/bin/ls", "/usr/share/misc"], {"LD_AUDIT": "./plt.so"})
    same(c, ["{ld}", "/bin/bash", "-c", "echo $((6 * 7)); read -r line < /etc/hostname"], {"LD_AUDIT": "./spy.so"})
    script = shutil.which("sotruss")
    if script is None:
        return
    c.program_for_each_side("prog", source("plain.c"), "./lib.so", HERE_PATH, "-Wl,-z,lazy")
    # It shows three registers, whether arguments are in them or not.
    words = r"(lib_answer\(0x\w+|printf\(0x\w+, 0x\w+), .*"
    arguments_only = lambda outcome: setattr(outcome, "err", re.sub(words, r"\1", outcome.err))  # noqa: E731
    for options in ([], ["-f"], ["-e"], ["-F", "prog", "-T", "lib.so"]):
        # The script would have bash and its children under the system's loader audited, too.
        outcome = c.same([script, *options, "{side}/prog"], edit=arguments_only)
        c.expect("lib_answer" in outcome.err, f"sotruss {options}\n{outcome}")


if __name__ == "__main__":
    comparison.run_cases([test_start, test_later, test_where_named, test_refusals, test_search, test_wishes, test_calls,
                          test_threads, test_own_worlds, test_caller, test_programs])
