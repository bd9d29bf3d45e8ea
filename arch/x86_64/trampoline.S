// Lazy binding. A PLT entry pushes its relocation index, PLT0 pushes GOT[1] (the module) and jumps to
// GOT[2], one of the three stubs here:
//
//      16(%rsp)  return address of the call
//       8(%rsp)  relocation index
//       0(%rsp)  module
//
// The target must find every register as the caller left it: arguments, the vector count in rax, the
// static chain in r10, and r11 although a PLT may use it. So the target address is handed over in
// memory: the slot of the index lies in the red zone when the stack is as at the call.
// rbx holds the frame, because rsp is realigned by an amount known only at run time.

#include "save_state.inc"

    .hidden prelude_lazy_bind
    .text

#define FRAME_MODULE 8(%rbx)
#define FRAME_INDEX 16(%rbx)
#define FRAME_RETURN 24(%rbx)
#define SAVED_BYTES 72

.macro BEGIN_STUB name
    .globl  \name
    .hidden \name
    .type   \name, @function
    .p2align 4
\name:
    .cfi_startproc
    .cfi_def_cfa_offset 24          // two words lie above the return address
    endbr64
    pushq   %rbx
    .cfi_def_cfa_offset 32
    .cfi_offset rbx, -32
    movq    %rsp, %rbx
    .cfi_def_cfa_register rbx
    PUSH_ALL rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
.endm

.macro CALL_BINDER
    movq    FRAME_MODULE, %rdi
    movq    FRAME_INDEX, %rsi
    movq    FRAME_RETURN, %rdx
    call    prelude_lazy_bind
    movq    %rax, FRAME_INDEX
.endm

.macro END_STUB name
    leaq    -SAVED_BYTES(%rbx), %rsp
    POP_ALL r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax
    .cfi_def_cfa_register rsp
    popq    %rbx
    .cfi_def_cfa_offset 24
    .cfi_restore rbx
    addq    $16, %rsp
    .cfi_def_cfa_offset 8
    jmp     *-8(%rsp)
    .cfi_endproc
    .size   \name, . - \name
.endm

    BEGIN_STUB prelude_lazy_fxsave
    SAVE_STATE_FX
    CALL_BINDER
    RESTORE_STATE_FX
    END_STUB prelude_lazy_fxsave

    BEGIN_STUB prelude_lazy_xsave
    PREPARE_XSAVE
    xsave64 (%rsp)
    CALL_BINDER
    RESTORE_STATE_X
    END_STUB prelude_lazy_xsave

    BEGIN_STUB prelude_lazy_xsavec
    PREPARE_XSAVE
    xsavec64 (%rsp)
    CALL_BINDER
    RESTORE_STATE_X
    END_STUB prelude_lazy_xsavec

#include "cet.inc"
    .section .note.GNU-stack, "", @progbits
