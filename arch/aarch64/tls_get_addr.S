// void* __tls_get_addr(const TlsIndex* {module, offset}), an ordinary call. The DTV is current when its
// generation is the process's; a value of -1 means that this thread has no block of the module yet.

    .hidden prelude_tls_get_addr_slow
    .hidden prelude_tls_generation
    .text
    .globl  prelude_tls_get_addr
    .hidden prelude_tls_get_addr
    .type   prelude_tls_get_addr, %function
    .p2align 4
prelude_tls_get_addr:
    .cfi_startproc
    hint    #34                     // bti c
    mrs     x1, tpidr_el0
    ldr     x1, [x1]                // the DTV
    adrp    x2, prelude_tls_generation
    ldr     x2, [x2, #:lo12:prelude_tls_generation]
    ldr     x3, [x1]
    cmp     x2, x3
    b.ne    .Lslow
    ldp     x2, x3, [x0]
    lsl     x2, x2, #4
    ldr     x1, [x1, x2]
    cmn     x1, #1
    b.eq    .Lslow
    add     x0, x1, x3
    ret
.Lslow:
    b       prelude_tls_get_addr_slow
    .cfi_endproc
    .size   prelude_tls_get_addr, . - prelude_tls_get_addr

    .globl  __tls_get_addr
    .type   __tls_get_addr, %function
    .set    __tls_get_addr, prelude_tls_get_addr
    .size   __tls_get_addr, . - prelude_tls_get_addr

#include "marks.inc"
