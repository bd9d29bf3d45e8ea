// struct cpu_features, by which libc's resolvers choose among its variants of memcpy and others,
// and the guard of stacks, which code of this machine takes from a variable. All that a process may
// know of the processor comes from the kernel's words and two registers.
#include "glibc/machine.h"

#include <prelude/base/string.h>

#include "glibc/shared_state.h"

// NOLINTBEGIN(readability-identifier-naming): a name of the ABI
extern "C" {
PRELUDE_EXPORT PRELUDE_CLOSED_AFTER_START uint64_t __stack_chk_guard = 0;
}
// NOLINTEND(readability-identifier-naming)

namespace prelude::glibc {

void fill_machine_words(char*, uint64_t stack_guard) { __stack_chk_guard = stack_guard; }

namespace {

// Bits of AT_HWCAP and AT_HWCAP2 (kernel arch/arm64/include/uapi/asm/hwcap.h).
constexpr uint64_t kIdRegisters = 1U << 11, kSve = 1U << 22;
constexpr uint64_t kBti = 1U << 17, kMops = uint64_t{1} << 43;

// Bytes that DC ZVA clears; 0 where it must not be used.
uint32_t cleared_at_once() {
  constexpr uint64_t kProhibited = 16, kSizeMask = 15;
  const uint64_t word = arch::dczid();
  return (word & kProhibited) != 0 ? 0 : 4U << (word & kSizeMask);
}

// Memory tagging is not served: mte_state stays zero.
void fill_features(const CpuFeatures& at, const HardwareWords& kernel, std::byte* to) {
  if ((kernel.first & kIdRegisters) != 0) set<uint64_t>(to, at.midr_el1, arch::midr());
  set<uint32_t>(to, at.zva_size, cleared_at_once());
  set<bool>(to, at.bti, (kernel.second & kBti) != 0);
  set<bool>(to, at.sve, (kernel.first & kSve) != 0);
  set<bool>(to, at.prefer_sve_ifuncs, false);
  set<bool>(to, at.mops, (kernel.second & kMops) != 0);
}

}  // namespace

CpuSummary fill_processor(const Layout& layout, const arch::CpuFacts&, const HardwareWords& kernel,
                          const Tunables&, std::byte* ro) {
  fill_features(layout.cpu_features, kernel, ro + layout.rtld_global_ro.dl_cpu_features);
  return {.hwcap = kernel.first};
}

CpuSummary describe_processor(const Layout& layout, const HardwareWords& kernel, const Tunables&,
                              DescribedProcessor& out) {
  fill_features(layout.cpu_features, kernel, out.features);
  return {.hwcap = kernel.first};
}

// Compat: nothing, like glibc 2.36.
void write_processor_lines(const Layout&, const DescribedProcessor&, Writer&, Heap&) {}

}  // namespace prelude::glibc
