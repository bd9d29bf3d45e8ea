// Tells of two entries of its own PLT whether they lead to the function itself: those of lib_answer, called
// twice before, and of puts.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

int lib_answer(int);

int main(void) {
  const ElfW(Rela)* entries = NULL;
  const ElfW(Sym)* symbols = NULL;
  const char* strings = NULL;
  size_t bytes = 0;
  struct link_map* map = dlopen(NULL, RTLD_NOW);
  for (const ElfW(Dyn)* entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_JMPREL) entries = (const void*)entry->d_un.d_ptr;
    if (entry->d_tag == DT_SYMTAB) symbols = (const void*)entry->d_un.d_ptr;
    if (entry->d_tag == DT_STRTAB) strings = (const void*)entry->d_un.d_ptr;
    if (entry->d_tag == DT_PLTRELSZ) bytes = entry->d_un.d_val;
  }
  lib_answer(1);
  lib_answer(2);
  puts("called");
  for (size_t i = 0; i < bytes / sizeof *entries; i++) {
    const char* name = strings + symbols[ELF64_R_SYM(entries[i].r_info)].st_name;
    void* const target = *(void**)(map->l_addr + entries[i].r_offset);
    if (strcmp(name, "lib_answer") == 0 || strcmp(name, "puts") == 0)
      printf("slot of %s: %s\n", name, target == dlsym(RTLD_DEFAULT, name) ? "the function" : "a stub");
  }
  fflush(stdout);
  return 0;
}
