#!/usr/bin/env python3
"""Modes that only tell something: --help, --version, --list-tunables, --list-diagnostics, LD_SHOW_AUXV,
LD_DEBUG=help. The words of --help and --version are our own; what scripts read in them is compared."""
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import loader  # noqa: E402

# Keys about legacy hwcaps directories and call-count profiling, which do not exist here. Of later releases: the size
# of a save area that we have no use for.
LEFT_OUT = ("dl_hwcap_important=", "dl_profile_output=", "dl_string_platform=", "x86.cpu_features.tlsdesc_state_full_size=")


# At the limits, beyond them, twice, malformed.
TUNABLES = (
    "glibc.malloc.check=3:glibc.malloc.check=9", "glibc.malloc.check= 2", "glibc.malloc.check=2 ", "glibc.malloc.check=0x2",
    "glibc.malloc.check=010", "glibc.malloc.check=09", "glibc.malloc.check=", "glibc.malloc.check", "glibc.malloc.check=2x",
    "glibc.malloc.check=+2", "glibc.malloc.check=-1", "glibc.malloc.check=0x", "glibc.malloc.check=99999999999999999999",
    "glibc.malloc.top_pad=18446744073709551615", "glibc.malloc.top_pad=18446744073709551616", "glibc.malloc.perturb=256",
    "glibc.malloc.arena_max=0", "glibc.malloc.mmap_max=2147483648", "glibc.malloc.mmap_max=-2147483649", "glibc.rtld.nns=0",
    "glibc.rtld.nns=16", "glibc.rtld.nns=17", "glibc.rtld.nns=5:glibc.rtld.nns=17", "glibc.rtld.nns=3:glibc.rtld.nns=",
    "glibc.rtld.optional_static_tls=0xffffffffffffffff", "glibc.rtld.dynamic_sort=0", "glibc.rtld.dynamic_sort=1",
    "glibc.rtld.dynamic_sort=3", "glibc.rtld.enable_secure=2", "glibc.rtld.enable_secure=1", "glibc.rtld.execstack=2",
    "glibc.rtld.execstack=3", "glibc.cpu.plt_rewrite=3", "glibc.cpu.hwcap_mask=0", "glibc.cpu.x86_shstk=no such word",
    "glibc.cpu.x86_non_temporal_threshold=1", "glibc.cpu.x86_rep_movsb_threshold=1", "glibc.pthread.mutex_spin_count=32768",
    "glibc.mem.decorate_maps=2", "glibc.malloc.tcache_count=65536", "a=b:glibc.malloc.check=2", "glibc.malloc.check=2:a=b=c",
    "=:glibc.malloc.check=2", "::glibc.malloc.check=2::", "glibc.malloc.check=2:glibc.malloc.check", " glibc.malloc.check=2",
    "glibc.malloc.check=glibc.malloc.check=2", "glibc.malloc.check=2,glibc.malloc.perturb=3", "GLIBC.MALLOC.CHECK=2",
    "x" * 5000 + "=1:glibc.malloc.check=2", "glibc.malloc.check=\t2", ":", "=", "glibc.malloc.check=1:")


def header_count(path):
    """e_phnum: the kernel tells a loader that is started directly about its own file."""
    with open(path, "rb") as file:
        return struct.unpack_from("<H", file.read(64), 56)[0]


def without_header_counts(c, edit=lambda outcome: None):
    """Hides the number of program headers where it is that of either loader's file."""
    counts = [header_count(c.ld(side)) for side in comparison.SIDES]
    shown = "|".join([str(n) for n in counts] + [f"0x{n:x}" for n in counts])
    pattern = re.compile(rf"^(AT_PHNUM: +|auxv\[0x\w+\]\.a_type=0x5\nauxv\[0x\w+\]\.a_val=)({shown})$", re.M)

    def hide(outcome):
        edit(outcome)
        outcome.out = pattern.sub(r"\1OWN", outcome.out)
    return hide


