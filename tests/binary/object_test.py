#!/usr/bin/env python3
"""What the built object must be, so that a kernel can start it and libc can link against it; for each machine."""
import os
import pathlib
import re
import subprocess
import sys
import unittest
from collections import namedtuple

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import elf_file as elf  # noqa: E402

DF_BIND_NOW, DF_TEXTREL, DF_STATIC_TLS = 8, 4, 16
DF_1_NOW = 1
STT_FUNC = 2

# By e_machine. The page is the largest of its kernels; `landings` are instructions that an indirect branch may lead to.
Machine = namedtuple("Machine", "soname exports relative page mark landings")
MACHINES = {
    62: Machine("ld-linux-x86-64.so.2", "exports.txt", 8, 4096, "x86 feature: IBT, SHSTK", ("f30f1efa",)),
    # The second signs the return address as well.
    183: Machine("ld-linux-aarch64.so.1", "exports_aarch64.txt", 1027, 65536, "AArch64 feature: BTI", ("5f2403d5", "3f2303d5")),
    # No marks: no kernel guards indirect branches of 32-bit programs, and riscv64 has none yet.
    3: Machine("ld-linux.so.2", "exports_i386.txt", 8, 4096, None, None),
    243: Machine("ld-linux-riscv64-lp64d.so.1", "exports_riscv64.txt", 3, 4096, None, None),
}


def stored_exports(name):
    symbols, nodes = set(), set()
    for line in pathlib.Path(__file__).with_name(name).read_text().splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] == "node":
            nodes.add(words[1])
        else:
            symbols.add(tuple(words))
    return symbols, nodes


class ObjectTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.file = elf.ElfFile(os.environ["PRELUDE_LD"])
        cls.machine = MACHINES[cls.file.header.machine]

    def test_is_a_shared_object(self):
        self.assertEqual(self.file.header.type, 3)
        starts = [s.value for s in self.file.symbols(".symtab") if s.name == "_start"]
        self.assertEqual(starts, [self.file.header.entry])

    def test_needs_nothing(self):
        for name in ("NEEDED", "VERNEED", "RPATH", "RUNPATH"):
            self.assertEqual(self.file.values(name), [], f"DT_{name}")
        for table in (".dynsym", ".symtab"):
            undefined = [s.name for s in self.file.symbols(table)
                         if s.index > 0 and s.shndx == elf.SHN_UNDEF and s.name]
            self.assertEqual(undefined, [], table)

    def test_has_only_relative_relocations(self):
        for name in ("RELA" if self.file.layout.table == "REL" else "REL", "JMPREL", "PLTRELSZ"):
            self.assertEqual(self.file.values(name), [], f"DT_{name}")
        others = [r for r in self.file.relocations() if r.type != self.machine.relative]
        self.assertEqual(others, [])
        for reloc in self.file.relocations():
            self.assertEqual(reloc.symbol, 0)

    def test_has_no_text_relocations(self):
        self.assertEqual(self.file.values("TEXTREL"), [])
        self.assertFalse(self.file.value("FLAGS") & DF_TEXTREL)
        for reloc in self.file.relocations():
            segment = next(s for s in self.file.of_type(elf.PT_LOAD)
                           if s.vaddr <= reloc.offset < s.vaddr + s.memsz)
            self.assertTrue(segment.flags & elf.PF_W, hex(reloc.offset))

    def test_has_no_tls_and_no_interpreter(self):
        self.assertEqual(self.file.of_type(elf.PT_TLS), [])
        self.assertEqual(self.file.of_type(elf.PT_INTERP), [])
        self.assertFalse(self.file.value("FLAGS") & DF_STATIC_TLS)

    def test_has_no_initialisers(self):
        for name in ("INIT", "INIT_ARRAY", "PREINIT_ARRAY", "FINI", "FINI_ARRAY"):
            self.assertEqual(self.file.values(name), [], f"DT_{name}")
        for name in (".init_array", ".ctors", ".preinit_array"):
            self.assertNotIn(name, self.file.sections)

    def test_binds_now_with_full_relro(self):
        self.assertTrue(self.file.value("FLAGS") & DF_BIND_NOW)
        self.assertTrue(self.file.value("FLAGS_1") & DF_1_NOW)
        relro, = self.file.of_type(elf.PT_GNU_RELRO)
        end = relro.vaddr + relro.memsz
        self.assertEqual(end % self.machine.page, 0, "the last page would stay writable")
        for name in (".dynamic", ".got", ".got.plt", ".data.rel.ro"):
            section = self.file.sections.get(name)
            if section is not None and section.size != 0:
                self.assertGreaterEqual(section.addr, relro.vaddr, name)
                self.assertLessEqual(section.addr + section.size, end, name)

    def test_stack_is_not_executable(self):
        stack, = self.file.of_type(elf.PT_GNU_STACK)
        self.assertFalse(stack.flags & elf.PF_X)

    def test_no_segment_is_writable_and_executable(self):
        for segment in self.file.segments:
            both = elf.PF_W | elf.PF_X
            self.assertNotEqual(segment.flags & both, both, segment)

    def test_code_is_apart_from_data(self):
        code = [s for s in self.file.of_type(elf.PT_LOAD) if s.flags & elf.PF_X]
        self.assertEqual(len(code), 1)
        self.assertNotEqual(code[0].offset, 0, "headers are not executable")

    def test_soname(self):
        names = [self.file.dynamic_text(v) for v in self.file.values("SONAME")]
        self.assertEqual(names, [self.machine.soname])

    def test_keeps_symbols_and_unwind_data(self):
        self.assertIn(".eh_frame", self.file.sections)
        self.assertIn(".eh_frame_hdr", self.file.sections)
        self.assertIn(".note.gnu.build-id", self.file.sections)
        names = {s.name for s in self.file.symbols(".symtab")}
        for name in ("_start", "strlen", "strcmp", "index", "stpcpy", "mempcpy"):
            self.assertIn(name, names, "memory checkers look for it")

    def test_has_no_function_that_breakpoints_are_set_on(self):
        # What memory checkers look for or the compiler calls is there as in glibc's loader; a breakpoint on another
        # function of libc would have a second place here.
        names = {s.name for s in self.file.symbols(".symtab")}
        self.assertEqual(names & {"abort", "exit", "_exit", "malloc", "free", "main", "write", "open", "printf"}, set())

    def test_marks_what_is_true_of_indirect_branches(self):
        if self.machine.mark is None:
            return self.assertNotIn(".note.gnu.property", self.file.sections)
        notes = subprocess.run(["readelf", "-nW", os.environ["PRELUDE_LD"]], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertIn(self.machine.mark, notes)
        entries = 0
        for symbol in self.file.symbols(".symtab"):
            # The exported ones and the stubs; the compiler knows of which others an address is taken.
            by_address = symbol.info >> 4 != elf.STB_LOCAL or symbol.name.startswith(("prelude_", "_start"))
            # What the compiler has moved out of a function is jumped to directly.
            if symbol.info & 15 != STT_FUNC or not by_address or symbol.name.endswith(".cold"):
                continue
            entries += 1
            self.assertIn(self.file.data[self.file.offset_of(symbol.value):][:4].hex(), self.machine.landings, symbol.name)
        self.assertGreater(entries, 30)

    def test_has_the_probes_that_debuggers_know(self):
        notes = subprocess.run(["readelf", "-n", os.environ["PRELUDE_LD"]], check=True, stdout=subprocess.PIPE, text=True).stdout
        found = re.findall(r"Provider: rtld\n\s+Name: (\w+)\n.*\n\s+Arguments: (.*)", notes)
        arguments = {name: len(words.split()) for name, words in found}
        expected = dict.fromkeys(("init_start", "init_complete", "map_start", "map_failed", "reloc_start", "unmap_start",
                                  "unmap_complete"), 2)
        self.assertEqual(arguments, {**expected, "map_complete": 3, "reloc_complete": 3})
        self.assertTrue(all(words.startswith(f"-{self.file.word_bytes}@") for _, words in found), found)

    def test_has_a_gnu_hash_table(self):
        self.assertEqual(len(self.file.values("GNU_HASH")), 1)

    def test_exports_are_the_stored_list(self):
        stored, _ = stored_exports(self.machine.exports)
        nodes = self.file.version_nodes()
        exported = set()
        for symbol in self.file.symbols(".dynsym"):
            named_after_node = symbol.shndx == elf.SHN_ABS and symbol.name in nodes.values()
            if symbol.index == 0 or symbol.info >> 4 == elf.STB_LOCAL or named_after_node:
                continue
            version = nodes.get(self.file.version_index(symbol), "none")
            kind = elf.KINDS.get(symbol.info & 15, "other")
            exported.add((symbol.name, version, kind))
        self.assertEqual(sorted(stored - exported), [], "missing")
        self.assertEqual(sorted(exported - stored), [], "not on the list")

    def test_version_nodes_are_the_stored_list(self):
        _, stored = stored_exports(self.machine.exports)
        self.assertEqual(set(self.file.version_nodes().values()), stored)


if __name__ == "__main__":
    unittest.main()
