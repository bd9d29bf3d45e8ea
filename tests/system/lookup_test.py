#!/usr/bin/env python3
"""Rules of symbol lookup, each shown by a small program that must print the same under both loaders, in
every mode of binding."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

HEAD = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n#include <string.h>\n"
MODES = ({}, {"LD_BIND_NOW": "1"}, {"LD_BIND_NOT": "1"}, {"LD_DYNAMIC_WEAK": "1"})
LIBRARY = "-Wl,--no-as-needed"


def everywhere(c, program, *arguments, modes=MODES, **more):
    for mode in modes:
        c.same(["{ld}", program, *arguments], {"LD_LIBRARY_PATH": ".", **mode, **more})


def survives(c, program, wanted, modes=MODES):
    """Where the system's loader dies of a signal ours must still give what is right; else both are equal."""
    for mode in modes:
        environment = {"LD_LIBRARY_PATH": ".", **mode}
        if c.run("reference", ["{ld}", program], environment).status >= 0:
            c.same(["{ld}", program], environment)
        else:
            ours = c.run("candidate", ["{ld}", program], environment)
            c.expect((ours.status, ours.out) == (0, wanted), "%s %s: %s" % (program, mode, ours))


def version_script(name, text):
    with open(name, "w") as file:
        file.write(text)
    return "-Wl,--version-script=" + name


def symbolic(c):
    """DF_SYMBOLIC: the object first; -Bsymbolic-functions; interposition by the program and by a preload."""
    source = "int who(void) { return 1; } int data = 10; int ask(void) { return who(); } int look(void) { return data; }"
    for suffix, options in (("plain", []), ("symbolic", ["-Wl,-Bsymbolic"]), ("functions", ["-Wl,-Bsymbolic-functions"]),
                            ("group", ["-Wl,-Bgroup"])):
        library = c.library("libs%s.so" % suffix, source, *options)
        c.library("libpre.so", "int who(void) { return 3; } int data = 30;")
        main = HEAD + ("int ask(void), look(void); extern int data; int who(void) { return 2; }"
                       "int main(void) { printf(\"%d %d %d %d\\n\", ask(), look(), who(), data); }")
        quiet = HEAD + "int ask(void), look(void); int main(void) { printf(\"%d %d\\n\", ask(), look()); }"
        for name, text in (("own", main), ("none", quiet)):
            for pie in ("-pie", "-no-pie"):
                program = c.compile("%s-%s%s" % (name, suffix, pie), text, "./" + library, pie,
                                    "-fPIE" if pie == "-pie" else "-fno-pie", "-rdynamic")
                everywhere(c, "./" + program)
                everywhere(c, "./" + program, LD_PRELOAD="./libpre.so")


def deepbind(c):
    c.library("libinner.so", "int who(void) { return 5; }")
    c.library("libouter.so", "int who(void); int ask(void) { return who(); }", "./libinner.so")
    c.library("libglobal.so", "int who(void) { return 6; }")
    c.library("libsym.so", "int who(void) { return 7; } int ask(void) { return who(); }", "-Wl,-Bsymbolic", "./libinner.so")
    main = HEAD + """%s
int main(int argc, char** argv) {
  void* g = dlopen("libglobal.so", RTLD_NOW | RTLD_GLOBAL);
  const char* names[] = {"libouter.so", "libsym.so"};
  for (int i = 0; i < 2; ++i) {
    void* h = dlopen(names[i], RTLD_LAZY | (argc > 1 ? RTLD_DEEPBIND : 0));
    int (*ask)(void) = (int (*)(void))dlsym(h, "ask");
    int (*who)(void) = (int (*)(void))dlsym(h, "who");
    int (*any)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "who");
    printf("%%d %%d %%d\\n", ask(), who(), any());
  }
  return g == 0;
}"""
    for name, extra in (("deep", ""), ("deepown", "int who(void) { return 8; }")):
        c.compile(name, main % extra, "-rdynamic")
        everywhere(c, "./" + name)
        everywhere(c, "./" + name, "deep")