def test_help(c):
    def facts_only(outcome):
        outcome.out = "This program interpreter" + outcome.out.partition("This program interpreter")[2]
        outcome.out = outcome.out.partition("\nLegacy HWCAP")[0]

    def without_cache(outcome):
        # 2.36 names the cache although it is not used.
        facts_only(outcome)
        outcome.out = outcome.out.replace("  (libraries located via /etc/ld.so.cache)\n", "")

    for options in ([], ["--glibc-hwcaps-prepend", "foo:bar", "--glibc-hwcaps-mask", "x86-64-v2"],
                    ["--library-path", "/a:/b/:/a:;c"], ["--inhibit-cache", "--glibc-hwcaps-mask", ""],
                    ["--glibc-hwcaps-prepend", ":a::x86-64-v2:", "--glibc-hwcaps-mask", "none"], ["--list"], ["--library-path", ""]):
        for env in ({}, {"LD_LIBRARY_PATH": "$ORIGIN/x:$LIB;q::/"}, {"LD_LIBRARY_PATH": ":"}):
            c.same(["{ld}", *options, "--help"], env, edit=without_cache if "--inhibit-cache" in options else facts_only)
    outcome = c.run("candidate", ["{ld}", "--inhibit-cache", "--help"])
    c.expect("ld.so.cache" not in outcome.out, outcome.out)
    for words in (["--help", "--verify"], ["--help", "--list", "./none"]):
        c.same(["{ld}", *words], edit=facts_only)  # neither option takes --help back
    c.same(["{ld}", "--help", "--inhibit-cache", "./none"], edit=without_cache)
    outcome = c.run("candidate", ["{ld}", "--help"])
    for option in ("--list", "--verify", "--inhibit-cache", "--library-path PATH", "--glibc-hwcaps-prepend LIST",
                   "--glibc-hwcaps-mask LIST", "--inhibit-rpath LIST", "--audit LIST", "--preload LIST", "--argv0 STRING",
                   "--list-tunables", "--list-diagnostics", "--help", "--version", "--keep-exe"):
        c.expect(f"\n  {option}" in outcome.out, f"{option} in --help")
    c.expect(outcome.out.startswith("Usage: " + "/") and outcome.status == 0, outcome.out[:80])


def test_version(c):
    def number_only(outcome):
        first = outcome.out.splitlines()[0]
        outcome.out = re.fullmatch(r"ld\.so \(.*\) (stable release version \d+\.\d+\.)", first).group(1)

    c.same(["{ld}", "--version"], edit=number_only)
    c.same(["{ld}", "--version", "--nonsense"], edit=number_only)
    c.same(["{ld}", "--list", "--version"], edit=number_only)


def test_tunables(c):
    for env in ({}, {"GLIBC_TUNABLES": "glibc.malloc.check=1:glibc.rtld.nns=9"}, {"MALLOC_ARENA_MAX": "3"},
                {"GLIBC_TUNABLES": "glibc.rtld.nns=99:glibc.rtld.nns=7:glibc.cpu.x86_data_cache_size=0x10000"},
                {"GLIBC_TUNABLES": "glibc.malloc.nonsense=1:glibc.cpu.hwcaps=-AVX2"}, {"GLIBC_TUNABLES": "glibc.malloc.top_pad=-1"}):
        c.same(["{ld}", "--list-tunables"], env)
    for text in TUNABLES:
        # One of them makes secure, and so takes the way to the libraries of another tree.
        if not (loader.ROOT and text == "glibc.rtld.enable_secure=1"):
            c.same(["{ld}", "--list-tunables"], {"GLIBC_TUNABLES": text})
    for alias in ("MALLOC_CHECK_", "MALLOC_TOP_PAD_", "MALLOC_PERTURB_", "MALLOC_MMAP_MAX_", "MALLOC_ARENA_MAX", "LD_HWCAP_MASK"):
        for text in ("", "0", "1", "-1", "x", "0x10", "99999999999999999999", "3:4", " 5", "300"):
            c.same(["{ld}", "--list-tunables"], {alias: text})
    for name in ("GLIBC_TUNABLES", "MALLOC_ARENA_MAX"):  # whichever comes first
        values = {"GLIBC_TUNABLES": "glibc.malloc.arena_max=3", "MALLOC_ARENA_MAX": "5"}
        c.same(["{ld}", "--list-tunables"], {name: values[name], **values})


def test_diagnostics(c):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # a word of leaf 1 tells the processor's number
    def stable_only(outcome):
        lines = [line for line in outcome.out.splitlines(True) if not line.startswith(LEFT_OUT)]
        outcome.out = "".join(lines)

    stable_only = without_header_counts(c, stable_only)
    c.same(["{ld}", "--list-diagnostics"], edit=stable_only)
    c.same(["{ld}", "--list-diagnostics"], {"LANG": "C", "SECRET": "hidden", "LD_FOO": "a\"b\\c", "MALLOC_X": "", "TZ": "UTC"},
           edit=stable_only)
    # Octal digits of control characters are wrong in 2.36.
    text = c.run("candidate", ["{ld}", "--list-diagnostics"], {"SECRET": "hidden", "TZ": "\n\t\x7f"}).out
    c.expect('="TZ=\\012\\011\\177"\n' in text, "control characters in --list-diagnostics")
    c.expect("hidden" not in text and 'env_filtered[' in text, text[:200])
    c.expect(all(re.fullmatch(r'[\w.\[\]]+=(0x[0-9a-fA-F]+|0xADDRESS|"(\\.|[^"\\])*")', line) for line in text.splitlines()), "key=value lines")


