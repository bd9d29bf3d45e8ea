// Feature words and preferences. Rules of glibc 2.36, 2.41, 2.43 and 2.44
// (sysdeps/x86/cpu-features.c), here as tables; checked against the memory of the real loaders, see
// cpu_features_test.cpp.
#include "cpu_features.h"

#include <prelude/base/string.h>

#include <initializer_list>

namespace prelude::glibc {
namespace {

using arch::CpuFacts;
using arch::CpuidLeaf;
using arch::CpuVendor;

constexpr uint32_t bits(std::initializer_list<unsigned> list) {
  uint32_t word = 0;
  for (const unsigned bit : list) word |= 1U << bit;
  return word;
}

// Which bits of a register become active, and what the system must have enabled for it.
struct ActiveRow {
  FeatureEntry entry;
  FeatureRegister reg;
  bool newer;  ///< only with CpuRules::newer_features
  uint32_t always, xsave, avx, avx512, tiles, apx;
};

constexpr ActiveRow kActiveRows[] = {
    {kLeaf1, kEcx, false, bits({0, 1, 9, 13, 19, 20, 22, 23, 25, 27, 30}), bits({26}),
     bits({12, 28, 29}), 0, 0, 0},
    {kLeaf1, kEdx, false, bits({4, 8, 15, 19, 23, 24, 25, 26, 28}), 0, 0, 0, 0, 0},
    {kLeaf7, kEbx, false, bits({3, 4, 8, 9, 18, 19, 23, 24, 29}), 0, bits({5}),
     bits({16, 17, 21, 26, 27, 28, 30, 31}), 0, 0},
    {kLeaf7, kEcx, false, bits({0, 4, 5, 8, 22, 25, 27, 28}), 0, bits({9, 10}),
     bits({1, 6, 11, 12, 14}), 0, 0},
    {kLeaf7, kEdx, false, bits({4, 11, 14, 16}), 0, 0, bits({2, 3, 8, 23}), bits({22, 24, 25}), 0},
    {kLeaf80000001, kEcx, false, bits({0, 5, 6, 8, 21}), 0, bits({11}), 0, 0, 0},
    {kLeaf80000001, kEdx, false, bits({27}), 0, 0, 0, 0, 0},
    {kLeafD1, kEax, false, 0, bits({0, 1, 2, 4}), 0, 0, 0, 0},
    {kLeaf71, kEax, false, bits({10, 11, 12}), 0, bits({4}), bits({5}), 0, 0},
    {kLeaf71, kEax, true, bits({3, 7}), 0, bits({23}), 0, bits({21}), 0},
    {kLeaf71, kEdx, true, bits({14}), bits({19}), bits({4, 5}), 0, bits({8}), bits({21})},
};

constexpr uint64_t kAvxState = 0x6, kAvx512State = 0xe0, kTileState = 0x60000, kApxState = 0x80000;

void store(FeatureEntryWords& words, const CpuidLeaf& leaf) {
  words.cpuid[kEax] = leaf.eax;
  words.cpuid[kEbx] = leaf.ebx;
  words.cpuid[kEcx] = leaf.ecx;
  words.cpuid[kEdx] = leaf.edx;
}

void activate(const CpuRules& rules, const CpuFacts& facts, FeatureWords& words) {
  const auto enabled = [&](uint64_t state) { return (facts.xcr0 & state) == state; };
  const bool xsave = words.has(kLeaf1, kEcx, 27);
  const bool ymm = xsave && enabled(kAvxState);
  const bool avx = ymm && words.has(kLeaf1, kEcx, 28);
  const bool avx512 = ymm && enabled(kAvx512State) && words.has(kLeaf7, kEbx, 16);
  for (const ActiveRow& row : kActiveRows) {
    if (row.newer && !rules.newer_features) continue;
    uint32_t mask = row.always;
    if (xsave) mask |= row.xsave;
    if (avx) mask |= row.avx;
    if (avx512) mask |= row.avx512;
    if (xsave && enabled(kTileState)) mask |= row.tiles;
    if (xsave && enabled(kApxState)) mask |= row.apx;
    FeatureEntryWords& entry = words.entries[row.entry];
    entry.active[row.reg] |= entry.cpuid[row.reg] & mask;
  }
  if (words.has(kLeaf7, kEbx, 11) && !words.has(kLeaf7, kEdx, 11)) words.set(kLeaf7, kEbx, 11);
  if (words.has(kLeaf7, kEcx, 4)) words.set(kLeaf7, kEcx, 3);  // protection keys are in use
}

void measure_xsave(const CpuRules& rules, const CpuFacts& facts, FeatureWords& words) {
  if (!words.has(kLeaf1, kEcx, 27) || facts.max_leaf < 13) return;
  constexpr uint64_t kVectorComponents = 0xee;
  const auto area = [&](uint64_t bytes) {
    return (bytes + rules.register_area + 63) & ~uint64_t{63};
  };
  const CpuidLeaf& told = facts.leaf_d_0;
  words.xsave_full_size =
      area(told.ebx != 0 ? told.ebx : arch::xsave_standard_bytes(facts.vendor, facts.xcr0));
  words.xsave_size = words.xsave_full_size;
  if (!words.active(kLeafD1, kEax, 1)) return;
  const uint64_t wanted = kVectorComponents | (rules.apx_state ? kApxState : 0);
  const uint64_t there = told.eax != 0 ? uint64_t{told.edx} << 32 | told.eax : facts.xcr0;
  words.xsave_size = area(arch::xsave_compact_bytes(there & wanted));
}

// ---- preferences of Intel's models (family 6)

enum class Tuning : uint8_t { kDefault, kBonnell, kSilvermont, kTremont, kNehalem };

struct ModelRow {
  uint8_t model;
  Tuning tuning;
  uint8_t cached_share;
  bool newer;             ///< only with CpuRules::tuned_by_model
  bool no_bypass_memset;  ///< memset must not bypass the caches
};

constexpr ModelRow kModelRows[] = {
    {0x1c, Tuning::kBonnell, 4, false, false},    {0x26, Tuning::kBonnell, 4, false, false},
    {0x27, Tuning::kBonnell, 4, true, false},     {0x35, Tuning::kBonnell, 4, true, false},
    {0x36, Tuning::kBonnell, 4, true, false},     {0x37, Tuning::kSilvermont, 4, false, false},
    {0x4a, Tuning::kSilvermont, 4, false, false}, {0x4d, Tuning::kSilvermont, 4, false, false},
    {0x5d, Tuning::kSilvermont, 4, false, false}, {0x4c, Tuning::kSilvermont, 4, false, false},
    {0x5a, Tuning::kSilvermont, 4, false, false}, {0x75, Tuning::kSilvermont, 4, false, false},
    {0x5c, Tuning::kSilvermont, 4, false, false}, {0x5f, Tuning::kSilvermont, 4, false, false},
    {0x7a, Tuning::kSilvermont, 4, false, false}, {0x57, Tuning::kSilvermont, 4, false, false},
    {0x86, Tuning::kTremont, 4, false, false},    {0x96, Tuning::kTremont, 4, false, false},
    {0x9c, Tuning::kTremont, 4, false, false},    {0x1a, Tuning::kNehalem, 8, false, false},
    {0x1e, Tuning::kNehalem, 8, false, false},    {0x1f, Tuning::kNehalem, 8, false, false},
    {0x2e, Tuning::kNehalem, 8, false, false},    {0x25, Tuning::kNehalem, 8, false, false},
    {0x2c, Tuning::kNehalem, 8, false, false},    {0x2f, Tuning::kNehalem, 8, false, false},
    {0x2a, Tuning::kDefault, 8, false, false},    {0x2d, Tuning::kDefault, 8, false, false},
    {0x3a, Tuning::kDefault, 8, false, false},    {0x3e, Tuning::kDefault, 8, false, false},
    {0x3c, Tuning::kDefault, 8, false, false},    {0x3f, Tuning::kDefault, 8, false, false},
    {0x45, Tuning::kDefault, 8, false, false},    {0x46, Tuning::kDefault, 8, false, false},
    {0x3d, Tuning::kDefault, 8, false, false},    {0x47, Tuning::kDefault, 8, false, false},
    {0x4f, Tuning::kDefault, 8, false, false},    {0x56, Tuning::kDefault, 8, false, false},
    {0x55, Tuning::kDefault, 2, false, true},     {0x66, Tuning::kDefault, 2, false, true},
};

// Skylake and later cores, up to 2.44's knowledge.
constexpr uint8_t kLargeShareModels[] = {0x4e, 0x5e, 0x8e, 0x9e, 0xa5, 0xa6, 0x6a, 0x6c, 0x7d,
                                         0x7e, 0x9d, 0x8c, 0x8d, 0xa7, 0x8f, 0xb7, 0xba, 0xbf,
                                         0xcf, 0xaa, 0xac, 0xbd, 0xb5, 0xc5, 0xc6, 0xcc, 0xd5,
                                         0xad, 0xae, 0x8a, 0x97, 0x9a, 0xbe};

ModelRow model_row(const CpuRules& rules, const CpuFacts& facts) {
  ModelRow row = {0, Tuning::kDefault, 4, false, false};
  if (facts.family == 6) {
    for (const ModelRow& candidate : kModelRows)
      if (candidate.model == facts.model && (!candidate.newer || rules.tuned_by_model))
        row = candidate;
    for (const uint8_t model : kLargeShareModels)
      if (model == facts.model) row.cached_share = 2;
  }
  const bool large_share = (facts.family == 18 && (facts.model == 1 || facts.model == 3)) ||
                           (facts.family == 19 && facts.model == 1);
  if (large_share) row.cached_share = 2;
  return row;
}

// Transactional memory that is broken, whatever the microcode says.
void drop_broken_tsx(const CpuFacts& facts, FeatureWords& words) {
  if (facts.family != 6) return;
  const uint32_t model = facts.model;
  const bool haswell =
      model == 0x3c || model == 0x45 || model == 0x46 || (model == 0x3f && facts.stepping < 4);
  if (haswell) words.clear(kLeaf7, kEbx, 11);
  const bool skylake = model == 0x4e || model == 0x5e || (model == 0x55 && facts.stepping <= 5) ||
                       ((model == 0x8e || model == 0x9e) && facts.stepping <= 0xc);
  if (!skylake) return;
  words.clear(kLeaf7, kEbx, 4);
  words.clear(kLeaf7, kEbx, 11);
  words.set(kLeaf7, kEdx, 11);
}

void prefer_all(FeatureWords& words, std::initializer_list<unsigned> list) {
  for (const unsigned bit : list) words.prefer(bit);
}

void tune_intel(const CpuRules& rules, const CpuFacts& facts, FeatureWords& words) {
  const ModelRow row = model_row(rules, facts);
  drop_broken_tsx(facts, words);
  switch (row.tuning) {
    case Tuning::kBonnell:
      words.prefer(kSlowBsf);
      break;
    case Tuning::kTremont:
      words.prefer(kFastRepString);
      [[fallthrough]];
    case Tuning::kSilvermont:
      prefer_all(words, {kFastUnalignedLoad, kFastUnalignedCopy, kPreferPminub, kSlowSse42});
      break;
    case Tuning::kDefault:
      if (!words.has(kLeaf1, kEcx, 28) || (facts.family != 6 && !rules.tuned_by_model)) break;
      [[fallthrough]];
    case Tuning::kNehalem:
      prefer_all(words, {kFastRepString, kFastUnalignedLoad, kFastUnalignedCopy, kPreferPminub});
      break;
  }
  if (rules.tuned_by_model) words.cached_share = row.cached_share;
  words.prefer(rules.avoid_non_temporal_memset, row.no_bypass_memset);
  if (words.has(kLeaf7, kEbx, 27)) {  // AVX512ER: Xeon Phi
    words.prefer(rules.prefer_no_vzeroupper);
  } else {
    if (!words.has(kLeaf71, kEax, 4)) words.prefer(rules.prefer_no_avx512);
    if (words.active(kLeaf7, kEbx, 11)) words.prefer(rules.prefer_no_vzeroupper);
  }
  if (words.has(kLeaf7, kEdx, 4)) words.prefer(rules.avoid_short_distance_rep_movsb);
}

void tune_amd(const CpuRules& rules, const CpuFacts& facts, FeatureWords& words) {
  words.prefer(rules.avoid_non_temporal_memset, false);
  if (words.active(kLeaf1, kEcx, 28) && words.has(kLeaf80000001, kEcx, 16))
    words.set(kLeaf80000001, kEcx, 16);  // FMA4
  if (facts.family == 0x15 && facts.model >= 0x60 && facts.model <= 0x7f) {
    prefer_all(words, {kFastUnalignedLoad, kFastCopyBackward});
    words.prefer(kAvxFastUnalignedLoad, false);
  }
  const bool zen5 = facts.family == 0x1a;
  if (zen5 && words.active(kLeaf7, kEbx, 16)) words.prefer(rules.prefer_evex512);
}

void tune_hygon(const CpuRules& rules, const CpuFacts& facts, FeatureWords& words) {
  if (rules.kind_hygon == rules.kind_amd) return tune_amd(rules, facts, words);
  words.prefer(rules.avoid_non_temporal_memset, false);
  if (!rules.tuned_hygon) return;
  if (facts.model < 4) words.prefer(kAvxFastUnalignedLoad, false);
  if (facts.model == 7 || (facts.model == 8 && rules.tuned_newer_hygon))
    words.prefer(rules.prefer_no_avx512);
}

void tune_zhaoxin(const CpuRules& rules, const CpuFacts& facts, FeatureWords& words) {
  const uint32_t model = facts.model;
  const bool old_core = facts.family == 6 && (model == 0xf || model == 0x19);
  const bool wudaokou = facts.family == 7 && model == 0x1b;
  const bool lujiazui = facts.family == 7 && model == 0x3b;
  const bool yongfeng = facts.family == 7 && (model == 0x5b || model == 0x6b);
  if (old_core || wudaokou || lujiazui) {
    words.clear(kLeaf1, kEcx, 28);
    words.clear(kLeaf7, kEbx, 5);
    words.prefer(kAvxFastUnalignedLoad, false);
    if (!lujiazui) words.prefer(kSlowSse42);
  }
  if (yongfeng && rules.tuned_by_model) {
    if (model == 0x5b) words.cached_share = 2;
    words.prefer(kAvxFastUnalignedLoad, false);
    words.prefer(rules.prefer_no_vzeroupper);
    words.prefer(kFastUnalignedLoad);
  }
}

void tune(const CpuRules& rules, const CpuFacts& facts, FeatureWords& words) {
  if (words.active(kLeaf7, kEbx, 5)) words.prefer(kAvxFastUnalignedLoad);
  words.prefer(rules.avoid_non_temporal_memset);
  switch (facts.vendor) {
    case CpuVendor::kIntel:
      tune_intel(rules, facts, words);
      break;
    case CpuVendor::kAmd:
      tune_amd(rules, facts, words);
      break;
    case CpuVendor::kHygon:
      tune_hygon(rules, facts, words);
      break;
    case CpuVendor::kZhaoxin:
      tune_zhaoxin(rules, facts, words);
      break;
    case CpuVendor::kOther:
      break;
  }
  if (words.has(kLeaf1, kEdx, 8)) words.prefer(kI586);
  if (words.has(kLeaf1, kEdx, 15)) words.prefer(kI686);
  if (!words.active(kLeaf7, kEbx, 9)) words.prefer(rules.avoid_stosb);
}

// Vector features need xsave; without it (hidden by a tunable) they go too.
void drop_without_xsave(FeatureWords& words) {
  const bool saved = words.active(kLeaf1, kEcx, 27) &&
                     (words.active(kLeaf1, kEcx, 26) || words.active(kLeafD1, kEax, 1));
  if (!words.active(kLeaf1, kEcx, 27)) {
    words.clear(kLeaf1, kEcx, 26);
    words.entries[kLeafD1].active[kEax] &= ~bits({0, 1, 2, 4});
  }
  if (saved) return;
  words.xsave_size = 0;
  words.entries[kLeaf1].active[kEcx] &= ~bits({12, 28, 29});
  words.entries[kLeaf7].active[kEbx] &= ~bits({5, 16, 17, 21, 26, 27, 28, 30, 31});
  words.entries[kLeaf7].active[kEcx] &= ~bits({1, 6, 9, 10, 11, 12, 14});
  words.entries[kLeaf7].active[kEdx] &= ~bits({2, 3, 8, 22, 23, 24, 25});
  words.entries[kLeaf80000001].active[kEcx] &= ~bits({11, 16});
  words.entries[kLeaf71].active[kEax] &= ~bits({4, 5});
}

// ---- the release's structure

class Image {
 public:
  explicit Image(void* start) : start_(static_cast<std::byte*>(start)) {}
  void word(uint16_t offset, uint32_t value) const { put(offset, value); }
  void quad(uint16_t offset, uint64_t value) const { put(offset, value); }

