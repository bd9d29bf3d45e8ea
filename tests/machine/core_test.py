#!/usr/bin/env python3
"""The core of the loader on any machine: programs and libraries without a libc, built by a compiler for the machine
and run by it or by an emulator of it. What a program says is compared with what the psABI and the gABI promise.

    PRELUDE_LD   the loader
    PRELUDE_CC   the compiler (gcc)
    PRELUDE_RUN  an emulator in front of each program, for a machine that is not this one (none); as in QEMU's, -E gives
                 a variable to the program
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from elf_patch import File  # noqa: E402

LOADER = os.path.abspath(os.environ["PRELUDE_LD"])
COMPILER = shlex.split(os.environ.get("PRELUDE_CC", "gcc"))
RUN = shlex.split(os.environ.get("PRELUDE_RUN", ""))
MACROS = subprocess.run([*COMPILER, "-dM", "-E", "-x", "c", "/dev/null"], check=True, stdout=subprocess.PIPE, text=True).stdout
# Where DT_INIT and DT_FINI are not called.
ARRAYS_ONLY = "__riscv " in MACROS
OPTIONS = ["-O1", "-Wall", "-Werror", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-I", os.path.join(HERE, "core")]
DT_INIT, DT_FINI, DT_RUNPATH, DT_RELRSZ, DT_RELR, DT_RELRENT = 12, 13, 29, 35, 36, 37


class Programs(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="prelude-")
        self.addCleanup(self.directory.cleanup)
        self.before = os.getcwd()
        self.addCleanup(os.chdir, self.before)
        os.chdir(self.directory.name)

    def compile(self, output, source, *options):
        with open("source.c", "w") as file:
            file.write(f'#include "runtime.h"\n{source}\n')
        subprocess.run([*COMPILER, *OPTIONS, "-o", output, "source.c", *options], check=True)
        return output

    def library(self, name, source, *options):
        return self.compile(name, source, "-shared", "-fPIC", "-Wl,-soname," + name, *options)

    def program(self, source, *options, pie=True):
        kind = ["-pie", "-fPIE"] if pie else ["-no-pie", "-fno-pie"]
        return self.compile("program", source, "-DPROGRAM", *kind, "-Wl,--dynamic-linker=" + LOADER,
                            "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined", *options)

    def run_it(self, *command, env=None, stderr=subprocess.PIPE):
        env = {"LD_HINTS": "0", **(env or {})}
        words = list(command)
        if RUN:  # what is meant for the program must not reach the loader of the emulator
            words = [*RUN, *(word for name, value in env.items() for word in ("-E", f"{name}={value}")), *words]
            env = {}
        return subprocess.run(words, env={"PATH": os.environ["PATH"], **env}, stdout=subprocess.PIPE, stderr=stderr, text=True,
                              timeout=60)

    def says(self, expected, *arguments, env=None, status=0, by=("interpreter", "command")):
        """The program says `expected`, started as PT_INTERP says and by the loader's name."""
        ways = {"interpreter": ["./program"], "command": [LOADER, "./program"]}
        for way in by:
            result = self.run_it(*ways[way], *arguments, env=env)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (status, expected, ""), way)


