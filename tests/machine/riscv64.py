#!/usr/bin/env python3
"""What is special about riscv64: which registers the stubs keep, functions that must not be bound late, TLS descriptors.
Variables as in core_test.py.
"""
import os
import struct
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import core_test  # noqa: E402
from elf_patch import File  # noqa: E402

TREE = os.path.join(HERE, "..", "..")
STUBS = ["context.S", "tls_get_addr.S", "tlsdesc.S", "trampoline.S", "vector_state.cpp"]
RUN = "int run(int argc, char **argv, char **envp, void (*finaliser)(void)) {"
DT_RELA, DT_RELASZ = 7, 8
NONE, DTPMOD64, DTPREL64, TLSDESC = 0, 7, 9, 12


class RiscV64Test(core_test.Programs):
    def stubs(self, *processor):
        """The stubs in a program of their own; its C library has the real __tls_get_addr."""
        sources = [f"{HERE}/riscv64/{name}" for name in ("stubs_test.cpp", "probe.S")]
        sources += [f"{TREE}/arch/riscv64/{name}" for name in STUBS]
        subprocess.run([*core_test.COMPILER, "-std=c++20", "-O1", "-static", "-I", TREE, "-D__tls_get_addr=get_addr_of_stubs",
                        "-o", "stubs", *sources], check=True)
        return subprocess.run([*core_test.RUN, *processor, "./stubs"], stdout=subprocess.PIPE, text=True).stdout

    def test_stubs_keep_registers(self):
        self.assertRegex(self.stubs(), r"^vector registers: \w+; 0 failures\n$")

    @unittest.skipUnless(core_test.RUN, "whether it has vector registers is the machine's choice")
    def test_stubs_keep_vector_registers(self):
        self.assertEqual(self.stubs("-cpu", "rv64,v=true,vext_spec=v1.0"), "vector registers: checked; 0 failures\n")

    def test_variant_functions_are_bound_at_once(self):
        self.library("liba.so", "int plain(void) { return 1; } int variant(void) { return 2; } asm(\".variant_cc variant\");")
        self.program(f'''int plain(void), variant(void); asm(".variant_cc variant");
            {RUN} say("before\\n"); say_number("sum", plain() + variant()); return 0; }}''', "-Wl,-z,lazy", "liba.so")
        self.says("before\nsum 3\n")
        text = self.run_it(core_test.LOADER, "./program", env={"LD_DEBUG": "bindings"}, stderr=subprocess.STDOUT).stdout
        places = [text.index(word) for word in ("symbol `variant'", "before\n", "symbol `plain'")]
        self.assertEqual(places, sorted(places), text)

    def test_descriptors_of_thread_local_storage(self):
        """Not every compiler makes them, so the words of the older dialect become one."""
        self.library("liba.so", '''
            __thread int first = 3, second = 4; extern __thread int missing WEAK;
            #define ADDRESS(name) ({ char *offset; \\
              asm volatile("la.tls.gd a0, " #name "\\n ld t1, 0(a0)\\n jalr t0, t1\\n mv %0, a0" : "=r"(offset) : : "a0", "t0", "t1"); \\
              offset + (long)__builtin_thread_pointer(); })
            int *of_first(void) { return (int *)ADDRESS(first); } int *of_second(void) { return (int *)ADDRESS(second); }
            int *of_missing(void) { return (int *)ADDRESS(missing); } asm(".weak missing");''')
        file = File("liba.so")
        start, size = (file.get(file.dynamic_offset(tag) + 8, "Q") for tag in (DT_RELA, DT_RELASZ))
        changed = 0
        for at in range(start, start + size, 24):
            kind, = struct.unpack_from("<I", file.data, at + 8)
            if kind in (DTPMOD64, DTPREL64):
                file.put(at + 8, "I", TLSDESC if kind == DTPMOD64 else NONE)
                changed += 1
        self.assertEqual(changed, 6)
        file.write("liba.so")
        self.program(f'''extern __thread int first; int *of_first(void), *of_second(void), *of_missing(void);
            {RUN} say_number("same", &first == of_first()); say_number("values", *of_first() + 10 * *of_second());
              say_number("missing", (long)of_missing()); return 0; }}''', "liba.so")
        self.says("same 1\nvalues 43\nmissing 0\n")


if __name__ == "__main__":
    unittest.main()
