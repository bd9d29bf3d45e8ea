// Where the kernel enters us, and where we enter the program: its finaliser in a0, the stack as it was.
// The offsets of struct Handover are asserted in handover.h.

#define HANDOVER_STACK 0
#define HANDOVER_FINALISER 8
#define HANDOVER_ENTRY 16

    .hidden prelude_start
    .text
    .globl  _start
    .hidden _start
    .type   _start, %function
    .p2align 2
_start:
    .cfi_startproc
    .cfi_undefined ra               // outermost frame: unwinders stop here
    mv      ra, zero
    mv      s0, zero
    mv      a0, sp
    addi    sp, sp, -32
    mv      a1, sp
    call    prelude_start
    ld      t1, HANDOVER_ENTRY(sp)
    ld      a0, HANDOVER_FINALISER(sp)
    ld      sp, HANDOVER_STACK(sp)
    // All but tp and gp, which are the program's already.
    .irp register, ra, t0, t2, t3, t4, t5, t6, a1, a2, a3, a4, a5, a6, a7
    mv      \register, zero
    .endr
    .irp register, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    mv      \register, zero
    .endr
    jr      t1
    .cfi_endproc
    .size   _start, . - _start

    .section .note.GNU-stack, "", %progbits
