// The program of every graph: libraries report their initialisers and finalisers to event(), which
// prints them and carries out what the script (first argument) asks for at that moment:
//   m=o3g,x3 c5=o7 d5=x7     at main, in library 5's constructor, in its destructor
//   oN[lgdpb] dlopen libN (lazy unless n) with GLOBAL, NODELETE, NOLOAD, DEEPBIND; xN dlclose;
//   yN call g_N (binds lazily what g_N calls); sN dlsym(RTLD_DEFAULT, f_N); e exit(3)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kLibraries = 32, kDepth = 32 };
static void* handles[kLibraries][kDepth];
static int counts[kLibraries];
static char done[256][kLibraries];
static int closing;
static int reopen;  // also do what the system's loader survives by luck only
static const char* script;

static void say(const char* text, int id) {
  char line[64];
  const int size = snprintf(line, sizeof line, "%s %d\n", text, id);
  if (write(1, line, (size_t)size) < 0) _exit(9);
}

static void open_library(int id, const char* flags) {
  // In a finaliser that dlclose runs: glibc unmaps a library that is on its way out even if it has just been
  // opened again, so only what is open anyway can be compared.
  if (closing && counts[id] == 0 && !reopen) return;
  char name[32];
  snprintf(name, sizeof name, "lib%d.so", id);
  int mode = strchr(flags, 'n') ? RTLD_NOW : RTLD_LAZY;
  if (strchr(flags, 'g')) mode |= RTLD_GLOBAL;
  if (strchr(flags, 'd')) mode |= RTLD_NODELETE;
  if (strchr(flags, 'p')) mode |= RTLD_NOLOAD;
  if (strchr(flags, 'b')) mode |= RTLD_DEEPBIND;
  void* handle = dlopen(name, mode);
  say(handle ? "opened" : "not opened", id);
  if (handle && counts[id] < kDepth) handles[id][counts[id]++] = handle;
}

static void close_library(int id) {
  if (counts[id] == 0) return;
  say("closing", id);
  ++closing;
  const int result = dlclose(handles[id][--counts[id]]);
  --closing;
  say(result == 0 ? "closed" : "not closed", id);
}

static void call_by_name(void* handle, char prefix, int id) {
  char name[32];
  snprintf(name, sizeof name, "%c_%d", prefix, id);
  void (*function)(void) = (void (*)(void))dlsym(handle, name);
  say(function ? "found" : "not found", id);
  if (function) function();
}

static void act(const char* action) {
  char* rest;
  const int id = (int)strtol(action + 1, &rest, 10) % kLibraries;
  char flags[16] = "";
  for (size_t i = 0; i + 1 < sizeof flags && rest[i] >= 'a' && rest[i] <= 'z'; ++i) flags[i] = rest[i];
  switch (action[0]) {
    case 'o': open_library(id, flags); break;
    case 'x': close_library(id); break;
    case 'y': if (counts[id] != 0) call_by_name(handles[id][counts[id] - 1], 'g', id); break;
    case 's': call_by_name(RTLD_DEFAULT, 'f', id); break;
    case 'e': say("exit", id); exit(3);
  }
}

static void run_script(const char* key) {
  const size_t size = strlen(key);
  if (script == NULL) return;
  for (const char* at = script; *at != 0; at += strcspn(at, " "), at += *at == ' ') {
    if (strncmp(at, key, size) != 0 || at[size] != '=') continue;
    for (at += size; *at == '=' || *at == ','; at += 1 + strcspn(at + 1, ", ")) act(at + 1);
    return;
  }
}

void event(int id, int phase) {
  char key[16];
  snprintf(key, sizeof key, "%c%d", phase, id);
  if (write(1, key, strlen(key)) < 0 || write(1, "\n", 1) < 0) _exit(9);
  if (done[phase & 255][id % kLibraries]++) return;
  run_script(key);
}

static void before_all(int argc, char** argv) {
  script = argc > 1 ? argv[1] : NULL;
  reopen = argc > 2;
  event(0, 'p');
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char**) = before_all;
__attribute__((constructor)) static void first(void) { event(0, 'C'); }
__attribute__((destructor)) static void last(void) { event(0, 'D'); }

int main(void) {
  say("main", 0);
  run_script("m");
  say("end", 0);
  return 0;
}
