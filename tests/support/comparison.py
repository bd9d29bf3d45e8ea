"""The same command under the system's loader and under ours, compared.

Both loaders are copied under one name into two folders of a temporary directory; a command is a list
of strings in which {ld} is the loader and {side} its folder. Addresses, process ids and the folders'
names are made equal before the comparison. LD_HINTS=0 unless a test says otherwise: the system's
loader gives no hints. PRELUDE_ROOT (see loader.py) makes another release the judge.
"""
import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import loader

SIDES = ("reference", "candidate")


class Outcome:
    def __init__(self, status, out, err, pid):
        self.status = status
        self.out = hide_number(out, pid)
        self.err = hide_number(err, pid)
        self.pid = pid

    def without(self, pid):
        """The same where another process's number is hidden, too."""
        return Outcome(self.status, self.out, self.err, pid)

    def __eq__(self, other):
        return (self.status, self.out, self.err) == (other.status, other.out, other.err)

    def __str__(self):
        return f"status {self.status}\n--- stdout\n{self.out}--- stderr\n{self.err}"


def hide_number(text, pid):
    return re.sub(rf"(?<![0-9a-f]){pid}(?![0-9a-f])", "PID", text)


def hide_addresses(text):
    return re.sub(r"0x[0-9a-f]{12,16}\b", "0xADDRESS", text)


class Comparison:
    """Use as a context manager; the current directory is a temporary one inside."""

    def __init__(self):
        self.checked = 0
        self.failures = []

    def __enter__(self):
        self.before = os.getcwd()
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="prelude-"))
        os.chdir(self.root)
        for side, path in zip(SIDES, (loader.SYSTEM, loader.OURS)):
            os.mkdir(side)
            shutil.copy(path, os.path.join(side, "ld.so"))
        return self

    def __exit__(self, kind, value, trace):
        os.chdir(self.before)
        shutil.rmtree(self.root, ignore_errors=True)

    def ld(self, side):
        return os.path.join(self.root, side, "ld.so")

    def compile(self, output, source, *options):
        """C source text to `output`, relative to the temporary directory."""
        language = "c++" if output.endswith(".cxx") or "-xc++" in options else "c"
        with open("source." + ("cc" if language == "c++" else "c"), "w") as file:
            file.write(source)
        subprocess.run([*loader.COMPILER, "-O1", "-w", "-o", output, file.name, *options], check=True)
        return output

    def library(self, output, source, *options):
        soname = [] if any("-soname" in option for option in options) else ["-Wl,-soname," + os.path.basename(output)]
        return self.compile(output, source, "-shared", "-fPIC", *soname, *options)

    def program_for_each_side(self, name, source, *options):
        """The same program with each loader as its interpreter: SIDE/NAME."""
        for side in SIDES:
            self.compile(os.path.join(side, name), source, "-Wl,--dynamic-linker=" + self.ld(side), *options)

    def run(self, side, command, env=None, **options):
        def fill(text):
            return text.replace("{ld}", self.ld(side)).replace("{side}", side)

        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_HINTS": "0", **loader.SEAL}
        environment.update({key: fill(value) for key, value in (env or {}).items()})
        if loader.ROOT:
            environment["LD_LIBRARY_PATH"] = environment.get("LD_LIBRARY_PATH", "") + ":" + loader.LIBRARIES
        options.setdefault("stdin", subprocess.DEVNULL)
        words = [fill(word) for word in command]
        if loader.RUN and ("/" in words[0] and not words[0].startswith(("/bin/", "/usr/"))):
            # What is meant for the program must not reach the loader of the emulator.
            words = [*loader.RUN, *(word for item in environment.items() for word in ("-E", "=".join(item))), *words]
            environment = {"PATH": environment.get("PATH", "")}
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True, **options)
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            # Its children too: one that hangs keeps the pipes open.
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            self.fail(f"{side}: no end after 60 s: {environment} {words}")
        return Outcome(process.returncode, *(self.normalise(text, side) for text in (out, err)), process.pid)

    def normalise(self, data, side):
        text = data.decode("utf-8", "backslashreplace")
        text = text.replace(f"/{side}/", "/SIDE/").replace(side + "/", "SIDE/")
        return hide_addresses(text)

    def same(self, command, env=None, edit=None, **options):
        """Both sides must give the same; `edit` changes an outcome first. Gives our outcome."""
        self.checked += 1
        results = [self.run(side, command, env, **options) for side in SIDES]
        if edit is not None:
            for result in results:
                edit(result)
        # What both wrote may be by chance the number of one of them.
        if results[0] != results[1] and results[0].without(results[1].pid) != results[1].without(results[0].pid):
            texts = [str(result).splitlines() for result in results]
            change = "\n".join(difflib.unified_diff(*texts, *SIDES, lineterm=""))
            self.fail(f"{env or ''} {' '.join(command)}\n{change}")
        return results[1]

    def expect(self, condition, what):
        self.checked += 1
        if not condition:
            self.fail(what)

    def fail(self, what):
        self.failures.append(what)
        print("FAILED:", what, flush=True)

    def finish(self):
        print(f"{self.checked} comparisons, {len(self.failures)} differences")
        return 1 if self.failures or self.checked == 0 else 0


def sort_lines(field):
    """An `edit` for outputs whose order is not part of the interface."""
    def edit(outcome):
        setattr(outcome, field, "".join(sorted(getattr(outcome, field).splitlines(True))))
    return edit


def main(test):
    with Comparison() as comparison:
        test(comparison)
        sys.exit(comparison.finish())


def run_cases(cases):
    """Runs each case (or those named on the command line) in a directory of its own and ends the process."""
    with Comparison() as c:
        for case in cases:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                os.mkdir("case-" + case.__name__)
                os.chdir("case-" + case.__name__)
                for side in SIDES:
                    os.symlink("../" + side, side)
                case(c)
                os.chdir("..")
        print("comparisons: %d, failures: %d" % (c.checked, len(c.failures)))
        sys.exit(1 if c.failures or not c.checked else 0)
