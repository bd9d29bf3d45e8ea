#!/usr/bin/env python3
"""Rules of docs/conformance.md that no other test shows: one small function for each, the system's loader
being the judge where nothing else is said."""
import json
import os
import re
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
from elf_patch import PT_LOAD, File  # noqa: E402

DT_RELA, DT_RELASZ, DT_JMPREL, DT_VERNEED, DT_VERDEF = 7, 8, 23, 0x6ffffffe, 0x6ffffffc
HERE_FIRST = {"LD_LIBRARY_PATH": "."}
OPENS = '''
#include <dlfcn.h>
#include <stdio.h>
int main(int n, char **v) {
  for (int i = 1; i < n; ++i) { void *h = dlopen(v[i], RTLD_LAZY); puts(h ? "opened" : dlerror()); fflush(stdout); }
  return 0; }
'''


def elf_hash(name):
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        value = (value ^ (value >> 24 & 0xf0)) & 0x0fffffff
    return value


def opened_and_needed(c, library, preload=True):
    """As a needed library, through dlopen, and preloaded. The program ./uses needs libpart.so. Where the
    reference ends the program for a bad preload (preload=False) ours leaves the preload out and says so."""
    shutil.copy(library, "libpart.so")
    for command in (["./uses"], ["./opens", "./libpart.so"], ["--list", "./uses"]):
        outcome = c.same(["{ld}", *command], HERE_FIRST)
        c.expect(outcome.status >= 0, f"{library}: {outcome}")
    if preload:
        c.same(["{ld}", "./opens"], {"LD_PRELOAD": "./libpart.so"})
        return
    outcome = c.run("candidate", ["{ld}", "./opens"], {"LD_PRELOAD": "./libpart.so"})
    c.expect(outcome.status == 0 and "from LD_PRELOAD cannot be preloaded (" in outcome.err, f"{library}: {outcome}")


def test_files(c):
    """Single checks on a file (section 6)."""
    c.library("part.so", "int part(void) { return 3; } int twice(void); int more(void) { return twice(); }", "-Wl,-soname,libpart.so",
              "-Wl,-z,lazy", c.library("libtwice.so", "int twice(void) { return 2; }"))
    shutil.copy("part.so", "libpart.so")
    c.compile("uses", "int part(void); int main(void) { return part(); }", "./libpart.so", "-Wl,-rpath-link,.")
    c.compile("opens", OPENS)
    opened_and_needed(c, "part.so")
    c.library("noopen.so", "int part(void) { return 3; }", "-Wl,-soname,libpart.so", "-Wl,-z,nodlopen")
    opened_and_needed(c, "noopen.so")
    # Nor as a dependency of what is opened, unless it is there already.
    c.library("needs.so", "int part(void); int need(void) { return part(); }", "./libpart.so")
    for env in (HERE_FIRST, {**HERE_FIRST, "LD_PRELOAD": "./needs.so"}, {**HERE_FIRST, "LD_PRELOAD": "./libpart.so"}):
        outcome = c.same(["{ld}", "./opens", "./needs.so"], env)
        c.expect(("opened" in outcome.out) == ("LD_PRELOAD" in env), f"{env}\n{outcome}")
    c.library("stack.so", "int part(void) { return 3; }", "-Wl,-soname,libpart.so", "-Wl,-z,execstack")
    opened_and_needed(c, "stack.so")
    file = File("part.so")
    opened_and_needed(c, file.put(file.get(file.dynamic_offset(DT_JMPREL) + 8, "Q") + 8, "I", 200).write("badplt.so"))
    File("part.so").segment(PT_LOAD, -1, "p_memsz", 1 << 46).write("huge.so")
    opened_and_needed(c, "huge.so")
    # A version table of an unknown kind. The tables lie in the first segment, where offset and address are equal.
    c.library("versioned.so", "int part(void) { return 3; }", script(c, "one.map", "V_1 { global: part; };"), "-Wl,-soname,libpart.so",
              "-Wl,--no-as-needed", "-lc")
    file = File("versioned.so")
    file.put(file.get(file.dynamic_offset(DT_VERNEED) + 8, "Q"), "H", 7).write("badversion.so")
    opened_and_needed(c, "badversion.so", preload=False)
    # The reference looks at this one only when somebody needs a version of it.
    file = File("versioned.so")
    shutil.copy(file.put(file.get(file.dynamic_offset(DT_VERDEF) + 8, "Q"), "H", 7).write("badversion.so"), "libpart.so")
    outcome = c.run("candidate", ["{ld}", "./uses"], HERE_FIRST)
    c.expect(outcome.status == 127 and "./libpart.so: unsupported version 7 of Verdef record" in outcome.err, str(outcome))


