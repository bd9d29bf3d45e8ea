// The few instructions of aarch64 that shared code needs inline.
#pragma once

#include <arch/aarch64/traits.h>

namespace prelude::arch {

inline std::byte* thread_pointer() {
  std::byte* result;
  asm("mrs %0, tpidr_el0" : "=r"(result));
  return result;
}

/// The virtual counter; unordered with the instructions around it.
inline uint64_t cycles() {
  uint64_t result;
  asm volatile("mrs %0, cntvct_el0" : "=r"(result));
  return result;
}

/// A word of a thread block, by one of the kTcb offsets; what has no place in the block is not
/// written.
inline uint64_t read_tcb(const void* block, size_t offset) {
  return *reinterpret_cast<const uint64_t*>(static_cast<const std::byte*>(block) + offset);
}
inline void write_tcb(void* block, size_t offset, uint64_t value) {
  if (offset != AArch64::kNoTcbWord)
    *reinterpret_cast<uint64_t*>(static_cast<std::byte*>(block) + offset) = value;
}

/// Writes a byte back as it is, so that a copy-on-write page is copied now.
inline void write_fault(void* at) {
  auto* byte = static_cast<volatile unsigned char*>(at);
  *byte = *byte;
}

inline void set_global_pointer(uint64_t) {}

/// What a resolver of an IFUNC is handed (glibc, <sys/ifunc.h>); later releases append words.
struct ResolverArguments {
  uint64_t bytes, hwcap, hwcap2;
};

}  // namespace prelude::arch

extern "C" {
// NOLINTNEXTLINE(bugprone-dynamic-static-initializers): plain words, set by tell_resolvers
[[gnu::visibility("hidden")]] extern prelude::arch::ResolverArguments prelude_resolver_arguments;
}

namespace prelude::arch {

/// Before the first resolver runs.
inline void tell_resolvers(uint64_t hwcap, uint64_t hwcap2) {
  prelude_resolver_arguments = {sizeof(ResolverArguments), hwcap, hwcap2};
}
inline uint64_t call_resolver(uint64_t address) {
  constexpr uint64_t kHasArguments = uint64_t{1} << 62;  // of the word, since hwcap has no such bit
  using Resolver = uint64_t (*)(uint64_t, const ResolverArguments*);
  return reinterpret_cast<Resolver>(address)(prelude_resolver_arguments.hwcap | kHasArguments,
                                             &prelude_resolver_arguments);
}

inline void pause() { asm volatile("yield"); }

}  // namespace prelude::arch
