#!/usr/bin/env python3
"""The known attacks on loaders of privileged programs, each with a set-user-ID program and one with file
capabilities, run by an unprivileged user. Where the attack means something to an ordinary program, that one
runs too and must show the effect: the attack itself works. Needs root to make such programs."""
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from privileged import NOBODY, Place  # noqa: E402

PROBE = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
extern char **environ;
int answer(void);
int main(void) {
  int later = 0, low = 0, math = 0, sealed = 0;
  char line[1024];
  void *library = dlopen("liblater.so", RTLD_NOW);
  if (library) later = ((int (*)(void))dlsym(library, "later"))();
  FILE *maps = fopen("/proc/self/smaps", "r");
  while (maps && fgets(line, sizeof line, maps)) {
    unsigned long start;
    if (sscanf(line, "%lx-", &start) == 1 && strstr(line, " r-xp ") && strstr(line, ".so")) low += start >> 32 == 0;
    math += strstr(line, "/libm.so") != NULL;
    if (!strncmp(line, "VmFlags:", 8)) sealed += strstr(line, " sl") != NULL;
  }
  unsigned long guard;
  __asm__("mov %%fs:0x30, %0" : "=r"(guard));
  printf("secure=%lu answer=%d later=%d low=%d math=%d guard=%d sealed=%d kept=", getauxval(AT_SECURE), answer(), later,
         low != 0, math != 0, guard != 0, sealed != 0);
  for (char **entry = environ; *entry; ++entry)
    if (strstr(*entry, "LD_") || strstr(*entry, "TUNABLES")) printf("%.*s,", 24, *entry);
  puts("");
  return 0;
}
'''
# Starts argv[1] with an environment that no shell could make.
ODD_ENVIRONMENT = r'''
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
  static char path[4096], preload[4096];
  snprintf(path, sizeof path, "LD_LIBRARY_PATH=%s", argv[2]);
  snprintf(preload, sizeof preload, "LD_PRELOAD=%s/libanswer.so", argv[2]);
  char *envp[] = {"LD_PRELOAD", "", "=", "=LD_PRELOAD=x", path, preload, "LD_LIBRARY_PATH=", path, preload, "NOEQUALS", path, preload, 0};
  execve(argv[1], argv + 1, envp);
  return 99;
}
'''
SHARED = ("-shared", "-fPIC")


class Attack:
    """One probe in the three forms, and what they said."""

    def __init__(self, place, kinds):
        self.place = place
        self.kinds = kinds
        self.made = {}

    def program(self, kind, directory, runpath, options):
        key = (kind, directory, runpath, options)
        if key not in self.made:
            self.made[key] = self.build(*key)
        return self.made[key]

    def build(self, kind, directory, runpath, options):
        name = os.path.join(directory, f"probe{len(self.made)}-{kind}")
        path = self.place.program(name, PROBE, runpath, 0o4755 if kind == "set-user-ID" else 0o755, options)
        if kind == "capabilities":
            subprocess.run(["setcap", "cap_net_raw+ep", path], check=True)
        return path

    def run(self, env=None, runpath=None, prepare=None, cwd="good", directory="", kinds=None, wrap=None, options=()):
        """{kind: result} of the probe in that environment; `wrap` makes a command of the program's path."""
        results = {}
        for kind in kinds or [*self.kinds, "ordinary"]:
            program = self.program(kind, directory, runpath or self.place.path("good"), options)
            results[kind] = self.place.run(wrap(program) if wrap else [program], env, prepare, cwd)
        return results


def check(results, ordinary=None, allowed=(0,)):
    """Privileged programs saw nothing of the attack; the ordinary one has the text that shows its effect."""
    for kind, done in results.items():
        if kind == "ordinary":
            assert ordinary is None or ordinary in done.stdout + done.stderr, (kind, ordinary, done)
            continue
        assert done.returncode in allowed, (kind, done)
        if done.returncode == 0:
            assert done.stdout.startswith("secure=1 answer=1 later=0 low=0 math=0 guard=1 "), (kind, done)
            assert done.stdout.endswith(" kept=\n") and done.stderr == "", (kind, done)


def test_2023_4911_tunables(attack):
    for length in (1, 16, 255, 4096, 70000):
        for text in ("glibc.malloc.mxfast=glibc.malloc.mxfast=", "glibc.malloc.mxfast=", ":::=", "glibc."):
            check(attack.run({"GLIBC_TUNABLES": text + "A" * length, "MALLOC_ARENA_MAX": "1" * length},
                             kinds=attack.kinds if length == 4096 else attack.kinds[:1]))


def test_2025_4802_later_dlopen(attack):
    evil = attack.place.path("evil")
    check(attack.run({"LD_LIBRARY_PATH": evil}), "later=2")
    check(attack.run({"LD_LIBRARY_PATH": ":" + evil + ":"}, cwd="evil"), "later=2")


def test_2019_19126_low_addresses(attack):
    check(attack.run(), "low=0")
    check(attack.run({"LD_PREFER_MAP_32BIT_EXEC": "1"}), "low=1")
    check(attack.run({"GLIBC_TUNABLES": "glibc.cpu.prefer_map_32bit_exec=1"}), "low=1")


def test_2017_16997_refused_origin_is_not_the_current_directory(attack):
    for runpath in ("$ORIGIN", "$ORIGIN/evil", "${ORIGIN}", "/nowhere/$ORIGIN", "$ORIGINx", "$ORIGIN/../evil", ":", "."):
        for style in ("--enable-new-dtags", "--disable-new-dtags"):
            results = attack.run(runpath=runpath, cwd="evil", kinds=attack.kinds[:1], options=("-Wl," + style,))
            for kind, done in results.items():
                assert done.returncode == 127 and "libanswer.so: cannot open" in done.stderr, (runpath, kind, done)
    done = attack.run(runpath=".", cwd="evil", kinds=["ordinary"])["ordinary"]
    assert "answer=2" in done.stdout, done


def test_2017_16997_without_proc(attack):
    """$ORIGIN is unknown then."""
    def wrap(program):
        return ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none /proc && exec setpriv --reuid {NOBODY} --regid {NOBODY} "
                f"--clear-groups {program}"]
    for runpath, status in (("$ORIGIN/evil", 127), (attack.place.path("good"), 0)):
        for kind in attack.kinds:
            program = attack.program(kind, "", runpath, ())
            done = subprocess.run(wrap(program), cwd=attack.place.path("evil"), text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
            assert done.returncode == status and "answer=2" not in done.stdout, (kind, runpath, done)
            assert status or "answer=1" in done.stdout, (kind, done)


def test_2017_1000366_long_variables_on_a_small_stack(attack):
    def small_stack():
        resource.setrlimit(resource.RLIMIT_STACK, (512 << 10, 512 << 10))
    long_path = "/x" * 30000
    tokens = "$ORIGIN/$LIB/$PLATFORM:" * 2000
    for value in (long_path, tokens, "/a/" * 20000):
        check(attack.run({"LD_LIBRARY_PATH": value, "LD_PRELOAD": value, "LD_HWCAP_MASK": value[:4000]}, prepare=small_stack,
                         kinds=attack.kinds))


def test_2017_1000408_many_directories(attack):
    for value in (":" * 60000, ";" * 60000, "a:" * 30000, "$LIB:" * 10000):
        check(attack.run({"LD_LIBRARY_PATH": value}, kinds=attack.kinds[:1]))


def test_2018_1000001_unreachable_current_directory(attack):
    """The current directory lies on a file system that is no longer mounted: getcwd says (unreachable)."""
    place = attack.place.path("")
    for kind in attack.kinds:
        for runpath, status in ((attack.place.path("good"), 0), ("$ORIGIN/evil:evil:.", 127)):
            program = attack.program(kind, "", runpath, ())
            script = (f"mkdir -p {place}gone && mount -t tmpfs none {place}gone && cp -r {place}evil {place}gone/ && cd {place}gone && "
                      f"umount -l {place}gone && exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups {program}")
            done = subprocess.run(["unshare", "--mount", "sh", "-c", script], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
            assert done.returncode == status and "answer=2" not in done.stdout, (kind, runpath, done)


def test_2010_3847_audit_with_origin(attack):
    for value in ("$ORIGIN/libaudit.so", "${ORIGIN}/libaudit.so", attack.place.path("evil/libaudit.so"), "../evil/libaudit.so"):
        check(attack.run({"LD_AUDIT": value}, directory="evil", kinds=attack.kinds))
        check(hard_linked(attack, {"LD_AUDIT": value}))


def hard_linked(attack, env, runpath=None):
    """The program by a second name in the attacker's directory."""
    results = {}
    for kind in attack.kinds:
        program = attack.program(kind, "", runpath or attack.place.path("good"), ())
        link = attack.place.path("evil/link-" + os.path.basename(program))
        if not os.path.exists(link):
            os.link(program, link)
        results[kind] = attack.place.run([link], env, cwd="evil")
    return results


def test_2010_3856_library_of_a_trusted_directory(attack):
    """Without the set-user-ID bit it is not preloaded, however it is found: directory or ld.so.cache (CVE-2001-0169)."""
    results = attack.run({"LD_PRELOAD": "libm.so.6"})
    for kind in attack.kinds:
        done = results[kind]
        assert done.returncode == 0 and " math=0 " in done.stdout, (kind, done)
    assert " math=1 " in results["ordinary"].stdout, results["ordinary"]
    check(attack.run({"LD_AUDIT": "libm.so.6"}, kinds=attack.kinds))


def test_2011_0536_origin_by_hard_link(attack):
    for runpath in ("$ORIGIN", "$ORIGIN/", "$ORIGIN/../evil"):
        for kind, done in hard_linked(attack, {}, runpath).items():
            assert done.returncode == 127 and "libanswer.so: cannot open" in done.stderr, (kind, runpath, done)


def test_2009_4146_malformed_environment(attack):
    """Entries without a sign of equality, empty ones, and several copies (CVE-2000-0824)."""
    place = attack.place
    place.gcc("odd", ODD_ENVIRONMENT)
    os.chmod(place.path("odd"), 0o755)
    results = attack.run(wrap=lambda program: [place.path("odd"), program, place.path("evil")])
    for kind in attack.kinds:
        done = results[kind]
        kept = done.stdout.partition("kept=")[2]
        assert done.returncode == 0 and "answer=1 later=0" in done.stdout, (kind, done)
        assert "evil" not in kept and "LD_LIBRARY_PATH" not in kept and "LD_PRELOAD=/" not in kept, (kind, done)
    assert "answer=2" in results["ordinary"].stdout, results["ordinary"]


def test_2019_19726_little_memory(attack):
    """With too little memory it may fail, but never skips a step."""
    program = {kind: attack.program(kind, "", attack.place.path("good"), ()) for kind in attack.kinds}
    outcomes = set()
    for limit, sizes in ((resource.RLIMIT_AS, range(1 << 20, 12 << 20, 1 << 20)), (resource.RLIMIT_DATA, (0, 4096, 65536, 1 << 20))):
        for size in sizes:
            for kind in attack.kinds:
                done = attack.place.run([program[kind]], {"LD_LIBRARY_PATH": attack.place.path("evil")},
                                        lambda size=size, limit=limit: resource.setrlimit(limit, (size, size)))
                assert "answer=2" not in done.stdout, (kind, size, done)
                # execve itself kills a process whose image does not fit.
                assert done.returncode in (0, 127, -signal.SIGKILL, -signal.SIGSEGV), (kind, size, done)
                outcomes.add(done.returncode)
    assert 0 in outcomes and len(outcomes) > 1, outcomes


def test_2015_3760_no_file_is_written(attack):
    """Nor anything said (CVE-2000-0959, CVE-2004-1453)."""
    place = attack.place
    out = place.path("out/trace")
    env = {"LD_DEBUG": "all", "LD_DEBUG_OUTPUT": out, "LD_TRACE_JSON": out, "LD_PROFILE": "libanswer.so", "LD_SHOW_AUXV": "1",
           "LD_PROFILE_OUTPUT": place.path("out")}
    results = attack.run(env)
    check(results, "AT_SECURE")
    made = os.listdir(place.path("out"))
    assert made, "the ordinary program's trace"
    for name in made:
        os.unlink(place.path("out/" + name))
    check(attack.run(env, kinds=attack.kinds))
    assert os.listdir(place.path("out")) == [], os.listdir(place.path("out"))


def test_2015_8777_pointer_guard(attack):
    check(attack.run({"LD_POINTER_GUARD": "0"}), "guard=1")


def test_2007_3508_numbers_overflow(attack):
    for value in ("0xffffffffffffffffffff", "9" * 400, "-1", "0x" + "f" * 5000):
        check(attack.run({"LD_HWCAP_MASK": value, "LD_TRACE_LEVEL": value, "LD_ASSUME_KERNEL": value}, kinds=attack.kinds))


def test_2009_5064_listing_runs_nothing(attack):
    """LD_TRACE_LOADED_OBJECTS of a privileged program: nothing is shown, nothing runs."""
    results = attack.run({"LD_TRACE_LOADED_OBJECTS": "1"})
    for kind in attack.kinds:
        done = results[kind]
        assert (done.returncode, done.stdout, done.stderr) == (5, "", ""), (kind, done)
    assert "libanswer.so" in results["ordinary"].stdout and "answer=" not in results["ordinary"].stdout, results


def test_sealed_where_the_kernel_can(attack):
    """Privileged programs are sealed (mseal), ordinary ones only on demand."""
    can = subprocess.run([sys.executable, "-c", "import ctypes; raise SystemExit(ctypes.CDLL(None).syscall(462, 0, 0, 0) != 0)"]).returncode == 0
    for env in ({}, {"LD_SEAL": "1"}):
        for kind, done in attack.run(env).items():
            wanted = can and (kind != "ordinary" or bool(env))
            assert done.returncode == 0 and f"sealed={int(wanted)} " in done.stdout, (kind, env, done)
    print("   the kernel", "has" if can else "has no", "mseal")


def forms(directory):
    """Ways of being privileged that this place allows."""
    if shutil.which("setcap") is None:
        print("skipped: file capabilities, as there is no setcap")
        return ["set-user-ID"]
    file = os.path.join(directory, "try")
    open(file, "w").close()
    if subprocess.run(["setcap", "cap_net_raw+ep", file], stderr=subprocess.DEVNULL).returncode != 0:
        print("skipped: file capabilities, as setcap cannot set them here")
        return ["set-user-ID"]
    return ["set-user-ID", "capabilities"]


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        return
    with tempfile.TemporaryDirectory() as directory:
        place = Place(directory)
        place.gcc("evil/liblater.so", "int later(void) { return 2; }", *SHARED)
        place.gcc("evil/libaudit.so", 'int puts(const char *);\nunsigned la_version(unsigned v) { puts("AUDIT"); return v; }\n'
                  '__attribute__((constructor)) static void begin(void) { puts("AUDIT"); }', *SHARED)
        attack = Attack(place, forms(directory))
        for name, test in sorted(globals().items()):
            if name.startswith("test_") and (len(sys.argv) < 2 or name in sys.argv[1:]):
                test(attack)
                print("ok", name, flush=True)


main()