def protected(c):
    source = ("__attribute__((visibility(\"protected\"))) int thing = 4;"
              "__attribute__((visibility(\"protected\"))) int who(void) { return 1; }"
              "int* where(void) { return &thing; } int ask(void) { return who(); }"
              "int (*address(void))(void) { return who; }")
    c.library("libprot.so", source)
    c.library("libother.so", "int who(void) { return 2; } int thing = 9;")
    main = HEAD + ("extern int* where(void); int ask(void); int who(void); int (*address(void))(void); %s"
                   "int main(void) { printf(\"%%d %%d %%d %%d\\n\", *where(), ask(), who(), address() == who); }")
    for name, extra, options in (("prot", "", ["-fPIE", "-pie"]), ("protown", "int thing = 6;", ["-fPIE", "-pie", "-rdynamic"]),
                                 ("protdefs", "int who(void) { return 3; }", ["-fPIE", "-pie", "-rdynamic"])):
        c.compile(name, main % extra, "./libprot.so", *options)
        everywhere(c, "./" + name)
        everywhere(c, "./" + name, LD_PRELOAD="./libother.so")


def without_loader(outcome):
    """A listing names the loader by the path it was started by."""
    outcome.out = "".join(line for line in outcome.out.splitlines(True) if "ld-linux" not in line)


def protected_later(c):
    """Programs with copies and with function addresses of their own, whose library has become protected since."""
    source = "%s int who(void) { return 1; } %s int thing[%d] = {4}; int (*address(void))(void) { return who; } int* where(void) { return thing; }"
    main = HEAD + ("int who(void); int (*address(void))(void); extern int thing[]; int* where(void); int main(void) {"
                   " int (*volatile own)(void) = who; printf(\"%d %d\", own == address(), own()); fflush(stdout);")
    c.library("liblater.so", source % ("", "", 1))
    c.compile("direct", main + "}", "./liblater.so", "-no-pie", "-fno-pic")
    c.compile("copying", main + 'printf(" %d %d", thing[0], where() == thing); }', "./liblater.so", "-no-pie", "-fno-pic")
    hide = '__attribute__((visibility("protected")))'
    for function, data, words in ((hide, "", 1), ("", hide, 1), (hide, hide, 3)):
        for options in ((), ("-Wl,-z,indirect-extern-access",)):
            c.library("liblater.so", source % (function, data, words), *options)
            for program in ("./direct", "./copying"):
                everywhere(c, program)
                for more in ({"LD_WARN": "1"}, {"LD_WARN": "1", "LD_BIND_NOW": "1"}, {"LD_DEBUG": "unused"}):
                    c.same(["{ld}", program], {"LD_LIBRARY_PATH": ".", "LD_TRACE_LOADED_OBJECTS": "1", **more}, edit=without_loader)


