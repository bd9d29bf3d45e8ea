// Where the kernel enters us, and where we enter the program: its finaliser in x0, the stack as it was.
// The offsets of struct Handover are asserted in handover.h.

#define HANDOVER_STACK 0
#define HANDOVER_FINALISER 8
#define HANDOVER_ENTRY 16

    .hidden prelude_start
    .text
    .globl  _start
    .hidden _start
    .type   _start, %function
    .p2align 4
_start:
    .cfi_startproc
    .cfi_undefined x30              // outermost frame: unwinders stop here
    hint    #34                     // bti c
    mov     x29, #0
    mov     x30, #0
    mov     x0, sp
    sub     sp, sp, #32
    mov     x1, sp
    bl      prelude_start
    ldr     x16, [sp, #HANDOVER_ENTRY]
    ldr     x0, [sp, #HANDOVER_FINALISER]
    ldr     x1, [sp, #HANDOVER_STACK]
    mov     sp, x1
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    mov     x\n, #0
    .endr
    br      x16
    .cfi_endproc
    .size   _start, . - _start

#include "marks.inc"
