// void* __tls_get_addr(const TlsIndex* {module, offset}), an ordinary call (ELF Handling for TLS
// 3.4.6). The DTV is current when its generation is the process's; a value of -1 means that this
// thread has no block of the module yet.

    .hidden prelude_tls_get_addr_slow
    .hidden prelude_tls_generation
    .text
    .globl  prelude_tls_get_addr
    .hidden prelude_tls_get_addr
    .type   prelude_tls_get_addr, @function
    .p2align 4
prelude_tls_get_addr:
    .cfi_startproc
    endbr64
    movq    %fs:8, %rdx
    movq    prelude_tls_generation(%rip), %rax
    cmpq    %rax, (%rdx)
    jne     .Lslow
    movq    (%rdi), %rax
    shlq    $4, %rax
    movq    (%rdx,%rax), %rax
    cmpq    $-1, %rax
    je      .Lslow
    addq    8(%rdi), %rax
    ret
.Lslow:
    // Compilers before GCC 4.9.4 call with a stack that is off by eight.
    pushq   %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    movq    %rsp, %rbp
    .cfi_def_cfa_register rbp
    andq    $-16, %rsp
    call    prelude_tls_get_addr_slow
    leave
    .cfi_def_cfa rsp, 8
    ret
    .cfi_endproc
    .size   prelude_tls_get_addr, . - prelude_tls_get_addr

    .globl  __tls_get_addr
    .type   __tls_get_addr, @function
    .set    __tls_get_addr, prelude_tls_get_addr
    .size   __tls_get_addr, . - prelude_tls_get_addr

#include "cet.inc"
    .section .note.GNU-stack, "", @progbits
