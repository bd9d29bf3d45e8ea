// See plt_watch.h, which asserts the offsets used here. Entered like prelude_lazy (trampoline.S); above the frame
// lie the two words that PLT0 has pushed, then the caller's stack arguments.

    .hidden prelude_call_enter
    .hidden prelude_call_leave
    .text

#define AT_MODULE 16
#define AT_INDEX 24
#define AT_FRAME_BYTES 32
#define AT_TARGET 40
#define AT_ARGUMENTS 48
#define AT_RESULT AT_ARGUMENTS+240
#define AT_CHAIN AT_RESULT+208
#define FRAME_BYTES 512
#define PLT0_BYTES 16

// Offsets in CallArguments and CallResult.
#define ARGUMENT_X8 64
#define ARGUMENT_V 80
#define ARGUMENT_SP 208
#define ARGUMENT_VARIANT 224
#define RESULT_V 64
#define RESULT_VARIANT 192

// x0 to x7 and q0 to q7 to or from the frame.
.macro MOVE_REGISTERS pair, integers, vectors
    \pair   x0, x1, [x29, #\integers]
    \pair   x2, x3, [x29, #\integers+16]
    \pair   x4, x5, [x29, #\integers+32]
    \pair   x6, x7, [x29, #\integers+48]
    \pair   q0, q1, [x29, #\vectors]
    \pair   q2, q3, [x29, #\vectors+32]
    \pair   q4, q5, [x29, #\vectors+64]
    \pair   q6, q7, [x29, #\vectors+96]
.endm

    .globl  prelude_watched_call
    .hidden prelude_watched_call
    .type   prelude_watched_call, %function
    .p2align 4
prelude_watched_call:
    .cfi_startproc
    .cfi_def_cfa_offset PLT0_BYTES
    .cfi_offset x30, -8
    hint    #34                     // bti c
    stp     x29, x30, [sp, #-FRAME_BYTES]!
    .cfi_adjust_cfa_offset FRAME_BYTES
    .cfi_rel_offset x29, 0
    mov     x29, sp
    .cfi_def_cfa_register x29
    MOVE_REGISTERS stp, AT_ARGUMENTS, AT_ARGUMENTS+ARGUMENT_V
    str     x8, [x29, #AT_ARGUMENTS+ARGUMENT_X8]
    str     x18, [x29, #AT_CHAIN]
    add     x2, x29, #FRAME_BYTES+PLT0_BYTES
    stp     x2, x30, [x29, #AT_ARGUMENTS+ARGUMENT_SP]
    str     xzr, [x29, #AT_ARGUMENTS+ARGUMENT_VARIANT]

    ldr     x0, [x16, #-8]
    ldr     x1, [x29, #FRAME_BYTES]
    sub     x1, x1, x16
    lsr     x1, x1, #3
    sub     x1, x1, #1
    stp     x0, x1, [x29, #AT_MODULE]
    mov     x3, #-1
    str     x3, [x29, #AT_FRAME_BYTES]
    add     x2, x29, #AT_ARGUMENTS
    add     x3, x29, #AT_FRAME_BYTES
    bl      prelude_call_enter
    str     x0, [x29, #AT_TARGET]
    ldr     x9, [x29, #AT_FRAME_BYTES]
    tbz     x9, #63, .Lreturns_here

    // Nobody wants the return: the function takes our place.
    MOVE_REGISTERS ldp, AT_ARGUMENTS, AT_ARGUMENTS+ARGUMENT_V
    ldr     x8, [x29, #AT_ARGUMENTS+ARGUMENT_X8]
    ldr     x17, [x29, #AT_TARGET]
    ldr     x18, [x29, #AT_CHAIN]
    .cfi_remember_state
    .cfi_def_cfa_register sp
    ldp     x29, x30, [sp]
    .cfi_restore x29
    .cfi_restore x30
    add     sp, sp, #FRAME_BYTES+PLT0_BYTES
    .cfi_adjust_cfa_offset -FRAME_BYTES-PLT0_BYTES
    br      x17

.Lreturns_here:
    .cfi_restore_state
    // It finds a copy of its stack arguments below the frame.
    add     x9, x9, #15
    and     x9, x9, #-16
    sub     sp, sp, x9
    add     x10, x29, #FRAME_BYTES+PLT0_BYTES
    mov     x11, sp
.Lcopy:
    cbz     x9, .Lcopied
    ldp     x12, x13, [x10], #16
    stp     x12, x13, [x11], #16
    sub     x9, x9, #16
    b       .Lcopy
.Lcopied:
    MOVE_REGISTERS ldp, AT_ARGUMENTS, AT_ARGUMENTS+ARGUMENT_V
    ldr     x8, [x29, #AT_ARGUMENTS+ARGUMENT_X8]
    ldr     x18, [x29, #AT_CHAIN]
    ldr     x17, [x29, #AT_TARGET]
    blr     x17
    MOVE_REGISTERS stp, AT_RESULT, AT_RESULT+RESULT_V
    str     xzr, [x29, #AT_RESULT+RESULT_VARIANT]
    ldp     x0, x1, [x29, #AT_MODULE]
    add     x2, x29, #AT_ARGUMENTS
    add     x3, x29, #AT_RESULT
    bl      prelude_call_leave
    MOVE_REGISTERS ldp, AT_RESULT, AT_RESULT+RESULT_V
    mov     sp, x29
    .cfi_def_cfa_register sp
    ldp     x29, x30, [sp]
    .cfi_restore x29
    .cfi_restore x30
    add     sp, sp, #FRAME_BYTES+PLT0_BYTES
    .cfi_adjust_cfa_offset -FRAME_BYTES-PLT0_BYTES
    ret
    .cfi_endproc
    .size   prelude_watched_call, . - prelude_watched_call

#include "marks.inc"
