// See context.h, which asserts the size of the nine words used here.

#define CONTEXT_RBX 0
#define CONTEXT_RBP 8
#define CONTEXT_R12 16
#define CONTEXT_R13 24
#define CONTEXT_R14 32
#define CONTEXT_R15 40
#define CONTEXT_RSP 48
#define CONTEXT_RIP 56
#define CONTEXT_SSP 64

    .text
    .globl  prelude_context_save
    .hidden prelude_context_save
    .type   prelude_context_save, @function
    .p2align 4
prelude_context_save:               // rdi = context, rsi = guard
    .cfi_startproc
    endbr64
    movq    %rbx, CONTEXT_RBX(%rdi)
    movq    %rbp, %rax
    xorq    %rsi, %rax
    movq    %rax, CONTEXT_RBP(%rdi)
    movq    %r12, CONTEXT_R12(%rdi)
    movq    %r13, CONTEXT_R13(%rdi)
    movq    %r14, CONTEXT_R14(%rdi)
    movq    %r15, CONTEXT_R15(%rdi)
    leaq    8(%rsp), %rax           // the stack as after our return
    xorq    %rsi, %rax
    movq    %rax, CONTEXT_RSP(%rdi)
    movq    (%rsp), %rax
    xorq    %rsi, %rax
    movq    %rax, CONTEXT_RIP(%rdi)
    xorl    %eax, %eax
    rdsspq  %rax                    // leaves it 0 where there is no shadow stack
    movq    %rax, CONTEXT_SSP(%rdi)
    xorl    %eax, %eax
    ret
    .cfi_endproc
    .size   prelude_context_save, . - prelude_context_save

    .globl  prelude_context_restore
    .hidden prelude_context_restore
    .type   prelude_context_restore, @function
    .p2align 4
prelude_context_restore:            // rdi = context, rsi = guard, edx = value
    .cfi_startproc
    endbr64
    // The shadow stack loses the return addresses of the frames that are left, ours among them.
    xorl    %r8d, %r8d
    rdsspq  %r8
    testq   %r8, %r8
    jz      .Lno_shadow_stack
    movq    CONTEXT_SSP(%rdi), %r9
    subq    %r8, %r9
    shrq    $3, %r9
    incq    %r9                     // and the one of prelude_context_save
.Lpop:
    movl    $255, %ecx              // at most so many by one instruction
    cmpq    %rcx, %r9
    cmovbq  %r9, %rcx
    incsspq %rcx
    subq    %rcx, %r9
    jnz     .Lpop
.Lno_shadow_stack:
    movl    $1, %eax
    testl   %edx, %edx
    cmovnzl %edx, %eax
    movq    CONTEXT_RBX(%rdi), %rbx
    movq    CONTEXT_RBP(%rdi), %rbp
    xorq    %rsi, %rbp
    movq    CONTEXT_R12(%rdi), %r12
    movq    CONTEXT_R13(%rdi), %r13
    movq    CONTEXT_R14(%rdi), %r14
    movq    CONTEXT_R15(%rdi), %r15
    movq    CONTEXT_RIP(%rdi), %rcx
    xorq    %rsi, %rcx
    xorq    CONTEXT_RSP(%rdi), %rsi
    movq    %rsi, %rsp
    jmp     *%rcx
    .cfi_endproc
    .size   prelude_context_restore, . - prelude_context_restore

#include "cet.inc"
    .section .note.GNU-stack, "", @progbits
