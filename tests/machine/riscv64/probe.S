// See probe.h.

#define FLOATING 256
#define VL 512
#define VTYPE 520
#define VECTOR 528
#define SAVED_BYTES 224

    .option arch, +v
    .text

.macro FUNCTION name
    .globl  \name
    .type   \name, %function
    .p2align 2
\name:
.endm

// All but zero, sp, gp, tp, s0 and s1, which holds the state meanwhile; t0 last.
.macro ALL_INTEGERS operation
    .irp n, 1, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 5
    \operation x\n, 8*\n(s1)
    .endr
.endm
.macro ALL_FLOATS operation
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \operation f\n, FLOATING+8*\n(s1)
    .endr
.endm
// Destroys t2.
.macro ALL_VECTORS operation
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    addi    t2, s1, VECTOR
    addi    t2, t2, 32*\n
    addi    t2, t2, 32*\n
    \operation v\n, (t2)
    .endr
.endm
.macro MOVE_SAVED integer, float
    \integer ra, 0(sp)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \integer s\n, 8+8*\n(sp)
    \float  fs\n, 104+8*\n(sp)
    .endr
.endm

.macro BEGIN name
    FUNCTION \name
    .cfi_startproc
    addi    sp, sp, -SAVED_BYTES
    .cfi_def_cfa_offset SAVED_BYTES
    MOVE_SAVED sd, fsd
    .cfi_offset ra, -SAVED_BYTES
    mv      s0, sp
    addi    sp, sp, -16
    .cfi_def_cfa s0, SAVED_BYTES
    sd      a0, 0(sp)
    lla     s1, probe_before
    lbu     t2, probe_has_vectors
    beqz    t2, 1f
    ALL_VECTORS vl1re8.v
    ld      t0, VL(s1)
    ld      t1, VTYPE(s1)
    vsetvl  zero, t0, t1
1:
    ALL_FLOATS fld
    ALL_INTEGERS ld
.endm
.macro END name
    mv      sp, s0
    MOVE_SAVED ld, fld
    addi    sp, sp, SAVED_BYTES
    .cfi_def_cfa sp, 0
    ret
    .cfi_endproc
    .size   \name, . - \name
.endm

    BEGIN probe_plt_call
    ld      t3, 0(sp)               // as the PLT leaves it: the address of the stub
    jalr    t3
    .globl  probe_plt_return
probe_plt_return:
    END probe_plt_call

    BEGIN probe_descriptor_call
    ld      t0, 0(sp)
    jalr    t0, (t0)
    jal     t0, store_state
    END probe_descriptor_call

    FUNCTION probe_target
    mv      t0, ra
    .size   probe_target, . - probe_target
store_state:                        // returns through t0, which it cannot store
    lla     s1, probe_after
    ALL_INTEGERS sd
    ALL_FLOATS fsd
    mv      s2, t0
    addi    t0, sp, 16
    sub     t0, t0, s0
    sd      t0, probe_stack, t1
    lbu     t0, probe_has_vectors
    beqz    t0, 1f
    csrr    t0, vl
    csrr    t1, vtype
    sd      t0, VL(s1)
    sd      t1, VTYPE(s1)
    ALL_VECTORS vs1r.v
1:  jr      s2

    FUNCTION probe_trash
    .irp n, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
    li      x\n, -1234
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
    fmv.d.x f\n, t0
    .endr
    lbu     t0, probe_has_vectors
    beqz    t0, 1f
    vsetivli zero, 1, e64, m1, tu, mu
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmv.v.i v\n, 5
    .endr
1:  ret
    .size   probe_trash, . - probe_trash

    FUNCTION probe_context          // a0 = context, a1 = marks, a2 = guard, a3 = value
    addi    sp, sp, -SAVED_BYTES-32
    sd      a0, SAVED_BYTES(sp)
    sd      a1, SAVED_BYTES+8(sp)
    sd      a2, SAVED_BYTES+16(sp)
    sd      a3, SAVED_BYTES+24(sp)
    MOVE_SAVED sd, fsd
    .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    ld      s\n, 8*(\n-2)(a1)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    fld     fs\n, 80+8*\n(a1)
    .endr
    mv      a1, a2
    call    prelude_context_save
    bnez    a0, 1f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    li      s\n, 0
    fmv.d.x fs\n, zero
    .endr
    ld      a0, SAVED_BYTES(sp)
    ld      a1, SAVED_BYTES+16(sp)
    ld      a2, SAVED_BYTES+24(sp)
    addi    sp, sp, -64             // as from a deeper frame
    call    prelude_context_restore
1:
    ld      a1, SAVED_BYTES+8(sp)
    .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    sd      s\n, 8*(\n-2)(a1)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    fsd     fs\n, 80+8*\n(a1)
    .endr
    MOVE_SAVED ld, fld
    addi    sp, sp, SAVED_BYTES+32
    ret
    .size   probe_context, . - probe_context

    .section .note.GNU-stack, "", %progbits
