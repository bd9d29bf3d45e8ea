// Where the kernel enters us, and where we enter the program (psABI i386, "Process Initialization").
// The offsets of struct Handover are asserted in handover.h.

#define HANDOVER_STACK 0
#define HANDOVER_FINALISER 4
#define HANDOVER_ENTRY 8

    .hidden prelude_start
    .text
    .globl  _start
    .hidden _start
    .type   _start, @function
    .p2align 4
_start:
    .cfi_startproc
    .cfi_undefined eip              // outermost frame: unwinders stop here
    xorl    %ebp, %ebp
    movl    %esp, %eax
    andl    $-16, %esp
    subl    $32, %esp
    leal    16(%esp), %ecx          // the Handover
    movl    %eax, (%esp)
    movl    %ecx, 4(%esp)
    call    prelude_start

    movl    16+HANDOVER_ENTRY(%esp), %eax
    movl    16+HANDOVER_FINALISER(%esp), %edx
    movl    16+HANDOVER_STACK(%esp), %esp
    // There is no red zone to jump through: one register holds the target.
    xorl    %ebx, %ebx
    xorl    %ecx, %ecx
    xorl    %esi, %esi
    xorl    %edi, %edi
    xorl    %ebp, %ebp
    jmp     *%eax
    .cfi_endproc
    .size   _start, . - _start

    .section .note.GNU-stack, "", @progbits
