#!/usr/bin/env python3
"""Pointers to code that the loader keeps are of no use to who can write to its memory: none lies plainly in a writable page,
and a record of what to call at the end that somebody else has written to is not obeyed."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from loader import OURS, SYSTEM  # noqa: E402

# Prints every word of the loader's writable data that leads to code or, by the ranges of addresses in argv, to a table of
# virtual functions. Three kinds are no secret and called by nobody: the address where debuggers stop, the entry points of
# objects, and words about the vdso, whose tables lie amid its code.
SCAN = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct Part { unsigned long low, high; char rights[8], name[256]; } parts[400];
static int count;
static struct r_debug_extended *records;
static void *nothing(void *none) { return none; }
static int is_entry(unsigned long word) {
  for (struct link_map *map = _r_debug.r_map; map; map = map->l_next) {
    for (int i = 0; i < count; ++i)  /* the ELF header lies at the first page */
      if (parts[i].low == map->l_addr && parts[i].rights[0] == 'r' &&
          map->l_addr + ((ElfW(Ehdr) *)parts[i].low)->e_entry == word) return 1;
  }
  return 0;
}
static int is_stop(const unsigned long *word) {
  for (struct r_debug_extended *record = records; record; record = record->base.r_version > 1 ? record->r_next : NULL)
    if (word == &record->base.r_brk) return 1;
  return 0;
}
int main(int argc, char **argv) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL)) return 1;
  if (!dlopen(argv[1], RTLD_NOW) || dlsym(RTLD_DEFAULT, "no_such_symbol") || !dlerror()) return 2;
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[600];
  while (count < 400 && fgets(line, sizeof line, maps))
    sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &parts[count].low, &parts[count].high, parts[count].rights,
           parts[count].name), ++count;
  records = dlsym(RTLD_NEXT, "_r_debug");  /* not the program's copy */
  const char *loader = NULL;
  for (int i = 0; i < count; ++i)
    if (_r_debug.r_brk >= parts[i].low && _r_debug.r_brk < parts[i].high) loader = parts[i].name;
  unsigned long words = 0;
  for (int i = 1; i < count; ++i) {
    int own = !strcmp(parts[i].name, loader) || (!parts[i].name[0] && !strcmp(parts[i - 1].name, loader) && parts[i].low == parts[i - 1].high);
    if (!own || parts[i].rights[1] != 'w') continue;
    for (unsigned long *at = (void *)parts[i].low; (unsigned long)at < parts[i].high; ++at, ++words) {
      for (int a = 2; a + 1 < argc; a += 2)
        if (*at - _r_debug.r_ldbase >= strtoul(argv[a], NULL, 16) && *at - _r_debug.r_ldbase < strtoul(argv[a + 1], NULL, 16))
          printf("virtual +%lx at +%lx\n", *at - _r_debug.r_ldbase, (unsigned long)at - _r_debug.r_ldbase);
      if (is_stop(at) || is_entry(*at)) continue;
      for (int k = 0; k < count; ++k)
        if (parts[k].rights[2] == 'x' && *at >= parts[k].low && *at < parts[k].high && strcmp(parts[k].name, "[vdso]"))
          printf("code %s+%lx at +%lx\n", parts[k].name, *at - parts[k].low, (unsigned long)at - _r_debug.r_ldbase);
    }
  }
  printf("words %lu\n", words);
  return 0;
}
'''
AUDITOR = "unsigned la_version(unsigned asked) { return asked; }\n"

# Opens a library, finds in the loader's record of it the word that the file gives as argv[2] says, and puts another in its
# place. Without a fourth argument the record is left as it is.
OVERWRITE = r'''
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  struct link_map *map = dlopen(argv[1], RTLD_NOW);
  unsigned long wanted = strcmp(argv[2], "function") ? DT_FINI_ARRAY : DT_FINI, word = 0, changed = 0;
  for (ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; ++entry)
    if (entry->d_tag == (long)wanted) word = entry->d_un.d_ptr;
  if (word > map->l_addr) word -= map->l_addr;
  unsigned long other = (unsigned long)dlsym(map, wanted == DT_FINI ? "unwanted" : "unwanted_list") - map->l_addr;
  // The record is near the loader's pointers to the link map.
  FILE *maps = fopen("/proc/self/maps", "r");
  unsigned long low, high, end = 0;
  char line[600], rights[8];
  while (argc > 4 && fgets(line, sizeof line, maps)) {
    if (sscanf(line, "%lx-%lx %7s", &low, &high, rights) != 3 || (low != _r_debug.r_ldbase && low != end)) continue;
    end = high;
    unsigned long *const first = (unsigned long *)low, *const behind = (unsigned long *)high;
    for (unsigned long *at = first; rights[1] == 'w' && at < behind; ++at)
      for (int i = -170; *at == (unsigned long)map && i < 170; ++i)
        if (at + i >= first && at + i < behind && at[i] == word) at[i] = other, ++changed;
  }
  fprintf(stderr, "changed %d\n", changed != 0);
  if (!strcmp(argv[3], "close")) dlclose(map);
  return 0;
}
'''
VICTIM = r'''
#include <unistd.h>
void unwanted(void) { write(1, "unwanted\n", 9); }
void (*unwanted_list[])(void) = {unwanted};
__attribute__((destructor)) static void last(void) { write(1, "last\n", 5); }
'''


def build(directory, name, source, *options):
    path = os.path.join(directory, name)
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-o", path, *options], input=source, text=True, check=True)
    return path


def virtual_tables():
    """Addresses, relative to the loader's first, of its tables of virtual functions."""
    symbols = subprocess.run(["nm", "-S", OURS], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.findall(r"^(\w+) (\w+) \w _ZTV", symbols, re.M)
    assert found, "no tables of virtual functions: what is tested here has changed"
    return [hex(end) for start, size in found for end in (int(start, 16), int(start, 16) + int(size, 16))]


def test_no_plain_pointer_to_code_is_writable(directory):
    # Bound lazily: resolvers of IFUNCs that are waited for leave their addresses in memory that was given back.
    scan = build(directory, "scan", SCAN, "-pthread", "-Wl,-z,lazy")
    auditor = build(directory, "auditor.so", AUDITOR, "-shared", "-fPIC")
    opened = build(directory, "opened.so", "int one(void) { return 1; }", "-shared", "-fPIC")
    for environment in ({}, {"LD_AUDIT": auditor}, {"LD_DEBUG": "all", "LD_DEBUG_OUTPUT": os.path.join(directory, "trace")}):
        done = subprocess.run([OURS, scan, opened, *virtual_tables()], env=environment, stdout=subprocess.PIPE, text=True)
        *found, words = done.stdout.splitlines()
        assert done.returncode == 0 and int(words.split()[1]) > 4096, (environment, done)
        assert not found, (environment, found)


def test_an_overwritten_record_is_not_obeyed(directory):
    program = build(directory, "overwrite", OVERWRITE)
    victim = build(directory, "victim.so", VICTIM, "-shared", "-fPIC")
    for kind in ("function", "array"):
        for moment in ("close", "exit"):
            for side in (OURS, SYSTEM):
                done = subprocess.run([side, program, victim, kind, moment], capture_output=True, text=True)
                assert (done.returncode, done.stdout, done.stderr) == (0, "last\n", "changed 0\n"), (side, done)
            done = subprocess.run([OURS, program, victim, kind, moment, "change"], capture_output=True, text=True)
            assert done.returncode == 127 and done.stdout == "", (kind, moment, done)
            changed, message = done.stderr.splitlines()
            assert changed == "changed 1", "the record was not found: this test has lost its object"
            assert f"{victim}: the record of its initialisers and finalisers was overwritten in memory" in message, done


def main():
    with tempfile.TemporaryDirectory() as directory:
        for name, test in sorted(globals().items()):
            if name.startswith("test_"):
                test(directory)
                print("ok", name)


main()
