#!/usr/bin/env python3
"""What programs and libc find in structures that the loader fills: dynamic sections."""
import os
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


def test(c):
    test_dynamic_sections(c)


if __name__ == "__main__":
    comparison.main(test)
