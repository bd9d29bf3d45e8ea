// Loads every register with known values, goes through a stub, and records every register behind
// it. The assembly is probe.S.
#pragma once

#include <cstdint>

struct ProbeState {
  uint64_t integer[32];  ///< by register number; zero, sp, gp, tp, s0 and s1 are left alone
  uint64_t floating[32];
  uint64_t vl, vtype;
  uint8_t vector[32][64];  ///< registers may be shorter
};

extern "C" {
extern ProbeState probe_before, probe_after;
extern uint64_t probe_stack;  ///< sp behind the stub, less sp before it
extern uint8_t probe_has_vectors;
/// Calls `stub` as a PLT does: t0 and t1 are what probe_before says. The binder must answer
/// probe_target.
void probe_plt_call(void (*stub)());
void probe_target();
extern char probe_plt_return[];  ///< where the PLT call returns to
/// Calls `stub` through t0, as TLS descriptors are.
void probe_descriptor_call(void (*stub)());
/// Overwrites everything a called function may overwrite.
void probe_trash();
/// Saves a context with s2 to s11 and fs0 to fs11 filled from `marks` (22 words), clears them,
/// restores the context with `value`, and stores what came back over the marks.
int probe_context(void* context, uint64_t* marks, uint64_t guard, int value);
}
