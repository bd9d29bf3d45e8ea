#!/usr/bin/env python3
"""What programs and libc find in structures that the loader fills, and libraries that do not fit the libc in use:
dynamic sections, C libraries of another release, blocks of thread-local storage aligned beyond thread pointers."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
from elf_patch import PT_DYNAMIC, File  # noqa: E402

PF_R = 4
# systemd and hooks of the PLT read dynamic sections so: values of some tags are addresses.
DYNAMIC = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
int main(void) {
  struct link_map *map; dlopen("./opened.so", RTLD_NOW); dlopen("./closed.so", RTLD_NOW);
  dlinfo(dlopen(0, RTLD_NOW), RTLD_DI_LINKMAP, &map);
  for (; map; map = map->l_next) {
    if (strstr(map->l_name, "ld")) continue;
    printf("%s\\n", map->l_name);
    const char *strings = 0; unsigned long runpath = 0;
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag; d++) {
      if (d->d_tag == DT_DEBUG) continue;
      const int address = map->l_addr && d->d_un.d_ptr >= map->l_addr;
      printf("  %lx %s\\n", (long)d->d_tag, address ? "address" : "as in the file");
      if (d->d_tag == DT_STRTAB && address) strings = (const char *)d->d_un.d_ptr;
      if (d->d_tag == DT_RUNPATH) runpath = d->d_un.d_val; }
    if (strings && runpath) printf("  RUNPATH %s\\n", strings + runpath); }
  void *h = dlopen("./closed.so", RTLD_NOLOAD | RTLD_NOW); printf("%d\\n", h && dlsym(h, "value") && !dlsym(h, "nothing"));
  Dl_info info; printf("%d %s\\n", dladdr(dlsym(h, "value"), &info) != 0, info.dli_sname);
  return 0; }
'''


def test_dynamic_sections(c):
    library = "int value(void) { return 1; } int *where(void) { static int x; return &x; }"
    c.library("opened.so", library, "-Wl,-rpath,/nowhere", "-Wl,--enable-new-dtags")
    # PT_DYNAMIC says that the section must not be written.
    c.library("closed.so", library)
    File("closed.so").segment(PT_DYNAMIC, 0, "p_flags", PF_R).write("closed.so")
    for options in (["-Wl,-z,pack-relative-relocs"], ["-no-pie"], ["-Wl,-rpath,/some/where", "-Wl,--hash-style=both"]):
        c.compile("reads", DYNAMIC, *options)
        outcome = c.same(["{ld}", "./reads"])
        c.expect(outcome.status == 0 and "5 address" in outcome.out, outcome)

OPENS = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
static void open_in(Lmid_t space, const char *name) { puts(dlmopen(space, name, RTLD_NOW) ? "open" : dlerror()); }
int main(int n, char **v) {
  for (int i = 1; i < n; i++) { open_in(LM_ID_BASE, v[i]); open_in(LM_ID_NEWLM, v[i]); }
  open_in(LM_ID_BASE, "libm.so.6"); open_in(LM_ID_NEWLM, "libm.so.6"); return 0; }
'''


def test_other_releases(c):
    """A namespace can have a C library of its own, but not one with other structures. glibc ends the process."""
    os.mkdir("other")
    with open("versions", "w") as file:
        file.write("GLIBC_2.2.5 { global: function; local: *; }; GLIBC_2.30 {} GLIBC_2.2.5; GLIBC_2.99 {} GLIBC_2.30;")
    c.library("other/libc.so.6", "int function(void) { return 1; }", "-nostdlib", "-Wl,--version-script=versions")
    c.library("other/libuser.so", "int function(void); int user(void) { return function(); }", "-nostdlib", "./other/libc.so.6",
              "-Wl,-rpath,$ORIGIN")
    c.compile("opens", OPENS)
    for name in ("libc.so.6", "libuser.so"):
        outcome = c.run("candidate", ["{ld}", "./opens", "./other/" + name])
        lines = outcome.out.splitlines()
        c.expect(outcome.status == 0 and len(lines) == 4 and lines[2:] == ["open", "open"], outcome)
        # In the first namespace the name stands for the C library that is there.
        c.expect(re.fullmatch(r".*/other/libc\.so\.6: unsupported C library version 2\.99 \(supported: 2\.\d+\)", lines[1]), outcome)


def test_over_aligned_blocks(c):
    """Thread pointers are aligned to 64 bytes; whose blocks want more cannot come late."""
    for align in (32, 64, 128, 4096):
        for model in ("initial-exec", "global-dynamic"):
            c.library("aligned.so", f"__thread __attribute__((aligned({align}), tls_model(\"{model}\"))) char block[64] = {{1}};"
                      "int get(void) { return block[0]; }")
            c.same(["{ld}", "./opens", "./aligned.so"])


def test(c):
    test_dynamic_sections(c)
    test_other_releases(c)
    test_over_aligned_blocks(c)


if __name__ == "__main__":
    comparison.main(test)
