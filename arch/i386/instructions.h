// The few instructions of i386 that shared code needs inline.
#pragma once

#include <arch/i386/traits.h>

namespace prelude::arch {

inline std::byte* thread_pointer() {
  std::byte* result;
  asm("movl %%gs:0, %0" : "=r"(result));
  return result;
}

/// Time-stamp counter; unordered with the instructions around it.
inline uint64_t cycles() { return __builtin_ia32_rdtsc(); }

/// A word of a thread block, by one of the kTcb offsets.
inline uintptr_t read_tcb(const void* block, size_t offset) {
  return *reinterpret_cast<const uintptr_t*>(static_cast<const std::byte*>(block) + offset);
}
inline void write_tcb(void* block, size_t offset, uint64_t value) {
  *reinterpret_cast<uintptr_t*>(static_cast<std::byte*>(block) + offset) =
      static_cast<uintptr_t>(value);
}

/// Resolvers of IFUNCs are told nothing.
inline void tell_resolvers(uint64_t, uint64_t) {}
inline uintptr_t call_resolver(uint64_t address) {
  return reinterpret_cast<uintptr_t (*)()>(static_cast<uintptr_t>(address))();
}

/// Writes a byte back as it is, so that a copy-on-write page is copied now.
inline void write_fault(void* at) {
  asm volatile("lock orb $0, (%0)" : : "r"(at) : "memory", "cc");
}

/// There is no such register (kGlobalPointer).
inline void set_global_pointer(uint64_t) {}

/// A hint for spinning waits.
inline void pause() { __builtin_ia32_pause(); }

}  // namespace prelude::arch
