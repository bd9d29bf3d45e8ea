// TLS descriptors (Alexandre Oliva, "Thread-Local Storage Descriptors for IA32 and AMD64/EM64T").
// eax points to {function, argument}; the function gives the variable's offset from the thread
// pointer in eax and keeps every other register. Flags may change.

#include "save_state.inc"

    .hidden prelude_tls_get_addr_slow
    .text

#define DESCRIPTOR_ARGUMENT 4
// The argument of a dynamic descriptor. The first two words are what __tls_get_addr takes.
#define DYNAMIC_MODULE 0
#define DYNAMIC_OFFSET 4
#define DYNAMIC_GENERATION 8
// Thread block and DTV (ELF Handling for TLS 3.4.2): entries are {value, to_free}.
#define TCB_SELF 0
#define TCB_DTV 4

.macro BEGIN name
    .globl  \name
    .hidden \name
    .type   \name, @function
    .p2align 4
\name:
    .cfi_startproc
.endm
.macro END name
    .cfi_endproc
    .size   \name, . - \name
.endm

    BEGIN   prelude_tlsdesc_static
    movl    DESCRIPTOR_ARGUMENT(%eax), %eax
    ret
    END     prelude_tlsdesc_static

// The argument is the addend: the address comes out as the addend itself, null for a plain symbol.
    BEGIN   prelude_tlsdesc_undefined_weak
    movl    DESCRIPTOR_ARGUMENT(%eax), %eax
    subl    %gs:TCB_SELF, %eax
    ret
    END     prelude_tlsdesc_undefined_weak

    BEGIN   prelude_tlsdesc_dynamic
    pushl   %ecx
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset ecx, 0
    pushl   %edx
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset edx, 0
    movl    DESCRIPTOR_ARGUMENT(%eax), %eax
    movl    %gs:TCB_DTV, %edx
    movl    DYNAMIC_GENERATION(%eax), %ecx
    cmpl    %ecx, (%edx)            // the DTV may be too short for the module until it is as new
    jb      .Lslow
    movl    DYNAMIC_MODULE(%eax), %ecx
    movl    (%edx,%ecx,8), %edx
    cmpl    $-1, %edx               // no block yet in this thread
    je      .Lslow
    movl    DYNAMIC_OFFSET(%eax), %eax
    addl    %edx, %eax
.Lfound:
    subl    %gs:TCB_SELF, %eax
    popl    %edx
    .cfi_adjust_cfa_offset -4
    .cfi_restore edx
    popl    %ecx
    .cfi_adjust_cfa_offset -4
    .cfi_restore ecx
    ret

    .cfi_adjust_cfa_offset 8
    .cfi_offset ecx, -8
    .cfi_offset edx, -12
.Lslow:
    call    get_addr_keeping_all
    jmp     .Lfound
    END     prelude_tlsdesc_dynamic

// eax = prelude_tls_get_addr_slow(eax); keeps all but eax, ecx, edx.
    .type   get_addr_keeping_all, @function
    .p2align 4
get_addr_keeping_all:
    .cfi_startproc
    pushl   %ebx
    .cfi_def_cfa_offset 8
    .cfi_offset ebx, -8
    movl    %esp, %ebx
    .cfi_def_cfa_register ebx
    pushl   %eax                    // the argument, then the result
    SAVE_STATE
    subl    $16, %esp
    movl    -4(%ebx), %eax
    movl    %eax, (%esp)
    call    prelude_tls_get_addr_slow
    movl    %eax, -4(%ebx)
    addl    $16, %esp
    RESTORE_STATE
    movl    -4(%ebx), %eax
    movl    %ebx, %esp
    .cfi_def_cfa_register esp
    popl    %ebx
    .cfi_def_cfa_offset 4
    .cfi_restore ebx
    ret
    END     get_addr_keeping_all

    .section .note.GNU-stack, "", @progbits
