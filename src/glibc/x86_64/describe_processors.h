// The x86.processor lines of --list-diagnostics, which releases from 2.41 on have: all that CPUID
// answers, processor by processor.
#pragma once

#include <prelude/base/array.h>
#include <prelude/base/writer.h>

#include <arch/cpu.h>

namespace prelude::glibc {

/// Subleaves in a row whose answers are alike.
struct CpuidRun {
  uint32_t leaf, first, last;
  bool echoes;             ///< alike but for the low byte of ecx, which is that of the subleaf
  arch::CpuidLeaf answer;  ///< of the first one
};

struct ProcessorFacts {
  Array<CpuidRun> runs;  ///< by leaf and subleaf; answers of zeros alone are left out
  uint64_t xcr0 = 0;     ///< 0 where nobody asked
};

/// Asks for every leaf, and for XCR0 if `xsave` says that it is there; false when out of memory.
[[nodiscard]] bool read_processor(Heap& heap, const arch::CpuSource& source, bool xsave,
                                  ProcessorFacts& out);

struct ProcessorPlace {
  uint64_t index = 0;      ///< in the list
  uint64_t requested = 0;  ///< the kernel's number
  uint64_t observed = 0;   ///< where it then ran
  uint64_t node = 0;
};

/// Of its answers only those that are others than those of `before`.
void write_processor(Writer& out, const ProcessorPlace& place, const ProcessorFacts& facts,
                     const ProcessorFacts& before);

/// Every processor that the process may run on; `cpu` is one of them. The process stays on the
/// last.
void write_processors(Writer& out, Heap& heap, const arch::CpuFacts& cpu);

}  // namespace prelude::glibc
