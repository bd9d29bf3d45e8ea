"""Writes small x86-64 shared objects without a tool chain: thousands of them take a second. Each has a constructor
that takes a number from the program's `counter` and puts it into its place in the program's `order`, and defines
the symbols asked for (gABI ch. 4 and 5)."""
import struct

PT_LOAD, PT_DYNAMIC, PT_GNU_STACK = 1, 2, 0x6474e551
R, W, X = 4, 2, 1
NEEDED, HASH, STRTAB, SYMTAB, RELA, RELASZ, RELAENT, STRSZ, SYMENT, INIT, SONAME = 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14
R_64, HEADERS, PAGE = 1, 64 + 4 * 56, 0x1000
GLOBAL_OBJECT = 0x11


def constructor(at, slots, number):
    """incl *counter; order[number] = *counter. `slots` holds the two addresses."""
    code = b"\x48\x8b\x05" + struct.pack("<i", slots - (at + 7))             # mov counter@slot, %rax
    code += b"\xff\x00\x8b\x08"                                              # incl (%rax); mov (%rax), %ecx
    code += b"\x48\x8b\x05" + struct.pack("<i", slots + 8 - (at + len(code) + 7))
    return code + b"\x89\x88" + struct.pack("<i", 4 * number) + b"\xc3"      # mov %ecx, 4*number(%rax); ret


def library(soname, needed, number, defined=()):
    """The bytes of a library. Each symbol in `defined` is a word with the value `number`."""
    strings = bytearray(b"\0")

    def string(text):
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text) - 1
    names = [string(name) for name in needed]
    own = string(soname)
    symbols = [string(name) for name in ("counter", "order", *defined)]
    at_symbols = HEADERS
    at_hash = at_symbols + 24 * (1 + len(symbols))
    at_rela = at_hash + 4 * (3 + 1 + len(symbols)) + 4 & -8
    at_code = at_rela + 48
    at_strings = at_code + len(constructor(0, 0, 0))
    start = at_strings + len(strings) + 15 & -16          # of the part that is written to, in the file
    slots = start + PAGE                                  # and in memory
    section = [(NEEDED, name) for name in names]
    section += [(SONAME, own), (HASH, at_hash), (STRTAB, at_strings), (SYMTAB, at_symbols), (STRSZ, len(strings)),
                (SYMENT, 24), (RELA, at_rela), (RELASZ, 48), (RELAENT, 24), (INIT, at_code), (0, 0)]
    data = struct.pack("<QQQQ", 0, 0, number, 0) + b"".join(struct.pack("<QQ", *entry) for entry in section)
    out = bytearray(b"\x7fELF\x02\x01\x01" + bytes(9))
    out += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 4, 0, 0, 0)
    out += struct.pack("<IIQQQQQQ", PT_LOAD, R | X, 0, 0, 0, start, start, PAGE)
    out += struct.pack("<IIQQQQQQ", PT_LOAD, R | W, start, slots, 0, len(data), len(data), PAGE)
    out += struct.pack("<IIQQQQQQ", PT_DYNAMIC, R | W, start + 32, slots + 32, 0, len(data) - 32, len(data) - 32, 8)
    out += struct.pack("<IIQQQQQQ", PT_GNU_STACK, R | W, 0, 0, 0, 0, 0, 16)
    out += bytes(24)
    for index, name in enumerate(symbols):
        place = (0, 0, 0) if index < 2 else (2, slots + 16, 8)
        out += struct.pack("<IBBHQQ", name, GLOBAL_OBJECT, 0, *place)
    chain = [0] + [0] + list(range(1, len(symbols)))      # one bucket: the last symbol, then those before it
    out += struct.pack(f"<III{len(chain)}I", 1, len(chain), len(symbols), *chain)
    out += bytes(at_rela - len(out))
    for index in (0, 1):
        out += struct.pack("<QQq", slots + 8 * index, (1 + index) << 32 | R_64, 0)
    out += constructor(at_code, slots, number) + strings
    out += bytes(start - len(out))
    return bytes(out + data)
