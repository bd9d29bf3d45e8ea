// TLS descriptors. x0 points to {function, argument}; the function gives the variable's offset from
// the thread pointer in x0 and keeps every register but x0, x1 and x30. Of the scalable vectors code
// expects only the low 128 bits back (GCC treats the rest as lost at such a call).

    .hidden prelude_tls_get_addr_slow
    .text

#define DESCRIPTOR_ARGUMENT 8
// The argument of a dynamic descriptor. The first two words are what __tls_get_addr takes.
#define DYNAMIC_MODULE 0
#define DYNAMIC_OFFSET 8
#define DYNAMIC_GENERATION 16
#define DTV_ENTRY_SHIFT 4

.macro BEGIN name
    .globl  \name
    .hidden \name
    .type   \name, %function
    .p2align 4
\name:
    .cfi_startproc
    hint    #34                     // bti c
.endm
.macro END name
    .cfi_endproc
    .size   \name, . - \name
.endm

    BEGIN   prelude_tlsdesc_static
    ldr     x0, [x0, #DESCRIPTOR_ARGUMENT]
    ret
    END     prelude_tlsdesc_static

// The argument is the addend: the address comes out as the addend itself, null for a plain symbol.
    BEGIN   prelude_tlsdesc_undefined_weak
    ldr     x0, [x0, #DESCRIPTOR_ARGUMENT]
    mrs     x1, tpidr_el0
    sub     x0, x0, x1
    ret
    END     prelude_tlsdesc_undefined_weak

    BEGIN   prelude_tlsdesc_dynamic
    stp     x2, x3, [sp, #-16]!
    .cfi_adjust_cfa_offset 16
    .cfi_rel_offset x2, 0
    .cfi_rel_offset x3, 8
    ldr     x0, [x0, #DESCRIPTOR_ARGUMENT]
    mrs     x1, tpidr_el0
    ldr     x1, [x1]
    ldr     x2, [x0, #DYNAMIC_GENERATION]
    ldr     x3, [x1]
    cmp     x3, x2                  // the DTV may be too short for the module until it is as new
    b.lo    .Lslow
    ldp     x2, x3, [x0]
    lsl     x2, x2, #DTV_ENTRY_SHIFT
    ldr     x1, [x1, x2]
    cmn     x1, #1                  // no block yet in this thread
    b.eq    .Lslow
    add     x0, x1, x3
.Lfound:
    mrs     x1, tpidr_el0
    sub     x0, x0, x1
    ldp     x2, x3, [sp], #16
    .cfi_adjust_cfa_offset -16
    .cfi_restore x2
    .cfi_restore x3
    ret

// x0 = prelude_tls_get_addr_slow(x0), all else kept.
#define SLOW_BYTES 656
    .cfi_adjust_cfa_offset 16
    .cfi_offset x2, -16
    .cfi_offset x3, -8
.Lslow:
    sub     sp, sp, #SLOW_BYTES
    .cfi_adjust_cfa_offset SLOW_BYTES
    stp     x29, x30, [sp]
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    mov     x29, sp
    stp     x4, x5, [sp, #16]
    stp     x6, x7, [sp, #32]
    stp     x8, x9, [sp, #48]
    stp     x10, x11, [sp, #64]
    stp     x12, x13, [sp, #80]
    stp     x14, x15, [sp, #96]
    stp     x16, x17, [sp, #112]
    str     x18, [sp, #128]
    stp     q0, q1, [sp, #144]
    stp     q2, q3, [sp, #176]
    stp     q4, q5, [sp, #208]
    stp     q6, q7, [sp, #240]
    stp     q8, q9, [sp, #272]
    stp     q10, q11, [sp, #304]
    stp     q12, q13, [sp, #336]
    stp     q14, q15, [sp, #368]
    stp     q16, q17, [sp, #400]
    stp     q18, q19, [sp, #432]
    stp     q20, q21, [sp, #464]
    stp     q22, q23, [sp, #496]
    stp     q24, q25, [sp, #528]
    stp     q26, q27, [sp, #560]
    stp     q28, q29, [sp, #592]
    stp     q30, q31, [sp, #624]
    bl      prelude_tls_get_addr_slow
    ldp     q0, q1, [sp, #144]
    ldp     q2, q3, [sp, #176]
    ldp     q4, q5, [sp, #208]
    ldp     q6, q7, [sp, #240]
    ldp     q8, q9, [sp, #272]
    ldp     q10, q11, [sp, #304]
    ldp     q12, q13, [sp, #336]
    ldp     q14, q15, [sp, #368]
    ldp     q16, q17, [sp, #400]
    ldp     q18, q19, [sp, #432]
    ldp     q20, q21, [sp, #464]
    ldp     q22, q23, [sp, #496]
    ldp     q24, q25, [sp, #528]
    ldp     q26, q27, [sp, #560]
    ldp     q28, q29, [sp, #592]
    ldp     q30, q31, [sp, #624]
    ldp     x4, x5, [sp, #16]
    ldp     x6, x7, [sp, #32]
    ldp     x8, x9, [sp, #48]
    ldp     x10, x11, [sp, #64]
    ldp     x12, x13, [sp, #80]
    ldp     x14, x15, [sp, #96]
    ldp     x16, x17, [sp, #112]
    ldr     x18, [sp, #128]
    ldp     x29, x30, [sp]
    add     sp, sp, #SLOW_BYTES
    .cfi_adjust_cfa_offset -SLOW_BYTES
    .cfi_restore x29
    .cfi_restore x30
    b       .Lfound
    END     prelude_tlsdesc_dynamic

#include "marks.inc"
