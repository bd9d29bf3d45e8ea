// An audit module that says what it is told, one line for each call, on the file descriptor 1. Macros
// choose what it has and does:
//   NAME       a word in front of each line
//   VERSION    what la_version gives (default: what the loader offers)
//   PLT        la_pltenter and la_pltexit, too
//   NO_BIND    without la_symbind64; NO_SEARCH without la_objsearch
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef NAME
#define NAME "spy"
#endif
#ifndef BINDFLAGS
#define BINDFLAGS (LA_FLG_BINDTO | LA_FLG_BINDFROM)
#endif

#define say(...)                     \
  do {                               \
    char line[512];                  \
    int n = snprintf(line, sizeof line, NAME ": " __VA_ARGS__); \
    write(1, line, n);               \
  } while (0)

struct known {
  uintptr_t mark;
  char name[200];
};
static struct known table[100];
static int used;

static const char *base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static const char *who(uintptr_t *cookie) {
  uintptr_t mark = *cookie;
  if (mark >= 1000 && mark < 1000 + (uintptr_t)used) return table[mark - 1000].name;
  return "not yet known";
}

unsigned int la_version(unsigned int offered) {
  say("version %u\n", offered);
#ifdef VERSION
  return VERSION;
#else
  return offered;
#endif
}

unsigned int la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie) {
  const char *name = map->l_name[0] ? base(map->l_name) : "PROGRAM";
  say("objopen %s space %ld cookie %s\n", name, (long)space, *cookie == (uintptr_t)map ? "map" : "other");
  if (used < 100) {
    snprintf(table[used].name, sizeof table[used].name, "%s", name);
    *cookie = 1000 + used++;
  }
#ifdef ONLY
  return strstr(name, ONLY) ? LA_FLG_BINDTO : !strcmp(name, "PROGRAM") ? LA_FLG_BINDFROM : 0;
#endif
  return BINDFLAGS;
}

unsigned int la_objclose(uintptr_t *cookie) {
  say("objclose %s\n", who(cookie));
  return 0;
}

void la_activity(uintptr_t *cookie, unsigned int flag) {
  static const char *const states[] = {"consistent", "add", "delete"};
  say("activity %s of %s, program's r_debug %s\n",
      flag == LA_ACT_CONSISTENT ? "CONSISTENT" : flag == LA_ACT_ADD ? "ADD" : flag == LA_ACT_DELETE ? "DELETE" : "?",
      who(cookie), states[_r_debug.r_state]);
}

void la_preinit(uintptr_t *cookie) { say("preinit %s\n", who(cookie)); }

#ifndef NO_SEARCH
char *la_objsearch(const char *name, uintptr_t *cookie, unsigned int flag) {
  say("objsearch %s for %s flag %x\n", name, who(cookie), flag);
#ifdef RENAME_FROM
  if (flag == RENAME_FLAG && strstr(name, RENAME_FROM)) return RENAME_TO;
#endif
  return (char *)name;
}
#endif

#ifndef NO_BIND
uintptr_t la_symbind64(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to, unsigned int *flags,
                       const char *name) {
  say("symbind %s index %s from %s to %s flags %x\n", name, index ? "some" : "none", who(from), who(to), *flags);
#ifdef FLAGS
  *flags |= FLAGS;
#endif
  return sym->st_value;
}
#endif

#ifdef PLT
Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to,
                                  La_x86_64_regs *regs, unsigned int *flags, const char *name, long *frame) {
  (void)regs;
  say("pltenter %s index %s from %s to %s flags %x frame %ld\n", name, index ? "some" : "none", who(from), who(to),
      *flags, *frame);
  if (PLT) *frame = 64;
  return sym->st_value;
}

unsigned int la_x86_64_gnu_pltexit(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to,
                                   const La_x86_64_regs *in, La_x86_64_retval *out, const char *name) {
  (void)sym, (void)in, (void)out;
  say("pltexit %s index %s from %s to %s\n", name, index ? "some" : "none", who(from), who(to));
  return 0;
}
#endif
