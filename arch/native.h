// The machine this build is for. Shared code says arch::Native and includes only this header; a new
// machine adds its line here, in stubs.h and in syscall.h, and a directory (README.md).
#pragma once

#include <arch/machine.h>

#if defined(__x86_64__)
#include <arch/x86_64/traits.h>
#include <arch/x86_64/vector_state.h>
namespace prelude::arch {
using Native = X86_64;
}
#elif defined(__aarch64__)
#include <arch/aarch64/instructions.h>
#include <arch/aarch64/vector_state.h>
namespace prelude::arch {
using Native = AArch64;
}
#elif defined(__i386__)
#include <arch/i386/instructions.h>
#include <arch/i386/vector_state.h>
namespace prelude::arch {
using Native = I386;
}
#elif defined(__riscv) && __riscv_xlen == 64
#include <arch/riscv64/instructions.h>
#include <arch/riscv64/vector_state.h>
namespace prelude::arch {
using Native = RiscV64;
}
#else
#error "no arch/<machine> directory for this machine yet"
#endif

static_assert(prelude::arch::Machine<prelude::arch::Native>);