def versions(c):
    """Hidden, default and base versions, references with and without a version, dlsym and dlvsym."""
    old = version_script("old.map", "V_1 { global: fun; twice; }; ")
    both = version_script("both.map", "V_1 { global: fun; twice; }; V_2 { global: fun; only; } V_1; V_3 { global: fun; } V_2;")
    two = ("int one(void) { return 1; } int two(void) { return 2; } int three(void) { return 3; }"
           "__asm__(\".symver one,fun@V_1\"); __asm__(\".symver two,fun@@V_2\"); __asm__(\".symver three,fun@V_3\");"
           "int only(void) { return 20; } int twice(void) { return 10; }")
    main = HEAD + "int fun(void); int twice(void); int main(void) { printf(\"%d %d\\n\", fun(), twice()); }"
    asks = HEAD + """
int main(void) {
  void* h = dlopen("libver.so", RTLD_NOW);
  if (h == NULL) { puts(dlerror()); return 1; }
  const char* versions[] = {"V_1", "V_2", "V_3", "V_4", "", "libver.so"};
  const char* names[] = {"fun", "twice", "only", "plain", "V_1"};
  for (int n = 0; n < 5; ++n) {
    int (*f)(void) = (int (*)(void))dlsym(h, names[n]);
    const char* error = dlerror();
    printf("%s: %d %s\\n", names[n], f && n != 4 ? f() : -1, error ? error : "-");
    for (int v = 0; v < 6; ++v) {
      f = (int (*)(void))dlvsym(h, names[n], versions[v]);
      error = dlerror();
      printf("  %s: %d %s\\n", versions[v], f && n != 4 ? f() : -1, error ? error : "-");
    }
  }
}"""
    c.library("libver.so", "int fun(void) { return 100; } int twice(void) { return 200; }")
    c.compile("unversioned", main, "./libver.so")
    c.library("libver.so", "int fun(void) { return 11; } int twice(void) { return 12; }", old)
    c.compile("oldest", main, "./libver.so")
    c.compile("asks", asks)
    everywhere(c, "./oldest")
    everywhere(c, "./unversioned")
    c.same(["{ld}", "./asks"], {"LD_LIBRARY_PATH": "."})
    for hash_style in ("gnu", "sysv", "both"):
        c.library("libver.so", two, both, "-Wl,--hash-style=" + hash_style)
        c.compile("newest", main, "./libver.so")
        for program in ("unversioned", "oldest", "newest"):
            everywhere(c, "./" + program)
        c.same(["{ld}", "./asks"], {"LD_LIBRARY_PATH": "."})
    # An unversioned definition before or behind the versioned one; a base version; a lost version.
    c.library("libplain.so", "int fun(void) { return 77; } int twice(void) { return 78; }")
    base = version_script("base.map", "{ global: fun; twice; plain; local: *; };")
    c.library("libbase.so", "int fun(void) { return 87; } int twice(void) { return 88; } int plain(void) { return 1; }", base)
    for preload in ("./libplain.so", "./libbase.so", "./libplain.so ./libbase.so"):
        for program in ("unversioned", "oldest", "newest"):
            everywhere(c, "./" + program, LD_PRELOAD=preload)
    c.library("libver.so", "int fun(void) { return 11; } int twice(void) { return 12; }", old)
    c.same(["{ld}", "./newest"], {"LD_LIBRARY_PATH": "."})
    node = version_script("node.map", "V_1 { global: fun; }; W_1 { global: twice; };")
    c.library("libver.so", "int fun(void) { return 13; } int twice(void) { return 14; }", node)
    everywhere(c, "./oldest")
    everywhere(c, "./unversioned")
    c.same(["{ld}", "./asks"], {"LD_LIBRARY_PATH": "."})


def weak(c):
    c.library("libweak.so", "__attribute__((weak)) int pick(void) { return 1; }")
    c.library("libstrong.so", "int pick(void) { return 2; }")
    main = HEAD + ("int pick(void); __attribute__((weak)) int absent(void); __attribute__((weak)) extern int nothing;"
                   "int main(void) { printf(\"%d %d %d\\n\", pick(), absent != 0, &nothing != 0); }")
    for name, order in (("weakfirst", ["./libweak.so", "./libstrong.so"]), ("strongfirst", ["./libstrong.so", "./libweak.so"])):
        for pie in ("-pie", "-no-pie"):
            program = c.compile(name + pie, main, LIBRARY, *order, pie)
            everywhere(c, "./" + program)
            everywhere(c, "./" + program, LD_PRELOAD="./libweak.so")
    main = HEAD + """int main(void) {
  dlopen("libweak.so", RTLD_NOW | RTLD_GLOBAL); dlopen("libstrong.so", RTLD_NOW | RTLD_GLOBAL);
  int (*f)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "pick"); printf("%d\\n", f()); }"""
    c.compile("weakopen", main)
    everywhere(c, "./weakopen")


