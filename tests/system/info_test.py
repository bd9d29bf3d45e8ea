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

# Keys of glibc 2.36 about legacy hwcaps directories and call-count profiling, which do not exist here.
LEFT_OUT = ("dl_hwcap_important=", "dl_profile_output=", "dl_string_platform=")


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

    for options in ([], ["--glibc-hwcaps-prepend", "foo:bar", "--glibc-hwcaps-mask", "x86-64-v2"],
                    ["--library-path", "/a:/b/:/a:;c"], ["--inhibit-cache", "--glibc-hwcaps-mask", ""],
                    ["--glibc-hwcaps-prepend", ":a::x86-64-v2:", "--glibc-hwcaps-mask", "none"], ["--list"], ["--library-path", ""]):
        for env in ({}, {"LD_LIBRARY_PATH": "$ORIGIN/x:$LIB;q::/"}, {"LD_LIBRARY_PATH": ":"}):
            c.same(["{ld}", *options, "--help"], env, edit=facts_only)
    for words in (["--help", "--verify"], ["--help", "--list", "./none"], ["--help", "--inhibit-cache", "./none"]):
        c.same(["{ld}", *words], edit=facts_only)  # neither option takes --help back
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


def test(c):
    test_help(c)
    test_version(c)
    test_tunables(c)
    test_diagnostics(c)
    test_environment(c)


if __name__ == "__main__":
    comparison.main(test)
