// See context.h, which asserts the size of the words used here.

.macro MOVE_KEPT pair
    \pair   x19, x20, [x0]
    \pair   x21, x22, [x0, #16]
    \pair   x23, x24, [x0, #32]
    \pair   x25, x26, [x0, #48]
    \pair   x27, x28, [x0, #64]
    \pair   d8, d9, [x0, #104]
    \pair   d10, d11, [x0, #120]
    \pair   d12, d13, [x0, #136]
    \pair   d14, d15, [x0, #152]
.endm

    .text
    .globl  prelude_context_save
    .hidden prelude_context_save
    .type   prelude_context_save, %function
    .p2align 4
prelude_context_save:               // x0 = context, x1 = guard
    .cfi_startproc
    hint    #34                     // bti c
    MOVE_KEPT stp
    eor     x2, x29, x1
    eor     x3, x30, x1
    mov     x4, sp
    eor     x4, x4, x1
    stp     x2, x3, [x0, #80]
    str     x4, [x0, #96]
    mov     w0, #0
    ret
    .cfi_endproc
    .size   prelude_context_save, . - prelude_context_save

    .globl  prelude_context_restore
    .hidden prelude_context_restore
    .type   prelude_context_restore, %function
    .p2align 4
prelude_context_restore:            // x0 = context, x1 = guard, w2 = value
    .cfi_startproc
    hint    #34                     // bti c
    MOVE_KEPT ldp
    ldp     x3, x4, [x0, #80]
    ldr     x5, [x0, #96]
    eor     x29, x3, x1
    eor     x30, x4, x1
    eor     x5, x5, x1
    mov     sp, x5
    cmp     w2, #0
    csinc   w0, w2, wzr, ne
    ret
    .cfi_endproc
    .size   prelude_context_restore, . - prelude_context_restore

#include "marks.inc"