def unique(c):
    """STB_GNU_UNIQUE: one definition for all local scopes; its object stays."""
    source = """
template <typename T> struct Counter { static int value; };
template <typename T> int Counter<T>::value = %d;
extern "C" int bump() { return ++Counter<int>::value; }
extern "C" int* place() { return &Counter<int>::value; }
"""
    for name, start in (("libu1.cxx", 10), ("libu2.cxx", 20)):
        c.library(name, source % start, "-O0")
    main = HEAD + """int main(void) {
  void *a = dlopen("libu1.cxx", RTLD_NOW | RTLD_LOCAL), *b = dlopen("libu2.cxx", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  int (*fa)(void) = (int (*)(void))dlsym(a, "bump"), (*fb)(void) = (int (*)(void))dlsym(b, "bump");
  int* (*pa)(void) = (int* (*)(void))dlsym(a, "place"); int* (*pb)(void) = (int* (*)(void))dlsym(b, "place");
  printf("%d %d %d %d\\n", fa(), fb(), fa(), pa() == pb());
  printf("%d", dlclose(a)); printf("%d %d\\n", fb(), dlopen("libu1.cxx", RTLD_NOW | RTLD_NOLOAD) != 0);
  printf("%d", dlclose(b)); printf("%d\\n", dlopen("libu2.cxx", RTLD_NOW | RTLD_NOLOAD) != 0);
  a = dlopen("libu1.cxx", RTLD_NOW); fa = (int (*)(void))dlsym(a, "bump"); printf("%d\\n", fa());
  printf("%d\\n", dlsym(a, "_ZN7CounterIiE5valueE") == (void*)pa());
}"""
    c.compile("unique", main)
    everywhere(c, "./unique")


def unique_names(c):
    """The first definition stays the one when whoever asked for it, and with what words, is gone."""
    source = "template <typename T> struct Box { static int value; }; template <typename T> int Box<T>::value = %d;"
    for name, start in (("libd1.cxx", 1), ("libd2.cxx", 2)):
        c.library(name, source % start + "template struct Box<int>; template struct Box<char>;", "-O0")
    c.library("librefers.cxx", "template <typename T> struct Box { static int value; };"
              "extern template struct Box<char>; extern \"C\" int* refer() { return &Box<char>::value; }",
              LIBRARY, "-L.", "-l:libd1.cxx")
    main = HEAD + """int main(void) {
  char words[64] = "_ZN3BoxIiE5valueE";
  void* by_reference = dlopen("librefers.cxx", RTLD_NOW); if (!by_reference) { puts(dlerror()); return 1; }
  int* (*refer)(void) = (int* (*)(void))dlsym(by_reference, "refer"); int* one = refer();
  int* two = dlsym(by_reference, words);
  memset(words, 'x', sizeof words - 1);
  printf("%d %d %d\\n", *one, *two, dlclose(by_reference));
  printf("%d\\n", dlopen("librefers.cxx", RTLD_NOW | RTLD_NOLOAD) != 0);
  void* other = dlopen("libd2.cxx", RTLD_NOW); if (!other) { puts(dlerror()); return 1; }
  printf("%d %d\\n", dlsym(other, "_ZN3BoxIcE5valueE") == one, dlsym(other, "_ZN3BoxIiE5valueE") == two); }"""
    c.compile("unique_names", main)
    everywhere(c, "./unique_names")


def ifunc(c):
    """Resolvers that call imported functions, in the program, in a library, behind a copied symbol."""
    c.library("libhelp.so", "int level(void) { return 2; } int base = 40;")
    source = """int level(void); extern int base;
static int low(void) { return 1 + base; } static int high(void) { return 2 + base; }
static int (*choose(void))(void) { return level() > 1 ? high : low; }
int pick(void) __attribute__((ifunc("choose")));
int call(void) { return pick(); } int (*taken(void))(void) { return pick; } int (*table[])(void) = {pick, call};
"""
    main = HEAD + ("int pick(void), call(void); int (*taken(void))(void); extern int (*table[])(void);"
                   "int main(void) { printf(\"%d %d %d %d %d\\n\", pick(), call(), taken()(), table[0](), taken() == pick); }")
    for lazy in ("lazy", "now"):
        c.library("libifunc.so", source, "./libhelp.so", "-Wl,-z," + lazy)
        for pie in ("-pie", "-no-pie"):
            program = c.compile("ifunc-%s%s" % (lazy, pie), main, "./libifunc.so", "-Wl,-rpath-link,.", pie, "-Wl,-z," + lazy,
                                "-fPIE" if pie == "-pie" else "-fno-pie")
            survives(c, "./" + program, "42 42 42 42 1\n")
            program = c.compile("ifuncown-%s%s" % (lazy, pie), source + main, "./libhelp.so", pie, "-Wl,-z," + lazy,
                                "-fPIE" if pie == "-pie" else "-fno-pie")
            survives(c, "./" + program, "42 42 42 42 1\n")
    # The program's own, needed by a library that is relocated before it: the system's loader refuses a PIE.
    c.library("librelay.so", "int pick(void); static int (*kept)(void) = pick; int relay(void) { return pick() + kept(); }")
    main = HEAD + "int relay(void); int main(void) { printf(\"%d %d\\n\", pick(), relay()); }"
    for pie in ("-pie", "-no-pie"):
        program = c.compile("ifuncmain" + pie, source + main, "./librelay.so", "./libhelp.so", pie, "-rdynamic",
                            "-fPIE" if pie == "-pie" else "-fno-pie")
        for mode in ({}, {"LD_BIND_NOW": "1"}):
            outcome = c.run("candidate", ["{ld}", "./" + program], {"LD_LIBRARY_PATH": ".", **mode})
            c.expect((outcome.status, outcome.out) == (0, "42 84\n"), f"{program} {mode}: {outcome}")
    opens = HEAD + """int main(void) { void* h = dlopen("libifunc.so", RTLD_LAZY);
  int (*f)(void) = (int (*)(void))dlsym(h, "pick"); printf("%d\\n", f()); }"""
    c.compile("ifuncopen", opens)
    survives(c, "./ifuncopen", "42\n")


