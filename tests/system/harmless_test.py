#!/usr/bin/env python3
"""Nothing harmless is refused: --verify and --list of ELF files as by the system's loader, status and words.

Every kind of ELF file counts: programs, libraries, object files, debug files, static programs, other machines.

    harmless_test.py                        a sample of this system's files (what the tests run)
    harmless_test.py --all                  all of them
    harmless_test.py --root DIR --all       all of another system's, by its own loader (root; DIR is not changed)

Differences that have a reason are told apart by `reason_for` and counted; anything else fails.
"""
import argparse
import collections
from concurrent.futures.thread import ThreadPoolExecutor  # now: a change of root hides it
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import loader  # noqa: E402

SAMPLE = 100
SIDES = ("reference", "candidate")
# Where a sample is taken: a walk through everything takes longer than the comparisons.
SAMPLE_PLACES = ("usr/bin", "usr/libexec", "usr/lib/x86_64-linux-gnu", "usr/lib/debug", "usr/lib32")
PLACES = ("bin", "sbin", "lib", "lib32", "libx32", "lib64", "usr", "opt", "var/lib", "boot")
TYPES = {1: "object file", 2: "program", 3: "shared object", 4: "core file"}

Run = collections.namedtuple("Run", "status out err")


def kind_of(path):
    """What sort of ELF file, or None."""
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError:
        return None
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    if head[4] != 2 or int.from_bytes(head[18:20], "little") != 62:
        return "another machine"
    if "/debug/" in path or path.endswith(".debug"):
        return "debug file"
    return TYPES.get(int.from_bytes(head[16:18], "little"), "other")


def elf_files(top, places):
    """(kind, path) of the ELF files below `top`, each file once; paths begin at `top`."""
    seen = set()
    for place in places:
        if os.path.islink(os.path.join(top, place)):
            continue
        for directory, folders, names in os.walk(os.path.join(top, place)):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(directory, name)
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                status = os.stat(path)
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                kind = kind_of(path)
                if kind is not None:
                    yield kind, "/" + os.path.relpath(path, top)


def choose(files, count):
    """About `count` of them, the same every time, with something of each kind."""
    kinds = collections.defaultdict(list)
    for kind, path in files:
        kinds[kind].append((kind, path))
    share = max(count // max(len(kinds), 1), 1)
    return [file for group in kinds.values() for file in group[::max(len(group) // share, 1)]]


def run(side, place, option, path):
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LD_HINTS": "0"}
    done = subprocess.run([f"{place}/{side}/ld.so", option, path], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    words = [re.sub(r"0x[0-9a-f]{8,16}\b", "0xADDRESS", text.decode("utf-8", "backslashreplace").replace(
        f"{place}/{side}/", f"{place}/SIDE/")) for text in (done.stdout, done.stderr)]
    return Run(done.returncode, *words)


def reason_for(kind, option, reference, candidate):
    """Why these may differ, or None."""
    if (kind == "program" and option == "--list" and reference.status == -signal.SIGSEGV
            and candidate == Run(0, "\tstatically linked\n", "")):
        return "static program: the system's loader crashes"
    return None


def compare(place, file):
    kind, path = file
    results = []
    for option in ("--verify", "--list"):
        reference, candidate = (run(side, place, option, path) for side in SIDES)
        if reference[:2] == candidate[:2]:
            results.append((option, "same" if reference == candidate else "other words on stderr", reference, candidate))
        else:
            results.append((option, reason_for(kind, option, reference, candidate) or "DIFFERENT", reference, candidate))
    return kind, path, results


def enter(root):
    """A private view of `root` with room for the loaders, and makes it this process's root."""
    work = tempfile.mkdtemp(prefix="prelude-root-")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", work], check=True)
    for name in ("upper", "work", "view"):
        os.mkdir(os.path.join(work, name))
    view = os.path.join(work, "view")
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir={root},upperdir={work}/upper,workdir={work}/work", view], check=True)
    place = "/prelude-sides"
    os.mkdir(view + place)
    put_loader(view + place, "candidate", loader.OURS)
    os.chroot(view)
    os.chdir("/")
    put_loader(place, "reference", loader.SYSTEM)
    return place


def put_loader(place, side, path):
    os.mkdir(os.path.join(place, side))
    shutil.copy(path, os.path.join(place, side, "ld.so"))


def report(outcomes, verbose):
    counts = collections.Counter()
    for kind, path, results in outcomes:
        for option, verdict, reference, candidate in results:
            counts[(option, verdict, kind)] += 1
            if verdict == "DIFFERENT" or (verbose and verdict != "same"):
                print(f"{verdict}: {option} {path} ({kind})\n  reference {reference}\n  candidate {candidate}")
    for (option, verdict, kind), count in sorted(counts.items()):
        print(f"{count:6} {option:9} {kind:16} {verdict}")
    bad = sum(count for key, count in counts.items() if key[1] == "DIFFERENT")
    print(f"{sum(counts.values())} comparisons, {bad} differences without a reason")
    return 0 if counts and bad == 0 else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", help="top of another system's files")
    parser.add_argument("--all", action="store_true", help="every file, not a sample")
    parser.add_argument("--verbose", action="store_true", help="show what differs on stderr only, too")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.root and not arguments.inside:
        os.execvp("unshare", ["unshare", "--mount", sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--inside"])
    with tempfile.TemporaryDirectory(prefix="prelude-") as directory:
        if arguments.root:
            place = enter(os.path.abspath(arguments.root))
        else:
            place = directory
            put_loader(place, "reference", loader.SYSTEM)
            put_loader(place, "candidate", loader.OURS)
        files = list(elf_files("/", PLACES if arguments.all else SAMPLE_PLACES))
        files = files if arguments.all else choose(files, SAMPLE)
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda file: compare(place, file), files))
        status = report(outcomes, arguments.verbose)
    sys.exit(status)


main()
