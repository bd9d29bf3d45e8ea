// Lazy binding. A PLT entry pushes the offset of its relocation in DT_JMPREL, PLT0 pushes GOT[1] (the
// module) and jumps to GOT[2], which leads here:
//
//       8(%esp)  return address of the call
//       4(%esp)  offset of the relocation
//       0(%esp)  module
//
// The target must find every register as the caller left it: eax, ecx and edx hold arguments of
// functions built with regparm, fastcall or thiscall, vector registers those of others. ebx holds the
// frame, because esp is realigned by an amount known only at run time.

#include "save_state.inc"

    .hidden prelude_lazy_bind
    .text

#define FRAME_MODULE 4(%ebx)
#define FRAME_OFFSET 8(%ebx)
#define FRAME_RETURN 12(%ebx)
#define SAVED_BYTES 12
#define RELOCATION_SHIFT 3          // eight bytes each

    .globl  prelude_lazy
    .hidden prelude_lazy
    .type   prelude_lazy, @function
    .p2align 4
prelude_lazy:
    .cfi_startproc
    .cfi_def_cfa_offset 12          // two words lie above the return address
    pushl   %ebx
    .cfi_def_cfa_offset 16
    .cfi_offset ebx, -16
    movl    %esp, %ebx
    .cfi_def_cfa_register ebx
    pushl   %eax
    pushl   %ecx
    pushl   %edx
    SAVE_STATE
    subl    $16, %esp
    movl    FRAME_MODULE, %eax
    movl    %eax, (%esp)
    movl    FRAME_OFFSET, %eax
    shrl    $RELOCATION_SHIFT, %eax
    movl    %eax, 4(%esp)
    movl    FRAME_RETURN, %eax
    movl    %eax, 8(%esp)
    call    prelude_lazy_bind
    movl    %eax, FRAME_OFFSET
    addl    $16, %esp
    RESTORE_STATE
    leal    -SAVED_BYTES(%ebx), %esp
    popl    %edx
    popl    %ecx
    popl    %eax
    .cfi_def_cfa_register esp
    popl    %ebx
    .cfi_def_cfa_offset 12
    .cfi_restore ebx
    addl    $4, %esp
    .cfi_def_cfa_offset 8
    ret                             // to the target, which stands in the place of the offset
    .cfi_endproc
    .size   prelude_lazy, . - prelude_lazy

    .section .note.GNU-stack, "", @progbits
