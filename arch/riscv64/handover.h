// What prelude_start gives back to entry.S: where the program begins and with which registers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

struct Handover {
  uint64_t* stack;      ///< stack pointer at the program's entry: the argc word
  void (*finaliser)();  ///< in a0, for atexit
  void* entry;
};
static_assert(offsetof(Handover, stack) == 0);
static_assert(offsetof(Handover, finaliser) == 8);
static_assert(offsetof(Handover, entry) == 16);
static_assert(sizeof(Handover) == 24);

}  // namespace prelude::arch

/// First C++ code to run: called by entry.S with the kernel's stack, before self-relocation.
extern "C" [[gnu::visibility("hidden")]] void prelude_start(uint64_t* stack,
                                                            prelude::arch::Handover* out);