def script(c, name, text):
    with open(name, "w") as file:
        file.write(text)
    return "-Wl,--version-script=" + name


def test_overflow(c):
    """A 64-bit word of a library made a 32-bit one, against a symbol far away."""
    c.library("libpart.so", "int value; int part(void) { return 3; }")
    for name, kind in (("R_X86_64_32", 10), ("R_X86_64_PC32", 2)):
        c.library("wide.so", "extern int value; int *word = &value;", "-Wl,-soname,libwide.so", "./libpart.so")
        file = File("wide.so")
        start, size = (file.get(file.dynamic_offset(tag) + 8, "Q") for tag in (DT_RELA, DT_RELASZ))
        for at in range(start, start + size, 24):
            if file.get(at + 8, "I") == 1:  # R_X86_64_64
                file.put(at + 8, "I", kind)
        file.write("libwide.so")
        # The program at a low address has the only copy of the symbol: far for one kind, near for the other.
        main = "int part(void); extern int value; int main(void) { return part() + %s; }"
        c.compile("high", main % 0, "-Wl,--no-as-needed", "./wide.so", "./libpart.so")
        c.compile("low", main % "value", "-no-pie", "-fno-pie", "-Wl,--no-as-needed", "./wide.so", "./libpart.so")
        for program, overflows in (("./high", kind == 10), ("./low", kind == 2)):
            outcome = c.same(["{ld}", program], HERE_FIRST)
            said = f"Symbol `value' causes overflow in {name} relocation" in outcome.err
            c.expect(outcome.status == 3 and said == overflows, f"{name} {program}: {outcome}")
        c.same(["{ld}", "./opens", "./libwide.so"], HERE_FIRST)


def test_relr_marker(c):
    c.library("packed.so", "int a; int *table[40] = {&a}; static int s; int *own[40] = {&s, &s, &s}; int part(void) { return *own[2]; }"
              "int getpid(void); int pid(void) { return getpid(); }", "-Wl,-soname,libpart.so", "-Wl,-z,pack-relative-relocs")
    opened_and_needed(c, "packed.so")
    marker, other = "GLIBC_ABI_DT_RELR", "GLIBC_2.2.5"
    file = File("packed.so").replace(marker.encode() + b"\0", other.encode().ljust(len(marker) + 1, b"\0"))
    file.replace(struct.pack("<I", elf_hash(marker)), struct.pack("<I", elf_hash(other))).write("unmarked.so")
    opened_and_needed(c, "unmarked.so", preload=False)
    c.expect("DT_RELR without" in c.run("candidate", ["{ld}", "./uses"], HERE_FIRST).err, "DT_RELR without its marker")


def test_isa_level(c):
    """The last property word of a note is the level that a file needs; no processor has bit 20."""
    source = "int part(void) { return 3; }"
    c.library("level.so", source, "-Wl,-soname,libpart.so", "-Wl,-z,x86-64-v2")
    c.compile("level", "int main(void) { return 3; }", "-Wl,-z,x86-64-v2")
    for name in ("level.so", "level"):
        header = struct.pack("<II", 0xc0008002, 4)
        file = File(name)
        at = file.data.find(header)
        file.put(at + 8, "I", 1 << 20).write("high-" + name)
        os.chmod("high-" + name, 0o755)
    opened_and_needed(c, "level.so")
    opened_and_needed(c, "high-level.so", preload=False)
    c.same(["{ld}", "./level"])
    c.same(["{ld}", "./high-level"])
    c.expect("CPU ISA level is lower than required" in c.run("candidate", ["{ld}", "./high-level"]).err, "ISA level of the program")


