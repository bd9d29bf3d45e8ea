#!/usr/bin/env python3
"""What the loader promises about memory: its own constant data is closed, and no page is ever writable and
executable, text relocations and IFUNCs included."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from loader import OURS, SYSTEM  # noqa: E402

MAPS = r'''
#include <stdio.h>
int main(void) {
  char line[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) fputs(line, stdout);
  return 0;
}
'''
# A library whose code holds absolute addresses: of data, and of an IFUNC of its own.
TEXT_RELOCATED = r'''
static int one(void) { return 1; }
static int two(void) { return 2; }
int chosen(void) __attribute__((ifunc("choose")));
static int (*choose(void))(void) { return one == 0 ? one : two; }
int value = 40;
asm(".text\n.globl direct\n.type direct,@function\ndirect: movabs $value, %rax\n mov (%rax), %eax\n ret\n"
    ".globl indirect\n.type indirect,@function\nindirect: sub $8, %rsp\n movabs $chosen, %rax\n call *%rax\n"
    " add $8, %rsp\n ret\n");
'''
CALLER = "#include <stdio.h>\nint direct(void), indirect(void);\nint main(void) { printf(\"%d\\n\", direct() + indirect()); }\n"


def compile_c(directory, name, source, *options):
    path = os.path.join(directory, name)
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-o", path, *options], input=source, text=True, check=True, cwd=directory)
    return path


def protections(command):
    """The protection arguments of all mmap and mprotect calls of a command, and its output."""
    with tempfile.NamedTemporaryFile("r") as log:
        done = subprocess.run(["strace", "-f", "-e", "trace=mmap,mprotect", "-o", log.name, *command],
                              stdout=subprocess.PIPE, text=True, check=True)
        return re.findall(r"(PROT_[A-Z_|]+)", log.read()), done.stdout


def test_own_constant_data_is_read_only(directory):
    program = compile_c(directory, "maps", MAPS)
    lines = subprocess.run([OURS, program], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    own = [line for line in lines if line.endswith(OURS)]
    kinds = [line.split()[1] for line in own]
    assert "rw-p" in kinds, own
    # Between the read-only data and the writable data there is one more read-only part: PT_GNU_RELRO.
    assert kinds[-1] == "rw-p" and kinds[-2] == "r--p" and kinds.count("r--p") >= 3, own
    for line in lines:
        permissions = line.split()[1]
        assert not ("w" in permissions and "x" in permissions), line


def test_text_relocations_never_make_code_writable(directory):
    compile_c(directory, "libtext.so", TEXT_RELOCATED, "-shared", "-fPIC", "-Wl,-z,notext", "-Wl,--no-warnings", "-Wl,-soname,libtext.so")
    program = compile_c(directory, "caller", CALLER, "-L.", "-ltext", "-Wl,-rpath," + directory)
    expected = subprocess.run([SYSTEM, program], stdout=subprocess.PIPE, text=True, check=True).stdout
    calls, output = protections([OURS, program])
    assert output == expected == "42\n", (output, expected)
    assert calls, "strace saw nothing"
    both = [call for call in calls if "PROT_WRITE" in call and "PROT_EXEC" in call]
    assert not both, both


def main():
    with tempfile.TemporaryDirectory() as directory:
        for name, test in sorted(globals().items()):
            if name.startswith("test_"):
                test(directory)
                print("ok", name)


main()
