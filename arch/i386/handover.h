// What prelude_start gives back to entry.S: where the program begins and with which registers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

struct Handover {
  uintptr_t* stack;     ///< stack pointer at the program's entry: the argc word
  void (*finaliser)();  ///< in edx, for atexit (psABI i386, "Process Initialization")
  void* entry;
};
static_assert(offsetof(Handover, stack) == 0);
static_assert(offsetof(Handover, finaliser) == 4);
static_assert(offsetof(Handover, entry) == 8);
static_assert(sizeof(Handover) == 12);

}  // namespace prelude::arch

/// First C++ code to run: called by entry.S with the kernel's stack, before self-relocation.
extern "C" [[gnu::visibility("hidden")]] void prelude_start(uintptr_t* stack,
                                                            prelude::arch::Handover* out);
