// Lazy binding. A PLT entry calls PLT0 by its slot with a return address in t1; PLT0 makes the distance
// of the slot from the first one out of that and jumps to what stands in the first of the two words
// before the slots (psABI RISC-V, "Program Linkage Table"):
//
//      t0      the second of those words: the module
//      t1      8 * the relocation index
//      ra      return address of the call
//
// The target must find the arguments as the caller left them: a0 to a7 and fa0 to fa7. Vector registers
// belong to nobody at an ordinary call. Functions that take more are marked VARIANT_CC and never come here
// (traits.h). t0 to t3 are lost in any PLT.

    .hidden prelude_lazy_bind
    .text
    .globl  prelude_lazy
    .hidden prelude_lazy
    .type   prelude_lazy, %function
    .p2align 2

#define FRAME_BYTES 144
#define AT_FLOATS 64
#define AT_RA 136

.macro MOVE_ARGUMENTS integer, float
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    \integer a\n, 8*\n(sp)
    \float  fa\n, AT_FLOATS+8*\n(sp)
    .endr
.endm

prelude_lazy:
    .cfi_startproc
    addi    sp, sp, -FRAME_BYTES
    .cfi_def_cfa_offset FRAME_BYTES
    sd      ra, AT_RA(sp)
    .cfi_offset ra, AT_RA-FRAME_BYTES
    MOVE_ARGUMENTS sd, fsd
    mv      a0, t0
    srli    a1, t1, 3
    mv      a2, ra
    call    prelude_lazy_bind
    mv      t1, a0
    MOVE_ARGUMENTS ld, fld
    ld      ra, AT_RA(sp)
    .cfi_restore ra
    addi    sp, sp, FRAME_BYTES
    .cfi_def_cfa_offset 0
    jr      t1
    .cfi_endproc
    .size   prelude_lazy, . - prelude_lazy

    .globl  prelude_watched_call
    .hidden prelude_watched_call
    .set    prelude_watched_call, prelude_lazy

    .section .note.GNU-stack, "", %progbits
