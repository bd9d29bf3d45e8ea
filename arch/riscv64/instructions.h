// The few instructions of riscv64 that shared code needs inline.
#pragma once

#include <arch/riscv64/traits.h>

extern "C" {
/// riscv_hwprobe(2), for resolvers.
[[gnu::visibility("hidden")]] int prelude_hwprobe(void* pairs, size_t pair_count, size_t cpu_count,
                                                  unsigned long* cpus, unsigned flags);
// NOLINTNEXTLINE(bugprone-dynamic-static-initializers): a plain word, set by tell_resolvers
[[gnu::visibility("hidden")]] extern uint64_t prelude_hardware_word;
}

namespace prelude::arch {

inline std::byte* thread_pointer() {
  std::byte* result;
  asm("mv %0, tp" : "=r"(result));
  return result;
}

/// The wall-clock counter, which user code may always read; unordered with the instructions around
/// it.
inline uint64_t cycles() {
  uint64_t result;
  asm volatile("rdtime %0" : "=r"(result));
  return result;
}

/// A word of a thread block, by one of the kTcb offsets; what has no place in the block is not
/// written.
inline uint64_t read_tcb(const void* block, size_t offset) {
  return *reinterpret_cast<const uint64_t*>(static_cast<const std::byte*>(block) + offset);
}
inline void write_tcb(void* block, size_t offset, uint64_t value) {
  if (offset != RiscV64::kNoTcbWord)
    *reinterpret_cast<uint64_t*>(static_cast<std::byte*>(block) + offset) = value;
}

/// Writes the word around a byte back as it is, so that a copy-on-write page is copied now.
inline void write_fault(void* at) {
  const uint64_t word = reinterpret_cast<uint64_t>(at) & ~uint64_t{3};
  asm volatile("amoor.w zero, zero, (%0)" : : "r"(word) : "memory");
}

/// gp; nothing in the loader uses it.
inline void set_global_pointer(uint64_t value) { asm volatile("mv gp, %0" : : "r"(value)); }

/// Resolvers of IFUNCs are told AT_HWCAP and how to ask the kernel for more (glibc 2.40,
/// <sys/hwprobe.h>). Before the first of them runs.
inline void tell_resolvers(uint64_t hardware_word, uint64_t) {
  prelude_hardware_word = hardware_word;
}
inline uint64_t call_resolver(uint64_t address) {
  using Resolver = uint64_t (*)(uint64_t, decltype(&prelude_hwprobe), void*);
  return reinterpret_cast<Resolver>(address)(prelude_hardware_word, &prelude_hwprobe, nullptr);
}

/// The hint of Zihintpause; other processors take it for a fence that orders nothing.
inline void pause() { asm volatile(".4byte 0x0100000f"); }

}  // namespace prelude::arch