class CoreTest(Programs):
    def test_arguments_environment_and_an_aligned_stack(self):
        self.program("""
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {
              long *after = (long *)envp;
              say_number("arguments", argc);
              say(argv[1]); say("\\n");
              for (; *after != 0; ++after) if (((char *)*after)[0] == 'X') { say((char *)*after); say("\\n"); }
              say_number("aligned", (long)(argv - 1) % 16);
              for (++after; *after != 0; after += 2) if (after[0] == 9) say_number("entry", after[1] == (long)run - 0 || after[1] != 0);
              return argc;
            }""")
        self.says("arguments 2\none\nX=1\naligned 0\nentry 1\n", "one", env={"X": "1"}, status=2)

    def test_a_program_at_fixed_addresses(self):
        self.library("liba.so", "int counter = 41; int *where(void) { return &counter; } int twice(int n) { return 2 * n; }"
                     "int (*function(void))(int) { return twice; }")
        self.program("""
            extern int counter; int *where(void); int twice(int); int (*function(void))(int);
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {
              ++counter;
              say_number("copied", where() == &counter);
              say_number("counter", *where());
              say_number("same function", function() == twice);
              say_number("called", function()(21));
              return 0;
            }""", "liba.so", pie=False)
        self.says("copied 1\ncounter 42\nsame function 1\ncalled 42\n")

    def test_words(self):
        self.library("liba.so", "int array[4] = {1, 2, 3, 4}; extern int missing WEAK; extern void gone(void) WEAK;"
                     "int *middle = &array[2]; static int own = 7; int *inside = &own; void *nothing[] = {&missing, gone};")
        self.program("""
            extern int array[4], *middle, *inside; extern void *nothing[];
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {
              say_number("addend", middle - array);
              say_number("relative", *inside);
              say_number("weak", nothing[0] == 0 && nothing[1] == 0);
              return 0;
            }""", "liba.so")
        self.says("addend 2\nrelative 7\nweak 1\n")

    def test_packed_relative_words(self):
        """A table of DT_RELR by hand: not every linker makes one. The words hold what is added to the base."""
        marks = [0x11223300 + i for i in range(3)]
        self.library("liba.so", "extern char __ehdr_start HIDDEN;"
                     f"unsigned long words[70] = {{{marks[0]}}}; const unsigned long table[3] = {{{marks[1]}, {marks[2]}, 0}};"
                     "long word(int n) { return (long)(words[n] - (unsigned long)&__ehdr_start); }"
                     "void first(void) {} void last(void) {}", "-Wl,-init,first", "-Wl,-fini,last", "-Wl,-rpath,nowhere")
        file = File("liba.so")
        content, form, size = bytes(file.data), file.word, file.word_bytes
        words, table = (content.index(mark.to_bytes(size, "little")) for mark in marks[:2])
        last = 8 * size - 1  # a word of the table stands for so many
        for index, value in ((0, 0x10), (2, 0x20), (last, 0x30), (last + 2, 0x40)):
            file.put(words + size * index, form, value)
        # One address, then as many words behind it as one word of the table has bits for, then more behind those.
        for index, value in enumerate((file.address(words), 1 | 1 << 2 | 1 << last, 1 | 1 << 2)):
            file.put(table + size * index, form, value)
        file.dynamic(DT_INIT, file.address(table), DT_RELR).dynamic(DT_FINI, 3 * size, DT_RELRSZ)
        file.dynamic(DT_RUNPATH, size, DT_RELRENT)
        file.write("liba.so")
        self.program("""
            long word(int);
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {
              say_number("first", word(0)); say_number("third", word(2)); say_number("last", word(8 * sizeof(long) - 1));
              say_number("beyond", word(8 * sizeof(long) + 1));
              return 0;
            }""", "liba.so")
        self.says("first 16\nthird 32\nlast 48\nbeyond 64\n")

    CALLER = """
        double mixed(long, double, long, double, long, double, long, double, long, double, long, double, long, double,
                     long, double, long, double);
        int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {
          say("before\\n");
          for (int i = 0; i < 2; ++i)
            say_number("sum", (long)mixed(1, .5, 2, .25, 3, .125, 4, 1, 5, 2, 6, 4, 7, 8, 8, 16, 9, 32));
          return 0;
        }"""
    CALLED = """
        double mixed(long a, double b, long c, double d, long e, double f, long g, double h, long i, double j, long k,
                     double l, long m, double n, long o, double p, long q, double r) {
          return 1000 * (a + 2 * c + 3 * e + 4 * g + 5 * i + 6 * k + 7 * m + 8 * o + 9 * q) + 8 * b + 16 * d + 32 * f + h + j +
                 l + n + p + r;
        }"""

    def test_calls_are_bound_late_with_every_argument(self):
        self.library("liba.so", self.CALLED)
        self.program(self.CALLER, "-Wl,-z,lazy", "liba.so")
        expected = f"before\n{'sum 285075' + chr(10)}{'sum 285075' + chr(10)}"
        self.says(expected)
        self.says(expected, env={"LD_BIND_NOW": "1"})
        for variable, late in (({}, True), ({"LD_BIND_NOW": "1"}, False)):
            text = self.run_it(LOADER, "./program", env={"LD_DEBUG": "bindings", **variable}, stderr=subprocess.STDOUT).stdout
            binding = re.search(r"binding file \S*program \[0\] to \S*liba.so \[0\]: normal symbol `mixed'", text)
            self.assertEqual(text.count("normal symbol `mixed'"), 1, text)
            self.assertEqual(text.index("before\n") < binding.start(), late, text)

    def test_a_missing_function_is_an_error_when_it_is_called(self):
        self.library("liba.so", "void missing(void); void call(int n) { if (n > 1) missing(); }", "-Wl,-z,lazy")
        self.program("""
            void call(int);
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) { say("begin\\n"); call(argc); return 0; }""",
                     "-Wl,-z,lazy", "liba.so")
        self.says("begin\n")
        result = self.run_it(LOADER, "./program", "more")
        self.assertEqual((result.returncode, result.stdout), (127, "begin\n"))
        self.assertRegex(result.stderr, r"^./program: symbol lookup error: \S*/liba.so: undefined symbol: missing\n$")
        result = self.run_it(LOADER, "./program", env={"LD_BIND_NOW": "1"})
        self.assertEqual((result.returncode, result.stdout), (127, ""))

    def test_versions(self):
        with open("map", "w") as file:
            file.write("OLD { global: f; local: *; }; NEW { global: f; } OLD;\n")
        old = "int f(void) { return 1; }"
        self.library("liba.so", old, "-Wl,--version-script,map")
        self.library("libb.so", "int f(void); int old(void) { return f(); }", "liba.so", "-Wl,-rpath,$ORIGIN")
        self.library("liba.so", "int f1(void) { return 1; } int f2(void) { return 2; }"
                     "asm(\".symver f1, f@OLD; .symver f2, f@@NEW\");", "-Wl,--version-script,map")
        self.program("int f(void), old(void); int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {"
                     "say_number(\"new\", f()); say_number(\"old\", old()); return 0; }", "libb.so", "liba.so")
        self.says("new 2\nold 1\n")
        with open("map", "w") as file:
            file.write("OTHER { global: f; local: *; };\n")
        self.library("liba.so", old, "-Wl,--version-script,map")
        result = self.run_it(LOADER, "./program")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("./liba.so: version `NEW' not found (required by ./program)", result.stderr)

    PICKED = """
        static int one(void) { return 1; }
        long ahead[2] = {1, 2}; int data = 5;
        static void *choose(void) { return data == 5 ? (void *)one : 0; }
        """

    def test_functions_that_are_chosen(self):
        self.library("liba.so", self.PICKED + "int picked(void) __attribute__((ifunc(\"choose\")));"
                     "static int hidden(void) __attribute__((ifunc(\"choose\"))); int by_library(void) { return hidden(); }")
        source = self.PICKED + """
            static int mine(void) __attribute__((ifunc("choose")));
            int picked(void), by_library(void); int (*pointer)(void) = picked;
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {
              say_number("all", mine() + 10 * picked() + 100 * by_library() + 1000 * pointer());
              return 0;
            }"""
        # At fixed addresses the chooser may find `data` by a register that the loader must have set.
        for pie in (True, False):
            self.program(source, "liba.so", pie=pie)
            self.says("all 1111\n")

    def test_thread_local_storage(self):
        """Every model: the linker leaves those of libraries as they are."""
        self.library("liba.so", """
            __thread int exported = 11; __thread char wide[3] __attribute__((aligned(256))) = "ab";
            static __thread long own = 33; static __thread long zero;
            int *of_library(void) { return &exported; }
            long *local(int n) { return n == 0 ? &own : &zero; }
            char *wide_one(void) { return wide; }""", LOADER)
        self.library("libb.so", "extern __thread int exported __attribute__((tls_model(\"initial-exec\")));"
                     "int *of_other(void) { return &exported; }", "liba.so", "-Wl,-rpath,$ORIGIN")
        self.program("""
            extern __thread int exported; static __thread int mine = 44; static __thread int more __attribute__((aligned(64)));
            int *of_library(void), *of_other(void); long *local(int); char *wide_one(void);
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {
              exported += argc;
              say_number("same", &exported == of_library() && &exported == of_other());
              say_number("exported", *of_other());
              say_number("library's", *local(0) + *local(1));
              say_number("mine", mine + more);
              say_number("aligned", ((long)wide_one() % 256 | (long)&more % 64) == 0);
              say(wide_one()); say("\\n");
              return 0;
            }""", "libb.so", "liba.so")
        self.says("same 1\nexported 12\nlibrary's 33\nmine 44\naligned 1\nab\n")

    def test_order_of_initialisers(self):
        def steps(name):
            return (f"__attribute__((constructor)) static void c(int argc, char **argv) {{ say(\"+{name} \"); say(argv[0]); say(\"\\n\"); }}"
                    f"__attribute__((destructor)) static void d(void) {{ say(\"-{name}\\n\"); }} void {name}(void) {{}}"
                    f"void i(void) {{ say(\"init {name}\\n\"); }} void f(void) {{ say(\"fini {name}\\n\"); }}")
        last = ["-Wl,-init,i", "-Wl,-fini,f"]
        self.library("libc1.so", steps("c1"), *last)
        self.library("libb1.so", "void c1(void);" + steps("b1") + "void *use1 = c1;", "libc1.so", "-Wl,-rpath,$ORIGIN", *last)
        self.library("liba1.so", "void c1(void);" + steps("a1") + "void *use2 = c1;", "libc1.so", "-Wl,-rpath,$ORIGIN", *last)
        self.program("""
            void a1(void), b1(void); static void early(void) { say("early\\n"); }
            __attribute__((section(".preinit_array"), used)) static void (*first)(void) = early;
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {
              a1(); b1(); say("run\\n"); finaliser(); return 0; }""", "-Wl,--no-as-needed", "liba1.so", "libb1.so")
        init, fini = ("", "") if ARRAYS_ONLY else ("init {0}\n", "fini {0}\n")
        up = "".join((init + "+{0} ./program\n").format(name) for name in ("c1", "b1", "a1"))
        down = "".join(("-{0}\n" + fini).format(name) for name in ("a1", "b1", "c1"))
        self.says("early\n" + up + "run\n" + down)

    def test_where_libraries_are_found(self):
        for name in ("one", "two"):
            os.mkdir(name)
            self.library("liba.so", f"const char *name(void) {{ return \"{name}\\n\"; }}")
            os.rename("liba.so", name + "/liba.so")
        self.compile("program", "const char *name(void); int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {"
                     "say(name()); return 0; }", "-DPROGRAM", "-pie", "-fPIE", "-Wl,--dynamic-linker=" + LOADER,
                     "-Wl,-rpath,$ORIGIN/one", "one/liba.so")
        self.says("one\n")
        self.says("two\n", env={"LD_LIBRARY_PATH": "two"})
        self.assertEqual(self.run_it(LOADER, "--library-path", "two", "./program").stdout, "two\n")
        self.library("libp.so", "const char *name(void) { return \"preloaded\\n\"; }")
        self.says("preloaded\n", env={"LD_PRELOAD": "./libp.so"})
        listing = self.run_it(LOADER, "--list", "./program").stdout
        self.assertRegex(listing, r"liba\.so => \S*/one/liba\.so \(0x[0-9a-f]+\)")
        os.remove("one/liba.so")
        result = self.run_it("./program")
        self.assertEqual((result.returncode, result.stdout), (127, ""))
        self.assertIn("error while loading shared libraries: liba.so: cannot open shared object file", result.stderr)

    def test_files_of_another_machine_are_not_taken(self):
        self.library("liba.so", "int f(void) { return 1; }")
        self.program("int f(void); int run(int argc, char **argv, char **envp, void (*finaliser)(void)) { return f(); }", "liba.so")
        os.mkdir("other")
        File("liba.so").header("e_machine", 0x1234).write("other/liba.so")
        self.says("", status=1, env={"LD_LIBRARY_PATH": "other"})
        result = self.run_it(LOADER, "./program", env={"LD_PRELOAD": "./other/liba.so"})
        self.assertIn("object './other/liba.so' from LD_PRELOAD cannot be preloaded", result.stderr)


if __name__ == "__main__":
    unittest.main()
