// See context.h, which asserts the size of the six words used here. Of the guard, which takes two
// words of the arguments, the lower one is mixed in.

#define CONTEXT_EBX 0
#define CONTEXT_ESI 4
#define CONTEXT_EDI 8
#define CONTEXT_EBP 12
#define CONTEXT_ESP 16
#define CONTEXT_EIP 20

#define ARGUMENT_CONTEXT 4(%esp)
#define ARGUMENT_GUARD 8(%esp)
#define ARGUMENT_VALUE 16(%esp)

    .text
    .globl  prelude_context_save
    .hidden prelude_context_save
    .type   prelude_context_save, @function
    .p2align 4
prelude_context_save:
    .cfi_startproc
    movl    ARGUMENT_CONTEXT, %edx
    movl    ARGUMENT_GUARD, %ecx
    movl    %ebx, CONTEXT_EBX(%edx)
    movl    %esi, CONTEXT_ESI(%edx)
    movl    %edi, CONTEXT_EDI(%edx)
    movl    %ebp, %eax
    xorl    %ecx, %eax
    movl    %eax, CONTEXT_EBP(%edx)
    leal    4(%esp), %eax           // the stack as after our return
    xorl    %ecx, %eax
    movl    %eax, CONTEXT_ESP(%edx)
    xorl    (%esp), %ecx
    movl    %ecx, CONTEXT_EIP(%edx)
    xorl    %eax, %eax
    ret
    .cfi_endproc
    .size   prelude_context_save, . - prelude_context_save

    .globl  prelude_context_restore
    .hidden prelude_context_restore
    .type   prelude_context_restore, @function
    .p2align 4
prelude_context_restore:
    .cfi_startproc
    movl    ARGUMENT_CONTEXT, %edx
    movl    ARGUMENT_GUARD, %ecx
    movl    ARGUMENT_VALUE, %eax
    cmpl    $1, %eax
    adcl    $0, %eax                // 0 becomes 1
    movl    CONTEXT_EBX(%edx), %ebx
    movl    CONTEXT_ESI(%edx), %esi
    movl    CONTEXT_EDI(%edx), %edi
    movl    CONTEXT_EBP(%edx), %ebp
    xorl    %ecx, %ebp
    movl    CONTEXT_ESP(%edx), %esp
    xorl    %ecx, %esp
    xorl    CONTEXT_EIP(%edx), %ecx
    jmp     *%ecx
    .cfi_endproc
    .size   prelude_context_restore, . - prelude_context_restore

    .section .note.GNU-stack, "", @progbits
