// Processor identification of the machine this build is for; the personality's business alone.
#pragma once

#if defined(__x86_64__)
#include <arch/x86_64/cpu.h>
#elif defined(__aarch64__)
#include <arch/aarch64/cpu.h>
#elif defined(__i386__)
#include <arch/i386/cpu.h>
#elif defined(__riscv) && __riscv_xlen == 64
#include <arch/riscv64/cpu.h>
#else
#error "no arch/<machine>/cpu.h for this machine yet"
#endif
