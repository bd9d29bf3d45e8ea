// Loads every register with known values, goes through a stub, and records every register behind
// it. The assembly lives in register_probe_test.cpp; x86-64 only.
#pragma once

#include <cstdint>

enum ProbeRegister { kRax, kRbx, kRcx, kRdx, kRsi, kRdi, kRbp, kR8, kR15 = kR8 + 7, kRegisters };

struct ProbeState {
  uint64_t integer[kRegisters];
  uint64_t stack;  ///< rsp at the target, filled on the way out only
  alignas(64) uint8_t vector[32][64];
  uint64_t mask[8];  ///< AVX-512 k1 to k7
};

extern "C" {
extern ProbeState probe_before;
extern ProbeState probe_after;
extern uint64_t probe_module;
extern uint64_t probe_index;
extern void* probe_stub;
extern uint32_t probe_level;       ///< 0: 16 xmm registers, 1: 16 ymm, 2: 32 zmm and masks
extern uint32_t probe_wide_masks;  ///< the masks have 64 bits, not 16 (AVX512BW)
/// Does what a PLT entry does with probe_stub; the binder must answer probe_target.
void probe_plt_call();
void probe_target();
extern char probe_plt_return[];  ///< where the PLT call returns to
/// Calls through the TLS descriptor in probe_before's rax.
void probe_descriptor_call();
/// Overwrites everything a called function may overwrite.
void probe_trash();
/// Calls `function(argument)` with a stack that is off by eight.
void* probe_misaligned_call(void* (*function)(const void*), const void* argument);
}
