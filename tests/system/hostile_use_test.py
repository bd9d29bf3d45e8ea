#!/usr/bin/env python3
"""What happens to a damaged object after it was accepted: who asks for its headers, symbols, filtees and functions
later must get an answer or an error, and the loader must call nothing that is no code."""
import os
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from elf_patch import PT_DYNAMIC, PT_LOAD, PT_TLS, File  # noqa: E402
from loader import OURS, libc_path  # noqa: E402

NEEDED, STRTAB, SYMTAB, RELA, RELASZ = 1, 5, 6, 7, 8
STACK, EH_FRAME = 0x6474e551, 0x6474e550
RELATIVE, ABSOLUTE_SECTION = 8, 0xfff1
LIBRARY = r'''
int value = 5, *address = &value;
int asked(void) { return *address; }
'''
# dlopen, then all that walks over the object; "goes on" at the end whatever was refused.
OPENER = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
static int each(struct dl_phdr_info *info, size_t size, void *types) {
  for (int i = 0; i < info->dlpi_phnum; ++i) *(long *)types += info->dlpi_phdr[i].p_type;
  return 0;
}
int main(int argc, char **argv) {
  long types = 1;
  for (int i = 1; i < argc; ++i) {
    void *handle = dlopen(argv[i], RTLD_NOW);
    if (!handle) { printf("%s\n", dlerror()); continue; }
    Dl_info nearest;
    struct link_map *map = handle;
    void *found = dlsym(handle, "asked");
    printf("%s\n", found ? "found" : dlerror());
    for (char *at = (char *)map->l_ld - 0x1000; at < (char *)map->l_ld; at += 64)
      if (dladdr(at, &nearest) && nearest.dli_sname) types += strlen(nearest.dli_sname);
    if (found && dladdr(found, &nearest) && nearest.dli_sname) types += strlen(nearest.dli_sname);
    dl_iterate_phdr(each, &types);
  }
  puts(types && dlopen("libm.so.6", RTLD_NOW) ? "goes on" : "broken");
  return 0;
}
'''
AUDITOR = r'''
#define _GNU_SOURCE
#include <link.h>
int data[4] = {1};
unsigned la_version(unsigned version) { return version; }
unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie) { return LA_FLG_BINDTO | LA_FLG_BINDFROM; }
void la_preinit(uintptr_t *cookie) {}
Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to, La_x86_64_regs *registers,
                                  unsigned *flags, const char *name, long *frame) { *frame = 64; return symbol->st_value; }
