"""A small reader of little-endian ELF files of 32 and 64 bits: headers, dynamic section, symbols, versions."""
import struct
from collections import namedtuple

Header = namedtuple("Header", "ident type machine version entry phoff shoff flags ehsize "
                              "phentsize phnum shentsize shnum shstrndx")
Segment = namedtuple("Segment", "type flags offset vaddr paddr filesz memsz align")
Section = namedtuple("Section", "name type flags addr offset size link info align entsize")
Symbol = namedtuple("Symbol", "name info other shndx value size index")
Rela = namedtuple("Rela", "offset type symbol addend")

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_TLS = 1, 2, 3, 4, 7
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
PF_X, PF_W, PF_R = 1, 2, 4
SHN_UNDEF, SHN_ABS = 0, 0xFFF1
STB_LOCAL = 0
KINDS = {1: "OBJECT", 2: "FUNC"}

DT = {"NEEDED": 1, "PLTRELSZ": 2, "STRTAB": 5, "RELA": 7, "RELASZ": 8, "INIT": 12, "FINI": 13,
      "SONAME": 14, "SYMBOLIC": 16, "REL": 17, "TEXTREL": 22, "JMPREL": 23, "INIT_ARRAY": 25,
      "FINI_ARRAY": 26, "RUNPATH": 29, "RPATH": 15, "FLAGS": 30, "PREINIT_ARRAY": 32,
      "RELSZ": 18, "RELRSZ": 35, "RELR": 36, "GNU_HASH": 0x6FFFFEF5, "VERDEF": 0x6FFFFFFC,
      "VERDEFNUM": 0x6FFFFFFD, "VERNEED": 0x6FFFFFFE, "VERSYM": 0x6FFFFFF0,
      "FLAGS_1": 0x6FFFFFFB}


Layout = namedtuple("Layout", "header segment segment_fields section dynamic symbol symbol_fields relocation table")
# The fields of segments and symbols stand in an order of their own in each class.
LAYOUTS = {
    1: Layout("<16sHHIIIIIHHHHHH", "<IIIIIIII", "type offset vaddr paddr filesz memsz flags align", "<IIIIIIIIII", "<iI",
              "<IIIBBH", "name value size info other shndx", "<II", "REL"),
    2: Layout("<16sHHIQQQIHHHHHH", "<IIQQQQQQ", "type flags offset vaddr paddr filesz memsz align", "<IIQQQQIIQQ", "<qQ",
              "<IBBHQQ", "name info other shndx value size", "<QQq", "RELA")}


class ElfFile:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.layout = layout = LAYOUTS[self.data[4]]
        self.word_bytes = struct.calcsize(layout.dynamic) // 2
        self.header = Header(*struct.unpack_from(layout.header, self.data))
        names = layout.segment_fields.split()
        self.segments = [Segment(**dict(zip(names, words)))
                         for words in self.table(layout.segment, self.header.phoff, self.header.phnum)]
        self.sections = self._sections()
        self.dynamic = self._dynamic()

    def table(self, form, offset, count):
        return [struct.unpack_from(form, self.data, offset + struct.calcsize(form) * i) for i in range(count)]

    def _sections(self):
        raw = self.table(self.layout.section, self.header.shoff, self.header.shnum)
        if not raw:
            return {}
        names = raw[self.header.shstrndx][4]
        sections = [Section(self.text(names + r[0]), *r[1:]) for r in raw]
        self.section_list = sections
        return {s.name: s for s in sections}

    def _dynamic(self):
        entries = []
        for segment in self.of_type(PT_DYNAMIC):
            for tag, value in self.table(self.layout.dynamic, segment.offset,
                                         segment.filesz // struct.calcsize(self.layout.dynamic)):
                if tag == 0:
                    break
                entries.append((tag, value))
        return entries

    def of_type(self, kind):
        return [s for s in self.segments if s.type == kind]

    def text(self, offset):
        return self.data[offset:self.data.index(b"\0", offset)].decode()

    def offset_of(self, vaddr):
        for s in self.of_type(PT_LOAD):
            if s.vaddr <= vaddr < s.vaddr + s.filesz:
                return s.offset + vaddr - s.vaddr
        raise ValueError(f"address {vaddr:#x} is in no segment")

    def values(self, name):
        return [value for tag, value in self.dynamic if tag == DT[name]]

    def value(self, name, default=0):
        return (self.values(name) or [default])[0]

    def dynamic_text(self, offset):
        return self.text(self.offset_of(self.value("STRTAB")) + offset)

    def symbols(self, section_name):
        section = self.sections[section_name]
        strings = self.section_list[section.link].offset
        form, fields = self.layout.symbol, self.layout.symbol_fields.split()
        for index, words in enumerate(self.table(form, section.offset, section.size // struct.calcsize(form))):
            symbol = dict(zip(fields, words))
            yield Symbol(**{**symbol, "name": self.text(strings + symbol["name"])}, index=index)

    def relocations(self):
        """Where the class has no addends they are in place: None."""
        form, name = self.layout.relocation, self.layout.table
        size = self.value(name + "SZ")
        if size == 0:
            return
        shift = 8 if name == "REL" else 32
        for offset, info, *addend in self.table(form, self.offset_of(self.value(name)), size // struct.calcsize(form)):
            yield Rela(offset, info & (1 << shift) - 1, info >> shift, addend[0] if addend else None)

    def version_nodes(self):
        """Version index to name, without the base definition."""
        nodes = {}
        at = self.offset_of(self.value("VERDEF"))
        for _ in range(self.value("VERDEFNUM")):
            _, flags, index, _, _, aux, following = struct.unpack_from("<HHHHIII", self.data, at)
            name, = struct.unpack_from("<I", self.data, at + aux)
            if not flags & 1:
                nodes[index] = self.dynamic_text(name)
            at += following
        return nodes

    def version_index(self, symbol):
        start = self.offset_of(self.value("VERSYM"))
        return struct.unpack_from("<H", self.data, start + 2 * symbol.index)[0] & 0x7FFF
