#!/usr/bin/env python3
"""Every relocation type of x86-64 against every kind of symbol: one relocation of a library is rewritten, and the
program shows the words that it was to fill. The system's loader is the judge; where it dies of a signal or
fills in what cannot be right ours must say what is wrong."""
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
from elf_patch import File  # noqa: E402

DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ = 5, 6, 7, 8
PC32, WORD32, DTPMOD64, TPOFF64, SIZE32, SIZE64, TLSDESC, IRELATIVE = 2, 10, 16, 18, 32, 33, 36, 37
COPY = 5
SYMBOLS = ("ext", "own", "fun", "picked", "missing", "tls_ext", "tls_own", "tls_missing")
EXTERNAL = ("int ext = 1; __thread int tls_ext = 3; int fun(void) { return 4; } static int one(void) { return 6; }"
            "static void *choose(void) { return one; } int picked(void) __attribute__((ifunc(\"choose\")));")
LIBRARY = """
#include <stdio.h>
extern char __ehdr_start __attribute__((visibility("hidden")));
extern int ext; extern int missing __attribute__((weak)); extern int fun(void), picked(void);
extern __thread int tls_ext; extern __thread int tls_missing __attribute__((weak));
int own = 7; __thread int tls_own = 5;
unsigned long words[4] = {0x1111111122222222, 0x1111111122222222, 0x1111111122222222, 0x1111111122222222};
unsigned long *victim = (unsigned long *)&ext;
void *others[] = {&own, (void *)fun, (void *)picked, &missing};
int *tls(int n) { return n == 0 ? &tls_ext : n == 1 ? &tls_own : &tls_missing; }
static void show(int n, const char *name, unsigned long value) { printf("%d %s+%lx\\n", n, name, value); }
int show_words(void) {
  unsigned long base = (unsigned long)&__ehdr_start;
  for (int i = 0; i < 4; ++i) {
    unsigned long v = words[i];
    if (v - (unsigned long)&ext < 64) show(i, "ext", v - (unsigned long)&ext);
    else if (v - (unsigned long)&own < 64) show(i, "own", v - (unsigned long)&own);
    else if (v - base < 0x100000) show(i, "base", v - base);
    else show(i, "", v);
  }
  return 0;
}
"""


def address_free(outcome):
    """Words that hold an address, half of one, or a place in static TLS, and the entry of a TLS descriptor, which is
    code of the loader."""
    outcome.out = re.sub(r"(?<=\+)[0-9a-f]{8,}", "LARGE", outcome.out)
    outcome.out = re.sub(r"base\+[0-9a-f]{5}\b", "base+CODE", outcome.out)


def symbol_number(file, name):
    symbols, strings = (file.get(file.dynamic_offset(tag) + 8, "Q") for tag in (DT_SYMTAB, DT_STRTAB))
    for number in range(1, 1000):
        at = strings + file.get(symbols + 24 * number, "I")
        if bytes(file.data[at:file.data.index(b"\0", at)]) == name.encode():
            return number, file.get(symbols + 24 * number + 8, "Q")
    raise KeyError(name)


def build(c):
    c.library("libext.so", EXTERNAL)
    c.library("good.so", LIBRARY, "./libext.so", "-Wl,-soname,libb.so", "-Wl,-z,lazy", "-ftls-model=global-dynamic")
    os.symlink("good.so", "libb.so")
    c.compile("uses", "int show_words(void); int main(void) { return show_words(); }", "./libb.so", "-Wl,-rpath-link,.")
    os.unlink("libb.so")


def patched(kind, symbol, addend):
    """libb.so, whose relocation of `victim` became one of words[0]."""
    file = File("good.so")
    place = symbol_number(file, "words")[1]
    start, size = (file.get(file.dynamic_offset(tag) + 8, "Q") for tag in (DT_RELA, DT_RELASZ))
    ext = symbol_number(file, "ext")[0]
    victim = next(at for at in range(start, start + size, 24) if struct.unpack_from("<II", file.data, at + 8) == (1, ext))
    number = symbol_number(file, symbol)[0] if symbol else 0
    struct.pack_into("<QIIq", file.data, victim, place, kind, number, addend)
    file.write("libb.so")


def outside_thread_data(kind, symbol):
    return kind in (DTPMOD64, TPOFF64, TLSDESC) and symbol in ("ext", "own", "fun", "picked")


def crashes_in_glibc(kind, symbol):
    return kind in (SIZE32, SIZE64) and "missing" in symbol


def check(c, kind, symbol, addend, env):
    patched(kind, symbol, addend)
    what = f"type {kind} symbol {symbol or 'none'} addend {addend} {env}"
    if outside_thread_data(kind, symbol):  # glibc takes it
        outcome = c.run("candidate", ["{ld}", "./uses"], {"LD_LIBRARY_PATH": ".", **env})
        c.expect(outcome.status == 127 and "TLS symbol value is 0x" in outcome.err, f"{what}: {outcome}")
        return
    if crashes_in_glibc(kind, symbol):
        outcome = c.run("candidate", ["{ld}", "./uses"], {"LD_LIBRARY_PATH": ".", **env})
        word = "0 +4\n" if kind == SIZE64 else "0 +1111111100000004\n"
        if env == {}:
            c.expect(outcome.status == 0 and outcome.out.startswith(word), f"{what}: {outcome}")
        return
    outcome = c.same(["{ld}", "./uses"], {"LD_LIBRARY_PATH": ".", **env}, edit=address_free)
    c.expect(outcome.status >= 0, f"{what}: {outcome}")


def kinds(c):
    build(c)
    for kind in (*range(43), 0x7f, 0xff, 0x100, 0xffff):
        if kind == IRELATIVE:  # needs a resolver: lookup_test has those
            continue
        for symbol in ("", *SYMBOLS):
            if kind == COPY and symbol == "":
                continue
            check(c, kind, symbol, 4 if kind not in (TLSDESC, 6) else 0, {})
    for kind in (1, PC32, 6, 7, WORD32, TPOFF64, SIZE64):
        for symbol in ("ext", "own", "missing"):
            check(c, kind, symbol, -8, {"LD_BIND_NOW": "1"})


def listed(c):
    """ldd -r comes upon the types that nobody knows, too."""
    ldd = {"LD_LIBRARY_PATH": ".", "LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1"}
    for kind in (1, 3, 9, 38, 40, 0xff, 0x100):
        patched(kind, "ext", 0)
        for env in (ldd, {**ldd, "LD_BIND_NOW": "1"}):
            c.same(["{ld}", "./uses"], env)


def test(c):
    kinds(c)
    listed(c)


if __name__ == "__main__":
    comparison.main(test)