def test_lost_symbol_with_version(c):
    c.library("libver.so", "int gone(void) { return 1; } int there(void) { return 2; }", script(c, "v.map", "V_1 { global: gone; there; };"))
    for style in ("lazy", "now"):
        c.compile("version-" + style, "int gone(void), there(void); int main(void) { return gone() + there(); }", "./libver.so", "-Wl,-z," + style)
    c.library("libver.so", "int there(void) { return 2; }", script(c, "v.map", "V_1 { global: there; };"))
    for style in ("lazy", "now"):
        outcome = c.same(["{ld}", "./version-" + style], HERE_FIRST)
        c.expect("undefined symbol: gone, version V_1" in outcome.err and outcome.status == 127, str(outcome))


def test_version_hash_zero(c):
    """A version name whose hash is 0 is a version like any other. 2.36 takes a reference to it for one without
    a version (glibc bug 29190)."""
    name = "P" * 12
    assert elf_hash(name) == 0
    c.library("libzero.so", "int old(void) { return 4; } int new(void) { return 5; }"
              f'__asm__(".symver old,fun@V_1"); __asm__(".symver new,fun@@{name}");', "-O0",
              script(c, "zero.map", f"V_1 {{ global: fun; }}; {name} {{ global: fun; }} V_1;"))
    c.compile("zero", "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\nint fun(void); typedef int (*F)(void);\nint main(void) {"
              f'F f = (F)dlvsym(RTLD_DEFAULT, "fun", "{name}"), g = (F)dlvsym(RTLD_DEFAULT, "fun", "V_1"), h = (F)dlsym(RTLD_DEFAULT, "fun");'
              'printf("%d %d %d %d\\n", fun(), f ? f() : -1, g ? g() : -1, h ? h() : -1); return 0; }', "./libzero.so")
    c.same(["{ld}", "./zero"], {**HERE_FIRST, "LD_TRACE_LOADED_OBJECTS": "1", "LD_VERBOSE": "1"})
    for env in ({}, {"LD_BIND_NOW": "1"}):
        outcome = c.run("candidate", ["{ld}", "./zero"], {**HERE_FIRST, **env})
        c.expect(outcome.out == "5 5 4 5\n", f"a version of hash 0: {outcome}")
    c.library("libzero.so", "int fun(void) { return 4; }", script(c, "zero.map", "V_1 { global: fun; };"))
    outcome = c.same(["{ld}", "./zero"], HERE_FIRST)
    c.expect(f"version `{name}' not found" in outcome.err, str(outcome))


def test_protected_without_copies(c):
    """A library that forbids copies of its data (GNU_PROPERTY_1_NEEDED_INDIRECT_EXTERN_ACCESS)."""
    source = ('__attribute__((visibility("protected"))) int thing = 4; __attribute__((visibility("protected"))) int who(void) { return 1; }'
              "int *where(void) { return &thing; } int (*address(void))(void) { return who; }")
    main = '''#include <stdio.h>
extern int thing; int who(void); int *where(void); int (*address(void))(void); int (*taken)(void) = %s;
int main(void) { printf("%%d %%d\\n", *where() + %s, taken == 0 || address() == taken); }'''
    c.library("libguard.so", source.replace("protected", "default"))
    c.compile("copies-data", main % ("0", "thing"), "./libguard.so", "-no-pie", "-fno-pie")
    c.compile("takes-function", main % ("who", "0"), "./libguard.so", "-no-pie", "-fno-pie")
    for options in ([], ["-mno-direct-extern-access"]):
        c.library("libguard.so", source, *options)
        for program in ("./copies-data", "./takes-function"):
            for env in ({}, {"LD_BIND_NOW": "1"}):
                c.same(["{ld}", program], {**HERE_FIRST, **env})