def filters(c):
    c.library("libreal.so", "int one(void) { return 1; } int data = 11;")
    c.library("libfilter.so", "int one(void) { return -1; } int two(void) { return 2; } int data = -11;", "-Wl,-F,libreal.so")
    c.library("libaux.so", "int one(void) { return -3; } int two(void) { return 4; }", "-Wl,-f,libreal.so")
    c.library("libaux2.so", "int one(void) { return -5; }", "-Wl,-f,libabsent.so", "-Wl,-f,libreal.so")
    c.library("libbad.so", "int one(void) { return -6; }", "-Wl,-F,libabsent.so")
    main = HEAD + "int one(void), two(void); int main(void) { printf(\"%d %d\\n\", one(), two()); }"
    lone = HEAD + "int one(void); int main(void) { printf(\"%d\\n\", one()); }"
    listing = {"LD_TRACE_LOADED_OBJECTS": "1"}
    for name, text, libraries in (("filter", main, ["libfilter.so"]), ("aux", main, ["libaux.so"]), ("aux2", lone, ["libaux2.so"]),
                                  ("bad", lone, ["libbad.so"]), ("late", main, ["libaux.so", "libreal.so"]),
                                  ("early", main, ["libreal.so", "libaux.so"]), ("twice", main, ["libaux.so", "libfilter.so"])):
        c.compile("f-" + name, text, LIBRARY, *["./" + l for l in libraries])
        everywhere(c, "./f-" + name)
        c.same(["{ld}", "./f-" + name], {"LD_LIBRARY_PATH": ".", **listing})
        without_hints = c.run("candidate", ["{ld}", "./f-" + name], {"LD_LIBRARY_PATH": "."})
        with_hints = c.run("candidate", ["{ld}", "./f-" + name], {"LD_LIBRARY_PATH": ".", "LD_HINTS": "1"})
        c.expect(without_hints.status == with_hints.status, "f-%s with hints: %s" % (name, with_hints))
    opens = HEAD + """
int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    void* h = dlopen(argv[i], RTLD_NOW);
    if (h == NULL) { puts(dlerror()); continue; }
    int (*f)(void) = (int (*)(void))dlsym(h, "one");
    printf("%d\\n", f());
  }
}"""
    c.compile("f-open", opens)
    for names in (["libfilter.so"], ["libaux.so", "libreal.so"], ["libreal.so", "libaux2.so"], ["libbad.so"],
                  ["libaux2.so", "libfilter.so"]):
        everywhere(c, "./f-open", *names)


