// TLS descriptors (psABI RISC-V, "TLS Descriptors"). a0 points to {function, argument} and t0 holds the
// return address; the function gives the variable's offset from the thread pointer in a0 and keeps
// every other register but t0, vector registers among them.

    .hidden prelude_tls_get_addr_slow
    .hidden prelude_state_saver
    .text

#define DESCRIPTOR_ARGUMENT 8
// The argument of a dynamic descriptor. The first two words are what __tls_get_addr takes.
#define DYNAMIC_MODULE 0
#define DYNAMIC_OFFSET 8
#define DYNAMIC_GENERATION 16
#define TCB_DTV -16
#define DTV_ENTRY_SHIFT 4

.macro BEGIN name
    .globl  \name
    .hidden \name
    .type   \name, %function
    .p2align 2
\name:
    .cfi_startproc
    .cfi_return_column t0
.endm
.macro END name
    .cfi_endproc
    .size   \name, . - \name
.endm

    BEGIN   prelude_tlsdesc_static
    ld      a0, DESCRIPTOR_ARGUMENT(a0)
    jr      t0
    END     prelude_tlsdesc_static

// The argument is the addend: the address comes out as the addend itself, null for a plain symbol.
    BEGIN   prelude_tlsdesc_undefined_weak
    ld      a0, DESCRIPTOR_ARGUMENT(a0)
    sub     a0, a0, tp
    jr      t0
    END     prelude_tlsdesc_undefined_weak

#define FAST_BYTES 32
#define SLOW_BYTES 272
#define AT_TEMPORARIES 16
#define AT_ARGUMENTS 64
#define AT_FLOATS 96
#define AT_FLOAT_ARGUMENTS 192
#define AT_S0 256

.macro MOVE_ALL integer, float
    .irp n, 1, 2, 3, 4, 5, 6
    \integer t\n, AT_TEMPORARIES+8*(\n-1)(sp)
    .endr
    .irp n, 4, 5, 6, 7
    \integer a\n, AT_ARGUMENTS+8*(\n-4)(sp)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \float  ft\n, AT_FLOATS+8*\n(sp)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    \float  fa\n, AT_FLOAT_ARGUMENTS+8*\n(sp)
    .endr
.endm

    BEGIN   prelude_tlsdesc_dynamic
    addi    sp, sp, -FAST_BYTES
    .cfi_def_cfa_offset FAST_BYTES
    sd      a1, 0(sp)
    sd      a2, 8(sp)
    sd      a3, 16(sp)
    .cfi_offset a1, 0-FAST_BYTES
    .cfi_offset a2, 8-FAST_BYTES
    .cfi_offset a3, 16-FAST_BYTES
    ld      a0, DESCRIPTOR_ARGUMENT(a0)
    ld      a1, TCB_DTV(tp)
    ld      a2, DYNAMIC_GENERATION(a0)
    ld      a3, (a1)
    bltu    a3, a2, .Lslow          // the DTV may be too short for the module until it is as new
    ld      a2, DYNAMIC_MODULE(a0)
    slli    a2, a2, DTV_ENTRY_SHIFT
    add     a1, a1, a2
    ld      a1, (a1)
    li      a2, -1                  // no block yet in this thread
    beq     a1, a2, .Lslow
    ld      a0, DYNAMIC_OFFSET(a0)
    add     a0, a0, a1
.Lfound:
    sub     a0, a0, tp
    ld      a1, 0(sp)
    ld      a2, 8(sp)
    ld      a3, 16(sp)
    addi    sp, sp, FAST_BYTES
    .cfi_remember_state
    .cfi_def_cfa_offset 0
    .cfi_restore a1
    .cfi_restore a2
    .cfi_restore a3
    jr      t0

// a0 = prelude_tls_get_addr_slow(a0), all else kept. s0 holds the frame, because the vector registers
// below it are as long as the processor says.
    .cfi_restore_state
.Lslow:
    addi    sp, sp, -SLOW_BYTES
    .cfi_def_cfa_offset FAST_BYTES+SLOW_BYTES
    sd      ra, 0(sp)
    sd      t0, 8(sp)
    .cfi_rel_offset ra, 0
    .cfi_rel_offset t0, 8
    sd      s0, AT_S0(sp)
    .cfi_rel_offset s0, AT_S0
    MOVE_ALL sd, fsd
    mv      s0, sp
    .cfi_def_cfa_register s0
    lbu     a1, prelude_state_saver
    beqz    a1, .Lno_vectors
    .option push
    .option arch, +v
    csrr    a1, vl
    csrr    a2, vtype
    csrr    a3, vcsr
    csrr    t1, vlenb
    slli    t1, t1, 3               // bytes of eight registers
    addi    sp, sp, -32
    sd      a1, 0(sp)
    sd      a2, 8(sp)
    sd      a3, 16(sp)
    .irp first, v0, v8, v16, v24
    sub     sp, sp, t1
    vs8r.v  \first, (sp)
    .endr
    call    prelude_tls_get_addr_slow
    csrr    t1, vlenb
    slli    t1, t1, 3
    .irp first, v24, v16, v8, v0
    vl8re8.v \first, (sp)
    add     sp, sp, t1
    .endr
    ld      a1, 0(sp)
    ld      a2, 8(sp)
    ld      a3, 16(sp)
    vsetvl  zero, a1, a2
    csrw    vcsr, a3
    .option pop
    j       .Lkept
.Lno_vectors:
    call    prelude_tls_get_addr_slow
.Lkept:
    mv      sp, s0
    .cfi_def_cfa_register sp
    MOVE_ALL ld, fld
    ld      ra, 0(sp)
    ld      t0, 8(sp)
    ld      s0, AT_S0(sp)
    .cfi_restore ra
    .cfi_restore t0
    .cfi_restore s0
    addi    sp, sp, SLOW_BYTES
    .cfi_def_cfa_offset FAST_BYTES
    j       .Lfound
    END     prelude_tlsdesc_dynamic

    .section .note.GNU-stack, "", %progbits
