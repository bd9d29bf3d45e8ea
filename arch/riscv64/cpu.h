// What the processor is. User code learns it from the auxiliary vector and the kernel's
// riscv_hwprobe, which IFUNC resolvers ask themselves; here only the former is looked at.
#pragma once

#include <arch/riscv64/vector_state.h>

#include <array>
#include <cstdint>

namespace prelude::arch {

struct CpuFacts {
  uint64_t features = 0;  ///< AT_HWCAP
};
inline CpuFacts read_cpu_facts(uint64_t features = 0) { return {features}; }

inline uint32_t isa_levels(const CpuFacts&) { return 0; }
/// A subdirectory of glibc-hwcaps and the level it is for: none on this machine.
struct HwcapsLevel {
  const char* name;
  uint32_t isa;
};
inline constexpr std::array<HwcapsLevel, 0> kHwcapsLevels;

/// The kernel's AT_PLATFORM holds.
inline const char* platform_token(const CpuFacts&) { return nullptr; }
inline VectorState vector_state(const CpuFacts& facts) { return vector_state_of(facts.features); }

}  // namespace prelude::arch
