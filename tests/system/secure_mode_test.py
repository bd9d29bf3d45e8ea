#!/usr/bin/env python3
"""Secure-execution mode with set-user-ID programs run by an unprivileged user (needs root to make them)."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from loader import OURS, SYSTEM  # noqa: E402
from privileged import NOBODY, Place  # noqa: E402

PROBE = r'''
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
int answer(void);
int main(int argc, char **argv) {
  struct stat s;
  int open_ones = 0;
  for (int fd = 0; fd < 3; ++fd) open_ones += fstat(fd, &s) == 0;
  FILE *out = argc > 1 ? fopen(argv[1], "w") : stdout;
  fprintf(out, "secure=%lu open=%d answer=%d path=%s debug=%s\n", getauxval(AT_SECURE), open_ones, answer(),
          getenv("LD_LIBRARY_PATH") ? "kept" : "gone", getenv("LD_NOSUCH") ? "kept" : "gone");
  fclose(out);
  return 0;
}
'''


def test_environment_has_no_effect(place):
    program = place.program("absolute", PROBE, place.path("good"))
    env = {"LD_LIBRARY_PATH": place.path("evil"), "LD_PRELOAD": place.path("evil/libanswer.so"), "LD_DEBUG": "all",
           "LD_NOSUCH": "1", "LD_BIND_NOW": "1"}
    done = place.run([program], env)
    assert done.stdout == "secure=1 open=3 answer=1 path=gone debug=gone\n", done
    assert done.stderr == "", done
    plain = place.program("plain", PROBE, place.path("good"), 0o755)
    assert "answer=2" in place.run([plain], {"LD_LIBRARY_PATH": place.path("evil"),
                                             "LD_PRELOAD": place.path("evil/libanswer.so")}).stdout


def test_origin_and_relative_directories_are_not_used(place):
    for name, runpath in (("origin", "$ORIGIN/good"), ("relative", "."), ("empty", ":")):
        done = place.run([place.program(name, PROBE, runpath)])
        assert done.returncode == 127 and "libanswer.so" in done.stderr, (name, done)


def closing(descriptors):
    def prepare():
        for fd in descriptors:
            os.close(fd)
    return prepare


def test_missing_descriptors_are_opened(place):
    program = place.program("descriptors", PROBE, place.path("good"))
    target = place.path("out/text")
    for close in ((0,), (1,), (2,), (0, 1, 2)):
        place.run([program, target], prepare=closing(close))
        with open(target) as text:
            assert "open=3" in text.read(), close
        os.unlink(target)
    plain = place.program("normal_descriptors", PROBE, place.path("good"), 0o755)
    place.run([plain, target], prepare=closing((0, 2)))
    with open(target) as text:
        assert "open=1" in text.read()  # left closed: not our business


def test_needed_paths_must_be_absolute(place):
    place.gcc("needs_path", "int answer(void); int main(void) { return answer() == 1 ? 0 : 3; }", "good/libnoname.so",
              "-Wl,--dynamic-linker=" + place.loader)
    program = place.path("needs_path")
    os.chmod(program, 0o755)
    run_in = dict(user=NOBODY, group=NOBODY, extra_groups=[], cwd=place.directory, stderr=subprocess.PIPE, text=True)
    assert subprocess.run([program], **run_in).returncode == 0
    os.chmod(program, 0o4755)
    done = subprocess.run([program], **run_in)
    assert done.returncode == 127 and "libnoname.so" in done.stderr, done


def test_needed_names_have_no_tokens(place):
    """Wherever they would lead; a dollar alone is none."""
    for name, words in (("$ORIGIN/good/libtoken.so", "DST not allowed"), ("${LIB}/libtoken.so", "DST not allowed"),
                        ("lib$PLATFORM.so", "DST not allowed"), ("libtoken$x.so", "cannot open shared object file")):
        place.gcc("good/libtoken.so", "int token(void) { return 0; }", "-shared", "-fPIC", "-Wl,-soname," + name)
        said = []
        for loader in (SYSTEM, place.loader):
            place.gcc("token", "int token(void); int main(void) { return token(); }", "good/libtoken.so", "-Wl,--dynamic-linker=" + loader)
            os.chmod(place.path("token"), 0o4755)
            done = place.run([place.path("token")])
            said.append((done.returncode, done.stderr))
        assert said[0] == said[1] and said[1][0] == 127 and f"{name}: {words}" in said[1][1], said


OPENS = r'''
#include <dlfcn.h>
#include <stdio.h>
int answer(void);
int main(int argc, char **argv) { puts(dlopen(argv[1], RTLD_NOW) ? "opened" : dlerror()); return answer() != 1; }
'''


def test_opened_paths_with_a_refused_origin_are_not_there(place):
    program = place.program("opens", OPENS, place.path("good"))
    for path in ("$ORIGIN/good/libanswer.so", "${ORIGIN}", "x/$ORIGIN/y"):
        done = place.run([program, path])
        assert done.stdout == path + ": cannot open shared object file: No such file or directory\n", done
        assert done.returncode == 0, done


def test_privileged_loader_runs_nothing(place):
    loader = place.path("privileged_ld.so")
    shutil.copy(OURS, loader)
    os.chmod(loader, 0o4755)
    done = place.run([loader, "/bin/true"])
    assert done.returncode == 127 and done.stderr != "", done


def test_text_relocations_are_refused(place):
    place.gcc("good/libanswer_text.so", 'int value = 1; asm(".text\\n.globl answer\\n.type answer,@function\\n'
              'answer: movabs $value, %rax\\n mov (%rax), %eax\\n ret\\n");', "-shared", "-fPIC", "-Wl,-z,notext")
    place.gcc("text", PROBE, place.path("good/libanswer_text.so"), "-Wl,--dynamic-linker=" + place.loader)
    program = place.path("text")
    os.chmod(program, 0o755)
    assert "answer=1" in place.run([program]).stdout
    os.chmod(program, 0o4755)
    done = place.run([program])
    assert done.returncode == 127 and "DT_TEXTREL" in done.stderr, done


AUDITOR = r'''
#include <unistd.h>
unsigned la_version(unsigned v) { write(1, "audited\n", 8); return v; }
'''


def test_auditors_named_by_the_program(place):
    """DT_AUDIT: plain names in default directories, files of root with the set-user-ID bit; LD_AUDIT never. In a mount
    namespace of its own the auditor takes the place of a system library that nothing here needs."""
    taken = "/usr/lib/x86_64-linux-gnu/libBrokenLocale.so.1"
    place.gcc("good/auditor.so", AUDITOR, "-shared", "-fPIC")
    auditor, plain = place.path("good/auditor.so"), os.path.basename(taken)
    for name, mode, owner, privileged, audited in (
            (plain, 0o4755, 0, True, True), (plain, 0o755, 0, True, False), (plain, 0o4775, 0, True, False),
            (plain, 0o4755, NOBODY, True, False), (taken, 0o4755, 0, True, False), (auditor, 0o4755, 0, True, False),
            ("auditor.so", 0o4755, 0, True, False), (plain, 0o755, 0, False, True), (auditor, 0o755, 0, False, True)):
        for env in ({}, {"LD_AUDIT": plain}, {"LD_AUDIT": auditor, "LD_LIBRARY_PATH": place.path("good")}):
            named = [] if env else ["-Wl,--audit," + name]
            program = place.program("named", PROBE, place.path("good"), 0o4755 if privileged else 0o755, named)
            os.chown(auditor, owner, owner)
            os.chmod(auditor, mode)  # behind chown, which clears bits
            settings = " ".join(f"{variable}={value}" for variable, value in env.items())
            script = f"mount --bind {auditor} {taken} && exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups env {settings} {program}"
            done = subprocess.run(["unshare", "--mount", "sh", "-c", script], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            wanted = (not privileged) if env else audited
            assert done.returncode == 0 and f"secure={int(privileged)}" in done.stdout, (name, mode, owner, env, done)
            assert ("audited" in done.stdout) == wanted, (name, oct(mode), owner, env, done)


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        return
    with tempfile.TemporaryDirectory() as directory:
        place = Place(directory)
        place.gcc("good/libnoname.so", "int answer(void) { return 1; }", "-shared", "-fPIC")
        for name, test in sorted(globals().items()):
            if name.startswith("test_"):
                test(place)
                print("ok", name)


main()
