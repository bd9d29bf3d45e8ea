// See context.h, which asserts the size of the words used here.

#define CONTEXT_S0 88
#define CONTEXT_RA 96
#define CONTEXT_SP 104
#define CONTEXT_FS0 112

.macro MOVE_KEPT integer, float
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \integer s\n, 8*(\n-1)(a0)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \float  fs\n, CONTEXT_FS0+8*\n(a0)
    .endr
.endm

    .text
    .globl  prelude_context_save
    .hidden prelude_context_save
    .type   prelude_context_save, %function
    .p2align 2
prelude_context_save:               // a0 = context, a1 = guard
    .cfi_startproc
    MOVE_KEPT sd, fsd
    xor     t0, s0, a1
    xor     t1, ra, a1
    xor     t2, sp, a1
    sd      t0, CONTEXT_S0(a0)
    sd      t1, CONTEXT_RA(a0)
    sd      t2, CONTEXT_SP(a0)
    li      a0, 0
    ret
    .cfi_endproc
    .size   prelude_context_save, . - prelude_context_save

    .globl  prelude_context_restore
    .hidden prelude_context_restore
    .type   prelude_context_restore, %function
    .p2align 2
prelude_context_restore:            // a0 = context, a1 = guard, a2 = value
    .cfi_startproc
    MOVE_KEPT ld, fld
    ld      t0, CONTEXT_S0(a0)
    ld      t1, CONTEXT_RA(a0)
    ld      t2, CONTEXT_SP(a0)
    xor     s0, t0, a1
    xor     ra, t1, a1
    xor     sp, t2, a1
    seqz    a0, a2
    addw    a0, a0, a2
    ret
    .cfi_endproc
    .size   prelude_context_restore, . - prelude_context_restore

    .section .note.GNU-stack, "", %progbits
