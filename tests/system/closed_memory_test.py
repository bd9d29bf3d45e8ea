#!/usr/bin/env python3
"""With LD_SEAL the memory that decides what the loader does is read-only between changes: its own data and the heap
of its records. Link maps, threads' data and libc's own structures stay writable. Without LD_SEAL nothing is closed."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from loader import OURS  # noqa: E402

# Says of a path that the loader has copied, of its own data and of a link map whether they can be written to ("w").
LOOK = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
// No call of libc that is bound late: the resolver comes here before its own object is relocated.
static char writable(const void *at) {
  static char text[1 << 18];
  size_t used = 0;
  int fd = open("/proc/self/maps", O_RDONLY);
  for (ssize_t got; (got = read(fd, text + used, sizeof text - 1 - used)) > 0;) used += got;
  close(fd);
  text[used] = 0;
  for (char *line = text; *line; line = strchr(line, '\n') + 1) {
    unsigned long start, end;
    char permissions[8];
    if (sscanf(line, "%lx-%lx %7s", &start, &end, permissions) == 3 && (unsigned long)at >= start && (unsigned long)at < end)
      return permissions[1];
  }
  return '?';
}
static struct link_map *known;
static const void *own_data(void) {
  for (ElfW(Dyn) *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++)
    if (entry->d_tag == DT_DEBUG) return (const void *)entry->d_un.d_ptr;
  return NULL;
}
void look(const char *when) {
  if (!known) known = dlopen("./known.so", RTLD_NOW);
  char line[100];
  int size = sprintf(line, "%s %c%c%c\n", when, writable(known->l_name), writable(own_data()), writable(known));
  write(1, line, size);
}
'''
PROGRAM = LOOK + r'''
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
void *thread(void *name) { void *library = dlopen(name, RTLD_NOW); if (library) dlclose(library); look("thread"); return library; }
static void caught(int number) { look("fault"); _exit(3); }
int main(int argc, char **argv) {
  look("main");
  void *library = dlopen("./lib.so", RTLD_NOW);
  look("opened");
  ((void (*)(void))dlsym(library, "called"))();
  dlclose(library);
  look("closed");
  if (dlopen("./missing.so", RTLD_NOW) || !dlopen("./lib.so", RTLD_LAZY | RTLD_GLOBAL)) return 1;
  look("opened again");
  pthread_t other;
  void *result = NULL;
  pthread_create(&other, NULL, thread, "./tls.so");
  pthread_join(other, &result);
  if (!result || !dlmopen(LM_ID_NEWLM, "./known.so", RTLD_NOW)) return 2;
  look("namespace");
  fflush(stdout);
  int status;
  if (fork() == 0) { library = dlopen("./tls.so", RTLD_NOW); look("child"); _exit(!library || dlclose(library)); }
  if (wait(&status) < 0 || status != 0) return 4;
  if (fork() == 0) { signal(SIGSEGV, caught); ((volatile char *)known->l_name)[0] = '?'; _exit(0); }
  if (wait(&status) < 0) return 5;
  printf("write %d\n", WEXITSTATUS(status));
  fflush(stdout);
  const char *name = known->l_name;
  known->l_name = "a name of the program's";
  if (!dlopen("./known.so", RTLD_NOW)) return 6;
  known->l_name = (char *)name;
  return 0;
}
'''
LIBRARY = r'''
#include <unistd.h>
void look(const char *);
static int one(void) { return 1; }
static int (*choose(void))(void) { look("resolver"); return one; }
int chosen(void) __attribute__((ifunc("choose")));
int other(void);
__attribute__((constructor)) static void begin(void) { look("constructor"); }
__attribute__((destructor)) static void end(void) { look("destructor"); }
void called(void) { look("called"); if (chosen() != 1) _exit(9); other(); }
'''
# A finaliser that forks is inside of a dlclose of its own thread: the child goes on with it.
FORKS = r'''
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <dlfcn.h>
static int child;
__attribute__((destructor)) static void end(void) {
  int status;
  child = fork();
  if (child && (wait(&status) < 0 || status != 0)) _exit(7);
}
'''
OPENS = r'''
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
  pid_t parent = getpid();
  void *library = dlopen("./forks.so", RTLD_NOW);
  if (!library || dlclose(library)) return 1;
  for (int i = 0; i < 3; i++) { library = dlopen("./tls.so", RTLD_NOW); if (!library || dlclose(library)) return 2; }
  if (getpid() != parent) _exit(0);
  puts("both went on");
  return 0;
}
'''
# Puts the list that one link map shows into another one, where libc takes it from for dlsym.
STEERS = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
// l_local_scope: a pointer to what l_searchlist holds, and a null behind it.
static void **place(void *map) {
  void **words = map;
  for (int i = 6; i < 140; i++) {
    if (words[i + 1] || (unsigned long)words[i] < 4096 || (unsigned long)words[i] % 8) continue;
    for (int k = 6; k < 140; k++)
      if (k != i && words[k] == *(void **)words[i] && words[k]) return &words[i];
  }
  return NULL;
}
int main(void) {
  void *good = dlopen("./good.so", RTLD_NOW), *other = dlopen("./evil.so", RTLD_NOW);
  if (!good || !other || !place(good) || !place(other)) return 1;
  *place(good) = *place(other);
  int (*which)(void) = (int (*)(void))dlsym(good, "which");
  printf("%d\n", which());
  return 0;
}
'''


def compile_c(directory, name, source, *options):
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-o", name, *options], input=source, text=True, check=True, cwd=directory)


def build(directory):
    library = ("-shared", "-fPIC")
    compile_c(directory, "known.so", "int known;", *library)
    compile_c(directory, "tls.so", "__thread int counter = 5; int count(void) { return ++counter; }", *library)
    compile_c(directory, "other.so", "int other(void) { return 2; }", *library)
    compile_c(directory, "lib.so", LIBRARY, *library, "./other.so", "-Wl,-z,lazy")
    compile_c(directory, "forks.so", FORKS, *library)
    compile_c(directory, "program", PROGRAM, "-rdynamic", "-pthread", "-Wl,-z,now")
    compile_c(directory, "opens", OPENS)
    compile_c(directory, "good.so", "int which(void) { return 1; }", *library)
    compile_c(directory, "evil.so", "int which(void) { return 2; }", *library)
    compile_c(directory, "steers", STEERS)


def run(directory, program, seal):
    done = subprocess.run([OURS, "./" + program], env={"LD_SEAL": seal, "LD_LIBRARY_PATH": "."}, cwd=directory,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, ""), (program, seal, done)
    return done.stdout


def test_closed_between_changes(directory):
    lines = [line.rsplit(" ", 1) for line in run(directory, "program", "1").splitlines()]
    moments = [when for when, _ in lines]
    wanted = ["main", "resolver", "constructor", "opened", "called", "destructor", "closed", "opened again", "thread",
              "namespace", "child", "fault", "write"]
    assert set(wanted) <= set(moments), moments
    for when, seen in lines:
        # A resolver runs in the middle of the change that needs its answer.
        expected = {"resolver": "www", "write": "3"}.get(when, "--w")
        assert seen == expected, (when, seen, lines)


def test_open_without_the_variable(directory):
    for line in run(directory, "program", "").splitlines():
        when, seen = line.rsplit(" ", 1)
        assert seen == ("0" if when == "write" else "www"), line


def test_nothing_else_of_the_loader_is_writable(directory):
    """Of the file's data only the section that is meant to."""
    compile_c(directory, "maps", '#include <stdio.h>\nint main(void) { char s[512]; FILE *f = fopen("/proc/self/maps", "r");'
              " while (fgets(s, sizeof s, f)) fputs(s, stdout); return 0; }")
    maps = [line.split() for line in run(directory, "maps", "1").splitlines()]
    headers = subprocess.run(["readelf", "-SlW", OURS], stdout=subprocess.PIPE, text=True, check=True).stdout
    open_start = int(re.search(r"\.bss\.open +NOBITS +(\S+)", headers).group(1), 16)
    low, high = [(int(start, 16), int(start, 16) + int(size, 16)) for start, size in
                 re.findall(r"LOAD +\S+ (\S+) \S+ \S+ (\S+)", headers)][-1]
    base = next(int(words[0].split("-")[0], 16) for words in maps if words[-1] == OURS)
    seen = 0
    for words in maps:
        start, end = (int(part, 16) for part in words[0].split("-"))
        if base + low < end and start < base + high and "w" in words[1]:
            assert start == base + open_start and end <= base + high + 4096, (words, hex(base + open_start))
            seen += 1
    assert seen == 1, maps


def test_a_link_map_steers_no_lookup(directory):
    """What the same does without LD_SEAL shows that the right word was written to."""
    assert run(directory, "steers", "") == "2\n"
    assert run(directory, "steers", "1") == "1\n"


def test_a_finaliser_that_forks(directory):
    for seal in ("", "1"):
        assert run(directory, "opens", seal) == "both went on\n"


def main():
    with tempfile.TemporaryDirectory() as directory:
        build(directory)
        for name, test in sorted(globals().items()):
            if name.startswith("test_"):
                test(directory)
                print("ok", name)


main()
