// What the processor is, read with as few CPUID instructions as possible: under a hypervisor each
// one traps (1.6 us measured), so most guests execute ten or less. Raw registers and decoded cache
// geometry only; which function variants and thresholds follow from them is the personality's
// business. Sources: Intel SDM vol. 2 "CPUID", vol. 1 ch. 13; AMD APM vol. 3 appendix E.
#pragma once

#include <arch/x86_64/vector_state.h>

#include <cstdint>

namespace prelude::arch {

struct CpuidLeaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

enum class CpuVendor : uint8_t { kOther, kIntel, kAmd, kHygon, kZhaoxin };

/// One deterministic cache parameter set (leaf 4 or 0x8000001D); size 0 means absent.
struct CacheLevel {
  uint64_t size = 0;
  uint32_t ways = 0;
  uint32_t line = 0;
  uint32_t sharing_ids = 0;      ///< highest number of ids that share it, less one
  bool inclusive = true;         ///< of the lower levels
  bool invalidates_all = false;  ///< WBINVD by one thread acts on the caches of all that share it
};

struct CpuFacts {
  CpuVendor vendor = CpuVendor::kOther;
  uint8_t cpuid_count = 0;  ///< CPUID instructions executed
  bool has_leaf_2 = false;  ///< leaf_2 was read: it may say more than "see leaf 4"
  uint32_t max_leaf = 0;
  uint32_t family = 0, model = 0, stepping = 0;  ///< extended fields added in
  uint64_t xcr0 = 0;                             ///< 0 when the system does not use xsave

  CpuidLeaf leaf_1, leaf_2, leaf_7, leaf_7_1, leaf_d_1, leaf_80000001;
  CpuidLeaf leaf_d_0;  ///< not read; diagnostics put it here, who need the exact sizes
  // Zero where the vendor has no such leaf or nothing depends on it.
  CpuidLeaf leaf_80000005, leaf_80000006, leaf_80000008, leaf_8000001d_3;

  CacheLevel l1_data, l1_code, l2, l3, l4;  ///< from leaf 4 (Intel, Zhaoxin)

  /// Threads of a core and of a package (leaf 0xb). 0 = no such leaf. Estimates where their exact
  /// values cannot matter.
  uint32_t threads_per_core = 0, threads_per_package = 0;
};

/// Where CPUID and XGETBV answers come from; tests put recorded machines here.
struct CpuSource {
  CpuidLeaf (*cpuid)(void* context, uint32_t leaf, uint32_t subleaf);
  uint64_t (*xgetbv)(void* context);
  void* context;
};

inline constexpr uint32_t kMaxCpuid = 14, kMaxCpuidOfGuest = 13;

/// The processor this runs on.
CpuSource native_cpu_source();
CpuFacts read_cpu_facts(const CpuSource& source);
/// Of the processor this runs on. The kernel's word on it (AT_HWCAP) is not needed here.
CpuFacts read_cpu_facts();
inline CpuFacts read_cpu_facts(uint64_t) { return read_cpu_facts(); }
/// One answer of this processor, for diagnostics.
CpuidLeaf cpuid(uint32_t leaf, uint32_t subleaf = 0);

// GNU_PROPERTY_X86_ISA_1_*: the bits of all levels reached, also for glibc-hwcaps directories.
inline constexpr uint32_t kIsaBaseline = 1, kIsaV2 = 2, kIsaV3 = 4, kIsaV4 = 8;
uint32_t isa_levels(const CpuFacts& facts);

/// A subdirectory of glibc-hwcaps and the level it is for, best first.
struct HwcapsLevel {
  const char* name;
  uint32_t isa;
};
inline constexpr HwcapsLevel kHwcapsLevels[] = {
    {"x86-64-v4", kIsaV4}, {"x86-64-v3", kIsaV3}, {"x86-64-v2", kIsaV2}};

/// "haswell" or "xeon_phi" where $PLATFORM says so, else null: the kernel's AT_PLATFORM holds.
const char* platform_token(const CpuFacts& facts);

/// Bytes of an xsave image with the components in `mask`, header included. The sizes of the
/// components in question are fixed (SDM vol. 1, 13.5), so no CPUID is needed.
uint64_t xsave_compact_bytes(uint64_t mask);
uint64_t xsave_standard_bytes(CpuVendor vendor, uint64_t mask);

/// How vector registers are kept, without further CPUID instructions.
VectorState vector_state(const CpuFacts& facts);

}  // namespace prelude::arch
