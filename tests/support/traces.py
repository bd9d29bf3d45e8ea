"""LD_DEBUG output of the two loaders made comparable. Each rule below explains one difference; whatever
is left after them is unexplained."""
import difflib
import os
import re
import shutil
import struct
import subprocess

import loader

# Directories of the old hardware capabilities scheme, gone with glibc 2.37; we never search them.
LEGACY = {"tls", "haswell", "xeon_phi", "avx512_1", "x86_64"}

PREFIX = re.compile(r"^ *(\d+):\t")
ADDRESS = re.compile(r"0x[0-9a-f]{16}|(?<=TCB )0x[0-9a-f]{12}\b")


def is_legacy(path):
    return any(part in LEGACY for part in path.split("/")[:-1])


def drop_legacy_directories(line):
    """`search path=A:B:C<two tabs>(source)` without the old directories."""
    match = re.match(r"( search path=)(\S*)(.*)", line)
    if not match:
        return line
    kept = [d for d in match.group(2).split(":") if not is_legacy(d + "/x")]
    return match.group(1) + ":".join(kept) + match.group(3)


def normalise(text):
    """Lines without process ids and addresses; processes of one run are told apart by their order."""
    lines, processes = [], {}
    for line in text.split("\n"):
        match = PREFIX.match(line)
        if not match:
            continue  # the program's own words
        process = processes.setdefault(match.group(1), len(processes))
        line = line[match.end():]
        if line.startswith("  trying file=") and is_legacy(line[14:]):
            continue
        line = ADDRESS.sub("ADDRESS", drop_legacy_directories(line))
        lines.append("%d: %s" % (process, line))
    return lines


# glibc 2.36's loader imports two more functions of libc than we do: it throws and catches through them. For
# an error libc calls back for others, lazily; our exceptions are complete, and our last words our own.
INTERNAL = r"(_dl_fatal_printf|_dl_catch_exception|_dl_signal_error|_dl_exception_create|_dl_exception_create_format)"
OWN_IMPORTS = re.compile(r"\d+: (symbol=" + INTERNAL + ";  lookup in file="
                         r"|binding file .* to .*`" + INTERNAL + r"' \[GLIBC_PRIVATE\])")

# glibc 2.43 says why a candidate of the search fell; so do we, under every libc.
# So are the lines of its word `tls`, which `all` implies.
REASON = re.compile(r"\d+: (    \((no such file|incompatible ELF .*)\)|TCB (de)?allocat.*)$")


# libc's IFUNC resolvers for time functions look into the vdso. We call resolvers when all else in an object
# is relocated, so these lines come later; their number must be the same.
RESOLVER = re.compile(r"\d+: (symbol=__vdso_\w+;  lookup in file=linux-vdso|binding file linux-vdso\.so)")


def explained(lines):
    lines = [line for line in lines if not OWN_IMPORTS.match(line) and not REASON.match(line)]
    return ([line for line in lines if not RESOLVER.match(line)]
            + sorted(line for line in lines if RESOLVER.match(line)))


def trace_only(outcome):
    """An `edit` of comparison.py: the lines of the trace that both loaders print, then the last words."""
    text = re.sub(r"(?m)^ *PID:\t", "1:\t", outcome.err)
    lines = explained(normalise(text))
    outcome.err = "\n".join(lines + [line for line in text.split("\n") if not PREFIX.match(line)])


def difference(theirs, ours):
    return [line for line in difflib.unified_diff(explained(normalise(theirs)), explained(normalise(ours)),
                                                  "system", "ours", lineterm="", n=1)]


def listing_difference(theirs, ours):
    """Output of ldd mode: only the addresses may differ."""
    return list(difflib.unified_diff(ADDRESS.sub("ADDRESS", theirs).split("\n"), ADDRESS.sub("ADDRESS", ours).split("\n"),
                                     "system", "ours", lineterm="", n=1))


def with_interpreter(program, copy, interpreter):
    """A copy of `program` whose PT_INTERP is `interpreter`, which must not be longer than the old one."""
    shutil.copy(program, copy)
    os.chmod(copy, 0o755)
    with open(copy, "r+b") as file:
        header = file.read(64)
        offset, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        for index in range(count):
            file.seek(offset + index * size)
            kind, _, at, _, _, room, _, _ = struct.unpack("<IIQQQQQQ", file.read(56))
            if kind != 3:
                continue
            text = interpreter.encode() + b"\0"
            if len(text) > room:
                raise ValueError("interpreter path too long")
            file.seek(at)
            file.write(text.ljust(room, b"\0"))
            # p_filesz and p_memsz say where the string ends.
            file.seek(offset + index * size + 32)
            file.write(struct.pack("<QQ", len(text), len(text)))
            return True
    return False


class Pair:
    """Runs the same command line under both loaders. `link` is a path that leads to one or the other, so
    that the loader's own name is the same in both traces."""

    def __init__(self, directory):
        self.directory = directory
        self.link = os.path.join(directory, "ld")
        self.copies = {}

    def lead_to(self, which):
        if os.path.lexists(self.link):
            os.unlink(self.link)
        os.symlink(which, self.link)

    def copy_of(self, program):
        if program not in self.copies:
            copy = os.path.join(self.directory, os.path.basename(program))
            self.copies[program] = copy if with_interpreter(program, copy, self.link) else None
        return self.copies[program]

    def run(self, which, mode, command, environment, options=()):
        """mode: direct or interp. Gives (stdout, stderr, status)."""
        self.lead_to(which)
        if mode == "direct":
            arguments = [self.link, *options, *command]
        else:
            arguments = [self.copy_of(command[0]), *command[1:]]
        done = subprocess.run(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, cwd=self.directory)
        return done.stdout.decode("latin-1"), done.stderr.decode("latin-1"), done.returncode

    def both(self, mode, command, environment, options=()):
        return (self.run(loader.SYSTEM, mode, command, environment, options),
                self.run(loader.OURS, mode, command, environment, options))
