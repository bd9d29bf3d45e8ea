// A minimal setjmp/longjmp for error exits out of call-backs: callee-saved registers only, no
// signal mask. The guard word is mixed into the saved addresses, so that an overwritten context is
// no ready jump target; pass the same word to both.
#pragma once

#include <cstdint>

namespace prelude::arch {

struct Context {
  uint64_t s1_to_s11[11];
  uint64_t s0, ra, sp;  ///< mixed with the guard
  uint64_t fs0_to_fs11[12];
};
static_assert(sizeof(Context) == 208);

}  // namespace prelude::arch

/// Gives 0 at first, then the value given to prelude_context_restore.
extern "C" [[gnu::visibility("hidden"), gnu::returns_twice]] int prelude_context_save(
    prelude::arch::Context* context, uint64_t guard);
/// A value of 0 is delivered as 1.
extern "C" [[noreturn, gnu::visibility("hidden")]] void prelude_context_restore(
    const prelude::arch::Context* context, uint64_t guard, int value);
