#!/usr/bin/env python3
"""LD_DEBUG lines of dlopen, dlclose, dlmopen, dlsym and their kin, and what the words do together: line by line
as with the system's loader. The rules for what may differ are in tests/support/traces.py."""
import itertools
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import traces  # noqa: E402
from elf_patch import File  # noqa: E402

DT_VERNEED, VER_FLG_WEAK = 0x6ffffffe, 2

# Each word is a call: its letter and what it is about; handles are counted as they are opened.
CALLER = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
static void *handles[20];
static int count;
int in_program(void) { return 1; }
static void say(const char *what, int good) { printf("%s %d %s\n", what, good, good ? "" : dlerror()); }
static void *open_one(char letter, const char *file) {
  Lmid_t space = LM_ID_NEWLM;
  switch (letter) {
    case 'o': return dlopen(file, RTLD_LAZY);
    case 'n': return dlopen(file, RTLD_NOW);
    case 'g': return dlopen(file, RTLD_NOW | RTLD_GLOBAL);
    case 'd': return dlopen(file, RTLD_NOW | RTLD_DEEPBIND);
    case 'D': return dlopen(file, RTLD_NOW | RTLD_NODELETE);
    case 'l': return dlopen(file, RTLD_NOW | RTLD_NOLOAD);
    case 'M': dlinfo(handles[count - 1], RTLD_DI_LMID, &space); return dlmopen(space, file, RTLD_LAZY);
    default: return dlmopen(space, file, RTLD_NOW);
  }
}
static void act(char *word) {
  void *handle = handles[(word[1] - '0') & 15];
  char *at = strchr(word, '@');
  if (strchr("ongdDlmM", word[0])) {
    handles[count] = open_one(word[0], word + 1);
    say(word, handles[count++] != NULL);
  } else if (word[0] == 'S' || word[0] == 'N') {
    say(word, dlsym(word[0] == 'S' ? RTLD_DEFAULT : RTLD_NEXT, word + 1) != NULL);
  } else if (handle == NULL) {
    return;
  } else if (word[0] == 'c') {
    say(word, dlclose(handle) == 0);
  } else if (word[0] == 's') {
    say(word, dlsym(handle, word + 2) != NULL);
  } else if (word[0] == 'x') {
    printf("%s %d\n", word, ((int (*)(void))dlsym(handle, word + 2))());
  } else if (at != NULL) {
    *at = 0;
    say(word, dlvsym(handle, word + 2, at + 1) != NULL);
  }
}
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  for (int i = 1; i < argc; i++) act(argv[i]);
  return 0; }