def test_first_and_interposed_functions(c):
    """DT_PREINIT_ARRAY; a constructor that other objects interpose (section 10)."""
    for name in "xyz":
        c.library(f"lib{name}.so", '#include <unistd.h>\nvoid c(void) { write(1, "%s\\n", 2); }\n'
                  '__attribute__((section(".init_array"))) void (*entry)(void) = c;' % name)
    source = '''#include <unistd.h>
static void first(int n, char **v, char **e) { write(1, n > 0 && v[0] && e ? "preinit\\n" : "wrong\\n", 8); }
__attribute__((section(".preinit_array"), used)) static void (*entry)(int, char **, char **) = first;
int main(void) { write(1, "main\\n", 5); return 0; }'''
    c.compile("first", source, "-Wl,--no-as-needed", "./libx.so", "./liby.so", "./libz.so")
    c.program_for_each_side("first", source, "-Wl,--no-as-needed", "./libx.so", "./liby.so", "./libz.so")
    for command in (["{ld}", "./first"], ["{side}/first"]):
        c.same(command, HERE_FIRST)
        c.same(command, {**HERE_FIRST, "LD_PRELOAD": "libz.so"})


def test_tokens_of_filtees(c):
    os.makedirs("sub", exist_ok=True)
    c.library("sub/libreal.so", "int one(void) { return 1; }")
    for letter in "fF":
        c.library("libfilter.so", "int one(void) { return 7; }", "-Wl,-%s,$ORIGIN/sub/libreal.so" % letter)
        c.compile("filtered", "int one(void); int main(void) { return one(); }", "./libfilter.so")
        for env in ({}, {"LD_TRACE_LOADED_OBJECTS": "1"}):
            c.same(["{ld}", "./filtered"], {**HERE_FIRST, **env})


def test_debug_output(c):
    """LD_DEBUG_OUTPUT: PATH.PID, standard error when it cannot be opened. A forked child writes into its parent's
    file with the reference, into a file of its own with us."""
    c.compile("forks", "#include <unistd.h>\n#include <sys/wait.h>\n#include <dlfcn.h>\n"
              "int main(void) { if (fork() == 0) { dlopen(\"libm.so.6\", RTLD_NOW); _exit(0); } wait(0); return 0; }")

    def lines(side, pattern):
        found = sorted(name for name in os.listdir("traces-" + side) if re.fullmatch(pattern, name))
        texts = [open(os.path.join("traces-" + side, name)).read().replace(side, "SIDE") for name in found]
        return [[re.sub(r"^ *\d+:", "PID:", line) for line in text.splitlines()] for text in texts]

    def any_process(outcome):
        # The reference falls back to standard output, in front of the program's words; ours to standard error.
        outcome.err = re.sub(r"(?m)^ *(\d+|PID):", "PID:", outcome.out + outcome.err)
        outcome.out = ""

    for side in comparison.SIDES:
        os.mkdir("traces-" + side)
    c.same(["{ld}", "./forks"], {"LD_DEBUG": "versions", "LD_DEBUG_OUTPUT": "traces-{side}/t"})
    theirs, ours = (lines(side, r"t\.\d+") for side in comparison.SIDES)
    c.expect(len(theirs) == 1 and len(ours) == 2 and sorted(sum(theirs, [])) == sorted(sum(ours, [])),
             f"LD_DEBUG_OUTPUT: {theirs} {ours}")
    c.expect(any("libm.so.6" in line for line in ours[1]), f"the child's own file: {ours}")
    c.same(["{ld}", "./forks"], {"LD_DEBUG": "versions", "LD_DEBUG_OUTPUT": "missing/t"}, edit=any_process)


