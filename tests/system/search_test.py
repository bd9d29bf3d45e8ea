#!/usr/bin/env python3
"""Where a library is found: every rule as a small tree of directories, the same under both loaders. The
library says where it lies; LD_DEBUG=libs must tell the same search."""
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import loader  # noqa: E402
import traces  # noqa: E402

RPATH = "-Wl,--disable-new-dtags,-rpath,"
RUNPATH = "-Wl,--enable-new-dtags,-rpath,"
LINK = "-Wl,-rpath-link,.:deep"


def trace_only(outcome):
    """Traces without what tests/support/traces.py explains."""
    outcome.err = "\n".join(traces.explained(traces.normalise(outcome.err)))


def place(c, directory, name, function="where", *options):
    os.makedirs(directory, exist_ok=True)
    return c.library(os.path.join(directory, name), 'const char* %s(void) { return "%s/%s"; }' % (function, directory, name),
                     *options)


def ask(c, program, *arguments, env=None, options=()):
    command = ["{ld}", *options, program, *arguments]
    c.same(command, env)
    c.same(command, {**(env or {}), "LD_DEBUG": "libs"}, edit=trace_only)


MAIN = '#include <stdio.h>\nconst char* where(void); int main(void) { puts(where()); return 0; }'
THROUGH = '#include <stdio.h>\nconst char* through(void); int main(void) { puts(through()); return 0; }'


def direct_paths(c):
    """RPATH and RUNPATH of the program against LD_LIBRARY_PATH; empty elements; several directories."""
    for directory in ("a", "b", "."):
        place(c, directory, "libwhere.so")
    for kind, flag in (("rpath", RPATH), ("runpath", RUNPATH)):
        c.compile("p-" + kind, MAIN, "a/libwhere.so", flag + os.path.abspath("a"))
        c.compile("p2-" + kind, MAIN, "a/libwhere.so", flag + "nowhere:" + os.path.abspath("b") + "::" + os.path.abspath("a"))
        c.compile("p3-" + kind, MAIN, "a/libwhere.so", flag + "a:b", LINK)
        for program in ("p-", "p2-", "p3-"):
            for path in (None, "b", "", ":", "nowhere:b", "b:", ":b", ";b", "nowhere", "b/", "b//:a", "a:a:b"):
                ask(c, "./" + program + kind, env={} if path is None else {"LD_LIBRARY_PATH": path})
            ask(c, "./" + program + kind, env={"LD_LIBRARY_PATH": "a"}, options=("--library-path", "b"))
            ask(c, "./" + program + kind, options=("--library-path", ""))
            for inhibited in ("", "./" + program + kind, "x:libwhere.so", "libwhere.so x"):
                ask(c, "./" + program + kind, env={"LD_LIBRARY_PATH": "b"}, options=("--inhibit-rpath", inhibited))


def chains(c):
    """RPATH is inherited along the loaders, RUNPATH is the requester's own and cuts its RPATH off."""
    place(c, "deep", "libwhere.so")
    place(c, "other", "libwhere.so")
    middle = 'const char* where(void); const char* through(void) { return where(); }'
    outer = 'const char* through(void); const char* outer(void) { return through(); }'
    deep, other = os.path.abspath("deep"), os.path.abspath("other")
    options = {"none": [], "rpath": [RPATH + deep], "runpath": [RUNPATH + other], "runempty": [RUNPATH + "/nowhere"]}
    for name, flags in options.items():
        os.makedirs("m-" + name, exist_ok=True)
        c.library("m-%s/libmiddle.so" % name, middle, "deep/libwhere.so", *flags)
        for program, more in options.items():
            here = [flag + ":" + os.path.abspath("m-" + name) for flag in more]
            c.compile("c-%s-%s" % (program, name), THROUGH, "m-%s/libmiddle.so" % name, LINK, *here)
            for path in ("m-" + name, "m-%s:other" % name, "other"):
                ask(c, "./c-%s-%s" % (program, name), env={"LD_LIBRARY_PATH": path})
    for name in ("none", "runpath"):
        os.makedirs("o-" + name, exist_ok=True)
        c.library("o-%s/libouter.so" % name, outer, "m-none/libmiddle.so", LINK, *[f + ":" + os.path.abspath("m-none") for f in options[name]])
        c.compile("d-" + name, THROUGH.replace("through", "outer"), "o-%s/libouter.so" % name, LINK, RPATH + deep + ":" + os.path.abspath("o-" + name) + ":" + os.path.abspath("m-none"))
        ask(c, "./d-" + name)
        ask(c, "./d-" + name, env={"LD_LIBRARY_PATH": "other"})


