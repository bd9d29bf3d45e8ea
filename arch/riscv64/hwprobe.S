// int prelude_hwprobe(pairs, pair_count, cpu_count, cpus, flags): the kernel's riscv_hwprobe, for resolvers.
// Gives 0 or, not negated, an error number, as glibc's function of this kind does.

#define NUMBER_HWPROBE 258

    .text
    .globl  prelude_hwprobe
    .hidden prelude_hwprobe
    .type   prelude_hwprobe, %function
    .p2align 2
prelude_hwprobe:
    .cfi_startproc
    li      a7, NUMBER_HWPROBE
    ecall
    negw    a0, a0
    ret
    .cfi_endproc
    .size   prelude_hwprobe, . - prelude_hwprobe

    .section .note.GNU-stack, "", %progbits
