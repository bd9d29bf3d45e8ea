// The assembly of the machine this build is for: entry, lazy binding, TLS access, saved contexts.
#pragma once

#if defined(__x86_64__)
#include <arch/x86_64/context.h>
#include <arch/x86_64/handover.h>
#include <arch/x86_64/plt_watch.h>
#include <arch/x86_64/vector_state.h>
#elif defined(__aarch64__)
#include <arch/aarch64/context.h>
#include <arch/aarch64/handover.h>
#include <arch/aarch64/plt_watch.h>
#include <arch/aarch64/vector_state.h>
#elif defined(__i386__)
#include <arch/i386/context.h>
#include <arch/i386/handover.h>
#include <arch/i386/plt_watch.h>
#include <arch/i386/vector_state.h>
#elif defined(__riscv) && __riscv_xlen == 64
#include <arch/riscv64/context.h>
#include <arch/riscv64/handover.h>
#include <arch/riscv64/plt_watch.h>
#include <arch/riscv64/vector_state.h>
#else
#error "no arch/<machine> directory for this machine yet"
#endif