def tokens(c):
    """$ORIGIN in every place, through symbolic links, with and without braces; $LIB and $PLATFORM."""
    place(c, "tree/lib", "libwhere.so")
    place(c, "tree/lib/x86_64-linux-gnu", "libwhere.so")
    os.makedirs("tree/bin", exist_ok=True)
    os.makedirs("links", exist_ok=True)
    for name, path in (("plain", "$ORIGIN/../lib"), ("braces", "${ORIGIN}/../lib"), ("lib", "$ORIGIN/../$LIB"),
                       ("platform", "$ORIGIN/../$PLATFORM:$ORIGIN/../lib"), ("odd", "$ORIGINAL:$NOTHING:${ORIGIN:$ORIGIN/../lib"),
                       ("middle", "tree/$LIB:nowhere/$ORIGIN:$ORIGIN/../lib")):
        for kind, flag in (("rpath", RPATH), ("runpath", RUNPATH)):
            program = "tree/bin/t-%s-%s" % (name, kind)
            c.compile(program, MAIN, "tree/lib/libwhere.so", flag + path)
            link = "links/" + os.path.basename(program)
            os.symlink(os.path.abspath(program), link)
            for command in ("./" + program, os.path.abspath(program), link, program):
                ask(c, command)
            for side in comparison.SIDES:
                os.makedirs(side + "/bin", exist_ok=True)
    c.compile("bare", MAIN, "tree/lib/libwhere.so")
    for path in ("$ORIGIN/tree/lib", "${ORIGIN}/tree/$LIB", "tree/${LIB}", "$PLATFORM:tree/lib", "$ORIGIN:tree/lib:$ORIGIN"):
        ask(c, "./bare", env={"LD_LIBRARY_PATH": path})
        ask(c, os.path.abspath("bare"), env={"LD_LIBRARY_PATH": path})
    # In DT_NEEDED itself.
    c.library("tree/lib/libnamed.so", 'const char* where(void) { return "named"; }', "-Wl,-soname,$ORIGIN/../lib/libnamed.so")
    c.compile("tree/bin/named", MAIN, "tree/lib/libnamed.so")
    ask(c, "./tree/bin/named")
    c.same(["{ld}", "./tree/bin/named"], {"LD_TRACE_LOADED_OBJECTS": "1"})


def hwcaps(c):
    """glibc-hwcaps subdirectories with the options that add and mask some."""
    for level in ("", "/glibc-hwcaps/x86-64-v2", "/glibc-hwcaps/x86-64-v3", "/glibc-hwcaps/x86-64-v4", "/glibc-hwcaps/mine",
                  "/glibc-hwcaps/x86-64-v9"):
        place(c, "h" + level, "libwhere.so")
    c.compile("hw", MAIN, "h/libwhere.so")
    variants = [(), ("--glibc-hwcaps-prepend", "mine"), ("--glibc-hwcaps-prepend", "none:mine"), ("--glibc-hwcaps-mask", "x86-64-v2"),
                ("--glibc-hwcaps-mask", ""), ("--glibc-hwcaps-mask", "mine"), ("--glibc-hwcaps-prepend", "x86-64-v9", "--glibc-hwcaps-mask", "x86-64-v3"),
                ("--glibc-hwcaps-mask", "x86-64-v4:x86-64-v2"), ("--glibc-hwcaps-prepend", "mine", "--glibc-hwcaps-mask", "mine")]
    for options in variants:
        ask(c, "./hw", env={"LD_LIBRARY_PATH": "h"}, options=options)
        ask(c, "./hw", options=("--library-path", "nowhere:h", *options))
    for gone in ("x86-64-v4", "x86-64-v3", "x86-64-v2"):
        shutil.rmtree("h/glibc-hwcaps/" + gone)
        ask(c, "./hw", env={"LD_LIBRARY_PATH": "h"})