def test_statistics(c):
    def names_only(outcome):
        outcome.err = re.sub(r"[\d.]+(?= cycles)|(?<=\()[\d.]+(?=%)|(?<=: )\d+$", "N", re.sub(r"(?m)^ *\d+:", "PID:", outcome.err), flags=re.M)
        outcome.err = re.sub(r" +(?=[^ ]*N)", " ", outcome.err)

    c.same(["{ld}", "/bin/true"], {"LD_DEBUG": "statistics"}, edit=names_only)


def test_bind_not(c):
    """LD_BIND_NOT: the slot stays as it is, so each call is bound anew."""
    c.compile("calls", "#include <unistd.h>\nint main(void) { for (int i = 0; i < 3; ++i) getppid(); return 0; }", "-Wl,-z,lazy")
    for env, wanted in (({}, 1), ({"LD_BIND_NOT": "1"}, 3), ({"LD_BIND_NOT": ""}, 1), ({"LD_BIND_NOT": "1", "LD_BIND_NOW": "1"}, 1)):
        for side in comparison.SIDES:
            outcome = c.run(side, ["{ld}", "./calls"], {**env, "LD_DEBUG": "bindings"})
            found = outcome.err.count("symbol `getppid'")
            c.expect(found == wanted, f"{side} {env}: bound {found} times, not {wanted}")


def test_json_lines(c):
    """LD_DEBUG=json without a file: one object a line on standard error, or in LD_DEBUG_OUTPUT's file."""
    def events(text):
        # A small process id may equal the fraction of a time, too.
        return [json.loads(re.sub(r"([:.])PID\b", r"\g<1>0", line)) for line in text.splitlines()]

    outcome = c.run("candidate", ["{ld}", "/bin/true"], {"LD_DEBUG": "json"})
    kinds = {event["cat"] for event in events(outcome.err)}
    c.expect(outcome.status == 0 and kinds >= {"libs", "files", "reloc", "bindings", "versions", "scopes", "tls"} and "symbols" not in kinds,
             f"LD_DEBUG=json: {kinds}")
    outcome = c.run("candidate", ["{ld}", "/bin/true"], {"LD_DEBUG": "symbols,json"})
    kinds = {event["cat"] for event in events(outcome.err)}
    c.expect(kinds <= {"symbols", "init", "error"} and "symbols" in kinds, f"LD_DEBUG=symbols,json: {kinds}")
    os.mkdir("json")
    outcome = c.run("candidate", ["{ld}", "/bin/true"], {"LD_DEBUG": "json", "LD_DEBUG_OUTPUT": "json/t"})
    names = os.listdir("json")
    c.expect(outcome.err == "" and len(names) == 1 and re.fullmatch(r"t\.\d+", names[0]) and events(open("json/" + names[0]).read()),
             f"LD_DEBUG_OUTPUT with json: {names} {outcome}")


def test_json(c):
    """The same events as a timeline: it can be read, and each begin has its end."""
    outcome = c.run("candidate", ["{ld}", "/bin/true"], {"LD_TRACE_JSON": "trace.json"})
    with open("trace.json") as file:
        events = json.load(file)
    events = events["traceEvents"] if isinstance(events, dict) else events
    phases = [event["ph"] for event in events]
    c.expect(outcome.status == 0 and phases.count("B") == phases.count("E") > 0, f"LD_TRACE_JSON: {phases}")
    c.expect(any("libc.so.6" in json.dumps(event) for event in events), "libc in the JSON trace")


def can_mount():
    return subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL).returncode == 0


