// struct cpu_features of the libc in use, filled from what arch/ knows of the processor. libc, libm
// and libmvec choose function variants by its `active` and `preferred` bits and copy strategies by
// its thresholds, so these words equal what glibc's own loader computes.
//
// Words that may differ, because nobody reads them and they would cost CPUID instructions:
//   * the entries for leaves 0x80000007, 0x80000008, 0x14, 0x19 and 0x24 stay zero (so
//     INVARIANT_TSC, WBNOINVD, PTWRITE, Key Locker and AVX10.n are not reported by
//     <sys/platform/x86.h>); --list-diagnostics completes them;
//   * xsave_state_size and xsave_state_full_size follow the enabled components, not those the
//     processor could have (64 bytes less where bound registers exist but are not enabled), in
//     their vendor's layout; --list-diagnostics asks the processor;
//   * level4_cache_size of a guest whose hypervisor shows a fourth level;
//   * level2 associativity of an AMD L2 whose old leaf refers to 0x8000001D (none known).
#pragma once

#include "glibc/machine.h"

#include <span>

namespace prelude::glibc {

/// Fills the structure at `image`, which must be zeroed and layout.cpu_features.size bytes long.
CpuSummary fill_cpu_features(const Layout& layout, const arch::CpuFacts& facts, uint64_t hwcap2,
                             const Tunables& tunables, void* image);

// ---- the parts, for tests

enum FeatureEntry : uint8_t {
  kLeaf1,
  kLeaf7,
  kLeaf80000001,
  kLeafD1,
  kLeaf80000007,
  kLeaf80000008,
  kLeaf71,
  kLeaf19,
  kLeaf14,
  kLeaf24,
  kFeatureEntries
};
enum FeatureRegister : uint8_t { kEax, kEbx, kEcx, kEdx };

struct FeatureEntryWords {
  uint32_t cpuid[4];
  uint32_t active[4];
};

/// The words before they go to the release's places.
struct FeatureWords {
  FeatureEntryWords entries[kFeatureEntries] = {};
  uint32_t preferred = 0;
  uint32_t cached_share = 4;  ///< copies above 1/cached_share of the caches bypass them
  uint32_t isa_1 = 0;
  uint64_t xsave_size = 0, xsave_full_size = 0;

  [[nodiscard]] bool has(FeatureEntry entry, FeatureRegister reg, unsigned bit) const {
    return (entries[entry].cpuid[reg] >> bit & 1) != 0;
  }
  [[nodiscard]] bool active(FeatureEntry entry, FeatureRegister reg, unsigned bit) const {
    return (entries[entry].active[reg] >> bit & 1) != 0;
  }
  void set(FeatureEntry entry, FeatureRegister reg, unsigned bit) {
    entries[entry].active[reg] |= 1U << bit;
  }
  void clear(FeatureEntry entry, FeatureRegister reg, unsigned bit) {
    entries[entry].active[reg] &= ~(1U << bit);
  }
  void prefer(unsigned bit, bool on = true) {
    if (bit >= 32) return;
    preferred = on ? preferred | 1U << bit : preferred & ~(1U << bit);
  }
  [[nodiscard]] bool prefers(unsigned bit) const { return bit < 32 && (preferred >> bit & 1) != 0; }
};

// Bits of `preferred` that lie alike in all releases.
enum Preferred : uint8_t {
  kFastRepString,
  kFastCopyBackward,
  kSlowBsf,
  kFastUnalignedLoad,
  kPreferPminub,
  kFastUnalignedCopy,
  kI586,
  kI686,
  kSlowSse42,
  kAvxFastUnalignedLoad
};

/// A bit of `preferred` by the name that glibc.cpu.hwcaps and --list-diagnostics know.
struct PreferenceName {
  /// The feature without which the tunable does not set it.
  enum class Need : uint8_t {
    kNothing,
    kNever,  ///< the tunable can only take it away
    kAvx,
    kAvx512,
    kSse2,
    kSse42,
    kNoTunable  ///< not known to the tunable
  };

  char name[31];
  uint8_t bit;                     ///< alike in all releases, or
  uint16_t CpuRules::*of_release;  ///< where the release has it
  Need need;

  [[nodiscard]] unsigned bit_of(const CpuRules& rules) const {
    return of_release != nullptr ? rules.*of_release : bit;
  }
};
std::span<const PreferenceName> preference_names();

enum class CacheKind : uint8_t { kL1Code, kL1Data, kL2, kL3, kL4 };
enum class CacheSource : uint8_t { kNone, kUnknown, kLeaf4, kDescriptor };
struct DescribedCache {
  CacheSource source;
  arch::CacheLevel cache;  ///< of a descriptor
};
/// What leaf 2 says of a cache; only where facts.has_leaf_2.
DescribedCache described_cache(const arch::CpuFacts& facts, CacheKind kind);

/// Cache geometry as glibc keeps it: all ones = unknown.
struct CacheNumbers {
  uint64_t l1_code_size = ~0UL, l1_code_line = ~0UL;
  uint64_t l1_data_size = ~0UL, l1_data_ways = ~0UL, l1_data_line = ~0UL;
  uint64_t l2_size = ~0UL, l2_ways = ~0UL, l2_line = ~0UL;
  uint64_t l3_size = ~0UL, l3_ways = ~0UL, l3_line = ~0UL;
  uint64_t l4_size = ~0UL;
  int64_t data = -1, shared = -1, shared_per_thread = -1;
};

struct Thresholds {
  uint64_t data = 0, shared = 0;
  uint64_t non_temporal = 0, memset_non_temporal = 0;
  uint64_t rep_movsb = 0, rep_movsb_minimum = 0, rep_movsb_stop = 0;
  uint64_t rep_stosb = 0;

  static constexpr uint64_t kNonTemporalMinimum = 0x4040;
  static constexpr uint64_t kNonTemporalMaximum = ~0UL >> 4;
};

FeatureWords feature_words(const CpuRules& rules, const arch::CpuFacts& facts, uint64_t hwcap2);
CacheNumbers cache_numbers(const CpuRules& rules, const arch::CpuFacts& facts);
Thresholds thresholds(const CpuRules& rules, const arch::CpuFacts& facts, const FeatureWords& words,
                      const CacheNumbers& caches, const Tunables& tunables);
/// Applies glibc.cpu.hwcaps ("-AVX2,Prefer_ERMS,...").
void apply_hwcaps_tunable(const CpuRules& rules, std::string_view list, FeatureWords& words);

}  // namespace prelude::glibc
