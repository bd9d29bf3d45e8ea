// The raw kernel calls of the machine this build is for; for sys/ alone.
#pragma once

#if defined(__x86_64__)
#include <arch/x86_64/syscall.h>
#elif defined(__aarch64__)
#include <arch/aarch64/syscall.h>
#elif defined(__i386__)
#include <arch/i386/syscall.h>
#elif defined(__riscv) && __riscv_xlen == 64
#include <arch/riscv64/syscall.h>
#else
#error "no arch/<machine>/syscall.h for this machine yet"
#endif