def test_cache_forms(c):
    """/etc/ld.so.cache in other forms: what cannot be read counts as absent."""
    if not can_mount():
        print("no mount namespaces here: /etc/ld.so.cache is not tried")
        return
    with open("/etc/ld.so.cache", "rb") as file:
        good = file.read()
    # The old header: magic, padding, number of entries, then the new header, aligned to 8.
    forms = {"as it is": good, "empty": b"", "short": good[:40], "text": b"not a cache\n" * 10,
             "old header in front": b"ld.so-1.7.0\0" + struct.pack("<I", 0) + good, "other version": good.replace(b"1.1", b"1.2", 1),
             "big endian": good[:28] + b"\3" + good[29:], "no entries": good[:20] + b"\0\0\0\0" + good[24:]}
    os.makedirs("deflib", exist_ok=True)
    for name, data in forms.items():
        with open("cache", "wb") as file:
            file.write(data)
        command = ["unshare", "-rm", "sh", "-c", 'mount --bind cache /etc/ld.so.cache && exec "$@"', "sh", "{ld}"]
        outcome = c.same([*command, "--list", "/bin/ls"])
        c.expect(outcome.status == 0 and "libc.so.6 => " in outcome.out, f"{name}: {outcome}")
        c.same([*command, "--list", "/usr/bin/python3"])


def test_new_cache(c):
    """An ldconfig between two dlopens of one process counts."""
    if not can_mount():
        return
    os.makedirs("place", exist_ok=True)
    c.library("place/libfresh.so.1", "int fresh;")
    with open("fresh.conf", "w") as file:
        file.write(os.path.abspath("place") + "\n")
    c.compile("watches", OPENS.replace("{ void *h", '{ if (i == 2) system("/sbin/ldconfig -X -f fresh.conf -C /etc/ld.so.cache"); void *h')
              .replace("#include <dlfcn.h>", "#include <dlfcn.h>\n#include <stdlib.h>"))
    os.makedirs("newetc", exist_ok=True)
    shutil.copy("/etc/ld.so.cache", "newetc")
    shutil.copy("/etc/ld.so.cache", "good.cache")
    command = ["unshare", "-rm", "sh", "-c", 'cp good.cache newetc/ld.so.cache && mount --bind newetc /etc && exec "$@"', "sh", "{ld}"]
    outcome = c.same([*command, "./watches", "libfresh.so.1", "libfresh.so.1"])
    c.expect(outcome.out.count("opened") == 1, f"a new cache is seen: {outcome}")


