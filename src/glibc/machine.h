// What of the glibc side belongs to one machine: src/glibc/<machine>/ has the definitions, and what
// lies there besides (machine_layout.h, machine_*.inc, exports.map, exports of its own).
#pragma once

#include <prelude/base/heap.h>
#include <prelude/base/writer.h>

#include <arch/cpu.h>

#include <cstddef>
#include <cstdint>

#include "layout.h"
#include "tunables.h"

namespace prelude::glibc {

/// What else of the loader's data depends on the processor.
struct CpuSummary {
  uint64_t hwcap = 0;               ///< _dl_hwcap, also what getauxval(AT_HWCAP) gives
  const char* platform = nullptr;   ///< _dl_platform; null: the kernel's AT_PLATFORM
  TunableListing tunables[6] = {};  ///< for Tunables::list
  size_t tunable_count = 0;
};

/// AT_HWCAP and AT_HWCAP2.
struct HardwareWords {
  uint64_t first = 0, second = 0;
};

/// Sets what code of the machine finds in a variable of ours or, besides what is everywhere, in the
/// first thread's block.
void fill_machine_words(char* block, uint64_t stack_guard);

/// Fills what _rtld_global_ro, at `ro`, holds about the processor.
CpuSummary fill_processor(const Layout& layout, const arch::CpuFacts& cpu,
                          const HardwareWords& kernel, const Tunables& tunables, std::byte* ro);

/// struct cpu_features without a process that uses it, for --list-diagnostics.
struct DescribedProcessor {
  arch::CpuFacts cpu;
  alignas(8) std::byte features[1024] = {};
};
CpuSummary describe_processor(const Layout& layout, const HardwareWords& kernel,
                              const Tunables& tunables, DescribedProcessor& out);
void write_processor_lines(const Layout& layout, const DescribedProcessor& processor, Writer& out,
                           Heap& heap);

}  // namespace prelude::glibc
