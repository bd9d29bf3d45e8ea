// void* __tls_get_addr(const TlsIndex* {module, offset}), an ordinary call. Offsets are less than they
// are by 0x800 (psABI RISC-V, "Thread Local Storage": TLS_DTV_OFFSET). The DTV is current when its
// generation is the process's; a value of -1 means that this thread has no block of the module yet.

#define TLS_DTV_OFFSET 0x800
#define TCB_DTV -16
#define DTV_ENTRY_SHIFT 4

    .hidden prelude_tls_get_addr_slow
    .hidden prelude_tls_generation
    .text
    .globl  prelude_tls_get_addr
    .hidden prelude_tls_get_addr
    .type   prelude_tls_get_addr, %function
    .p2align 2
prelude_tls_get_addr:
    .cfi_startproc
    ld      a1, TCB_DTV(tp)
    ld      a2, prelude_tls_generation
    ld      a3, (a1)
    bne     a2, a3, .Lslow
    ld      a2, (a0)
    slli    a2, a2, DTV_ENTRY_SHIFT
    add     a1, a1, a2
    ld      a1, (a1)
    li      a2, -1
    beq     a1, a2, .Lslow
    ld      a0, 8(a0)
    add     a0, a0, a1
    li      a1, TLS_DTV_OFFSET
    add     a0, a0, a1
    ret
.Lslow:                             // which takes what stands there for the offset
    addi    sp, sp, -16
    .cfi_def_cfa_offset 16
    sd      ra, 8(sp)
    .cfi_offset ra, -8
    call    prelude_tls_get_addr_slow
    li      a1, TLS_DTV_OFFSET
    add     a0, a0, a1
    ld      ra, 8(sp)
    .cfi_restore ra
    addi    sp, sp, 16
    .cfi_def_cfa_offset 0
    ret
    .cfi_endproc
    .size   prelude_tls_get_addr, . - prelude_tls_get_addr

    .globl  __tls_get_addr
    .type   __tls_get_addr, %function
    .set    __tls_get_addr, prelude_tls_get_addr
    .size   __tls_get_addr, . - prelude_tls_get_addr

    .section .note.GNU-stack, "", %progbits
