"""Changes single fields of an ELF64 file (gABI ch. 4 and 5)."""
import struct

HEADER = {"ei_mag0": (0, "B"), "ei_class": (4, "B"), "ei_data": (5, "B"), "ei_version": (6, "B"),
          "ei_osabi": (7, "B"), "ei_abiversion": (8, "B"), "ei_pad": (9, "B"), "e_type": (16, "H"),
          "e_machine": (18, "H"), "e_version": (20, "I"), "e_entry": (24, "Q"), "e_phoff": (32, "Q"),
          "e_phentsize": (54, "H"), "e_phnum": (56, "H")}
SEGMENT = {"p_type": (0, "I"), "p_flags": (4, "I"), "p_offset": (8, "Q"), "p_vaddr": (16, "Q"),
           "p_filesz": (32, "Q"), "p_memsz": (40, "Q"), "p_align": (48, "Q")}
PT_LOAD, PT_DYNAMIC, PT_TLS = 1, 2, 7


class File:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = bytearray(file.read())

    def get(self, offset, form):
        return struct.unpack_from("<" + form, self.data, offset)[0]

    def put(self, offset, form, value):
        struct.pack_into("<" + form, self.data, offset, value)
        return self

    def header(self, field, value):
        return self.put(*HEADER[field], value)

    def segments(self, wanted):
        start, count = self.get(32, "Q"), self.get(56, "H")
        return [start + 56 * i for i in range(count) if self.get(start + 56 * i, "I") == wanted]

    def segment(self, wanted, index, field, value):
        offset, form = SEGMENT[field]
        return self.put(self.segments(wanted)[index] + offset, form, value)

    def dynamic_offset(self, tag):
        at = self.get(self.segments(PT_DYNAMIC)[0] + 8, "Q")
        while True:
            found = self.get(at, "Q")
            if found == tag:
                return at
            if found == 0:
                raise KeyError(tag)
            at += 16

    def dynamic(self, tag, value, new_tag=None):
        at = self.dynamic_offset(tag)
        self.put(at + 8, "Q", value)
        if new_tag is not None:
            self.put(at, "Q", new_tag)
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
