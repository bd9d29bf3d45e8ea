#!/usr/bin/env python3
"""What is special about aarch64: which registers late binding and TLS descriptors keep, functions that must not be bound
late, both dialects of thread-local storage. Programs without a libc; variables as in core_test.py.
"""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import core_test  # noqa: E402

RUN = "int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {"
# Values that no register has by chance: the register's number, plainly and in both halves of a vector.
FILL = "".join(f"mov x{n}, {n} + 1000\n" for n in range(9)) + "".join(
    f"movi v{n}.16b, {n} + 16\n" for n in range(8))
CHECK = "mov x16, 0\n" + "".join(f"cmp x{n}, {n} + 1000\n cinc x16, x16, ne\n" for n in range(9)) + "".join(
    f"movi v16.16b, {n} + 16\n cmeq v16.16b, v16.16b, v{n}.16b\n uminv b16, v16.16b\n fmov w17, s16\n cmp w17, 255\n"
    " cinc x16, x16, ne\n" for n in range(8))


def lines(text):
    return "".join(f'"{line.strip()}\\n"' for line in text.splitlines())


class AArch64Test(core_test.Programs):
    def test_late_binding_keeps_arguments(self):
        self.library("liba.so", f'asm(".globl callee\\n.type callee, %function\\ncallee:\\n" {lines(CHECK)}'
                     '"mov x0, x16\\nret\\n.size callee, .-callee\\n");')
        self.program(f'''
            long call(void);
            asm("call: stp x29, x30, [sp, -16]!\\n" {lines(FILL)} "bl callee\\nldp x29, x30, [sp], 16\\nret\\n");
            {RUN} say_number("changed", call()); say_number("changed", call()); return 0; }}''', "-Wl,-z,lazy", "liba.so")
        self.says("changed 0\nchanged 0\n")

    def test_a_function_of_another_convention_is_bound_at_once(self):
        self.library("liba.so", "void plain(void) {} void special(void) {}")
        self.program('void plain(void), special(void); asm(".variant_pcs special");' + RUN
                     + 'say("begin\\n"); plain(); special(); return 0; }', "-Wl,-z,lazy", "liba.so")
        text = self.run_it(core_test.LOADER, "./program", env={"LD_DEBUG": "bindings"}, stderr=subprocess.STDOUT).stdout
        begin = text.index("begin\n")
        self.assertLess(text.index("normal symbol `special'"), begin, text)
        self.assertGreater(text.index("normal symbol `plain'"), begin, text)

    def test_resolvers_are_told_of_the_processor(self):
        """Bit 62 of the first word says that there is a second: its size, AT_HWCAP, AT_HWCAP2 (<sys/ifunc.h>)."""
        self.library("liba.so", """
            static unsigned long word, record[3]; static int f(void) { return 1; }
            static void *choose(unsigned long hwcap, const unsigned long *told) {
              word = hwcap; for (int i = 0; i < 3; i++) record[i] = told[i]; return f; }
            int chosen(void) __attribute__((ifunc("choose")));
            int marked(void) { return word >> 62 & 1; } int sized(void) { return record[0] >= 24; }
            int same(void) { return record[1] != 0 && (word & ~(1UL << 62)) == record[1]; }""")
        self.program("int chosen(void), marked(void), sized(void), same(void);" + RUN + """
            say_number("chosen", chosen()); say_number("marked", marked()); say_number("sized", sized());
            say_number("same", same()); return 0; }""", "liba.so")
        self.says("chosen 1\nmarked 1\nsized 1\nsame 1\n")

    def test_both_dialects_of_thread_local_storage(self):
        source = """
            extern __thread int exported, nothing WEAK; static __thread int own = 5;
            int *exported_{0}(void) {{ return &exported; }} int *own_{0}(void) {{ return &own; }}
            int *nothing_{0}(void) {{ return &nothing; }}"""
        self.library("libt.so", "__thread char first; __thread int exported __attribute__((aligned(128))) = 7;")
        self.library("libdesc.so", source.format("desc"), "-mtls-dialect=desc", "libt.so", "-Wl,-rpath,$ORIGIN")
        self.library("libtrad.so", source.format("trad"), "-mtls-dialect=trad", "libt.so", core_test.LOADER, "-Wl,-rpath,$ORIGIN")
        relocations = {name: subprocess.run(["readelf", "-rW", name], check=True, stdout=subprocess.PIPE, text=True).stdout
                       for name in ("libdesc.so", "libtrad.so")}
        self.assertIn("R_AARCH64_TLSDESC", relocations["libdesc.so"])
        for kind in ("DTPMOD", "DTPREL"):
            self.assertIn("R_AARCH64_TLS_" + kind, relocations["libtrad.so"])
        self.program("""
            int *exported_desc(void), *own_desc(void), *exported_trad(void), *own_trad(void), *nothing_desc(void);
            """ + RUN + """
              say_number("same", exported_desc() == exported_trad() && (long)exported_desc() % 128 == 0);
              say_number("values", *exported_desc() + 10 * *own_desc() + 100 * *own_trad());
              say_number("own", own_desc() != own_trad());
              say_number("undefined", nothing_desc() == 0);
              return 0; }""", "libdesc.so", "libtrad.so")
        self.says("same 1\nvalues 557\nown 1\nundefined 1\n")


if __name__ == "__main__":
    unittest.main()