def strangers(c):
    """Files of another class or machine are passed over; other defects end the search."""
    place(c, "good", "libwhere.so")
    with open("good/libwhere.so", "rb") as file:
        good = file.read()
    bad = {"class": (4, 1), "machine": (18, 0xb7), "data": (5, 2), "version": (6, 9), "osabi": (7, 77), "type": (16, 9), "magic": (1, 0)}
    cases = {name: [change] for name, change in bad.items()}
    cases.update({"machine-" + name: [bad["machine"], bad[name]] for name in bad if name != "machine"})
    c.compile("st", MAIN, "good/libwhere.so")
    for name, changes in cases.items():
        os.makedirs("bad-" + name)
        library = bytearray(good)
        for offset, value in changes:
            library[offset] = value
        with open("bad-%s/libwhere.so" % name, "wb") as file:
            file.write(library)
        for path in ("bad-%s:good" % name, "bad-%s" % name, "bad-%s:bad-class" % name, "bad-class:bad-%s:good" % name):
            ask(c, "./st", env={"LD_LIBRARY_PATH": path})
    os.makedirs("bad-short")
    with open("bad-short/libwhere.so", "wb") as file:
        file.write(good[:20])
    os.makedirs("bad-folder/libwhere.so")
    for name in ("short", "folder"):
        ask(c, "./st", env={"LD_LIBRARY_PATH": "bad-%s:good" % name})


def no_default_directories(c):
    """DF_1_NODEFLIB: neither default directories nor their entries of the cache."""
    place(c, "own", "libz.so.1", "where", "-Wl,-soname,libz.so.1")
    source = '#include <stdio.h>\nint main(void) { puts("ran"); return 0; }'
    for name, flags in (("nodef", ["-Wl,-z,nodefaultlib"]), ("nodefown", ["-Wl,-z,nodefaultlib", RUNPATH + os.path.abspath("own")]),
                        ("def", [])):
        c.compile(name, source, "-Wl,--no-as-needed", "own/libz.so.1", *flags)
        for env in ({}, {"LD_LIBRARY_PATH": "own"}, {"LD_LIBRARY_PATH": "own:/lib/x86_64-linux-gnu"}):
            ask(c, "./" + name, env=env)
            ask(c, "./" + name, env=env, options=("--inhibit-cache",))


def opened(c):
    """dlopen: the caller's RUNPATH and the RPATHs above it, names already known, paths."""
    place(c, "x", "libwhere.so")
    place(c, "y", "libwhere.so")
    opener = """#include <dlfcn.h>
#include <stdio.h>
void %s(const char* name) {
  void* h = dlopen(name, RTLD_NOW);
  const char* (*where)(void) = h ? (const char* (*)(void))dlsym(h, "where") : 0;
  printf("%s %%s: %%s\\n", name, h ? where ? where() : "?" : dlerror());
}
"""
    libraries = []
    for name, flags in (("plain", []), ("run", [RUNPATH + os.path.abspath("x")]), ("r", [RPATH + os.path.abspath("x")])):
        c.library("libopen%s.so" % name, opener % ("open_" + name, name), *flags)
        libraries.append("./libopen%s.so" % name)
    main = opener % ("open_main", "main") + """void open_plain(const char*), open_run(const char*), open_r(const char*);
int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) { open_main(argv[i]); open_plain(argv[i]); open_run(argv[i]); open_r(argv[i]); }
  return 0;
}"""
    for name, flags in (("none", []), ("rpath", [RPATH + os.path.abspath("y")]), ("runpath", [RUNPATH + os.path.abspath("y")])):
        c.compile("op-" + name, main, *libraries, *flags)
        for names in (["libwhere.so"], ["./x/libwhere.so", "libwhere.so"], ["$ORIGIN/x/libwhere.so"], ["x/libwhere.so", "y/libwhere.so"],
                      ["libnone.so"], ["", "libc.so.6", "libm.so.6"], ["./none/x.so"], ["x"], ["op-" + name]):
            ask(c, "./op-" + name, *names, env={"LD_LIBRARY_PATH": "."})
            ask(c, "./op-" + name, *names, env={"LD_LIBRARY_PATH": ".:y"})


