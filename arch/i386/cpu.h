// What the processor is, as far as the stubs need it; the personality asks for more.
#pragma once

#include <arch/i386/vector_state.h>

#include <array>
#include <cstdint>

namespace prelude::arch {

struct CpuFacts {
  VectorState vectors;
};
/// One or two CPUID instructions.
CpuFacts read_cpu_facts();
inline CpuFacts read_cpu_facts(uint64_t) { return read_cpu_facts(); }

inline uint32_t isa_levels(const CpuFacts&) { return 0; }
/// A subdirectory of glibc-hwcaps and the level it is for: none on this machine.
struct HwcapsLevel {
  const char* name;
  uint32_t isa;
};
inline constexpr std::array<HwcapsLevel, 0> kHwcapsLevels;

/// The kernel's AT_PLATFORM holds.
inline const char* platform_token(const CpuFacts&) { return nullptr; }
inline VectorState vector_state(const CpuFacts& facts) { return facts.vectors; }

}  // namespace prelude::arch
