// Facts of a release from the same tables that a start uses; here without a libc that runs.
#include <prelude/glibc/describe.h>

#include <prelude/base/string.h>
#include <prelude/report/diagnostics.h>
#include <prelude/sys/sys.h>
#include <prelude/versions/versions.h>

#include <new>

#include "cpu_features.h"
#include "describe_processors.h"
#include "tunables.h"

namespace prelude::glibc {

// The highest GLIBC_2.N it defines.
int release_of(const Image& libc) {
  int highest = -1;
  for_each_version_def(
      libc,
      [](void* context, const char* name, uint32_t, uint16_t) {
        constexpr std::string_view kPrefix = "GLIBC_2.";
        const std::string_view text(name);
        if (!text.starts_with(kPrefix)) return true;
        int minor = 0;
        for (size_t i = kPrefix.size();
             i < text.size() && text[i] >= '0' && text[i] <= '9' && minor < 10000; ++i)
          minor = minor * 10 + (text[i] - '0');
        int& best = *static_cast<int*>(context);
        if (minor > best) best = minor;
        return true;
      },
      &highest);
  return highest;
}

void say_warnings(const Tunables& tunables) {
  char buffer[512];
  Writer out(buffer, sizeof buffer, sys::to_stderr);
  for (size_t i = 0; i < tunables.warning_count(); ++i) tunables.print_warning(i, out);
  out.flush();
}

namespace {

const Layout* layout_for(const Image* libc) {
  const Layout* layout = libc != nullptr ? find_layout(release_of(*libc)) : nullptr;
  return layout != nullptr ? layout : layouts();
}

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

class ReleaseFacts final : public Description {
 public:
  constexpr ReleaseFacts() = default;

  void fill(const Layout& layout, char** envp, bool secure, const arch::CpuFacts& cpu,
            uint64_t hwcap2) {
    layout_ = &layout;
    cpu_ = cpu;
    Writer text(release_, sizeof release_);
    text.put("2.").decimal(static_cast<uint64_t>(layout.minor));
    (void)text.c_str();
    tunables_.start(layout, envp, secure);
    say_warnings(tunables_);
    if (layout.cpu_features.size > sizeof features_) return;
    arch::CpuFacts facts = cpu;
    if (cpu.xcr0 != 0 && cpu.max_leaf >= 13) facts.leaf_d_0 = arch::cpuid(13);
    summary_ = fill_cpu_features(layout, facts, hwcap2, tunables_, features_);
    complete_words(layout, cpu, features_);
  }

  [[nodiscard]] const char* release() const override { return release_; }
  [[nodiscard]] uint64_t hwcap() const override { return summary_.hwcap; }
  [[nodiscard]] bool newer_diagnostics() const override { return layout_->minor >= 41; }
  [[nodiscard]] const char* platform() const override { return summary_.platform; }

  void write_tunables(Writer& out) const override {
    tunables_.list(out, summary_.tunables, summary_.tunable_count);
  }
  void write_machine(Writer& out, Heap& heap) const override {
    put_members(out, kBasic, layout_->cpu_features, features_);
    write_features(out);
    write_preferred(out);
    put_members(out, kSizes, layout_->cpu_features, features_);
    if (newer_diagnostics()) write_processors(out, heap, cpu_);
  }

 private:
  void write_features(Writer& out) const {
    const CpuFeatures& at = layout_->cpu_features;
    for (uint16_t entry = 0; entry < at.features_count; ++entry)
      for (unsigned word = 0; word < 8; ++word) {
        const size_t offset = at.features + entry * sizeof(FeatureEntryWords) + size_t{word} * 4;
        put_key(out, "features[0x")
            .hex(entry)
            .put(word < 4 ? "].cpuid[0x" : "].active[0x")
            .hex(word % 4);
        out.put("]=0x").hex(read_member(features_, static_cast<uint16_t>(offset), false)).put('\n');
      }
  }
  void write_preferred(Writer& out) const {
    const uint64_t preferred = read_member(features_, layout_->cpu_features.preferred, false);
    for (unsigned bit = 0; bit < 32; ++bit)
      for (const PreferenceName& row : preference_names()) {
        if (row.bit_of(layout_->cpu_rules) == bit)
          put_key(out, "preferred.").put(row.name).put("=0x").hex(preferred >> bit & 1).put('\n');
      }
  }

  const Layout* layout_ = nullptr;
  arch::CpuFacts cpu_;
  Tunables tunables_;
  CpuSummary summary_;
  char release_[16] = {};
  alignas(8) std::byte features_[1024] = {};
};

// Made when somebody asks: among the data of every start-up it would cost a page (ld.so.lds).
[[gnu::section(".bss.rare")]] alignas(ReleaseFacts) constinit std::byte
    facts_room[sizeof(ReleaseFacts)] = {};

}  // namespace

Manners manners_of(const Image* libc) {
  const Layout& layout = *layout_for(libc);
  const Behaviour& b = layout.behaviour;
  return {.lists_loader = b.lists_loader,
          .labels_rseq = b.labels_rseq,
          .resolves_origin = b.resolves_origin,
          .prefixes_hwcap = b.prefixes_hwcap,
          .asks_getrandom = present(layout.rtld_global_ro.dl_vdso_getrandom),
          .scopeless_callers = b.scopeless_callers,
          .takes_words_back = b.takes_words_back,
          .tells_all_tls = b.tells_all_tls};
}

const Description& describe(const Image* libc, char** envp, bool secure, const arch::CpuFacts& cpu,
                            uint64_t hwcap2) {
  auto* facts = new (facts_room) ReleaseFacts;
  facts->fill(*layout_for(libc), envp, secure, cpu, hwcap2);
  return *facts;
}

}  // namespace prelude::glibc