def identities(c):
    """One file under several names is one object; a soname serves later needs."""
    place(c, "i", "libone.so.1", "where", "-Wl,-soname,libone.so.1")
    os.symlink("libone.so.1", "i/libone.so")
    os.link("i/libone.so.1", "i/libhard.so")
    c.library("i/libuser.so", 'const char* where(void); const char* through(void) { return where(); }', "i/libone.so")
    c.compile("id", THROUGH.replace("puts", "puts(where()), puts").replace("int main", "const char* where(void); int main"),
              "i/libuser.so", "i/libone.so", "-Wl,-rpath-link,i")
    for preload in ("", "i/libone.so", "i/libhard.so", "libone.so.1", "libone.so i/libhard.so", "i/libone.so.1:libuser.so", "absent.so libone.so"):
        ask(c, "./id", env={"LD_LIBRARY_PATH": "i", "LD_PRELOAD": preload})
        c.same(["{ld}", "./id"], {"LD_LIBRARY_PATH": "i", "LD_PRELOAD": preload, "LD_TRACE_LOADED_OBJECTS": "1"})


def barred(c):
    """A file that cannot be opened for another reason than that it is not there ends the list it was looked for in; dlopen says
    the last reason, and of a path what was asked for."""
    place(c, "bar", "libwhere.so")
    c.compile("ba", MAIN, "bar/libwhere.so")
    os.symlink("loop", "loop")
    here = os.getcwd()
    opens = '''#include <dlfcn.h>
#include <stdio.h>
#include <sys/resource.h>
int main(int n, char **v) {
  struct rlimit none = {3, 3}; if (v[1][0] == 'n') setrlimit(RLIMIT_NOFILE, &none);
  for (int i = 2; i < n; ++i) puts(dlopen(v[i], RTLD_NOW) ? "opened" : dlerror());
  return 0; }'''
    c.compile("bo", opens)
    long = "x" * 300
    for path in (here + "/bar/libwhere.so:bar", "loop:bar", long + ":bar", here + "/" + long + ":bar", "bar"):
        for kind, flag in (("r", RPATH), ("n", RUNPATH)):
            ask(c, "./" + c.compile("ba-" + kind, MAIN, "bar/libwhere.so", flag + path), env={"LD_LIBRARY_PATH": "nowhere"})
        if loader.ROOT:  # its C library is behind these in the list
            continue
        ask(c, "./ba", env={"LD_LIBRARY_PATH": path})
        names = ["libabsent.so", long, "./" + long, "bar/libwhere.so/x", "loop", "./loop", "$LIB/libabsent.so", "$ORIGIN/absent.so"]
        c.same(["{ld}", "./bo", "all", *names, "libwhere.so"], {"LD_LIBRARY_PATH": path})
    # A file among the directories, by a relative path: 2.36 ends the list there, 2.41 and 2.43 do not.
    outcome = c.run("candidate", ["{ld}", "./ba"], {"LD_LIBRARY_PATH": "bar/libwhere.so:bar"})
    c.expect((outcome.status, outcome.out) == (0, "bar/libwhere.so\n"), f"a file for a directory: {outcome}")
    # Without descriptors: "Too many open files".
    c.same(["{ld}", "./bo", "none", "libwhere.so", "./bar/libwhere.so", "libm.so.6", "libabsent.so"], {"LD_LIBRARY_PATH": "bar"})


CASES = (direct_paths, chains, tokens, hwcaps, strangers, no_default_directories, opened, identities, barred)


if __name__ == "__main__":
    comparison.run_cases(CASES)
