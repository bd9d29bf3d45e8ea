#!/usr/bin/env python3
"""Shapes of files: how programs and libraries may be laid out, linked and patched. Each must run under our
loader as under the system's, directly and as its interpreter."""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

PT_LOAD, PT_DYNAMIC, PT_GNU_STACK, PT_NOTE = 1, 2, 0x6474E551, 4

LIBRARY = """
int data[5000] = {1, [4999] = 2};
int* pointers[300] = {&data[0], [299] = &data[4999]};
char zero[%(bss)d];
__attribute__((aligned(%(align)d))) int aligned_one = 3;
__attribute__((aligned(%(align)d))) char aligned_zero[64];
static int made; __attribute__((constructor)) static void make(void) { made += 10; }
const char text[] = "constant";
int sum(void) {
  int total = made; for (unsigned i = 0; i < sizeof zero; i += 4000) total += zero[i];
  zero[sizeof zero - 1] = 1;
  return total + *pointers[0] + *pointers[299] + aligned_one + aligned_zero[63] + text[0];
}
unsigned long misplaced(void) { return ((unsigned long)&aligned_one | (unsigned long)aligned_zero) & (%(align)d - 1); }
__thread __attribute__((aligned(64))) int in_thread = 21; __thread char more[5000];
int thread_sum(void) { return in_thread + more[4999] + (int)((unsigned long)&in_thread & 63); }
"""
MAIN = """#include <stdio.h>
int sum(void); unsigned long misplaced(void); int thread_sum(void); extern int data[5000];
static char big[%(bss)d]; __attribute__((aligned(%(align)d))) static int here = 5; __thread int mine = 4;
int (*table[])(void) = {sum, thread_sum};
int main(int argc, char** argv) {
  long used = 0; for (unsigned i = 0; i < sizeof big; i += 4096) used += big[i]++;
  printf("%%d %%lu %%d %%ld %%d %%d %%lu\\n", table[0](), misplaced(), table[1](), used, data[4999], mine,
         (unsigned long)&here & (%(align)d - 1));
  return argc;
}"""


