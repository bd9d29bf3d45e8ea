// A thread's variable that is reached through a TLS descriptor, with every register full.
#include "registers.inc"

__thread long before[2048], variable = 77;
HIDDEN struct registers wanted, found;
void use_in_variable(struct levels l) { level = l; }
struct registers *set_before(void) { return &wanted; }
struct registers *seen_behind(void) { return &found; }
int is_variable(unsigned long offset) {
  unsigned long thread;
  __asm__("mov %%fs:0, %0" : "=r"(thread));
  long *at = (long *)(thread + offset);
  return at == &variable && *at == 77;
}

__asm__(
    ".globl ask_descriptor\n.type ask_descriptor, @function\nask_descriptor:\n"
    "  sub $8, %rsp\n"  // aligned as compilers have it at such a call
    "  LOAD_ALL wanted\n"
    "  lea variable@TLSDESC(%rip), %rax\n"
    "  call *variable@TLSCALL(%rax)\n"
    "  STORE_ALL found\n"
    "  add $8, %rsp\n"
    "  ret\n.size ask_descriptor, . - ask_descriptor\n");
