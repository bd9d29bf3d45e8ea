"""What system tests share: the two loaders, and files of the C tool chain."""
import glob
import os
import shlex
import subprocess

# PRELUDE_ROOT names the root of another Debian tree, whose loader and libraries are to be the judge instead of
# this machine's. Programs are still built here; for a tree of another machine by PRELUDE_CC, and run by PRELUDE_RUN, an
# emulator that gives a variable to the program by -E.
ROOT = os.environ.get("PRELUDE_ROOT", "")
COMPILER = shlex.split(os.environ.get("PRELUDE_CC", "gcc"))
RUN = shlex.split(os.environ.get("PRELUDE_RUN", ""))
TRIPLET = subprocess.run([*COMPILER, "-dumpmachine"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
LIBRARIES = ROOT + "/usr/lib/" + TRIPLET
SYSTEM = os.path.realpath(glob.glob(LIBRARIES + "/ld-linux*.so.*")[0]) if ROOT else "/lib64/ld-linux-x86-64.so.2"
OURS = os.environ.get("PRELUDE_LD") or os.path.join(os.environ.get("PRELUDE_BUILD_DIR", "build"), "ld.so")
OURS = os.path.abspath(OURS)
# PRELUDE_SEAL: programs are run with this value of LD_SEAL, which the system's loader does not know.
SEAL = {"LD_SEAL": os.environ["PRELUDE_SEAL"]} if "PRELUDE_SEAL" in os.environ else {}


def compiler_file(name):
    """The path of a start file or library as gcc would link it."""
    return subprocess.run([*COMPILER, "-print-file-name=" + name], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()


def libc_path():
    """libc.so.6 itself: libc.so is a linker script."""
    return os.path.realpath(compiler_file("libc.so.6"))
