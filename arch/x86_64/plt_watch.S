// See plt_watch.h, which asserts the offsets used here. Entered like the lazy binding stubs:
//
//      24(%rbx)  return address of the call; the caller's stack arguments above it
//      16(%rbx)  relocation index
//       8(%rbx)  module
//       0(%rbx)  rbx, which holds the frame: rsp is realigned and moves with the copied arguments
//      -8(%rbx)  and below: the words named next
//
// Then, at a 64-byte boundary, CallArguments and CallResult. The legacy half of a register file is
// all there is without AVX; then the low parts are stored in the whole ones as well, so that the
// code that compares them need not know.

#define FRAME_MODULE 8(%rbx)
#define FRAME_INDEX 16(%rbx)
#define STACK_ARGUMENTS 32
#define SAVED_RAX -8(%rbx)
#define SAVED_R10 -16(%rbx)
#define SAVED_R11 -24(%rbx)
#define TARGET -32(%rbx)
#define FRAME_BYTES -40
#define ARGUMENTS -48(%rbx)
#define X87_FULL -56(%rbx)
#define WORDS_BYTES 56

#define ARGUMENT_RDX 0
#define ARGUMENT_R8 8
#define ARGUMENT_R9 16
#define ARGUMENT_RCX 24
#define ARGUMENT_RSI 32
#define ARGUMENT_RDI 40
#define ARGUMENT_RBP 48
#define ARGUMENT_RSP 56
#define ARGUMENT_LOW 64
#define ARGUMENT_WHOLE 192
#define RESULT 768
#define RESULT_RAX RESULT+0
#define RESULT_RDX RESULT+8
#define RESULT_LOW RESULT+16
#define RESULT_ST RESULT+48
#define RESULT_WHOLE RESULT+80
#define FRAME_SIZE 1024

// Bits of the state components that the system keeps (Intel SDM vol. 1, 13.1).
#define HAS_AVX 0x04
#define HAS_AVX512 0xe0

    .hidden prelude_xsave_mask
    .hidden prelude_call_enter
    .hidden prelude_call_leave
    .text

// Copies `count` vector registers to or from \low and \whole, relative to r10; destroys eax.
.macro STORE_VECTORS low, whole, registers:vararg
    .set at, 0
    .irp n, \registers
    movups  %xmm\n, \low+at(%r10)
    movups  %xmm\n, \whole+4*at(%r10)
    .set at, at+16
    .endr
    movl    prelude_xsave_mask(%rip), %eax
    testb   $HAS_AVX, %al
    jz      3f
    andl    $HAS_AVX512, %eax
    cmpl    $HAS_AVX512, %eax
    je      2f
    .set at, 0
    .irp n, \registers
    vmovdqu %ymm\n, \whole+4*at(%r10)
    .set at, at+16
    .endr
    jmp     3f
2:
    .set at, 0
    .irp n, \registers
    vmovdqu64 %zmm\n, \whole+4*at(%r10)
    .set at, at+16
    .endr
3:
.endm

.macro LOAD_VECTORS whole, registers:vararg
    movl    prelude_xsave_mask(%rip), %eax
    testb   $HAS_AVX, %al
    jz      1f
    andl    $HAS_AVX512, %eax
    cmpl    $HAS_AVX512, %eax
    je      2f
    .set at, 0
    .irp n, \registers
    vmovdqu \whole+4*at(%r10), %ymm\n
    .set at, at+16
    .endr
    jmp     3f
1:
    .set at, 0
    .irp n, \registers
    movups  \whole+4*at(%r10), %xmm\n
    .set at, at+16
    .endr
    jmp     3f
2:
    .set at, 0
    .irp n, \registers
    vmovdqu64 \whole+4*at(%r10), %zmm\n
    .set at, at+16
    .endr
3:
.endm

    .globl  prelude_watched_call
    .hidden prelude_watched_call
    .type   prelude_watched_call, @function
    .p2align 4
