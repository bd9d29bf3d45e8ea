// void* ___tls_get_addr({module, offset}*) with the pointer in eax, as compiled code calls it, and
// __tls_get_addr with the pointer on the stack (ELF Handling for TLS 3.4.2). The DTV is current when
// its generation is the process's; a value of -1 means that this thread has no block of the module yet.

    .hidden prelude_tls_get_addr_slow
    .hidden prelude_tls_generation
    .text
    .globl  prelude_tls_get_addr
    .hidden prelude_tls_get_addr
    .type   prelude_tls_get_addr, @function
    .p2align 4
prelude_tls_get_addr:
    .cfi_startproc
    movl    4(%esp), %eax
    jmp     in_register
    .cfi_endproc
    .size   prelude_tls_get_addr, . - prelude_tls_get_addr

    .globl  __tls_get_addr
    .type   __tls_get_addr, @function
    .set    __tls_get_addr, prelude_tls_get_addr
    .size   __tls_get_addr, . - prelude_tls_get_addr

    .globl  ___tls_get_addr
    .type   ___tls_get_addr, @function
    .p2align 4
___tls_get_addr:
in_register:
    .cfi_startproc
    call    1f
    .cfi_adjust_cfa_offset 4
1:  popl    %ecx
    .cfi_adjust_cfa_offset -4
    movl    prelude_tls_generation-1b(%ecx), %ecx
    movl    %gs:4, %edx
    cmpl    %ecx, (%edx)
    jne     .Lslow
    movl    (%eax), %ecx
    movl    (%edx,%ecx,8), %edx
    cmpl    $-1, %edx
    je      .Lslow
    movl    4(%eax), %eax
    addl    %edx, %eax
    ret
.Lslow:
    // The stack may be off: few compilers align it for this call.
    pushl   %ebp
    .cfi_def_cfa_offset 8
    .cfi_offset ebp, -8
    movl    %esp, %ebp
    .cfi_def_cfa_register ebp
    andl    $-16, %esp
    subl    $16, %esp
    movl    %eax, (%esp)
    call    prelude_tls_get_addr_slow
    leave
    .cfi_def_cfa esp, 4
    ret
    .cfi_endproc
    .size   ___tls_get_addr, . - ___tls_get_addr

    .section .note.GNU-stack, "", @progbits
