// What the compiler calls for atomic 64-bit numbers where it may use neither x87 nor vector registers.
// Conventions: GCC wiki, "Atomic/GCCMM/LIbrary"; the arguments lie on the stack.

    .text
.macro BEGIN name
    .globl  \name
    .hidden \name
    .type   \name, @function
    .p2align 4
\name:
    .cfi_startproc
    pushl   %ebx
    .cfi_def_cfa_offset 8
    .cfi_offset ebx, -8
    pushl   %esi
    .cfi_def_cfa_offset 12
    .cfi_offset esi, -12
.endm
.macro END name
    popl    %esi
    .cfi_def_cfa_offset 8
    .cfi_restore esi
    popl    %ebx
    .cfi_def_cfa_offset 4
    .cfi_restore ebx
    ret
    .cfi_endproc
    .size   \name, . - \name
.endm

// edx:eax = *(uint64_t*)12(%esp): whatever is compared, the number is there afterwards.
    BEGIN   __atomic_load_8
    movl    12(%esp), %esi
    movl    %ebx, %eax
    movl    %ecx, %edx
    lock cmpxchg8b (%esi)
    END     __atomic_load_8

// *(uint64_t*)12(%esp) = 16(%esp)
    BEGIN   __atomic_store_8
    movl    12(%esp), %esi
    movl    16(%esp), %ebx
    movl    20(%esp), %ecx
    movl    (%esi), %eax
    movl    4(%esi), %edx
1:  lock cmpxchg8b (%esi)
    jne     1b
    END     __atomic_store_8

// If *(uint64_t*)12(%esp) is *(uint64_t*)16(%esp), it becomes 20(%esp), and al 1; else the number there becomes what
// was found, and al 0.
    BEGIN   __atomic_compare_exchange_8
    movl    16(%esp), %esi
    movl    (%esi), %eax
    movl    4(%esi), %edx
    movl    20(%esp), %ebx
    movl    24(%esp), %ecx
    movl    12(%esp), %esi
    lock cmpxchg8b (%esi)
    sete    %cl
    je      1f
    movl    16(%esp), %esi
    movl    %eax, (%esi)
    movl    %edx, 4(%esi)
1:  movzbl  %cl, %eax
    END     __atomic_compare_exchange_8

    .section .note.GNU-stack, "", @progbits
