// struct cpu_features for a process and for --list-diagnostics.
#include "glibc/machine.h"

#include <prelude/base/string.h>

#include "cpu_features.h"
#include "describe_processors.h"

namespace prelude::glibc {

void fill_machine_words(char*, uint64_t) {}

CpuSummary fill_processor(const Layout& layout, const arch::CpuFacts& cpu,
                          const HardwareWords& kernel, const Tunables& tunables, std::byte* ro) {
  constexpr uint16_t kFpuDefault = 0x37f;
  const RtldGlobalRo& f = layout.rtld_global_ro;
  copy_bytes(ro + f.dl_fpu_control, &kFpuDefault, sizeof kFpuDefault);
  return fill_cpu_features(layout, cpu, kernel.second, tunables, ro + f.dl_cpu_features);
}

namespace {

/// A member of the structure: 4 or 8 bytes wide.
struct Member {
  char name[32];
  uint16_t CpuFeatures::*offset;
  bool wide;
};
constexpr Member kBasic[] = {
    {"basic.kind", &CpuFeatures::kind, false},
    {"basic.max_cpuid", &CpuFeatures::max_cpuid, false},
    {"basic.family", &CpuFeatures::family, false},
    {"basic.model", &CpuFeatures::model, false},
    {"basic.stepping", &CpuFeatures::stepping, false},
};
constexpr Member kSizes[] = {
    {"isa_1", &CpuFeatures::isa_1, false},
    {"xsave_state_size", &CpuFeatures::xsave_state_size, true},
    {"xsave_state_full_size", &CpuFeatures::xsave_state_full_size, false},
    {"data_cache_size", &CpuFeatures::data_cache_size, true},
    {"shared_cache_size", &CpuFeatures::shared_cache_size, true},
    {"non_temporal_threshold", &CpuFeatures::non_temporal_threshold, true},
    {"memset_non_temporal_threshold", &CpuFeatures::memset_non_temporal_threshold, true},
    {"rep_movsb_threshold", &CpuFeatures::rep_movsb_threshold, true},
    {"rep_movsb_stop_threshold", &CpuFeatures::rep_movsb_stop_threshold, true},
    {"rep_stosb_threshold", &CpuFeatures::rep_stosb_threshold, true},
    {"level1_icache_size", &CpuFeatures::level1_icache_size, true},
    {"level1_icache_linesize", &CpuFeatures::level1_icache_linesize, true},
    {"level1_dcache_size", &CpuFeatures::level1_dcache_size, true},
    {"level1_dcache_assoc", &CpuFeatures::level1_dcache_assoc, true},
    {"level1_dcache_linesize", &CpuFeatures::level1_dcache_linesize, true},
    {"level2_cache_size", &CpuFeatures::level2_cache_size, true},
    {"level2_cache_assoc", &CpuFeatures::level2_cache_assoc, true},
    {"level2_cache_linesize", &CpuFeatures::level2_cache_linesize, true},
    {"level3_cache_size", &CpuFeatures::level3_cache_size, true},
    {"level3_cache_assoc", &CpuFeatures::level3_cache_assoc, true},
    {"level3_cache_linesize", &CpuFeatures::level3_cache_linesize, true},
    {"level4_cache_size", &CpuFeatures::level4_cache_size, true},
    {"cachesize_non_temporal_divisor", &CpuFeatures::cachesize_non_temporal_divisor, true},
};

Writer& put_key(Writer& out, const char* name) { return out.put("x86.cpu_features.").put(name); }

uint64_t read_member(const std::byte* image, uint16_t offset, bool wide) {
  uint64_t value = 0;
  copy_bytes(&value, image + offset, wide ? 8 : 4);
  return value;
}

template <size_t kCount>
void put_members(Writer& out, const Member (&members)[kCount], const CpuFeatures& at,
                 const std::byte* image) {
  for (const Member& member : members) {
    const uint16_t offset = at.*member.offset;
    if (offset != kAbsent)
      put_key(out, member.name).put("=0x").hex(read_member(image, offset, member.wide)).put('\n');
  }
}

/// Words that libc never reads and a normal start does not ask for.
void complete_words(const Layout& layout, const arch::CpuFacts& cpu, std::byte* image) {
  struct Row {
    FeatureEntry entry;
    uint32_t leaf;
    uint32_t active_ebx;  ///< bits that need nothing of the system
  };
  constexpr uint32_t kWbnoinvd = 1U << 9, kPtwrite = 1U << 4, kVectorLengths = 7U << 16;
  constexpr Row kRows[] = {{kLeaf80000007, 0x80000007, 0},
                           {kLeaf80000008, 0x80000008, kWbnoinvd},
                           {kLeaf19, 0x19, 0},
                           {kLeaf14, 0x14, kPtwrite},
                           {kLeaf24, 0x24, kVectorLengths}};
  for (const Row& row : kRows) {
    const bool extended = row.leaf >= 0x80000000U;
    if (row.entry >= layout.cpu_features.features_count ||
        arch::cpuid(row.leaf & 0x80000000U).eax < row.leaf ||
        (extended && cpu.vendor == arch::CpuVendor::kOther))
      continue;
    const arch::CpuidLeaf leaf = arch::cpuid(row.leaf);
    FeatureEntryWords entry = {.cpuid = {leaf.eax, leaf.ebx, leaf.ecx, leaf.edx}, .active = {}};
    entry.active[kEbx] = leaf.ebx & row.active_ebx;
    copy_bytes(image + layout.cpu_features.features + row.entry * sizeof entry, &entry,
               sizeof entry);
  }
}

void write_features(const CpuFeatures& at, const std::byte* image, Writer& out) {
  for (uint16_t entry = 0; entry < at.features_count; ++entry)
    for (unsigned word = 0; word < 8; ++word) {
      const size_t offset = at.features + entry * sizeof(FeatureEntryWords) + size_t{word} * 4;
      put_key(out, "features[0x")
          .hex(entry)
          .put(word < 4 ? "].cpuid[0x" : "].active[0x")
          .hex(word % 4);
      out.put("]=0x").hex(read_member(image, static_cast<uint16_t>(offset), false)).put('\n');
    }
}
void write_preferred(const Layout& layout, const std::byte* image, Writer& out) {
  const uint64_t preferred = read_member(image, layout.cpu_features.preferred, false);
  for (unsigned bit = 0; bit < 32; ++bit)
    for (const PreferenceName& row : preference_names()) {
      if (row.bit_of(layout.cpu_rules) == bit)
        put_key(out, "preferred.").put(row.name).put("=0x").hex(preferred >> bit & 1).put('\n');
    }
}

}  // namespace

CpuSummary describe_processor(const Layout& layout, const HardwareWords& kernel,
                              const Tunables& tunables, DescribedProcessor& out) {
  arch::CpuFacts facts = out.cpu;
  if (facts.xcr0 != 0 && facts.max_leaf >= 13) facts.leaf_d_0 = arch::cpuid(13);
  const CpuSummary summary =
      fill_cpu_features(layout, facts, kernel.second, tunables, out.features);
  complete_words(layout, out.cpu, out.features);
  return summary;
}

void write_processor_lines(const Layout& layout, const DescribedProcessor& processor, Writer& out,
                           Heap& heap) {
  constexpr int kLinesOfEachSince = 41;
  put_members(out, kBasic, layout.cpu_features, processor.features);
  write_features(layout.cpu_features, processor.features, out);
  write_preferred(layout, processor.features, out);
  put_members(out, kSizes, layout.cpu_features, processor.features);
  if (layout.minor >= kLinesOfEachSince) write_processors(out, heap, processor.cpu);
}

}  // namespace prelude::glibc