prelude_watched_call:
    .cfi_startproc
    .cfi_def_cfa_offset 24          // two words lie above the return address
    endbr64
    pushq   %rbx
    .cfi_def_cfa_offset 32
    .cfi_offset rbx, -32
    movq    %rsp, %rbx
    .cfi_def_cfa_register rbx
    subq    $WORDS_BYTES, %rsp
    movq    %rax, SAVED_RAX
    movq    %r10, SAVED_R10
    movq    %r11, SAVED_R11
    andq    $-64, %rsp
    subq    $FRAME_SIZE, %rsp
    movq    %rsp, ARGUMENTS
    movq    %rsp, %r10

    movq    %rdx, ARGUMENT_RDX(%r10)
    movq    %r8, ARGUMENT_R8(%r10)
    movq    %r9, ARGUMENT_R9(%r10)
    movq    %rcx, ARGUMENT_RCX(%r10)
    movq    %rsi, ARGUMENT_RSI(%r10)
    movq    %rdi, ARGUMENT_RDI(%r10)
    movq    %rbp, ARGUMENT_RBP(%r10)
    leaq    24(%rbx), %rax
    movq    %rax, ARGUMENT_RSP(%r10)
    STORE_VECTORS ARGUMENT_LOW, ARGUMENT_WHOLE, 0, 1, 2, 3, 4, 5, 6, 7

    movq    $-1, FRAME_BYTES(%rbx)
    movq    FRAME_MODULE, %rdi
    movq    FRAME_INDEX, %rsi
    movq    %r10, %rdx
    leaq    FRAME_BYTES(%rbx), %rcx
    call    prelude_call_enter
    movq    %rax, TARGET
    movq    ARGUMENTS, %r10
    LOAD_VECTORS ARGUMENT_WHOLE, 0, 1, 2, 3, 4, 5, 6, 7

    movq    FRAME_BYTES(%rbx), %rcx
    testq   %rcx, %rcx
    jns     .Lcall
    movq    ARGUMENT_RDX(%r10), %rdx
    movq    ARGUMENT_R8(%r10), %r8
    movq    ARGUMENT_R9(%r10), %r9
    movq    ARGUMENT_RCX(%r10), %rcx
    movq    ARGUMENT_RSI(%r10), %rsi
    movq    ARGUMENT_RDI(%r10), %rdi
    movq    TARGET, %rax
    movq    %rax, FRAME_INDEX
    movq    SAVED_RAX, %rax
    movq    SAVED_R10, %r10
    movq    SAVED_R11, %r11
    movq    %rbx, %rsp
    .cfi_remember_state
    .cfi_def_cfa_register rsp
    popq    %rbx
    .cfi_def_cfa_offset 24
    .cfi_restore rbx
    addq    $16, %rsp
    .cfi_def_cfa_offset 8
    jmp     *-8(%rsp)               // the slot of the index lies in the red zone

.Lcall:
    .cfi_restore_state
    // The function gets a copy of the caller's stack arguments.
    subq    %rcx, %rsp
    andq    $-16, %rsp
    movq    %rsp, %rdi
    leaq    STACK_ARGUMENTS(%rbx), %rsi
    cld
    rep movsb
    movq    ARGUMENT_RDX(%r10), %rdx
    movq    ARGUMENT_R8(%r10), %r8
    movq    ARGUMENT_R9(%r10), %r9
    movq    ARGUMENT_RCX(%r10), %rcx
    movq    ARGUMENT_RSI(%r10), %rsi
    movq    ARGUMENT_RDI(%r10), %rdi
    movq    SAVED_RAX, %rax
    movq    SAVED_R11, %r11
    movq    SAVED_R10, %r10
    call    *TARGET

    movq    ARGUMENTS, %r10
    movq    %r10, %rsp
    movq    %rax, RESULT_RAX(%r10)
    movq    %rdx, RESULT_RDX(%r10)
    STORE_VECTORS RESULT_LOW, RESULT_WHOLE, 0, 1
    // A result may lie on the x87 stack, which is empty else. fxam says of its top: C3 and C0 set,
    // C2 clear mean empty.
    movq    $0, X87_FULL
    .irp word, 0, 8, 16, 24
    movq    $0, RESULT_ST+\word(%r10)
    .endr
    .irp n, 0, 1
    fxam
    fnstsw  %ax
    andl    $0x4500, %eax
    cmpl    $0x4100, %eax
    je      4f
    fstpt   RESULT_ST+16*\n(%r10)
    incq    X87_FULL
    .endr
4:
    movq    FRAME_MODULE, %rdi
    movq    FRAME_INDEX, %rsi
    movq    %r10, %rdx
    leaq    RESULT(%r10), %rcx
    call    prelude_call_leave
    movq    ARGUMENTS, %r10
    cmpq    $1, X87_FULL
    jb      6f
    je      5f
    fldt    RESULT_ST+16(%r10)
5:
    fldt    RESULT_ST(%r10)
6:
    LOAD_VECTORS RESULT_WHOLE, 0, 1
    movq    RESULT_RAX(%r10), %rax
    movq    RESULT_RDX(%r10), %rdx
    movq    %rbx, %rsp
    .cfi_def_cfa_register rsp
    popq    %rbx
    .cfi_def_cfa_offset 24
    .cfi_restore rbx
    addq    $16, %rsp
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size   prelude_watched_call, . - prelude_watched_call

#include "cet.inc"
    .section .note.GNU-stack, "", @progbits
