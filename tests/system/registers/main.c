// main plt | descriptor | audited: what a function behind the PLT, the caller of a TLS descriptor, and caller and
// function around an auditor see of each register. See registers.inc.
#define _GNU_SOURCE
#include "registers.inc"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

void use_in_callee(struct levels);
struct registers *entered_with(void);
void give(const struct registers *);

HIDDEN struct registers wanted, returned;
void call_callee(void);

__asm__(
    ".globl call_callee\ncall_callee:\n"
    "  sub $8, %rsp\n"
    "  LOAD_ALL wanted\n"
    "  call callee@PLT\n"
    "  STORE_ALL returned\n"
    "  add $8, %rsp\n"
    "  ret\n");

static const char *kGeneral[] = {"rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax", "r10", "r11"};
static const char kLetter[] = "xyz";

static void compare(const char *title, const struct registers *is, const struct registers *was, unsigned general,
                    int first, int past, int masks_and_tiles) {
  int wrong = 0;
  for (int i = 0; i < 9; i++)
    if (general >> i & 1 && is->general[i] != was->general[i]) wrong++, printf("%s: %s differs\n", title, kGeneral[i]);
  for (int i = first; i < past; i++)
    if (memcmp(is->vector[i], was->vector[i], 16UL << level.vectors))
      wrong++, printf("%s: %cmm%d differs\n", title, kLetter[level.vectors], i);
  unsigned long bits = level.wide_masks ? ~0UL : 0xffff;
  for (int i = 0; masks_and_tiles && level.vectors == ZMM && i < 8; i++)
    if ((is->mask[i] ^ was->mask[i]) & bits) wrong++, printf("%s: k%d differs\n", title, i);
  for (int i = 0; masks_and_tiles && level.tiles && i < 8; i++)
    if (memcmp(is->tile[i], was->tile[i], sizeof is->tile[i])) wrong++, printf("%s: tmm%d differs\n", title, i);
  if (!wrong) printf("%s: right\n", title);
}

static int vector_count(void) { return level.vectors == ZMM ? 32 : 16; }

// Lazy binding keeps every register: the function sees them all, and so does its caller behind it. The second call
// shows that the first was the one that was bound late.
static void plt(void) {
  struct registers results;
  for (int round = 0; round < 2; round++) {
    fill(&wanted, 11 + round);
    fill(&results, 101 + round);
    use_in_callee(level);
    give(&results);
    call_callee();
    compare(round ? "bound call" : "lazy call", entered_with(), &wanted, 0x1ff, 0, vector_count(), 1);
    compare(round ? "bound return" : "lazy return", &returned, &results, 0x1ff, 0, vector_count(), 1);
  }
}

// An auditor sees and may change arguments and results; registers that are neither are not kept.
static void audited(void) {
  struct registers results;
  fill(&wanted, 11);
  fill(&results, 101);
  use_in_callee(level);
  give(&results);
  call_callee();
  struct registers *entered = entered_with();
  for (int i = 0; i < 64; i++) wanted.vector[5][i] ^= i < (16 << level.vectors) ? 0xff : 0;
  compare("audited call", entered, &wanted, 0x7f, 0, 8, 0);
  for (int i = 0; i < 64; i++) results.vector[1][i] ^= i < (16 << level.vectors) ? 0xff : 0;
  compare("audited return", &returned, &results, 1 << 2 | 1 << 6, 0, 2, 0);
}

static void *library;

static void *descriptor_in_this_thread(void *title) {
  void (*use)(struct levels) = (void (*)(struct levels))dlsym(library, "use_in_variable");
  struct registers *(*set_before)(void) = (struct registers * (*)(void)) dlsym(library, "set_before");
  struct registers *(*seen_behind)(void) = (struct registers * (*)(void)) dlsym(library, "seen_behind");
  void (*ask)(void) = (void (*)(void))dlsym(library, "ask_descriptor");
  int (*is_variable)(unsigned long) = (int (*)(unsigned long))dlsym(library, "is_variable");
  use_registers(level);  // tiles have a configuration in each thread
  use(level);
  fill(set_before(), 31);
  ask();
  compare(title, seen_behind(), set_before(), 0x1ff & ~(1 << 6), 0, vector_count(), 1);
  printf("%s: %s variable\n", (char *)title, is_variable(seen_behind()->general[6]) ? "its" : "not its");
  return 0;
}

static void descriptor(void) {
  pthread_t thread;
  library = dlopen("./variable.so", RTLD_NOW);
  if (!library) { puts(dlerror()); return; }
  descriptor_in_this_thread("descriptor, first use");
  descriptor_in_this_thread("descriptor, later use");
  pthread_create(&thread, 0, descriptor_in_this_thread, "descriptor, other thread");
  pthread_join(thread, 0);
}

int main(int argc, char **argv) {
  struct levels all = find_levels();
  printf("vectors %s, masks %s, tiles %s\n", all.vectors == ZMM ? "32 zmm" : all.vectors == YMM ? "16 ymm" : "16 xmm",
         all.wide_masks ? "64 bits" : all.vectors == ZMM ? "16 bits" : "skipped: no AVX-512", all.tiles ? "8" : "skipped: no AMX");
  fflush(stdout);
  use_registers(all);
  if (argc > 1 && !strcmp(argv[1], "plt")) plt();
  if (argc > 1 && !strcmp(argv[1], "descriptor")) descriptor();
  if (argc > 1 && !strcmp(argv[1], "audited")) audited();
  return 0;
}
