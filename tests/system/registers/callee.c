// A function that notes every register it is entered with and gives results in every register for them.
#include "registers.inc"

HIDDEN struct registers entered, results;
void use_in_callee(struct levels wanted) { level = wanted; }
struct registers *entered_with(void) { return &entered; }
void give(const struct registers *r) { results = *r; }

__asm__(
    ".globl callee\n.type callee, @function\ncallee:\n"
    "  STORE_ALL entered\n"
    "  LOAD_ALL results\n"
    "  ret\n.size callee, . - callee\n");