def copies(c):
    """Copy relocations: sizes that grew and shrank, several names of one object, the library's own view, a size
    that counts more than the library has."""
    for declared, real in ((2, 2), (2, 6), (6, 2)):
        c.library("libcopied.so", "int table[%d] = {1, 2}; int* view(void) { return table; }" % declared)
        program = c.compile("copy%d%d" % (declared, real), HEAD + "extern int table[%d]; int* view(void);"
                            "int main(void) { printf(\"%%d %%d %%d\\n\", table[0], table[1], view() == table); }" % declared,
                            "./libcopied.so", "-no-pie", "-fno-pie")
        c.library("libcopied.so", "int table[%d] = {3, 4}; int* view(void) { return table; }" % real)
        everywhere(c, "./" + program)
        everywhere(c, "./" + program, LD_VERBOSE="1")
        everywhere(c, "./" + program, LD_WARN="1")
    c.library("libalias.so", "int first = 5; extern int second __attribute__((alias(\"first\")));"
              "int same(void) { return &first == &second; }")
    program = c.compile("alias", HEAD + "extern int first, second; int same(void);"
                        "int main(void) { printf(\"%d %d %d\\n\", first, second, same()); }", "./libalias.so", "-no-pie", "-fno-pie")
    everywhere(c, "./" + program)
    c.library("libbeyond.so", "__asm__(\".data\\n.globl beyond\\n.type beyond, @object\\n.size beyond, 56\\nbeyond: .long 56\");")
    program = c.compile("beyond", HEAD + "extern int beyond[14]; int main(void) { printf(\"%d\\n\", beyond[0]); }",
                        "./libbeyond.so", "-no-pie", "-fno-pie")
    everywhere(c, "./" + program)
    c.library("libover.so", "int first = 50; int table[2] = {60, 61};")
    everywhere(c, "./alias", LD_PRELOAD="./libover.so")
    everywhere(c, "./copy22", LD_PRELOAD="./libover.so")


def next_chain(c):
    for number in range(1, 4):
        c.library("libn%d.so" % number, HEAD + """
int who(void) { int (*next)(void) = (int (*)(void))dlsym(RTLD_NEXT, "who"); return %d + 10 * (next ? next() : 0); }
int which%d(void) { return dlvsym(RTLD_NEXT, "puts", "GLIBC_2.2.5") != 0; }""" % (number, number))
    main = HEAD + """int who(void); int which1(void);
int main(void) { printf("%d %d\\n", who(), which1());
  printf("%d\\n", dlsym(RTLD_NEXT, "main") != 0); printf("%d\\n", dlsym(RTLD_NEXT, "who") == (void*)who);
  puts(dlsym(RTLD_NEXT, "no_such") ? "?" : dlerror());
  void* h = dlopen("libn1.so", RTLD_NOW); int (*f)(void) = (int (*)(void))dlsym(h, "who"); printf("%d\\n", f()); }"""
    c.compile("next", main, LIBRARY, "./libn1.so", "./libn2.so", "./libn3.so")
    everywhere(c, "./next")
    everywhere(c, "./next", LD_PRELOAD="./libn3.so ./libn2.so")
    opens = HEAD + """int main(void) {
  void* g = dlopen("libn3.so", RTLD_NOW | RTLD_GLOBAL); void* h = dlopen("libn1.so", RTLD_NOW);
  int (*f)(void) = (int (*)(void))dlsym(h, "who"); printf("%d %d\\n", g != 0, f()); }"""
    c.compile("nextopen", opens)
    everywhere(c, "./nextopen")