'''
HERE_PATH = "-Wl,-rpath,."
OPENS = ('#include <dlfcn.h>\n__attribute__((constructor)) static void up(void) { dlopen("./a.so", RTLD_NOW); }'
         '__attribute__((destructor)) static void down(void) { dlopen("./b.so", RTLD_NOW); }')
UNIQUE = ('template <class T> struct S { static int x; }; template <class T> int S<T>::x = 4;'
          'int *where() { return &S<int>::x; } extern "C" int unique() { return *where(); }')
LIBRARIES = {
    "a": ("int used(void) { return 7; } int thing = 3; int in_program(void) { return 2; }", []),
    "b": ("int used(void); extern int thing; int *where = &thing; int call(void) { return used(); }"
          "int in_program(void); int ask(void) { return in_program(); }", ["./a.so", HERE_PATH, "-Wl,-z,lazy"]),
    "lacks": ("int never(void); int call(void) { return never(); }", ["-Wl,-z,lazy"]),
    "deep": ("int x;", ["./b.so", HERE_PATH]),
    "opens": (OPENS, []),
    "tls": ("__thread int t = 4; int get(void) { return t; }", []),
    "unique": (UNIQUE, ["-xc++"]),
    "stays": ("int x;", ["-Wl,-z,nodelete"]),
    "plain": ("int x;", ["-nostdlib"]),
    "missing": ("int x;", ["./gone.so"]),
    "auxiliary": ("int used(void) { return 1; }", ["-Wl,-f,a.so", HERE_PATH]),
    "filter": ("int used(void) { return 1; }", ["-Wl,-F,a.so", HERE_PATH]),
    "nofiltee": ("int used(void) { return 1; }", ["-Wl,-F,gone.so", HERE_PATH]),
    "noauxiliary": ("int used(void) { return 1; }", ["-Wl,-f,gone.so", HERE_PATH]),
    "first": ("int x;", ["-Wl,-z,initfirst"]),
    "flags": ("int in_program(void) { return 2; }", ["-Wl,-z,global,-z,interpose,-z,nodump,-z,loadfltr,-z,origin"]),
}
SEQUENCES = (
    "o./a.so o./b.so c0 c1", "o./b.so g./a.so c0 c1", "o./b.so n./b.so D./b.so c0 c1 c2",
    "o./a.so s0used s0nothing Sin_program Nin_program Sused Nused V0used@X V0used@X c0 Sused", "o./lacks.so x0call",
    "m./b.so x0call M./deep.so x1ask c0 c1", "m./b.so m./b.so c0 m./a.so c1 c2", "l./a.so o./a.so l./a.so c1 c2",
    "o./opens.so", "o./tls.so x0get c0 o./tls.so", "o./unique.so x0unique c0", "g./unique.so o./unique.so",
    "g./flags.so Sin_program", "m./missing.so m./a.so", "o", "ocaller o./caller", "n./b.so n./deep.so c0 c1", "d./b.so x0ask",
    "Nmalloc Smalloc V0malloc@GLIBC_2.2.5", "o/etc/passwd o/nonexist onone.so olibm.so.6 c3",
    "olibm.so.6 glibm.so.6 mlibm.so.6 c0 c1 c2")
WORDS = ("libs", "reloc", "files", "symbols", "bindings", "versions", "scopes", "all", "statistics", "unused")


def comparable(outcome):
    """Trace lines by the rules of traces.py, others as they are."""
    text = re.sub(r"(?m)^ *PID:\t", "         1:\t", outcome.err)
    others = [line for line in text.split("\n") if not traces.PREFIX.match(line)]
    # In another namespace glibc's loader goes by the path where it is found there, ours by its own.
    loader_name = re.compile(r"\S*/(ld-linux-x86-64\.so\.2|ld\.so)\b")
    outcome.err = loader_name.sub("LOADER", "\n".join(traces.explained(traces.normalise(text)) + others))


def build(c):
    c.compile("caller", CALLER, "-rdynamic")
    c.library("gone.so", "int gone;")
    for name, (source, options) in LIBRARIES.items():
        c.library(name + ".so", source, *options[:1], "-xnone" if "-xc++" in options else "-Wl,--no-as-needed", "-Wl,--no-as-needed",
                  *options[1:])
    os.remove("gone.so")


def test_calls(c):
    build(c)
    for words in ("files", "libs,scopes", "all"):
        for name in LIBRARIES:
            for letter in "ogdDm" if words == "files" else "om":
                command = ["{ld}", "./caller", f"{letter}./{name}.so", "c0"]
                if letter == "m" and name in ("auxiliary", "filter"):
                    # The reference ends in an assertion when a namespace that begins with a filter is closed.
                    c.expect(c.run("candidate", command).status == 0, f"{command}")
                else:
                    c.same(command, {"LD_DEBUG": words}, edit=comparable)
        for sequence in SEQUENCES:
            c.same(["{ld}", "./caller", *sequence.split()], {"LD_DEBUG": words}, edit=comparable)
    outcome = c.same(["{ld}", "./caller", "o./flags.so"], {"LD_DEBUG": "files"}, edit=comparable)
    c.expect("WARNING: Unsupported flag value(s) of 0x1412 in DT_FLAGS_1." in outcome.err, str(outcome))


def test_words(c):
    """Any two words together; words nobody knows."""
    def without_numbers(outcome):
        comparable(outcome)
        outcome.err = re.sub(r" *[\d.]+ cycles( \([\d.]+%\))?", " N cycles", outcome.err)
        outcome.err = re.sub(r"(?m)(relocations[a-z ]*:) *\d+$", r"\1 N", outcome.err)

    c.compile("little", "int main(void) { return 0; }")
    for pair in itertools.combinations(WORDS, 2):
        c.same(["{ld}", "./little"], {"LD_DEBUG": ",".join(pair)}, edit=without_numbers)
    for words in ("foo", "libs,foo", "foo,libs", "LIBS", "lib", "libss", "libs:", "::libs", ",, ,libs", "libs;files", "all,-files",
                  "all all", "version", "x" * 300, "a" * 70 + ",b", "unused,foo", "-", "\u00e9", "%s%n", "foo bar,baz", "foo,foo", "libs=1", ""):
        c.same(["{ld}", "./little"], {"LD_DEBUG": words}, edit=without_numbers)


def test_flags_of_programs(c):
    """DT_FLAGS_1 bits that nothing comes of, in a program and a library it needs, started both ways."""
    c.library("needed.so", "int i;", "-Wl,-z,interpose,-z,nodump")
    options = ["-Wl,--no-as-needed", "./needed.so", HERE_PATH, "-Wl,-z,global,-z,loadfltr,-z,origin,-z,now"]
    c.compile("program", "int main(void) { return 0; }", *options)
    c.program_for_each_side("program", "int main(void) { return 0; }", *options)
    for command in (["{ld}", "./program"], ["{side}/program"], ["{ld}", "--list", "./program"], ["{ld}", "--verify", "./program"]):
        outcome = c.same(command, {"LD_DEBUG": "files"}, edit=comparable)
        c.expect("0x12 in DT_FLAGS_1." in outcome.err, str(outcome))


def make_weak(name, file):
    """Marks all versions that `name` needs of the first file it has needs of."""
    image = File(name)
    need = image.get(image.dynamic_offset(DT_VERNEED) + 8, "Q")
    at = need + image.get(need + 8, "I")
    for _ in range(image.get(need + 2, "H")):
        image.put(at + 4, "H", VER_FLG_WEAK)
        at += image.get(at + 12, "I")
    image.write(file)
    os.chmod(file, 0o755)


def test_versions(c):
    """Versions that are not there: needed, needed weakly, and of a library without any; at start and in dlopen."""
    for name, text in (("both.map", "V_1 { global: f; }; V_2 { global: g; } V_1;"), ("one.map", "V_1 { global: f; };")):
        with open(name, "w") as file:
            file.write(text)
    functions = "int f(void) { return 1; } int g(void) { return 2; }"
    options = ["-Wl,--no-as-needed", "./v.so", HERE_PATH]
    c.library("v.so", functions, "-Wl,--version-script=both.map")
    c.compile("strong", "int f(void), g(void); int main(void) { return f() + g() - 3; }", *options)
    c.library("user.so", "int g(void) __attribute__((weak)); int use(void) { return g ? g() : 0; }", *options)
    c.compile("weak0", "int g(void) __attribute__((weak)); int main(void) { return g ? g() - 2 : 0; }", *options)
    make_weak("user.so", "weak.so")
    make_weak("weak0", "weak")
    c.compile("opener", "#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v) {"
              "puts(dlopen(v[1], RTLD_NOW) ? \"opened\" : dlerror()); return 0; }")
    for library in ("both", "one", None):
        if library:
            c.library("v.so", functions if library == "both" else "int f(void) { return 1; }", f"-Wl,--version-script={library}.map")
        else:
            c.library("v.so", functions)
        for command in (["./strong"], ["./weak"], ["./opener", "./weak.so"], ["./opener", "./user.so"]):
            for env in ({}, {"LD_VERBOSE": "1"}, {"LD_DEBUG": "versions"}, {"LD_TRACE_LOADED_OBJECTS": "1"},
                        {"LD_TRACE_LOADED_OBJECTS": "1", "LD_VERBOSE": "1", "LD_WARN": "1", "LD_BIND_NOW": "1"}):
                # 2.36 ends in an assertion when it relocates against a library that has lost its versions.
                if library or "Inconsistency" not in c.run("reference", ["{ld}", *command], env).err:
                    c.same(["{ld}", *command], env, edit=comparable)
                else:
                    outcome = c.run("candidate", ["{ld}", *command], env)
                    told = outcome.err.count("no version information available (required by ./")
                    c.expect(outcome.status == 0 and (told != 0) == (command[0] != "./opener"), str(outcome))


if __name__ == "__main__":
    comparison.run_cases([test_calls, test_words, test_flags_of_programs, test_versions])