class Elf:
    """Program headers and dynamic section of a file, to be read, changed and written back."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.data = bytearray(file.read())
        self.at, = struct.unpack_from("<Q", self.data, 32)
        self.count, = struct.unpack_from("<H", self.data, 56)

    def headers(self):
        return [list(struct.unpack_from("<IIQQQQQQ", self.data, self.at + 56 * i)) for i in range(self.count)]

    def set_headers(self, headers):
        for i, header in enumerate(headers):
            struct.pack_into("<IIQQQQQQ", self.data, self.at + 56 * i, *header)

    def dynamic(self):
        header = next(h for h in self.headers() if h[0] == PT_DYNAMIC)
        room = header[5] // 16
        entries = [struct.unpack_from("<qQ", self.data, header[2] + 16 * i) for i in range(room)]
        used = next(i for i, entry in enumerate(entries) if entry[0] == 0)
        return header[2], entries[:used], room

    def set_dynamic(self, entries):
        at, _, room = self.dynamic()
        assert len(entries) < room
        for i in range(room):
            struct.pack_into("<qQ", self.data, at + 16 * i, *(entries[i] if i < len(entries) else (0, 0)))

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.data)
        os.chmod(path, 0o755)


def run(c, program="./main", library="lib", env=None):
    c.same(["{ld}", program], {"LD_LIBRARY_PATH": library, **(env or {})})
    c.same(["{ld}", program], {"LD_LIBRARY_PATH": library, "LD_BIND_NOW": "1", **(env or {})})
    c.same(["{ld}", program], {"LD_LIBRARY_PATH": library, "LD_TRACE_LOADED_OBJECTS": "1"})


def pair(c, tag, library_options=(), main_options=(), bss=9000, align=32, interp=True):
    values = {"bss": bss, "align": align}
    os.makedirs("lib", exist_ok=True)
    c.library("lib/libshape.so", LIBRARY % values, *library_options)
    c.compile("main", MAIN % values, "lib/libshape.so", *main_options)
    run(c)
    if interp:
        c.program_for_each_side("main", MAIN % values, "lib/libshape.so", *main_options)
        c.same(["{side}/main"], {"LD_LIBRARY_PATH": "lib"})


def layouts(c):
    """What the static linker can lay out."""
    kinds = {"pie": ["-fPIE", "-pie"], "exec": ["-fno-pie", "-no-pie"]}
    styles = {"plain": [], "code": ["-Wl,-z,separate-code"], "nocode": ["-Wl,-z,noseparate-code"],
              "big": ["-Wl,-z,max-page-size=0x200000"], "huge": ["-Wl,-z,max-page-size=0x200000,-z,common-page-size=0x200000"],
              "small": ["-Wl,-z,max-page-size=0x1000"], "64k": ["-Wl,-z,max-page-size=0x10000"],
              "norelro": ["-Wl,-z,norelro"], "now": ["-Wl,-z,now"], "lazy": ["-Wl,-z,lazy"], "sysv": ["-Wl,--hash-style=sysv"],
              "relr": ["-Wl,-z,pack-relative-relocs"], "nocombreloc": ["-Wl,-z,nocombreloc"], "execstack": ["-Wl,-z,execstack"],
              "noplt": ["-fno-plt"], "tlsdesc": ["-mtls-dialect=gnu2"], "high": ["-Wl,-Ttext-segment=0x10000000"],
              "gap": ["-Wl,--section-start=.data=0x8000000"], "gold": ["-fuse-ld=gold"], "stripped": ["-s"]}
    for style, options in styles.items():
        for kind, more in kinds.items():
            if kind == "pie" and style == "high":
                continue
            pair(c, style + kind, [o for o in options if style != "high"], options + more)
    for bss, align in ((1, 8), (4096, 4096), (40000, 16384), (3000000, 2097152), (20000000, 64)):
        for more in kinds.values():
            pair(c, "bss%d" % bss, [], more, bss, align)
    # Text relocations, in a library and in a PIE; an IFUNC beside them.
    text = """int other = 2; int data = 3; int helper(int n) { return n + other; } const int* const place = &data;
