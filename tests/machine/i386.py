#!/usr/bin/env python3
"""What is special about i386: relocated code, thread-local offsets of both signs, TLS descriptors, calls whose arguments
lie in registers. Programs without a libc; variables as in core_test.py.
"""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import core_test  # noqa: E402


class I386Test(core_test.Programs):
    def test_descriptors_of_thread_local_variables(self):
        """Code of descriptors keeps every register but one: the sum lives in them."""
        dialect = "-mtls-dialect=gnu2"
        self.library("liba.so", "__thread int a = 1, b[3] = {2, 3, 4}; static __thread int c = 5; extern __thread int gone WEAK;"
                     "int sum(int n) { return n + a + b[2] + c + (&gone == 0); }", dialect, "-O2")
        self.program("""
            int sum(int); __thread int mine = 100;
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) { say_number("sum", sum(1000) + mine); return 0; }""",
                     "liba.so", dialect)
        self.says("sum 1111\n")

    def test_relocated_code(self):
        """Words of code with addresses and distances (R_386_32, R_386_PC32), of functions that are chosen, too."""
        self.library("liba.so", "int f(void) { return 1; } static int two(void) { return 2; } static void *choose(void) { return two; }"
                     "int g(void) __attribute__((ifunc(\"choose\"))); int data[3] = {3, 4, 5};")
        self.compile("libb.so", "int f(void), g(void); extern int data[]; int all(void) { return f() + 10 * g() + 100 * data[2]; }",
                     "-shared", "-fno-pic", "-Wl,-z,notext", "-Wl,-soname,libb.so", "liba.so", "-Wl,-rpath,$ORIGIN")
        self.program("int all(void); int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {"
                     "say_number(\"all\", all()); return 0; }", "libb.so")
        self.says("all 521\n")

    def test_offsets_of_both_signs(self):
        """R_386_TLS_TPOFF is added to the thread pointer, R_386_TLS_TPOFF32 taken from it."""
        self.library("liba.so", "__thread int v[2] = {7, 8};")
        self.library("libb.so", "int below(void), above(void);"
                     "asm(\".data; minus: .long v@NTPOFF + 4; plus: .long v@TPOFF; .text; .globl below; .type below, @function; below:"
                     "call 1f; 1: pop %ecx; mov minus-1b(%ecx), %eax; mov %gs:(%eax), %eax; ret;"
                     ".globl above; .type above, @function; above:"
                     "call 2f; 2: pop %ecx; mov plus-2b(%ecx), %edx; mov %gs:0, %eax; sub %edx, %eax; mov (%eax), %eax; ret\");",
                     "liba.so", "-Wl,-rpath,$ORIGIN")
        self.program("int below(void), above(void); int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {"
                     "say_number(\"below\", below()); say_number(\"above\", above()); return 0; }", "libb.so")
        self.says("below 8\nabove 7\n")

    def test_late_calls_keep_the_registers_of_other_conventions(self):
        kinds = ("int REG f(int a, int b, int c, int d)", "int FAST g(int a, int b, int c)", "four h(four a, four b, four c)")
        types = ("typedef int four __attribute__((vector_size(16)));\n#define REG __attribute__((regparm(3)))\n"
                 "#define FAST __attribute__((fastcall))\n")
        self.library("liba.so", types + kinds[0] + "{ return a + 10 * b + 100 * c + 1000 * d; }" + kinds[1] +
                     "{ return a + 10 * b + 100 * c; }" + kinds[2] + "{ return a + 2 * b + 4 * c; }", "-msse2")
        self.program(types + ";".join(kinds) + """;
            int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {
              for (int i = 0; i < 2; ++i) {
                four one = {1, 2, 3, 4}, sum = h(one, one, one);
                say_number("sum", sum[0] + sum[3]);
                say_number("registers", f(1, 2, 3, 4)); say_number("fast", g(1, 2, 3));
              }
              return 0;
            }""", "-Wl,-z,lazy", "liba.so", "-msse2")
        self.says(2 * "sum 35\nregisters 4321\nfast 321\n")


if __name__ == "__main__":
    unittest.main()
