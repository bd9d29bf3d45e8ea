#include <arch/i386/cpu.h>

#include <cpuid.h>

namespace prelude::arch {

// Sizes and bits: Intel SDM vol. 1, 13.1 and 13.5. The upper sixteen vector registers do not exist
// in this mode; x87 and MMX registers are empty at a call. The layout of AMD is shorter than
// Intel's.
CpuFacts read_cpu_facts() {
  constexpr unsigned kFxsr = 1U << 24, kOsxsave = 1U << 27;
  constexpr uint32_t kSseAvx = 6, kAvx512 = 0x60;
  constexpr uint32_t kFxsaveBytes = 512, kAvxBytes = 832, kAvx512Bytes = 1664;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  __cpuid(1, eax, ebx, ecx, edx);
  if ((edx & kFxsr) == 0) return {};
  if ((ecx & kOsxsave) == 0) return {{StateSaver::kFxsave, 0, kFxsaveBytes}};
  uint32_t enabled = 0, upper = 0;
  asm("xgetbv" : "=a"(enabled), "=d"(upper) : "c"(0));
  const uint32_t mask = enabled & (kSseAvx | kAvx512);
  const uint32_t bytes = (mask & kAvx512) != 0 ? kAvx512Bytes : kAvxBytes;
  return {{StateSaver::kXsave, mask, bytes}};
}

}  // namespace prelude::arch