'''
CALLER = "int asked(void); int main(void) { return asked() == 5 ? 0 : 1; }"
EXPECTED = b"an address in an executable segment"
failures = []


def gcc(output, source, *options):
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-w", "-o", output, *options], input=source, text=True, check=True)


def run(what, command, status, says, env=None, limits=None):
    variables = {"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_HINTS": "0", **(env or {})}
    try:
        done = subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=60, preexec_fn=limits)
    except subprocess.TimeoutExpired:
        failures.append(what)
        print(f"FAILED: {what}: hangs")
        return
    if done.returncode != status or says not in done.stdout:
        failures.append(what)
        print(f"FAILED: {what}: status {done.returncode}, {done.stdout[-300:]}")


def opened(what, *paths, says=b"found", env=None):
    run(what, [OURS, "./opener", *paths], 0, says, env)
    run(what, [OURS, "./opener", *paths], 0, b"goes on", env)


def address_of(file, tag):
    return file.get(file.dynamic_offset(tag) + 8, "Q")


def definitions(file, name):
    """Offsets of its entries, one for each version, in a file whose first segments lie as in memory."""
    names = address_of(file, STRTAB)
    for at in range(address_of(file, SYMTAB), names - 23, 24):
        start = names + file.get(at, "I")
        if file.data[start:start + len(name) + 1] == name + b"\0" and file.get(at + 6, "H"):
            yield at


def value_of(file, name):
    return file.get(next(definitions(file, name)) + 8, "Q")


def define(file, name, value):
    for at in definitions(file, name):
        file.put(at + 8, "Q", value)
    return file


def relocate_section(file, tag, addend):
    """Turns the last relative relocation into one of the word that the tag has."""
    section = file.segments(PT_DYNAMIC)[0]
    word = file.dynamic_offset(tag) + 8 - file.get(section + 8, "Q") + file.get(section + 16, "Q")
    start = address_of(file, RELA)
    entry = [at for at in range(start, start + address_of(file, RELASZ), 24) if file.get(at + 8, "Q") == RELATIVE][-1]
    file.put(entry, "Q", word).put(entry + 16, "Q", addend)


def test_unreadable_headers():
    """The first segment that holds the program headers is one that nobody may read."""
    gcc("whole.so", LIBRARY, "-shared", "-fPIC", "-Wl,-Ttext-segment=0x200000")
    for flags in (0, 1):
        file = File("whole.so")
        file.put(file.segments(STACK)[0], "I", PT_LOAD)
        for field, value in {"flags": flags, "offset": 0, "vaddr": 0, "filesz": 0x400, "memsz": 0x400, "align": 0x1000}.items():
            file.segment(PT_LOAD, -1, "p_" + field, value)
        opened(f"headers in a segment with flags {flags}", file.write("./damaged.so"))


def test_needs_read_again():
    """Objects with filtees are walked anew for each list that they get into."""
    gcc("filtee.so", "int behind;", "-shared", "-fPIC", "-Wl,-soname,filtee.so")
    gcc("whole.so", LIBRARY, "-shared", "-fPIC", "-Wl,-f,filtee.so", "-Wl,-soname,./damaged.so", "-Wl,--no-as-needed")
    file = File("whole.so")
    relocate_section(file, NEEDED, 0)
    file.write("damaged.so")
    gcc("user.so", "int user;", "-shared", "-fPIC", "-Wl,--no-as-needed", "./damaged.so")
    opened("needs of an object with filtees", "./damaged.so", "./user.so", says=b"DT_NEEDED is", env={"LD_LIBRARY_PATH": "."})


def test_section_relocated():
    """dladdr finds its tables by the dynamic section, which relocations can reach."""
    for hash_style in ("gnu", "sysv"):
        gcc("whole.so", LIBRARY, "-shared", "-fPIC", "-Wl,--hash-style=" + hash_style)
        for tag in (STRTAB, SYMTAB, 4, 10, 0x6ffffef5):
            for addend in (0x7ffffff000, 8):
                file = File("whole.so")
                try:
                    relocate_section(file, tag, addend)
                except KeyError:
                    continue
                opened(f"tag {tag:#x} relocated, {hash_style}", file.write("./damaged.so"))


def test_unwinding_table():
    gcc("whole.so", LIBRARY, "-shared", "-fPIC")
    for value in (0xdead000, 1 << 40, (1 << 64) - 8):
        file = File("whole.so").segment(EH_FRAME, 0, "p_vaddr", value)
        opened("unwinding table", file.write("./damaged.so"), says=b"damaged.so: PT_GNU_EH_FRAME p_vaddr is")


def test_absolute_resolver():
    """libc calls the resolver of what dlsym finds."""
    gcc("whole.so", 'static int real(void) { return 5; } static void *resolve(void) { return real; } '
        'int asked(void) __attribute__((ifunc("resolve")));', "-shared", "-fPIC")
    file = File("whole.so")
    file.put(next(definitions(file, b"asked")) + 6, "H", ABSOLUTE_SECTION)
    opened("absolute resolver", file.write("./damaged.so"), says=b"damaged.so: st_value is")


def test_own_symbol_without_definition():
    """A reference that its object keeps to itself: nobody else may define it, and the object does not."""
    gcc("whole.so", "int puts(const char *); int asked(void) { return puts(\"\"); }", "-shared", "-fPIC")
    whole = File("whole.so")
    names = address_of(whole, STRTAB)
    puts = next(at for at in range(address_of(whole, SYMTAB), names, 24) if whole.data[names + whole.get(at, "I"):].startswith(b"puts\0"))
    for field, value in ((4, 0x02), (5, 1), (5, 2)):  # local, internal, hidden
        opened("undefined symbol of its own", File("whole.so").put(puts + field, "B", value).write("./damaged.so"),
               says=b"damaged.so: undefined symbol: puts")


def test_functions_of_auditors():
    gcc("auditor.so", AUDITOR, "-shared", "-fPIC")
    for name in (b"la_version", b"la_objopen", b"la_preinit", b"la_x86_64_gnu_pltenter"):
        for value in (1, value_of(File("auditor.so"), b"data")):
            define(File("auditor.so"), name, value).write("damaged.so")
            run(f"{name} at {value:#x}", [OURS, "/bin/true"], 0, b"damaged.so' cannot be loaded as audit interface: st_value is",
                {"LD_AUDIT": "./damaged.so"})


def test_watched_call():
    """Where an auditor wants to see calls, the loader makes them."""
    gcc("auditor.so", AUDITOR, "-shared", "-fPIC")
    gcc("libasked.so", LIBRARY, "-shared", "-fPIC", "-Wl,-soname,libasked.so")
    gcc("caller", CALLER, "./libasked.so", "-Wl,-z,lazy", "-Wl,-rpath,.", "-fcf-protection=none")
    run("watched call", [OURS, "./caller"], 0, b"", {"LD_AUDIT": "./auditor.so"})
    file = File("libasked.so")
    define(file, b"asked", value_of(file, b"value")).write("libasked.so")
    run("watched call of data", [OURS, "./caller"], 127, EXPECTED, {"LD_AUDIT": "./auditor.so"})


def test_functions_of_libc():
    os.makedirs("libc", exist_ok=True)
    gcc("copier", '#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n'
        'int main(void) { puts(dlmopen(LM_ID_NEWLM, "libc/libc.so.6", RTLD_NOW) ? "opened" : dlerror()); return 0; }')
    for name in (b"__libc_early_init", b"pthread_mutex_lock", b"pthread_mutex_unlock", b"pthread_mutex_trylock", b"malloc", b"free"):
        define(File(libc_path()), name, 8).write("libc/libc.so.6")
        run(f"{name} is no code", [OURS, "/bin/true"], 127, b"libc/libc.so.6: ", {"LD_LIBRARY_PATH": "libc"})
        if name == b"__libc_early_init":
            run(f"{name} of a copy", [OURS, "./copier"], 0, b"libc/libc.so.6: __libc_early_init is 0x8")


def test_plan_cut_off():
    """--diff-env reads what its children wrote, who may have been ended in the middle of a line."""
    for bytes_ in (1, 4096, 8192):
        run(f"plan of {bytes_} bytes", [OURS, "--diff-env", "LD_BIND_NOW=1", sys.executable], 0, b"does not start",
            limits=lambda room=bytes_: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))


def test_pipe_without_reader():
    """What the loader writes for the user must not wait for somebody to read it."""
    os.mkfifo("pipe")
    run("graph into a pipe", [OURS, "--graph", "pipe", "/bin/true"], 1, b"cannot create pipe")
    run("timeline into a pipe", [OURS, "--trace", "pipe", "/bin/true"], 0, b"")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE)
    with open("pipe", "w"):  # both are there from here on
        run("graph into a pipe with a reader", [OURS, "--graph", "pipe", "/bin/true"], 0, b"")
    if b"</html>" not in reader.communicate()[0]:
        failures.append("graph read")
    os.unlink("pipe")


def test_wide_storage():
    """Thread-local data with much room or a large alignment: only what is used may take memory."""
    gcc("libwide.so", "__thread int local = 5, zeros[100]; int asked(void) { return local + zeros[99]++; }", "-shared", "-fPIC",
        "-Wl,-soname,libwide.so")
    File("libwide.so").write("whole-wide.so")
    gcc("late", '#include <dlfcn.h>\n#include <stdio.h>\n#include <sys/resource.h>\nint main(int argc, char **argv) {'
        ' int (*asked)(void) = dlsym(dlopen("./libwide.so", RTLD_NOW), "asked"); struct rusage use;'
        ' int right = asked() == 5; getrusage(RUSAGE_SELF, &use); printf("%d %d\\n", right, use.ru_maxrss < 200 << 10); return 0; }')
    whole = File("libwide.so")
    whole.segment(PT_TLS, 0, "p_align", 1 << 30).write("libwide.so")
    run("large alignment", [OURS, "./late"], 0, b"1 1")
    whole.segment(PT_TLS, 0, "p_align", 8).segment(PT_TLS, 0, "p_memsz", 1 << 30).write("libwide.so")
    gcc("early", "#include <sys/resource.h>\nint asked(void); int main(void) { struct rusage use;"
        " if (asked() != 5) return 1; getrusage(RUSAGE_SELF, &use); return use.ru_maxrss < 200 << 10 ? 0 : 2; }",
        "whole-wide.so", "-Wl,-rpath,.")
    run("much room", [OURS, "./early"], 0, b"")


def main():
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        gcc("opener", OPENER)
        for name, test in sorted(globals().items()):
            if name.startswith("test_"):
                before = len(failures)
                test()
                print(f"{name}: {'ok' if len(failures) == before else 'FAILED'}", flush=True)
        os.chdir("/")
    sys.exit(1 if failures else 0)


main()
