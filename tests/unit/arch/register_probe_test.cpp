#include "register_probe.h"

#include <cstddef>

ProbeState probe_before;
ProbeState probe_after;
uint64_t probe_module;
uint64_t probe_index;
void* probe_stub;
uint32_t probe_level;
uint32_t probe_wide_masks;

static_assert(sizeof(uint64_t[kRegisters]) == 120);
static_assert(offsetof(ProbeState, stack) == 120);
static_assert(offsetof(ProbeState, vector) == 128);
static_assert(offsetof(ProbeState, mask) == 128 + 32 * 64);

asm(R"(
    .macro EACH_INTEGER operation
    \operation rax, 0
    \operation rbx, 8
    \operation rcx, 16
    \operation rdx, 24
    \operation rsi, 32
    \operation rdi, 40
    \operation rbp, 48
    \operation r8, 56
    \operation r9, 64
    \operation r10, 72
    \operation r11, 80
    \operation r12, 88
    \operation r13, 96
    \operation r14, 104
    \operation r15, 112
    .endm
    .macro LOAD_INTEGER register, offset
    movq \offset+probe_before(%rip), %\register
    .endm
    .macro SAVE_INTEGER register, offset
    movq %\register, \offset+probe_after(%rip)
    .endm

    .macro EACH_MASK operation
    .irp n, 1, 2, 3, 4, 5, 6, 7
    \operation \n
    .endr
    .endm
    .macro LOAD_MASK n
    kmovw 2048+\n*8(%rax), %k\n
    .endm
    .macro LOAD_WIDE_MASK n
    kmovq 2048+\n*8(%rax), %k\n
    .endm
    .macro SAVE_MASK n
    kmovw %k\n, 2048+\n*8(%rax)
    .endm
    .macro SAVE_WIDE_MASK n
    kmovq %k\n, 2048+\n*8(%rax)
    .endm

    .text
load_vectors:
    leaq 128+probe_before(%rip), %rax
    cmpl $1, probe_level(%rip)
    je 1f
    ja 2f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups \n*64(%rax), %xmm\n
    .endr
    ret
1:  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups \n*64(%rax), %ymm\n
    .endr
    ret
2:  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups \n*64(%rax), %zmm\n
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovups \n*64(%rax), %zmm\n
    .endr
    cmpl $0, probe_wide_masks(%rip)
    jne 3f
    EACH_MASK LOAD_MASK
    ret
3:  EACH_MASK LOAD_WIDE_MASK
    ret

save_vectors:
    leaq 128+probe_after(%rip), %rax
    cmpl $1, probe_level(%rip)
    je 1f
    ja 2f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups %xmm\n, \n*64(%rax)
    .endr
    ret
1:  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups %ymm\n, \n*64(%rax)
    .endr
    vzeroupper
    ret
2:  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups %zmm\n, \n*64(%rax)
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovups %zmm\n, \n*64(%rax)
    .endr
    cmpl $0, probe_wide_masks(%rip)
    jne 3f
    EACH_MASK SAVE_MASK
    jmp 4f
3:  EACH_MASK SAVE_WIDE_MASK
4:  vzeroupper
    ret

    .globl probe_trash
probe_trash:
    cmpl $1, probe_level(%rip)
    je 1f
    ja 2f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    pcmpeqd %xmm\n, %xmm\n
    .endr
    jmp 3f
1:  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vxorps %ymm\n, %ymm\n, %ymm\n
    .endr
    jmp 3f
2:  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vpternlogd $255, %zmm\n, %zmm\n, %zmm\n
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vpternlogd $255, %zmm\n, %zmm\n, %zmm\n
    .endr
    .irp n, 1, 2, 3, 4, 5, 6, 7
    kxnorw %k0, %k0, %k\n       # clears the upper 48 bits
    .endr
3:  .irp register, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
    movq $-1, %\register
    .endr
    ret

    .macro ENTER
    .cfi_startproc
    .irp register, rbx, rbp, r12, r13, r14, r15
    pushq %\register
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset \register, 0
    .endr
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    call load_vectors
    EACH_INTEGER LOAD_INTEGER
    .endm
    .macro LEAVE
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    .irp register, r15, r14, r13, r12, rbp, rbx
    popq %\register
    .cfi_adjust_cfa_offset -8
    .endr
    ret
    .cfi_endproc
    .endm

    .globl probe_plt_call, probe_plt_return, probe_target
probe_plt_call:
    ENTER
    call probe_plt_entry
probe_plt_return:
    LEAVE
probe_plt_entry:
    pushq probe_index(%rip)
    pushq probe_module(%rip)
    jmp *probe_stub(%rip)
probe_target:
    endbr64
    EACH_INTEGER SAVE_INTEGER
    SAVE_INTEGER rsp, 120
    jmp save_vectors

    .globl probe_descriptor_call
probe_descriptor_call:
    ENTER
    call *(%rax)
    EACH_INTEGER SAVE_INTEGER
    call save_vectors
    LEAVE

    .globl probe_misaligned_call
probe_misaligned_call:
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax                  # no adjustment: the stack is off by eight at this call
    ret
)");
