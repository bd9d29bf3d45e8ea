"""Privileged programs for tests: set-user-ID, set-group-ID or with file capabilities, run by an unprivileged user."""
import os
import shutil
import subprocess

from loader import OURS

NOBODY = 65534


class Place:
    """A directory that everybody can reach, with the loader, a library and programs in it."""

    def __init__(self, directory):
        self.directory = directory
        os.chmod(directory, 0o755)
        self.loader = self.path("ld.so")
        shutil.copy(OURS, self.loader)
        os.chmod(self.loader, 0o755)
        for sub in ("good", "evil"):
            os.mkdir(self.path(sub), 0o755)
        self.gcc("good/libanswer.so", "int answer(void) { return 1; }", "-shared", "-fPIC", "-Wl,-soname,libanswer.so")
        self.gcc("evil/libanswer.so", "int answer(void) { return 2; }", "-shared", "-fPIC", "-Wl,-soname,libanswer.so")
        os.mkdir(self.path("out"))
        os.chmod(self.path("out"), 0o777)

    def path(self, name):
        return os.path.join(self.directory, name)

    def gcc(self, name, source, *options):
        subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-o", self.path(name), *options], input=source, text=True, check=True,
                       cwd=self.directory)

    def program(self, name, source, runpath, mode=0o4755, options=()):
        self.gcc(name, source, "-L" + self.path("good"), "-lanswer", "-Wl,-rpath," + runpath,
                 "-Wl,--dynamic-linker=" + self.loader, *options)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def run(self, command, env=None, prepare=None, cwd="good"):
        """Runs it as nobody, by default in the directory of the good libraries. `prepare` runs in the child."""
        return subprocess.run(command, env=env or {}, user=NOBODY, group=NOBODY, extra_groups=[], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.path(cwd), preexec_fn=prepare)