static int one(void) { return 1; } static int (*choose(void))(void) { return one; }
int picked(void) __attribute__((ifunc("choose")));
int sum(void) { return helper(data) + *place + picked(); }"""
    main = '#include <stdio.h>\nint sum(void); int main(void) { printf("%d\\n", sum()); }'
    for options in (["-Wl,-z,notext"], ["-Wl,-z,notext,-z,now"]):
        c.library("lib/libtext.so", text, "-fno-PIC", "-mcmodel=large", *options)
        c.compile("main", main, "lib/libtext.so")
        run(c)
        c.compile("main", text + "\n" + main.replace("int sum(void);", ""), "-fno-pie", "-pie",
                  "-mcmodel=large", *options)
        run(c)


def tables(c):
    """Many relocations, symbols and needed libraries."""
    count = 6000
    text = "\n".join("int v%d = %d; int f%d(void) { return v%d; }" % (i, i % 7, i, i) for i in range(count))
    text += "\nint* data[] = {%s};\nint (*code[])(void) = {%s};" % (
        ",".join("&v%d" % i for i in range(count)), ",".join("f%d" % i for i in range(count)))
    text += "\nint total(void) { int t = 0; for (int i = 0; i < %d; ++i) t += *data[i] * 2 + code[i](); return t; }" % count
    main = "#include <stdio.h>\nint total(void), f3(void), v5; int main(void) { printf(\"%d %d\\n\", total(), f3()); }"
    os.makedirs("lib", exist_ok=True)
    for options in ([], ["-Wl,--hash-style=sysv"], ["-Wl,-z,pack-relative-relocs"], ["-Wl,-Bsymbolic"], ["-Wl,-z,nocombreloc"]):
        c.library("lib/libmany.so", text, "-O0", *options)
        c.compile("many", main, "lib/libmany.so", "-rdynamic")
        run(c, "./many")
    names = []
    for i in range(60):
        names.append(c.library("lib/libw%d.so" % i, "int w%d(void) { return %d; }" % (i, i), *names[-3:], "-Wl,-rpath-link,lib"))
    c.compile("wide", "#include <stdio.h>\n%s\nint main(void) { printf(\"%%d\\n\", %s); }" % (
        "\n".join("int w%d(void);" % i for i in range(60)), "+".join("w%d()" % i for i in range(60))), *names, "-Wl,-rpath-link,lib")
    run(c, "./wide")


def patched(c):
    """What no linker here writes but the specification allows, or what tools leave behind."""
    pair(c, "base", [], ["-fPIE", "-pie"], interp=False)
    sources = {"lib/libshape.so": "out/libshape.so", "main": "out/main"}
    os.makedirs("out", exist_ok=True)

    def change(which, edit, expected=None):
        for source, target in sources.items():
            elf = Elf(source)
            if source == which or which == "both":
                edit(elf)
            elf.write(target)
        if expected is None:
            run(c, "./out/main", "out")
            return
        ours = c.run("candidate", ["{ld}", "./out/main"], {"LD_LIBRARY_PATH": "out"})
        c.expect(expected(ours), "%s of %s: %s" % (edit.__name__, which, ours))

    def reverse_loads(elf):
        headers = elf.headers()
        loads = [h for h in headers if h[0] == PT_LOAD][::-1]
        elf.set_headers([loads.pop(0) if h[0] == PT_LOAD else h for h in headers])

    def drop(kind):
        def edit(elf):
            elf.set_headers([h if h[0] != kind else [0] + h[1:] for h in elf.headers()])
        return edit

    def dynamic_first(elf):
        headers = elf.headers()
        headers.sort(key=lambda h: 0 if h[0] == 6 else 1 if h[0] == 3 else 2 if h[0] == PT_DYNAMIC else 3)
        elf.set_headers(headers)

    def reverse_tags(elf):
        _, entries, _ = elf.dynamic()
        needed = [e for e in entries if e[0] == 1]
        elf.set_dynamic([e for e in entries if e[0] != 1][::-1] + needed)

    def unknown_tags(elf):
        _, entries, room = elf.dynamic()
        free = room - len(entries) - 1
        odd = [(0x6000000F, 1), (0x7FFFFFF0, 2), (0x60000010, 3), (35, 0), (0x12345678, 4)][:max(0, free)]
        elf.set_dynamic(odd[:2] + entries + odd[2:])

    def no_tag(*tags):
        def edit(elf):
            _, entries, _ = elf.dynamic()
            elf.set_dynamic([e for e in entries if e[0] not in tags])
        return edit

    def set_tag(tag, value):
        def edit(elf):
            _, entries, _ = elf.dynamic()
            elf.set_dynamic([(t, value(v)) if t == tag else (t, v) for t, v in entries])
        return edit

    def align(value):
        def edit(elf):
            elf.set_headers([h[:7] + [value] if h[0] == PT_LOAD else h for h in elf.headers()])
        return edit

    edits = {"dynamic first": dynamic_first, "no stack header": drop(PT_GNU_STACK), "no notes": drop(PT_NOTE),
             "no relro": drop(0x6474E552), "no property": drop(0x6474E553), "no eh_frame": drop(0x6474E550),
             "reversed tags": reverse_tags, "unknown tags": unknown_tags, "no relacount": no_tag(0x6FFFFFF9),
             "no debug": no_tag(21), "no flags": no_tag(30, 0x6FFFFFFB), "no versions": no_tag(0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF, 0x6FFFFFFC, 0x6FFFFFFD),
             "no soname": no_tag(14), "relacount zero": set_tag(0x6FFFFFF9, lambda v: 0), "relacount one": set_tag(0x6FFFFFF9, lambda v: 1),
             "align 0": align(0), "align 1": align(1), "align 8": align(8), "align 64k": align(0x10000)}
    # Two differences on purpose: segments in any order are sorted, where glibc says that it cannot map; an
    # alignment that is none is refused and named, where glibc takes it for a mask.
    change("lib/libshape.so", reverse_loads, lambda o: (o.status, o.out) == (1, "115 0 21 0 2 4 0\n"))
    change("main", reverse_loads, lambda o: (o.status, o.out) == (1, "115 0 21 0 2 4 0\n"))
    for which in ("lib/libshape.so", "main"):
        change(which, align(3), lambda o: o.status == 127 and "p_align" in o.err and not o.out)
    for edit in edits.values():
        for which in ("lib/libshape.so", "main", "both"):
            change(which, edit)


def stacks(c):
    """Executable stacks asked for by the program or a library, seen in the process."""
    main = """#include <stdio.h>
