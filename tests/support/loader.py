"""What system tests share: the two loaders, and files of the C tool chain."""
import os
import subprocess

SYSTEM = "/lib64/ld-linux-x86-64.so.2"
OURS = os.environ.get("PRELUDE_LD") or os.path.join(os.environ.get("PRELUDE_BUILD_DIR", "build"), "ld.so")
OURS = os.path.abspath(OURS)


def compiler_file(name):
    """The path of a start file or library as gcc would link it."""
    return subprocess.run(["gcc", "-print-file-name=" + name], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()


def libc_path():
    """libc.so.6 itself: libc.so is a linker script."""
    return os.path.realpath(compiler_file("libc.so.6"))
