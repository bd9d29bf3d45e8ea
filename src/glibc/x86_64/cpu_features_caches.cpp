// Cache geometry and the sizes at which libc's copy functions change their method. Rules of glibc
// 2.36, 2.41, 2.43 and 2.44 (sysdeps/x86/dl-cacheinfo.h).
#include "cpu_features.h"

namespace prelude::glibc {
namespace {

using arch::CacheLevel;
using arch::CpuFacts;
using arch::CpuidLeaf;
using arch::CpuVendor;

// ---- Intel and Zhaoxin: leaf 4, of some Intel processors leaf 2

// The numbers of one cache. What is absent is unknown to Intel's code where leaf 4 is asked, and
// zero where leaf 2 is; zero for Zhaoxin.
struct Geometry {
  uint64_t size, ways, line;
};

Geometry geometry(const CpuFacts& facts, CacheKind kind, const CacheLevel& in_leaf_4) {
  constexpr uint64_t kUnknown = ~0UL;
  const bool intel = facts.vendor == CpuVendor::kIntel;
  DescribedCache found = {CacheSource::kLeaf4, {}};
  if (facts.has_leaf_2) found = described_cache(facts, kind);
  if (found.source == CacheSource::kLeaf4) {
    if (in_leaf_4.size != 0) found = {CacheSource::kDescriptor, in_leaf_4};
    if (in_leaf_4.size == 0 && intel) found.source = CacheSource::kUnknown;
  }
  if (found.source == CacheSource::kUnknown) return {kUnknown, kUnknown, kUnknown};
  return {found.cache.size, found.cache.ways, found.cache.line};
}

// Thread counts of leaf 0xb replace the number of ids, but not beyond its bits.
uint32_t threads_within(uint32_t threads, uint32_t ids) {
  const int top = 31 - __builtin_clz(ids);
  return (threads - 1) & ((2U << top) - 1);
}

struct ShareCount {
  uint32_t l2 = 0, l3 = 0;  ///< threads; 0 = unknown or no more than one id
};

ShareCount count_sharers(const CpuFacts& facts, bool has_l3) {
  ShareCount count = {facts.l2.sharing_ids, facts.l3.sharing_ids};
  const bool old_zhaoxin = facts.vendor == CpuVendor::kZhaoxin && facts.family == 6;
  if (!old_zhaoxin && facts.max_leaf >= 11) {
    const uint32_t core = facts.threads_per_core;
    const uint32_t package = facts.threads_per_package;
    if (has_l3 && count.l2 != 0 && core != 0) count.l2 = threads_within(core, count.l2);
    if (has_l3 && count.l3 != 0 && package != 0) count.l3 = threads_within(package, count.l3);
    if (!has_l3 && count.l2 != 0 && package != 0) count.l2 = threads_within(package, count.l2);
  }
  if (count.l2 != 0) ++count.l2;
  if (count.l3 != 0) ++count.l3;
  return count;
}

bool shares_l2_in_pairs(const CpuFacts& facts) {  // Silvermont
  const uint32_t model = facts.model;
  return facts.vendor == CpuVendor::kIntel && facts.family == 6 &&
         (model == 0x37 || model == 0x4a || model == 0x4d || model == 0x5a || model == 0x5d);
}

void share_last_level(const CpuFacts& facts, CacheNumbers& numbers) {
  const auto l2 = static_cast<int64_t>(numbers.l2_size);
  const bool has_l3 = numbers.shared > 0;
  if (!has_l3) numbers.shared = numbers.shared_per_thread = l2;
  const bool multithreaded = (facts.leaf_1.edx & 1U << 28) != 0;
  ShareCount count;
  if (multithreaded) {
    count = count_sharers(facts, has_l3);
    uint32_t threads = has_l3 ? count.l3 : count.l2;
    if (!has_l3 && threads > 2 && shares_l2_in_pairs(facts)) threads = 2;
    const bool silent = facts.max_leaf < 4 || facts.l2.size == 0 || (has_l3 && facts.l3.size == 0);
    if (silent) threads = facts.leaf_1.ebx >> 16 & 0xff;
    if (numbers.shared_per_thread > 0 && threads > 0) numbers.shared_per_thread /= threads;
  }
  if (multithreaded && has_l3 && !facts.l3.inclusive) {
    numbers.shared_per_thread += count.l2 > 0 ? l2 / count.l2 : l2;
    numbers.shared += l2;
  }
}

CacheNumbers intel_numbers(const CpuFacts& facts) {
  const Geometry code = geometry(facts, CacheKind::kL1Code, facts.l1_code);
  const Geometry data = geometry(facts, CacheKind::kL1Data, facts.l1_data);
  const Geometry l2 = geometry(facts, CacheKind::kL2, facts.l2);
  const Geometry l3 = geometry(facts, CacheKind::kL3, facts.l3);
  CacheNumbers numbers;
  numbers.l1_code_size = code.size;
  numbers.l1_code_line = code.line;
  numbers.l1_data_size = data.size;
  numbers.l1_data_ways = data.ways;
  numbers.l1_data_line = data.line;
  numbers.l2_size = l2.size;
  numbers.l2_ways = l2.ways;
  numbers.l2_line = l2.line;
  numbers.l3_size = l3.size;
  numbers.l3_ways = l3.ways;
  numbers.l3_line = l3.line;
  if (facts.vendor == CpuVendor::kIntel)
    numbers.l4_size = geometry(facts, CacheKind::kL4, facts.l4).size;
  numbers.data = static_cast<int64_t>(numbers.l1_data_size);
  numbers.shared = static_cast<int64_t>(numbers.l3_size);
  numbers.shared_per_thread = numbers.shared;
  share_last_level(facts, numbers);
  return numbers;
}

// ---- AMD and Hygon: 0x80000005, 0x80000006, 0x8000001D

constexpr uint64_t kKib = 1024;

/// AMD APM vol. 3, table "L2/L3 cache associativity"; `full` stands for all lines.
uint64_t decoded_ways(uint32_t code, uint64_t full) {
  constexpr uint8_t kWays[16] = {0, 1, 2, 0, 4, 0, 8, 0, 16, 0, 32, 48, 64, 96, 128, 0};
  return code == 15 ? full : kWays[code];
}

void read_old_leaves(const CpuFacts& facts, CacheNumbers& numbers) {
  const CpuidLeaf& l1 = facts.leaf_80000005;
  numbers.l1_code_size = (l1.edx >> 24) * kKib;
  numbers.l1_code_line = l1.edx & 0xff;
  numbers.l1_data_size = (l1.ecx >> 24) * kKib;
  numbers.l1_data_line = l1.ecx & 0xff;
  const uint32_t ways = l1.ecx >> 16 & 0xff;
  numbers.l1_data_ways = ways == 0xff ? numbers.l1_data_size : ways;
  const uint32_t l2 = facts.leaf_80000006.ecx;
  const uint32_t l2_code = l2 >> 12 & 15;
  const uint64_t l2_size = (l2 >> 16) * kKib;
  numbers.l2_size = l2_code == 0 ? 0 : l2_size;
  numbers.l2_line = l2_code == 0 ? 0 : l2 & 0xff;
  numbers.l2_ways = decoded_ways(l2_code, (l2 & 0xff) == 0 ? 0 : l2_size / (l2 & 0xff));
  const uint32_t l3 = facts.leaf_80000006.edx;
  const uint32_t l3_code = l3 >> 12 & 15;
  const uint64_t l3_size = (l3 >> 18) * (512 * kKib);
  numbers.l3_size = l3_code == 0 ? 0 : l3_size;
  numbers.l3_line = l3_code == 0 ? 0 : l3 & 0xff;
  numbers.l3_ways = decoded_ways(l3_code, (l3 & 0xff) == 0 ? 0 : l3_size / (l3 & 0xff));
}

uint32_t complex_threads(const CpuFacts& facts) {
  return (facts.leaf_8000001d_3.eax >> 14 & 0xfff) + 1;
}

uint32_t package_threads(const CpuFacts& facts) {
  const bool multithreaded = (facts.leaf_1.edx & 1U << 28) != 0;
  return multithreaded ? facts.leaf_1.ebx >> 16 & 0xff : 0;
}

// 2.36: the total L3, and of it what the threads of one core complex have.
void share_total_l3(const CpuFacts& facts, CacheNumbers& numbers) {
  const auto l2 = static_cast<int64_t>(numbers.l2_size);
  numbers.shared = numbers.shared_per_thread = static_cast<int64_t>(numbers.l3_size);
  if (numbers.shared <= 0) {
    numbers.shared = numbers.shared_per_thread = l2;
    return;
  }
  const bool zen = facts.family >= 0x17;
  uint32_t threads = zen ? 0 : 1U << (facts.leaf_80000008.ecx >> 12 & 15);
  if (threads == 0) threads = package_threads(facts);
  if (threads > 0) numbers.shared_per_thread /= threads;
  if (zen) {
    numbers.shared_per_thread *= complex_threads(facts);
  } else {
    numbers.shared += l2;
    numbers.shared_per_thread += l2;
  }
}

// 2.41: the L3 of one core complex, which 0x8000001D describes; 0x80000006 where it is silent.
void share_complex_l3(const CpuFacts& facts, CacheNumbers& numbers) {
  const CpuidLeaf& leaf = facts.leaf_8000001d_3;
  if (leaf.ecx != 0) {
    const uint32_t ways = (leaf.ebx >> 22) + 1, line = (leaf.ebx & 0xfff) + 1;
    const uint32_t bytes = ways * line * (leaf.ecx + 1);  // no cache reaches 4 GiB
    numbers.l3_ways = ways;
    numbers.l3_line = line;
    numbers.l3_size = bytes;
  } else if (numbers.l3_size != 0) {
    numbers.l3_size /= (facts.leaf_80000008.ecx & 0xff) + 1;
    if (facts.family >= 0x17) numbers.l3_size *= complex_threads(facts);
  }
  numbers.shared = static_cast<int64_t>(numbers.l3_size);
  if (facts.vendor == CpuVendor::kAmd) {
    numbers.l4_size = 0;
    const auto l2 = static_cast<int64_t>(numbers.l2_size);
    if (numbers.shared <= 0)
      numbers.shared = l2;
    else if (facts.family < 0x17)
      numbers.shared += l2;
  }
  numbers.shared_per_thread = numbers.shared;
}

CacheNumbers amd_numbers(const CpuRules& rules, const CpuFacts& facts) {
  CacheNumbers numbers;
  read_old_leaves(facts, numbers);
  numbers.data = static_cast<int64_t>(numbers.l1_data_size);
  if (rules.amd_topology_caches)
    share_complex_l3(facts, numbers);
  else
    share_total_l3(facts, numbers);
  return numbers;
}

// ---- thresholds

bool is_amd_kind(const CpuRules& rules, CpuVendor vendor) {
  return vendor == CpuVendor::kAmd ||
         (vendor == CpuVendor::kHygon && rules.kind_hygon == rules.kind_amd);
}

uint64_t default_non_temporal(const CpuRules& rules, const CpuFacts& facts,
                              const FeatureWords& words, const CacheNumbers& caches) {
  constexpr uint64_t kUnknownCaches = 64 * kKib * kKib;
  // Compat: an unknown size (-1) counts as huge where the divisor varies, as none where it is 4.
  uint64_t result = rules.tuned_by_model ? static_cast<uint64_t>(caches.shared) / words.cached_share
                                         : static_cast<uint64_t>(caches.shared / 4);
  const auto own_share = static_cast<uint64_t>(caches.shared_per_thread * 3 / 4);
  const bool erms = words.active(kLeaf7, kEbx, 9);
  const bool patient = rules.tuned_by_model && facts.vendor == CpuVendor::kZhaoxin;
  if (result < own_share || (!erms && !patient)) result = own_share;
  if (result < Thresholds::kNonTemporalMinimum)
    return rules.default_non_temporal ? kUnknownCaches : Thresholds::kNonTemporalMinimum;
  return result < Thresholds::kNonTemporalMaximum ? result : Thresholds::kNonTemporalMaximum;
}

void default_rep_movsb(const CpuRules& rules, const FeatureWords& words, Thresholds& values) {
  constexpr uint64_t kFastShort = 2112;
  uint64_t vector = 16;
  if (words.prefers(kAvxFastUnalignedLoad)) vector = 32;
  if (words.active(kLeaf7, kEbx, 16) && !words.prefers(rules.prefer_no_avx512)) vector = 64;
  values.rep_movsb_minimum = vector * 8;
  values.rep_movsb = (vector == 16 ? 2048 : 4096) * (vector / 16);
  if (words.active(kLeaf7, kEdx, 4)) values.rep_movsb = kFastShort;
}

// glibc compares these tunables as signed numbers where it says `wanted > minimum`.
bool above(uint64_t wanted, uint64_t minimum) {
  return static_cast<int64_t>(wanted) > static_cast<int64_t>(minimum);
}

bool take_non_temporal(const Tunables& tunables, unsigned id, uint64_t& value) {
  const uint64_t wanted = tunables.number(id);
  if (wanted <= Thresholds::kNonTemporalMinimum || wanted > Thresholds::kNonTemporalMaximum)
    return false;
  value = wanted;
  return true;
}

uint64_t choose_rep_stosb(const CpuRules& rules, bool amd, const FeatureWords& words,
                          const Tunables& tunables, const Thresholds& values) {
  const unsigned id = tunables.ids().cpu_x86_rep_stosb_threshold;
  uint64_t result = tunables.number(id, 2048);
  const bool chosen = tunables.is_initialized(id);
  if (amd && rules.amd_prefers_vectors && !chosen) result = ~0UL;
  const bool streams_first =
      rules.stosb_until_streaming && !chosen && result > values.memset_non_temporal;
  return words.prefers(rules.avoid_stosb) || streams_first ? values.memset_non_temporal : result;
}

}  // namespace

CacheNumbers cache_numbers(const CpuRules& rules, const CpuFacts& facts) {
  switch (facts.vendor) {
    case CpuVendor::kIntel:
    case CpuVendor::kZhaoxin:
      return intel_numbers(facts);
    case CpuVendor::kAmd:
    case CpuVendor::kHygon:
      return amd_numbers(rules, facts);
    case CpuVendor::kOther:
      break;
  }
  return {};
}

Thresholds thresholds(const CpuRules& rules, const CpuFacts& facts, const FeatureWords& words,
                      const CacheNumbers& caches, const Tunables& tunables) {
  const TunableIds& ids = tunables.ids();
  const bool amd = is_amd_kind(rules, facts.vendor);
  Thresholds values;
  values.non_temporal = default_non_temporal(rules, facts, words, caches);
  values.memset_non_temporal =
      words.prefers(rules.avoid_non_temporal_memset) ? ~0UL : values.non_temporal;
  default_rep_movsb(rules, words, values);
  if (amd && rules.amd_prefers_vectors) values.rep_movsb = values.non_temporal;

  const uint64_t data = tunables.number(ids.cpu_x86_data_cache_size);
  const uint64_t shared = tunables.number(ids.cpu_x86_shared_cache_size);
  values.data = data != 0 ? data : static_cast<uint64_t>(caches.data);
  values.shared = shared != 0 ? shared : static_cast<uint64_t>(caches.shared);
  if (!take_non_temporal(tunables, ids.cpu_x86_non_temporal_threshold, values.non_temporal) &&
      facts.vendor == CpuVendor::kHygon && rules.tuned_newer_hygon)
    values.non_temporal = static_cast<uint64_t>(caches.shared_per_thread * 3 / 8);
  take_non_temporal(tunables, ids.cpu_x86_memset_non_temporal_threshold,
                    values.memset_non_temporal);
  const uint64_t rep_movsb = tunables.number(ids.cpu_x86_rep_movsb_threshold);
  if (above(rep_movsb, values.rep_movsb_minimum)) values.rep_movsb = rep_movsb;
  values.rep_stosb = choose_rep_stosb(rules, amd, words, tunables, values);
  const bool stop_at_l2 = amd && !rules.amd_prefers_vectors;
  values.rep_movsb_stop = stop_at_l2 ? caches.l2_size : values.non_temporal;
  return values;
}

}  // namespace prelude::glibc
