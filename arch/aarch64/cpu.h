// What the processor is. User code learns it from the auxiliary vector alone, which the personality
// reads; nothing is asked at start.
#pragma once

#include <arch/aarch64/vector_state.h>

#include <array>
#include <cstdint>

namespace prelude::arch {

struct CpuFacts {};
inline CpuFacts read_cpu_facts(uint64_t = 0) { return {}; }

inline uint32_t isa_levels(const CpuFacts&) { return 0; }
/// A subdirectory of glibc-hwcaps and the level it is for: none on this machine.
struct HwcapsLevel {
  const char* name;
  uint32_t isa;
};
inline constexpr std::array<HwcapsLevel, 0> kHwcapsLevels;

/// MIDR_EL1, which processor it is. Only where AT_HWCAP says that the kernel lets it be read.
inline uint64_t midr() {
  uint64_t result;
  asm("mrs %0, midr_el1" : "=r"(result));
  return result;
}
/// DCZID_EL0, what the instruction DC ZVA clears.
inline uint64_t dczid() {
  uint64_t result;
  asm("mrs %0, dczid_el0" : "=r"(result));
  return result;
}

/// The kernel's AT_PLATFORM holds.
inline const char* platform_token(const CpuFacts&) { return nullptr; }
inline VectorState vector_state(const CpuFacts&) { return {}; }

}  // namespace prelude::arch