def mixtures(c):
    """-z lazy and -z now side by side, a function that is missing: an error when, and only when, it is bound."""
    c.library("libgone.so", "int there(void) { return 1; } int gone(void) { return 2; }")
    for lazy in ("lazy", "now"):
        c.library("libuser-%s.so" % lazy, "int there(void), gone(void); int use(int n) { return n ? gone() : there(); }",
                  "./libgone.so", "-Wl,-z," + lazy)
        c.compile("mix-" + lazy, HEAD + "#include <stdlib.h>\nint use(int);\n"
                  "int main(int argc, char** argv) { printf(\"%d\\n\", use(argc > 1)); fflush(stdout); return 0; }",
                  "./libuser-%s.so" % lazy, "-Wl,-rpath-link,.", "-Wl,-z," + ("now" if lazy == "lazy" else "lazy"))
    c.compile("mix-open", HEAD + """int main(int argc, char** argv) {
  void* h = dlopen(argv[1], argc > 2 ? RTLD_NOW : RTLD_LAZY);
  if (h == NULL) { puts(dlerror()); return 1; }
  int (*use)(int) = (int (*)(int))dlsym(h, "use"); printf("%d\\n", use(0)); fflush(stdout); printf("%d\\n", use(1)); }""")
    c.library("libgone.so", "int there(void) { return 1; }")
    for lazy in ("lazy", "now"):
        everywhere(c, "./mix-" + lazy)
        everywhere(c, "./mix-" + lazy, "call")
        everywhere(c, "./mix-open", "libuser-%s.so" % lazy)
        everywhere(c, "./mix-open", "libuser-%s.so" % lazy, "now")


def packed(c):
    """DT_RELR, objects with one hash table only, interposition by the program."""
    c.library("libtable.so", "int a = 1, b = 2; int* table[100] = {&a, &b, &a, [50] = &b, [99] = &a};"
              "int who(void) { return 1; } int (*functions[40])(void) = {who, [39] = who}; static int s = 7; int* own[70] = {&s, [69] = &s};",
              "-Wl,-z,pack-relative-relocs")
    main = HEAD + ("extern int* table[]; extern int (*functions[])(void); extern int* own[]; %s"
                   "int main(void) { printf(\"%%d %%d %%d %%d %%d\\n\", *table[1], *table[50], *table[99], functions[39](), *own[69]); }")
    for name, extra in (("relr", ""), ("relrown", "int b = 20; int who(void) { return 10; }")):
        for hash_style in ("gnu", "sysv"):
            c.compile(name + hash_style, main % extra, "./libtable.so", "-rdynamic", "-Wl,-z,pack-relative-relocs",
                      "-Wl,--hash-style=" + hash_style)
            everywhere(c, "./" + name + hash_style)


def default_and_handles(c):
    """What dlsym sees through RTLD_DEFAULT, the program's handle, local and global handles."""
    c.library("libdep.so", "int deep(void) { return 3; } int both(void) { return 4; }")
    c.library("libtop.so", "int deep(void); int top(void) { return deep(); } int both(void) { return 5; }", "./libdep.so")
    c.compile("handles", HEAD + """
int both(void) { return 6; }
static void ask(const char* what, void* handle) {
  const char* names[] = {"top", "deep", "both", "printf", "main", "environ", "__tls_get_addr", "_end", "__vdso_time"};
  for (int i = 0; i < 9; ++i) {
    void* found = dlsym(handle, names[i]); Dl_info info;
    const char* error = dlerror();
    const char* file = found && dladdr(found, &info) ? strrchr(info.dli_fname, '/') : 0;
    printf("%s %s: %s %s\\n", what, names[i], found ? "found" : error, file && file[1] != 'l' ? "program" : file ? file + 1 : "-");
  }
}
int main(void) {
  ask("default", RTLD_DEFAULT);
  void* top = dlopen("libtop.so", RTLD_LAZY);
  ask("local", top); ask("default", RTLD_DEFAULT); ask("program", dlopen(0, RTLD_LAZY));
  dlopen("libtop.so", RTLD_LAZY | RTLD_GLOBAL);
  ask("default", RTLD_DEFAULT); ask("program", dlopen(0, RTLD_LAZY));
  void* dep = dlopen("libdep.so", RTLD_LAZY | RTLD_NOLOAD);
  ask("dep", dep); dlclose(top); ask("dep", dep);
}""", "-rdynamic")
    everywhere(c, "./handles", modes=({}, {"LD_BIND_NOW": "1"}))


CASES = (symbolic, deepbind, protected, protected_later, versions, weak, unique, unique_names, ifunc, filters, copies, next_chain, mixtures, packed,
         default_and_handles)


def main():
    with comparison.Comparison() as c:
        for case in CASES:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                case(c)
        print("comparisons: %d, failures: %d" % (c.checked, len(c.failures)))
        sys.exit(1 if c.failures or not c.checked else 0)


if __name__ == "__main__":
    main()
