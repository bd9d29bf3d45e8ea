#!/usr/bin/env python3
"""--list-diagnostics, --list-tunables and --help under the system's loader and ours on processors that are not here: a
tracer answers both loaders' CPUID instructions out of the tables in processors/ (see pretend.c)."""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
from info_test import LEFT_OUT, without_header_counts  # noqa: E402


def instructions(path):
    """Where a loader asks the processor, as lines of a table."""
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^ *([0-9a-f]+):\s+(cpuid|xgetbv)", listing, re.M)
    return "".join(f"at {address} {2 if name == 'cpuid' else 3}\n" for address, name in found)


def stable_only(outcome):
    outcome.out = "".join(line for line in outcome.out.splitlines(True) if not line.startswith(LEFT_OUT))


def hwcaps_only(outcome):
    outcome.out = "".join(re.findall(r"^ +x86-64-v.*\n", outcome.out, re.M))


def test_processors(c):
    with open(os.path.join(HERE, "processors", "pretend.c")) as file:
        c.compile("pretend", file.read(), "-static")  # PRELUDE_ROOT must not make it use other libraries
    places = {side: instructions(c.ld(side)) for side in comparison.SIDES}
    for side, place in places.items():
        c.expect(" 2\n" in place and " 3\n" in place, f"cpuid and xgetbv of the {side} are found: {place}")
    for path in sorted(glob.glob(os.path.join(HERE, "processors", "*.table"))):
        name = os.path.basename(path)
        with open(path) as file:
            answers = file.read()
        for side in comparison.SIDES:
            with open(f"table-{side}-{name}", "w") as file:
                file.write(answers + places[side])
        command = ["./pretend", "table-{side}-" + name, "{ld}"]
        outcome = c.run("candidate", command + ["--list-diagnostics"])
        if outcome.status == 77:
            print("skipped: no tracing here:", outcome.err)
            c.checked += 1
            return
        wanted = int(re.search(r"^leaf 1 \S+ (\w+)", answers, re.M)[1], 16) & 15
        known = "vendor unknown" not in answers and "Zhaoxin" not in answers
        c.expect(not known or f"x86.cpu_features.basic.stepping=0x{wanted:x}\n" in outcome.out, f"{name} is not the processor")
        c.same(command + ["--list-diagnostics"], edit=without_header_counts(c, stable_only))
        c.same(command + ["--list-tunables"])
        c.same(command + ["--help"], edit=hwcaps_only)


if __name__ == "__main__":
    comparison.run_cases([test_processors])