#include <string.h>
int mark(void);
int main(void) {
  FILE* maps = fopen("/proc/self/maps", "r"); char line[512];
  while (fgets(line, sizeof line, maps)) if (strstr(line, "[stack]")) printf("%.4s\\n", strchr(line, ' ') + 1);
  return mark();
}"""
    os.makedirs("lib", exist_ok=True)
    for library in ("execstack", "noexecstack"):
        for program in ("execstack", "noexecstack"):
            c.library("lib/libmark.so", "int mark(void) { return 0; }", "-Wl,-z," + library)
            c.program_for_each_side("stack", main, "lib/libmark.so", "-Wl,-z," + program)
            c.same(["{side}/stack"], {"LD_LIBRARY_PATH": "lib"})


def ends(c):
    """Constructors of all kinds and their order in one object; a program without libc; a static one."""
    c.library("libends.so", """#include <unistd.h>
static void say(const char* t) { write(1, t, 2); }
void _init_here(void) { say("i "); } void _fini_here(void) { say("f "); }
__attribute__((constructor(101))) static void a(void) { say("a "); }
__attribute__((constructor)) static void b(int n, char** v, char** e) { say(n > 0 && v[0] && e ? "b " : "- "); }
__attribute__((destructor)) static void d(void) { say("d "); }
__attribute__((destructor(101))) static void x(void) { say("x "); }
int ends(void) { return 0; }""", "-Wl,-init,_init_here,-fini,_fini_here")
    c.compile("ends", "int ends(void); int main(void) { return ends(); }", "./libends.so")
    c.same(["{ld}", "./ends"], {"LD_LIBRARY_PATH": "."})
    c.same(["{ld}", "./ends"], {"LD_PRELOAD": "./libends.so"})
    bare = """__attribute__((naked)) void _start(void) {
  __asm__("mov $1,%eax; mov $1,%edi; lea text(%rip),%rsi; mov $5,%edx; syscall; mov $231,%eax; mov $7,%edi; syscall; text: .ascii \\"bare\\\\n\\"");
}"""
    for options in (["-pie"], ["-no-pie"], ["-pie", "-Wl,--no-as-needed", "./libbare.so"]):
        c.library("libbare.so", "int bare = 1;", "-nostdlib")
        c.compile("bare", bare, "-nostdlib", "-Wl,--dynamic-linker=/lib64/ld-linux-x86-64.so.2", *options)
        c.same(["{ld}", "./bare"], {"LD_LIBRARY_PATH": "."})
    for options in (["-static"], ["-static-pie"]):
        c.compile("alone", '#include <stdio.h>\nint main(void) { puts("alone"); return 4; }', *options)
        c.same(["{ld}", "./alone"])


CASES = (layouts, tables, patched, stacks, ends)


if __name__ == "__main__":
    comparison.run_cases(CASES)
