// Where the kernel enters us, and where we enter the program (psABI x86-64 3.4.1).
// The offsets of struct Handover are asserted in handover.h.

#define HANDOVER_STACK 0
#define HANDOVER_FINALISER 8
#define HANDOVER_ENTRY 16

    .hidden prelude_start
    .text
    .globl  _start
    .hidden _start
    .type   _start, @function
    .p2align 4
_start:
    .cfi_startproc
    .cfi_undefined rip              // outermost frame: unwinders stop here
    endbr64
    xorl    %ebp, %ebp
    movq    %rsp, %rdi
    andq    $-16, %rsp
    subq    $32, %rsp
    movq    %rsp, %rsi
    call    prelude_start

    movq    HANDOVER_ENTRY(%rsp), %rax
    movq    HANDOVER_FINALISER(%rsp), %rdx
    movq    HANDOVER_STACK(%rsp), %rsp
    // The target waits in the red zone, so that every register can be cleared.
    movq    %rax, -8(%rsp)
    xorl    %eax, %eax
    xorl    %ebx, %ebx
    xorl    %ecx, %ecx
    xorl    %esi, %esi
    xorl    %edi, %edi
    xorl    %ebp, %ebp
    xorl    %r8d, %r8d
    xorl    %r9d, %r9d
    xorl    %r10d, %r10d
    xorl    %r11d, %r11d
    xorl    %r12d, %r12d
    xorl    %r13d, %r13d
    xorl    %r14d, %r14d
    xorl    %r15d, %r15d
    jmp     *-8(%rsp)
    .cfi_endproc
    .size   _start, . - _start

#include "cet.inc"
    .section .note.GNU-stack, "", @progbits