 private:
  template <typename T>
  void put(uint16_t offset, T value) const {
    if (present(offset)) copy_bytes(start_ + offset, &value, sizeof value);
  }
  std::byte* start_;
};

int32_t kind_of(const CpuRules& rules, CpuVendor vendor) {
  switch (vendor) {
    case CpuVendor::kIntel:
      return rules.kind_intel;
    case CpuVendor::kAmd:
      return rules.kind_amd;
    case CpuVendor::kHygon:
      return rules.kind_hygon;
    case CpuVendor::kZhaoxin:
      return rules.kind_zhaoxin;
    case CpuVendor::kOther:
      break;
  }
  return rules.kind_other;
}

void write_words(const Layout& layout, const CpuFacts& facts, const FeatureWords& words,
                 const Image& image) {
  const CpuFeatures& at = layout.cpu_features;
  image.word(at.kind, static_cast<uint32_t>(kind_of(layout.cpu_rules, facts.vendor)));
  image.word(at.max_cpuid, facts.max_leaf);
  if (facts.vendor != CpuVendor::kOther) {
    image.word(at.family, facts.family);
    image.word(at.model, facts.model);
    // Compat: glibc forgets Zhaoxin's.
    if (facts.vendor != CpuVendor::kZhaoxin) image.word(at.stepping, facts.stepping);
  }
  const size_t known =
      kFeatureEntries < at.features_count ? size_t{kFeatureEntries} : size_t{at.features_count};
  for (size_t entry = 0; entry < known; ++entry) {
    for (size_t reg = 0; reg < 4; ++reg) {
      const size_t offset = at.features + entry * sizeof(FeatureEntryWords) + reg * 4;
      image.word(static_cast<uint16_t>(offset), words.entries[entry].cpuid[reg]);
      image.word(static_cast<uint16_t>(offset + 16), words.entries[entry].active[reg]);
    }
  }
  image.word(at.preferred, words.preferred);
  image.word(at.isa_1, words.isa_1);
  image.quad(at.xsave_state_size, words.xsave_size);
  image.word(at.xsave_state_full_size, static_cast<uint32_t>(words.xsave_full_size));
  if (layout.cpu_rules.tuned_by_model)
    image.quad(at.cachesize_non_temporal_divisor, words.cached_share);
}

void write_caches(const CpuFeatures& at, const CacheNumbers& caches, const Thresholds& values,
                  const Image& image) {
  image.quad(at.data_cache_size, values.data);
  image.quad(at.shared_cache_size, values.shared);
  image.quad(at.non_temporal_threshold, values.non_temporal);
  image.quad(at.memset_non_temporal_threshold, values.memset_non_temporal);
  image.quad(at.rep_movsb_threshold, values.rep_movsb);
  image.quad(at.rep_movsb_stop_threshold, values.rep_movsb_stop);
  image.quad(at.rep_stosb_threshold, values.rep_stosb);
  image.quad(at.level1_icache_size, caches.l1_code_size);
  image.quad(at.level1_icache_linesize, caches.l1_code_line);
  image.quad(at.level1_dcache_size, caches.l1_data_size);
  image.quad(at.level1_dcache_assoc, caches.l1_data_ways);
  image.quad(at.level1_dcache_linesize, caches.l1_data_line);
  image.quad(at.level2_cache_size, caches.l2_size);
  image.quad(at.level2_cache_assoc, caches.l2_ways);
  image.quad(at.level2_cache_linesize, caches.l2_line);
  image.quad(at.level3_cache_size, caches.l3_size);
  image.quad(at.level3_cache_assoc, caches.l3_ways);
  image.quad(at.level3_cache_linesize, caches.l3_line);
  image.quad(at.level4_cache_size, caches.l4_size);
}

void list_thresholds(const TunableIds& ids, const Thresholds& values, CpuSummary& summary) {
  const TunableListing all[] = {
      {ids.cpu_x86_data_cache_size, values.data, 0, ~0UL},
      {ids.cpu_x86_shared_cache_size, values.shared, 0, ~0UL},
      {ids.cpu_x86_non_temporal_threshold, values.non_temporal, Thresholds::kNonTemporalMinimum,
       Thresholds::kNonTemporalMaximum},
      {ids.cpu_x86_memset_non_temporal_threshold, values.memset_non_temporal,
       Thresholds::kNonTemporalMinimum, ~0UL},
      {ids.cpu_x86_rep_movsb_threshold, values.rep_movsb, values.rep_movsb_minimum, ~0UL},
      {ids.cpu_x86_rep_stosb_threshold, values.rep_stosb, 1, ~0UL},
  };
  for (const TunableListing& one : all)
    if (one.tunable != kAbsent) summary.tunables[summary.tunable_count++] = one;
}

// Intel only; from the active words, so that masked features count.
void choose_platform(const FeatureWords& words, CpuSummary& summary) {
  constexpr uint64_t kHwcapAvx512 = 4;
  constexpr uint32_t kServer = bits({17, 30, 31});      // DQ, BW, VL
  constexpr uint32_t kHaswellEbx = bits({3, 5, 8});     // BMI1, AVX2, BMI2
  constexpr uint32_t kHaswellEcx = bits({12, 22, 23});  // FMA, MOVBE, POPCNT
  const uint32_t seven = words.entries[kLeaf7].active[kEbx];
  if ((seven & bits({28})) != 0) {  // AVX512CD
    if ((seven & bits({26, 27})) == bits({26, 27})) summary.platform = "xeon_phi";
    if ((seven & bits({27})) == 0 && (seven & kServer) == kServer) summary.hwcap |= kHwcapAvx512;
  }
  const bool haswell = (seven & kHaswellEbx) == kHaswellEbx &&
                       (words.entries[kLeaf1].active[kEcx] & kHaswellEcx) == kHaswellEcx &&
                       words.active(kLeaf80000001, kEcx, 5);
  if (summary.platform == nullptr && haswell) summary.platform = "haswell";
}

}  // namespace

FeatureWords feature_words(const CpuRules& rules, const CpuFacts& facts, uint64_t hwcap2) {
  constexpr uint64_t kHwcap2Fsgsbase = 2;
  FeatureWords words;
  // Compat: of an unknown vendor's leaves 1 and 0x80000001 glibc takes no notice.
  const bool known = facts.vendor != CpuVendor::kOther;
  if (known) {
    store(words.entries[kLeaf1], facts.leaf_1);
    store(words.entries[kLeaf80000001], facts.leaf_80000001);
    store(words.entries[kLeaf80000008], facts.leaf_80000008);
  }
  store(words.entries[kLeaf7], facts.leaf_7);
  store(words.entries[kLeaf71], facts.leaf_7_1);
  store(words.entries[kLeafD1], facts.leaf_d_1);
  activate(rules, facts, words);
  measure_xsave(rules, facts, words);
  if (rules.fsgsbase_from_hwcap2 && (hwcap2 & kHwcap2Fsgsbase) != 0 && words.has(kLeaf7, kEbx, 0))
    words.set(kLeaf7, kEbx, 0);
  words.isa_1 = arch::isa_levels(facts);
  tune(rules, facts, words);
  return words;
}

CpuSummary fill_cpu_features(const Layout& layout, const CpuFacts& facts, uint64_t hwcap2,
                             const Tunables& tunables, void* image) {
  constexpr uint64_t kHwcap64Bit = 2;
  const CpuRules& rules = layout.cpu_rules;
  FeatureWords words = feature_words(rules, facts, hwcap2);
  const CacheNumbers caches = cache_numbers(rules, facts);
  const Thresholds values = thresholds(rules, facts, words, caches, tunables);
  const std::string_view hwcaps = tunables.string(tunables.ids().cpu_hwcaps);
  if (hwcaps.data() != nullptr) apply_hwcaps_tunable(rules, hwcaps, words);
  if (tunables.number(tunables.ids().cpu_prefer_map_32bit_exec) != 0)
    words.prefer(rules.prefer_map_32bit_exec);
  drop_without_xsave(words);
  write_words(layout, facts, words, Image(image));
  write_caches(layout.cpu_features, caches, values, Image(image));
  CpuSummary summary;
  summary.hwcap = kHwcap64Bit;
  if (facts.vendor == CpuVendor::kIntel) choose_platform(words, summary);
  list_thresholds(tunables.ids(), values, summary);
  return summary;
}

}  // namespace prelude::glibc
