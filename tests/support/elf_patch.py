"""Changes single fields of an ELF file of 32 or 64 bits (gABI ch. 4 and 5)."""
import struct

HEADER = {"ei_mag0": (0, "B"), "ei_class": (4, "B"), "ei_data": (5, "B"), "ei_version": (6, "B"),
          "ei_osabi": (7, "B"), "ei_abiversion": (8, "B"), "ei_pad": (9, "B"), "e_type": (16, "H"),
          "e_machine": (18, "H"), "e_version": (20, "I"), "e_entry": (24, "Q"), "e_phoff": (32, "Q"),
          "e_phentsize": (54, "H"), "e_phnum": (56, "H")}
SEGMENT = {"p_type": (0, "I"), "p_flags": (4, "I"), "p_offset": (8, "Q"), "p_vaddr": (16, "Q"),
           "p_filesz": (32, "Q"), "p_memsz": (40, "Q"), "p_align": (48, "Q")}
HEADER_32 = {**HEADER, "e_entry": (24, "I"), "e_phoff": (28, "I"), "e_phentsize": (42, "H"), "e_phnum": (44, "H")}
SEGMENT_32 = {"p_type": (0, "I"), "p_flags": (24, "I"), "p_offset": (4, "I"), "p_vaddr": (8, "I"),
              "p_filesz": (16, "I"), "p_memsz": (20, "I"), "p_align": (28, "I")}
PT_LOAD, PT_DYNAMIC, PT_TLS = 1, 2, 7


class File:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = bytearray(file.read())
        wide = self.data[4] == 2
        self.word, self.word_bytes = ("Q", 8) if wide else ("I", 4)
        self.fields, self.segment_fields = (HEADER, SEGMENT) if wide else (HEADER_32, SEGMENT_32)
        self.segment_bytes = 56 if wide else 32

    def get(self, offset, form):
        return struct.unpack_from("<" + form, self.data, offset)[0]

    def put(self, offset, form, value):
        struct.pack_into("<" + form, self.data, offset, value)
        return self

    def header(self, field, value):
        return self.put(*self.fields[field], value)

    def segments(self, wanted):
        start, count = self.get(*self.fields["e_phoff"]), self.get(*self.fields["e_phnum"])
        all_of_them = [start + self.segment_bytes * i for i in range(count)]
        return [at for at in all_of_them if self.get(at, "I") == wanted]

    def of_segment(self, at, field):
        offset, form = self.segment_fields[field]
        return self.get(at + offset, form)

    def address(self, offset):
        """The address of a byte of the file."""
        for at in self.segments(PT_LOAD):
            start, size = self.of_segment(at, "p_offset"), self.of_segment(at, "p_filesz")
            if start <= offset < start + size:
                return self.of_segment(at, "p_vaddr") + offset - start
        raise KeyError(offset)

    def segment(self, wanted, index, field, value):
        offset, form = self.segment_fields[field]
        return self.put(self.segments(wanted)[index] + offset, form, value)

    def dynamic_offset(self, tag):
        at = self.of_segment(self.segments(PT_DYNAMIC)[0], "p_offset")
        while True:
            found = self.get(at, self.word)
            if found == tag:
                return at
            if found == 0:
                raise KeyError(tag)
            at += 2 * self.word_bytes

    def dynamic(self, tag, value, new_tag=None):
        at = self.dynamic_offset(tag)
        self.put(at + self.word_bytes, self.word, value)
        if new_tag is not None:
            self.put(at, self.word, new_tag)
        return self

    def replace(self, old, new):
        assert len(old) == len(new) and old in self.data
        self.data = bytearray(bytes(self.data).replace(old, new))
        return self

    def cut(self, size):
        del self.data[size:]
        return self

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.data)
        return path
