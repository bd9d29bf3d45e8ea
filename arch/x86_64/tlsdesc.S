// TLS descriptors (Alexandre Oliva, "Thread-Local Storage Descriptors for IA32 and AMD64/EM64T").
// rax points to {function, argument}; the function gives the variable's offset from the thread
// pointer in rax and keeps every other register. Flags may change.

#include "save_state.inc"

    .hidden prelude_tls_get_addr_slow
    .text

#define DESCRIPTOR_ARGUMENT 8
// The argument of a dynamic descriptor. The first two words are what __tls_get_addr takes.
#define DYNAMIC_MODULE 0
#define DYNAMIC_OFFSET 8
#define DYNAMIC_GENERATION 16
// Thread block and DTV (ELF Handling for TLS 3.4.6): entries are {value, to_free}.
#define TCB_SELF 0
#define TCB_DTV 8
#define DTV_ENTRY_SHIFT 4

.macro BEGIN name
    .globl  \name
    .hidden \name
    .type   \name, @function
    .p2align 4
\name:
    .cfi_startproc
    endbr64
.endm
.macro END name
    .cfi_endproc
    .size   \name, . - \name
.endm

    BEGIN   prelude_tlsdesc_static
    movq    DESCRIPTOR_ARGUMENT(%rax), %rax
    ret
    END     prelude_tlsdesc_static

// The argument is the addend: the address comes out as the addend itself, null for a plain symbol.
    BEGIN   prelude_tlsdesc_undefined_weak
    movq    DESCRIPTOR_ARGUMENT(%rax), %rax
    subq    %fs:TCB_SELF, %rax
    ret
    END     prelude_tlsdesc_undefined_weak

    BEGIN   prelude_tlsdesc_dynamic
    pushq   %rcx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rcx, 0
    pushq   %rdx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rdx, 0
    movq    DESCRIPTOR_ARGUMENT(%rax), %rax
    movq    %fs:TCB_DTV, %rdx
    movq    DYNAMIC_GENERATION(%rax), %rcx
    cmpq    %rcx, (%rdx)            // the DTV may be too short for the module until it is as new
    jb      .Lslow
    movq    DYNAMIC_MODULE(%rax), %rcx
    shlq    $DTV_ENTRY_SHIFT, %rcx
    movq    (%rdx,%rcx), %rdx
    cmpq    $-1, %rdx               // no block yet in this thread
    je      .Lslow
    movq    DYNAMIC_OFFSET(%rax), %rax
    addq    %rdx, %rax
.Lfound:
    subq    %fs:TCB_SELF, %rax
    popq    %rdx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rdx
    popq    %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rcx
    ret

    .cfi_adjust_cfa_offset 16
    .cfi_offset rcx, -16
    .cfi_offset rdx, -24
.Lslow:
    call    get_addr_keeping_all
    jmp     .Lfound
    END     prelude_tlsdesc_dynamic

// rax = prelude_tls_get_addr_slow(rax); keeps all but rax, rcx, rdx.
    .type   get_addr_keeping_all, @function
    .p2align 4
get_addr_keeping_all:
    .cfi_startproc
    pushq   %rbx
    .cfi_def_cfa_offset 16
    .cfi_offset rbx, -16
    movq    %rsp, %rbx
    .cfi_def_cfa_register rbx
    PUSH_ALL rsi, rdi, r8, r9, r10, r11
    movq    %rax, %rdi
    movl    prelude_state_saver(%rip), %eax
    cmpl    $1, %eax
    je      .Lxsave
    ja      .Lxsavec
    SAVE_STATE_FX
    call    prelude_tls_get_addr_slow
    RESTORE_STATE_FX
    jmp     .Lkept
.Lxsave:
    PREPARE_XSAVE
    xsave64 (%rsp)
    jmp     .Lsaved
.Lxsavec:
    PREPARE_XSAVE
    xsavec64 (%rsp)
.Lsaved:
    call    prelude_tls_get_addr_slow
    movq    %rax, %rcx
    RESTORE_STATE_X
    movq    %rcx, %rax
.Lkept:
    leaq    -48(%rbx), %rsp
    POP_ALL r11, r10, r9, r8, rdi, rsi
    .cfi_def_cfa_register rsp
    popq    %rbx
    .cfi_def_cfa_offset 8
    .cfi_restore rbx
    ret
    END     get_addr_keeping_all

#include "cet.inc"
    .section .note.GNU-stack, "", @progbits
