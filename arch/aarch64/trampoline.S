// Lazy binding. A PLT entry leaves the address of its GOT slot in x16; PLT0 stores that and the return
// address, sets x16 to the address of GOT[2] and jumps to what stands there, prelude_lazy:
//
//      8(sp)   return address of the call
//      0(sp)   address of the slot
//      x16     address of GOT[2]; GOT[1] is the module, the first slot is GOT[3]
//
// The target must find the arguments as the caller left them: x0 to x8, q0 to q7, the static chain in
// x18. Functions that take more are marked VARIANT_PCS and never come here (traits.h).

    .hidden prelude_lazy_bind
    .text
    .globl  prelude_lazy
    .hidden prelude_lazy
    .type   prelude_lazy, %function
    .p2align 4

#define FRAME_BYTES 224
#define AT_INTEGERS 16
#define AT_X8 80
#define AT_VECTORS 96
#define FRAME_SLOT FRAME_BYTES
#define FRAME_RETURN FRAME_BYTES+8

prelude_lazy:
    .cfi_startproc
    .cfi_def_cfa_offset 16          // what PLT0 has pushed
    .cfi_offset x30, -8
    hint    #34                     // bti c
    stp     x29, x30, [sp, #-FRAME_BYTES]!
    .cfi_adjust_cfa_offset FRAME_BYTES
    .cfi_rel_offset x29, 0
    mov     x29, sp
    stp     x0, x1, [sp, #AT_INTEGERS]
    stp     x2, x3, [sp, #AT_INTEGERS+16]
    stp     x4, x5, [sp, #AT_INTEGERS+32]
    stp     x6, x7, [sp, #AT_INTEGERS+48]
    stp     x8, x18, [sp, #AT_X8]
    stp     q0, q1, [sp, #AT_VECTORS]
    stp     q2, q3, [sp, #AT_VECTORS+32]
    stp     q4, q5, [sp, #AT_VECTORS+64]
    stp     q6, q7, [sp, #AT_VECTORS+96]

    ldp     x1, x2, [sp, #FRAME_SLOT]
    ldr     x0, [x16, #-8]
    sub     x1, x1, x16
    lsr     x1, x1, #3
    sub     x1, x1, #1
    bl      prelude_lazy_bind
    mov     x17, x0

    ldp     q0, q1, [sp, #AT_VECTORS]
    ldp     q2, q3, [sp, #AT_VECTORS+32]
    ldp     q4, q5, [sp, #AT_VECTORS+64]
    ldp     q6, q7, [sp, #AT_VECTORS+96]
    ldp     x0, x1, [sp, #AT_INTEGERS]
    ldp     x2, x3, [sp, #AT_INTEGERS+16]
    ldp     x4, x5, [sp, #AT_INTEGERS+32]
    ldp     x6, x7, [sp, #AT_INTEGERS+48]
    ldp     x8, x18, [sp, #AT_X8]
    ldp     x29, x30, [sp], #FRAME_BYTES
    .cfi_adjust_cfa_offset -FRAME_BYTES
    .cfi_restore x29
    ldr     x30, [sp, #8]
    add     sp, sp, #16
    .cfi_adjust_cfa_offset -16
    .cfi_restore x30
    br      x17
    .cfi_endproc
    .size   prelude_lazy, . - prelude_lazy

#include "marks.inc"