def test_environment(c):
    for command, value in ((["{ld}"], "1"), (["{ld}", "--nonsense"], ""), (["{ld}", "--verify", "/bin/true"], "0")):
        outcome = c.same(command, {"LD_SHOW_AUXV": value}, edit=without_header_counts(c))
        c.expect("\nAT_PHNUM:             OWN\n" in outcome.out, "the file's own number of program headers")
    c.same(["{ld}"], {"LD_DEBUG": "foo"})
    c.same(["{ld}", "--nonsense"], {"LD_DEBUG": "foo,,bar:libs x"})
    c.same(["{ld}", "--nonsense"], {"LD_DEBUG": "foo" * 900})
    help_text = c.run("candidate", ["{ld}", "--nonsense"], {"LD_DEBUG": "help"})
    reference = c.run("reference", ["{ld}", "--nonsense"], {"LD_DEBUG": "help"})
    words = re.findall(r"^  (\w+)", reference.out, re.M)
    c.expect(help_text.status == 0 and all(f"\n  {word} " in help_text.out for word in words), str(help_text))
    c.program_for_each_side("aux", '#include <sys/auxv.h>\n#include <stdio.h>\nint main(int n, char **v) {'
                            'printf("%s %s %ld %ld %d\\n", v[0], (char *)getauxval(AT_EXECFN), getauxval(AT_PHNUM), getauxval(AT_PAGESZ), n);'
                            'return getauxval(AT_PHDR) == 0 || getauxval(AT_RANDOM) == 0; }')
    c.same(["{side}/aux"], {"LD_SHOW_AUXV": "1"})
    for words in ([], ["--inhibit-cache"], ["--argv0", "zero"], ["--inhibit-cache", "--argv0", "zero"]):
        c.same(["{ld}", *words, "{side}/aux", "a", "b"])


def test_manners_before_a_libc(c):
    """What a release does before its libc is mapped, or without any: judged by the libc that a search would find."""
    for minor in (36, 41, 43, 99):
        os.makedirs(f"release{minor}")
        with open("versions", "w") as script:
            script.write("GLIBC_2.2.5 { global: libc_like; local: *; }; GLIBC_2.%d { } GLIBC_2.2.5;" % minor)
        c.library(f"release{minor}/libc.so.6", "int libc_like;", "-nostdlib", "-Wl,--version-script=versions")
    os.makedirs("real")
    os.makedirs("links")
    c.library("real/libone.so", "int one(void) { return 1; }", "-nostdlib")
    c.library("real/libtwo.so", "int one(void); int two(void) { return one(); }", "-nostdlib", "real/libone.so",
              "-Wl,-rpath,$ORIGIN")
    os.symlink("../real/libtwo.so", "links/libtwo.so")
    for minor in (36, 41, 43, 99):
        known = minor if minor != 99 else 36  # a release that is not served: the oldest
        path = {"LD_LIBRARY_PATH": f"release{minor}"}
        vector = c.run("candidate", ["{ld}"], {"LD_SHOW_AUXV": "1", **path}).out
        c.expect(("AT_HWCAP:             0x" in vector) == (known >= 43), f"AT_HWCAP, 2.{minor}: {vector}")
        c.expect(("AT_??? (0x1b)" in vector) == (known < 41), f"type 27, 2.{minor}: {vector}")
        listed = c.run("candidate", ["{ld}", "--list", "real/libtwo.so"], path).out
        c.expect(("/ld.so (0x" in listed) == (known >= 41), f"the loader's line, 2.{minor}: {listed}")
        linked = c.run("candidate", ["{ld}", "--list", "links/libtwo.so"], path).out
        c.expect(("/real/libone.so (0x" in linked) == (known >= 43), f"$ORIGIN, 2.{minor}: {linked}")
        # A secure process does not look.
        secure = c.run("candidate", ["{ld}", "--list", "real/libtwo.so"],
                       {"GLIBC_TUNABLES": "glibc.rtld.enable_secure=1", **path}).out
        c.expect("/ld.so (0x" not in secure, f"secure, 2.{minor}: {secure}")


def test(c):
    test_help(c)
    test_version(c)
    test_tunables(c)
    test_diagnostics(c)
    test_environment(c)
    test_manners_before_a_libc(c)


if __name__ == "__main__":
    comparison.main(test)