def test_dlfcn_corners(c):
    c.library("libmissing.so", "int absent(void); __attribute__((constructor)) static void begin(void) { absent(); }", "-Wl,-z,lazy")
    c.same(["{ld}", "./opens", "./libmissing.so"])
    c.library("libthrows.so", '#include <cstdio>\n__attribute__((constructor)) static void begin() { try { throw 5; } catch (int n) { std::printf("caught %d\\n", n); } }',
              "-xc++", "-xnone", "-lstdc++")
    c.same(["{ld}", "./opens", "./libthrows.so"])
    # A handle of an object that is gone: the system's loader prints freed memory before the colon.
    c.compile("closes", '#include <dlfcn.h>\n#include <stdio.h>\nint main(void) { void *h = dlopen("./libtwice.so", RTLD_NOW);'
              'printf("%d", dlclose(h)); printf("%d\\n", dlclose(h)); puts(dlerror()); return 0; }')
    outcome = c.run("candidate", ["{ld}", "./closes"])
    c.expect(outcome.out == "0-1\n./libtwice.so: shared object not open\n", f"closed twice: {outcome}")
    # No handle at all, as where a failed dlopen is not noticed: the system's loader ends in a signal.
    c.compile("closes-nothing", '#include <dlfcn.h>\n#include <stdio.h>\nint main(void) { void *volatile none = 0;'
              'printf("%d", dlclose(none)); puts(dlerror()); return 0; }')
    outcome = c.run("candidate", ["{ld}", "./closes-nothing"])
    c.expect((outcome.status, outcome.out) == (0, "-1shared object not open\n"), f"nothing closed: {outcome}")
    # Directories of a RUNPATH count for dlinfo until a search has found that there is none of them.
    c.compile("serinfo", '''#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
static void show(void *h) { Dl_serinfo size, *all; if (dlinfo(h, RTLD_DI_SERINFOSIZE, &size)) { puts(dlerror()); return; }
  all = malloc(size.dls_size); dlinfo(h, RTLD_DI_SERINFOSIZE, all); dlinfo(h, RTLD_DI_SERINFO, all);
  printf("%zu %u", (size_t)all->dls_size, all->dls_cnt);
  for (unsigned i = 0; i < all->dls_cnt; ++i) printf(" %s %x", all->dls_serpath[i].dls_name, all->dls_serpath[i].dls_flags);
  puts(""); }
int main(int n, char **v) { show(dlopen(0, RTLD_NOW)); void *h = dlopen("./libpaths.so", RTLD_NOW); show(h); return h == 0; }''',
              "-Wl,--enable-new-dtags,-rpath,$ORIGIN/rr:/x//")
    c.library("libpaths.so", "int paths;", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/rr:/x//")
    for path in ("", "/nowhere", "/nowhere:."):
        c.same(["{ld}", "./serinfo"], {"LD_LIBRARY_PATH": path})
    # A call of dlsym(RTLD_NEXT) that seems to come from memory of no object.
    c.compile("outside", '''#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
typedef void *(*Call)(void *(*)(void *, const char *), void *, const char *);
int main(void) {  /* push rbx; mov rax,rdi; mov rdi,rsi; mov rsi,rdx; call rax; pop rbx; ret */
  static const char kCode[] = "\\x53\\x48\\x89\\xf8\\x48\\x89\\xf7\\x48\\x89\\xd6\\xff\\xd0\\x5b\\xc3";
  char *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, kCode, sizeof kCode);
  printf("%d\\n", ((Call)code)(dlsym, RTLD_NEXT, "puts") != 0); const char *text = dlerror(); puts(text ? text : "-");
  printf("%d\\n", ((Call)code)(dlsym, RTLD_DEFAULT, "puts") != 0); text = dlerror(); puts(text ? text : "-"); return 0; }''')
    c.same(["{ld}", "./outside"])


def test_wanted_address(c):
    """A shared object linked at an address is mapped there if there is room, else somewhere."""
    c.compile("where", '''#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
int main(int n, char **v) {
  for (int i = 1; i < n; ++i) {
    struct link_map *map = dlopen(v[i], RTLD_NOW);
    const unsigned long bias = map ? map->l_addr : 1;
    if (bias < 0x100000) printf("%s %#lx\\n", v[i], bias); else printf("%s elsewhere\\n", v[i]);
  }
  return 0; }''')
    for name, address, more in (("wanted", 0x600000000, ()), ("taken", 0x600000000, ()), ("low", 0x1000, ()), ("none", 0, ()),
                                ("large", 0x700000000, ("-Wl,-z,max-page-size=0x200000",))):
        c.library(f"lib{name}.so", f"int {name};", f"-Wl,-Ttext-segment={address:#x}", *more)
    libraries = [f"./lib{name}.so" for name in ("wanted", "taken", "large", "low", "none")]
    outcome = c.same(["{ld}", "./where"] + libraries)
    c.expect(outcome.out.startswith("./libwanted.so 0\n./libtaken.so elsewhere\n./liblarge.so 0\n"), f"wanted addresses: {outcome.out}")
    c.compile("whence", "#include <stdio.h>\nint main(void) { printf(\"%p\\n\", (void *)main); return 0; }",
              "-fPIE", "-pie", "-Wl,-Ttext-segment=0x500000000")
    c.same(["{ld}", "./whence"])


def test(c):
    test_files(c)
    test_wanted_address(c)
    test_overflow(c)
    test_relr_marker(c)
    test_isa_level(c)
    test_lost_symbol_with_version(c)
    test_version_hash_zero(c)
    test_protected_without_copies(c)
    test_first_and_interposed_functions(c)
    test_tokens_of_filtees(c)
    test_debug_output(c)
    test_statistics(c)
    test_json(c)
    test_json_lines(c)
    test_bind_not(c)
    test_cache_forms(c)
    test_new_cache(c)
    test_dlfcn_corners(c)


if __name__ == "__main__":
    comparison.main(test)
