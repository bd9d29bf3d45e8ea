"""What system tests share: the two loaders, and files of the C tool chain."""
import os
import subprocess

# PRELUDE_ROOT names the root of another Debian tree, whose loader and libraries are to be the judge instead of
# this machine's. Programs are still built here.
ROOT = os.environ.get("PRELUDE_ROOT", "")
SYSTEM = os.path.realpath(ROOT + "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2") if ROOT else "/lib64/ld-linux-x86-64.so.2"
LIBRARIES = ROOT + "/usr/lib/x86_64-linux-gnu"
OURS = os.environ.get("PRELUDE_LD") or os.path.join(os.environ.get("PRELUDE_BUILD_DIR", "build"), "ld.so")
OURS = os.path.abspath(OURS)


def compiler_file(name):
    """The path of a start file or library as gcc would link it."""
    return subprocess.run(["gcc", "-print-file-name=" + name], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()


def libc_path():
    """libc.so.6 itself: libc.so is a linker script."""
    return os.path.realpath(compiler_file("libc.so.6"))
