#!/usr/bin/env python3
"""What the loader promises about memory, random values and system calls: its own constant data is closed, no page is
ever writable and executable, text relocations and IFUNCs included; addresses, the stack protector's value and the
pointer guard differ from start to start; strict kernels and filters are obeyed."""
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
# Runs a command without memory that was ever both written and executed (prctl PR_SET_MDWE).
STRICT = r'''
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char **argv) {
  if (prctl(65, 1L, 0L, 0L, 0L)) return 77;
  execv(argv[1], argv + 1);
  return 99;
}
'''
# Runs a command under a filter that ends the process at every call that is not one of the system's loader.
LISTED = r'''
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
  static const int listed[] = {SYS_openat, SYS_read, SYS_pread64, SYS_newfstatat, SYS_fstat, SYS_mmap, SYS_mprotect, SYS_munmap,
                               SYS_close, SYS_brk, SYS_access, SYS_getcwd, SYS_arch_prctl, SYS_set_tid_address,
                               SYS_set_robust_list, SYS_rseq, SYS_prlimit64, SYS_getrandom,
                               SYS_execve, SYS_write, SYS_exit_group};  // the last three: what a program does itself
  enum { kCount = sizeof listed / sizeof *listed };
  struct sock_filter code[2 * kCount + 2] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  for (int i = 0; i < kCount; ++i) {
    code[2 * i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, listed[i], 0, 1);
    code[2 * i + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  code[2 * kCount + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  struct sock_fprog filter = {sizeof code / sizeof *code, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 77;
  execv(argv[1], argv + 1);
  return 99;
}
'''
# Opens a library by name and by path, closes it, and says so without stdio.
QUIET = r'''
#include <dlfcn.h>
#include <unistd.h>
int main(int argc, char **argv) {
  void *library = dlopen("libm.so.6", RTLD_LAZY), *plain = dlopen(argv[1], RTLD_NOW);
  if (!library || !dlsym(library, "cos") || !plain || dlclose(plain) || dlopen(argv[2], RTLD_NOW)) return 1;
  if (argc > 3) return (int)syscall(39L) & 0;
  return write(1, "right\n", 6) != 6;
}
'''
# Where things lie, and the two random words.
PLACES = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
int main(int argc, char **argv) {
  unsigned long canary, guard, given[2];
  struct link_map *opened = dlopen(argv[1], RTLD_NOW);
  asm("mov %%fs:0x28, %0" : "=r"(canary));
  asm("mov %%fs:0x30, %0" : "=r"(guard));
  if (strcmp(gnu_get_libc_version(), "2.44") >= 0)  /* no longer in the control block */
    guard = *(unsigned long *)dlsym(RTLD_DEFAULT, "__pointer_chk_guard");
  memcpy(given, (void *)getauxval(AT_RANDOM), sizeof given);
  printf("%lx %lx %lx %lx %lx %lx %d\n", (unsigned long)main, _r_debug.r_ldbase, (unsigned long)dlsym(RTLD_DEFAULT, "puts"),
         opened->l_addr, canary, guard, canary == (given[0] & ~0xffUL) && guard == given[1]);
  return 0;
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
    program = text_relocated(directory)
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


def text_relocated(directory):
    compile_c(directory, "libtext.so", TEXT_RELOCATED, "-shared", "-fPIC", "-Wl,-z,notext", "-Wl,--no-warnings", "-Wl,-soname,libtext.so")
    return compile_c(directory, "caller", CALLER, "-L.", "-ltext", "-Wl,-rpath," + directory)


def test_strict_memory_is_obeyed(directory):
    """With PR_SET_MDWE programs run, and a library with text relocations is refused by name."""
    strict = compile_c(directory, "strict", STRICT)
    program = compile_c(directory, "maps", MAPS)
    done = subprocess.run([strict, OURS, program], stdout=subprocess.PIPE, text=True)
    if done.returncode == 77:
        print("   skipped: the kernel has no PR_SET_MDWE")
        return
    assert done.returncode == 0 and "libc.so.6" in done.stdout, done
    for side in (OURS, SYSTEM):
        done = subprocess.run([strict, side, text_relocated(directory)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 127 and "libtext.so" in done.stderr and not done.stdout, (side, done)


def test_only_listed_calls_are_made(directory):
    """A start, a library found by name, one by path, dlclose and a refusal."""
    listed = compile_c(directory, "listed", LISTED)
    quiet = compile_c(directory, "quiet", QUIET)
    plain = compile_c(directory, "libplain.so", "int plain;", "-shared", "-fPIC")
    refused = os.path.join(directory, "refused.so")
    with open(refused, "wb") as file:
        file.write(b"\x7fELF" + bytes(100))
    done = subprocess.run([listed, OURS, quiet, plain, refused, "another call"], stdout=subprocess.PIPE)
    if done.returncode == 77:
        print("   skipped: no filters of system calls here")
        return
    assert done.returncode == -signal.SIGSYS, done
    done = subprocess.run([listed, OURS, quiet, plain, refused], stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, b"right\n"), done
    direct = compile_c(directory, "quiet-interp", QUIET, "-Wl,--dynamic-linker=" + OURS)
    done = subprocess.run([listed, direct, plain, refused], stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, b"right\n"), done


def starts(command, count):
    """The numbers that PLACES prints, for each start."""
    lines = [subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout for _ in range(count)]
    return list(zip(*[[int(word, 16) for word in line.split()] for line in lines]))


def spread(numbers):
    """How far apart they lie, and the lowest bit that changes."""
    changed = 0
    for number in numbers:
        changed |= number ^ numbers[0]
    return max(numbers) - min(numbers), changed & -changed


def test_every_start_is_different(directory):
    """300 starts. The loader takes no bit from what the kernel makes random, neither where the kernel maps the program
    nor where it does so itself."""
    plain = compile_c(directory, "libplain.so", "int plain;", "-shared", "-fPIC")
    program = compile_c(directory, "places", PLACES)
    mapped_by_kernel = compile_c(directory, "places-interp", PLACES, "-Wl,--dynamic-linker=" + OURS)
    reference = starts([SYSTEM, program, plain], 100)
    for command, count in (([OURS, program, plain], 100), ([mapped_by_kernel, plain], 200)):
        found = starts(command, count)
        assert set(found[6]) == {1}, "canary and pointer guard are not the kernel's random bytes"
        for what, ours, theirs in zip(("program", "loader", "libc", "opened library", "canary", "pointer guard"), found, reference):
            assert len(set(ours)) == count, f"{what}: {count - len(set(ours))} of {count} starts are like others"
            (width, step), (their_width, their_step) = spread(ours), spread(theirs)
            assert 2 * width > their_width and step <= their_step, (what, width, step, their_width, their_step)


def test_a_file_system_without_execution_is_obeyed(directory):
    if os.geteuid() != 0:
        print("   skipped: needs root")
        return
    compile_c(directory, "libplain.so", "int plain;", "-shared", "-fPIC")
    program = compile_c(directory, "needs-plain", "int main(void) { return 0; }", "-Wl,--no-as-needed", "libplain.so")
    script = "mount -t tmpfs -o noexec none /mnt && cp libplain.so /mnt && LD_LIBRARY_PATH=/mnt exec \"$0\" ./" + os.path.basename(program)
    said = []
    for side in (SYSTEM, OURS):
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, side], stderr=subprocess.PIPE, text=True, cwd=directory)
        said.append((done.returncode, done.stderr.splitlines()[:1]))
    assert said[0] == said[1] and said[1][0] == 127 and "libplain.so" in said[1][1][0], said


def main():
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        for name, test in sorted(globals().items()):
            if name.startswith("test_"):
                test(directory)
                print("ok", name)


main()
