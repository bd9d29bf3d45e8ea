#!/usr/bin/env python3
"""What the loader promises about memory: its own constant data is closed, and no page is ever writable and
executable, text relocations and IFUNCs included."""
import os
import re
import signal
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
# Tries to make code writable; opens and closes a library before.
UNSEAL = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
const void *const constant = &constant;
static int opens(void *where, int protection) {
  return mprotect((void *)((unsigned long)where & -4096UL), 4096, protection) == 0;
}
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  int closed = library && dlclose(library) == 0 && dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL;
  syscall(SYS_mseal_number, 0UL, 0UL, 0UL);
  printf("kernel=%d closed=%d open=%d%d%d\n", errno != ENOSYS, closed, opens(main, PROT_READ | PROT_WRITE | PROT_EXEC),
         opens((void *)&constant, PROT_READ | PROT_WRITE), opens(dlsym(RTLD_DEFAULT, "puts"), PROT_READ | PROT_WRITE | PROT_EXEC));
  return 0;
}
'''.replace("SYS_mseal_number", "462")
# Runs a command under a filter that ends the process at one system call.
FILTER = r'''
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                               BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 462, 0, 1),
                               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog filter = {sizeof code / sizeof *code, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 77;
  execv(argv[1], argv + 1);
  return 99;
}
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
    assert own[-1].split()[1] == "rw-p", own
    headers = subprocess.run(["readelf", "-lW", OURS], stdout=subprocess.PIPE, text=True, check=True).stdout
    closed = int(own[0].split("-")[0], 16) + int(re.search(r"GNU_RELRO +\S+ (\S+)", headers).group(1), 16)
    parts = [line.split()[1] for line in own if int(line.split("-")[0], 16) <= closed < int(line.split("-")[1].split()[0], 16)]
    assert parts == ["r--p"], (parts, own)
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


def test_sealed_memory_stays_as_it_is(directory):
    """LD_SEAL: code and closed constants cannot be opened again; dlopen and dlclose go on."""
    library = compile_c(directory, "libplain.so", "int plain;", "-shared", "-fPIC")
    program = compile_c(directory, "unseal", UNSEAL, "-Wl,-z,relro,-z,now")
    said = {value: subprocess.run([OURS, program, library], env={"LD_SEAL": value}, stdout=subprocess.PIPE, text=True,
                                  check=True).stdout for value in ("", "1")}
    assert said[""] in ("kernel=1 closed=1 open=111\n", "kernel=0 closed=1 open=111\n"), said
    assert said["1"] == ("kernel=1 closed=1 open=000\n" if "kernel=1" in said[""] else said[""]), said
    print("   the kernel has", "mseal" if "kernel=1" in said[""] else "no mseal")


def test_no_call_is_made_that_a_filter_may_not_know(directory):
    filtered = compile_c(directory, "filtered", FILTER)
    done = subprocess.run([filtered, sys.executable, "-c", "import ctypes; ctypes.CDLL(None).syscall(462, 0, 0, 0)"])
    if done.returncode == 77:
        print("   skipped: no filters of system calls here")
        return
    assert done.returncode == -signal.SIGSYS, done
    for value in ("", "1"):
        done = subprocess.run([filtered, OURS, "/bin/true"], env={"LD_SEAL": value})
        assert done.returncode == 0, (value, done)


def main():
    with tempfile.TemporaryDirectory() as directory:
        for name, test in sorted(globals().items()):
            if name.startswith("test_"):
                test(directory)
                print("ok", name)


main()
