// Variables that libc of this machine reads instead of words of the thread block. About the
// processor the loader keeps nothing for it.
#include "glibc/machine.h"

#include "glibc/shared_state.h"

// NOLINTBEGIN(readability-identifier-naming): names of the ABI
extern "C" {
PRELUDE_EXPORT PRELUDE_CLOSED_AFTER_START uint64_t __stack_chk_guard = 0;
/// Every kernel for this machine has set_robust_list(2).
PRELUDE_EXPORT PRELUDE_CLOSED_AFTER_START bool __nptl_set_robust_list_avail = true;
}
// NOLINTEND(readability-identifier-naming)

namespace prelude::glibc {

void fill_machine_words(char*, uint64_t stack_guard) { __stack_chk_guard = stack_guard; }

CpuSummary fill_processor(const Layout&, const arch::CpuFacts&, const HardwareWords& kernel,
                          const Tunables&, std::byte*) {
  return {.hwcap = kernel.first};
}

CpuSummary describe_processor(const Layout&, const HardwareWords& kernel, const Tunables&,
                              DescribedProcessor&) {
  return {.hwcap = kernel.first};
}

void write_processor_lines(const Layout&, const DescribedProcessor&, Writer&, Heap&) {}

}  // namespace prelude::glibc
