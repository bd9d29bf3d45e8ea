// struct cpu_features: against a recorded Intel machine, against the loader of the machine that
// runs the test (its --list-diagnostics), and the limit on CPUID instructions.
#include "src/glibc/x86_64/cpu_features.h"

#include <gtest/gtest.h>
#include <sys/auxv.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace prelude::glibc {
namespace {

using arch::CpuFacts;
using arch::CpuidLeaf;
using arch::CpuVendor;

/// A processor by its answers.
struct Machine {
  std::map<std::pair<uint32_t, uint32_t>, CpuidLeaf> leaves;
  uint64_t xcr0 = 0;
  uint32_t reads = 0;

  CpuFacts read() {
    reads = 0;
    const auto cpuid = [](void* context, uint32_t leaf, uint32_t subleaf) {
      auto& self = *static_cast<Machine*>(context);
      ++self.reads;
      const auto found = self.leaves.find({leaf, subleaf});
      return found == self.leaves.end() ? CpuidLeaf{} : found->second;
    };
    const auto xgetbv = [](void* context) { return static_cast<Machine*>(context)->xcr0; };
    return arch::read_cpu_facts({cpuid, xgetbv, this});
  }
};

constexpr CpuidLeaf kIntelVendor = {0x20, 0x756e6547, 0x6c65746e, 0x49656e69};
constexpr CpuidLeaf kAmdVendor = {0x10, 0x68747541, 0x444d4163, 0x69746e65};

CpuidLeaf cache_leaf(uint32_t type, uint32_t level, uint32_t ids, uint32_t ways, uint32_t sets,
                     bool inclusive = true) {
  return {type | level << 5 | ids << 14, (ways - 1) << 22 | 63, sets - 1, inclusive ? 2U : 0U};
}

// The machine of the start-state dumps: an Intel server core seen by a guest with two threads.
Machine recorded_guest() {
  Machine machine;
  machine.leaves = {
      {{0, 0}, kIntelVendor},
      {{1, 0}, {0xa0678, 0x01020800, 0xfffa3203, 0x1f8bfbff}},
      {{7, 0}, {2, 0xf1bf27eb, 0x1b415fde, 0xbfd14410}},
      {{7, 1}, {0x1c30, 0, 0, 0}},
      {{13, 1}, {0x1f, 0x2a00, 0x1800, 0}},
      {{0x80000001, 0}, {0, 0, 0x121, 0x2c100800}},
      {{4, 0}, cache_leaf(1, 1, 0, 12, 64)},
      {{4, 1}, cache_leaf(2, 1, 0, 8, 64)},
      {{4, 2}, cache_leaf(3, 2, 0, 16, 2048)},
      {{4, 3}, cache_leaf(3, 3, 1, 15, 114688, false)},
  };
  machine.xcr0 = 0x602e7;
  return machine;
}

// Zen 3 in a guest with two threads (AMD EPYC, recorded with cpuid).
Machine recorded_epyc() {
  Machine machine;
  machine.leaves = {
      {{0, 0}, {0xd, 0x68747541, 0x444d4163, 0x69746e65}},
      {{1, 0}, {0xa00f11, 0x01020800, 0xfffa3203, 0x178bfbff}},
      {{7, 0}, {0, 0x219c07ab, 0x400684, 0x10}},
      {{13, 1}, {0xf, 0x368, 0x1800, 0}},
      {{0x80000001, 0}, {0xa00f11, 0x40000000, 0x4003f3, 0x2fd3fbff}},
      {{0x80000005, 0}, {0xff40ff40, 0xff40ff40, 0x20080140, 0x20080140}},
      {{0x80000006, 0}, {0x48002200, 0x68004200, 0x02006140, 0x08009140}},
      {{0x8000001d, 3}, {0x4163, 0x03c0003f, 0x7fff, 1}},
  };
  machine.xcr0 = 7;
  return machine;
}

// Haswell as QEMU makes it by default: leaf 2 and leaf 4 describe different caches.
Machine emulated_haswell() {
  Machine machine;
  machine.leaves = {
      {{0, 0}, {13, 0x756e6547, 0x6c65746e, 0x49656e69}},
      {{1, 0}, {0x306c4, 0x800, 0xfefa3203, 0x0f8bfbff}},
      {{2, 0}, {1, 0, 0x4d, 0x2c307d}},
      {{7, 0}, {0, 0x7a9, 0, 0}},
      {{13, 1}, {1, 0x340, 0, 0}},
      {{0x80000001, 0}, {0, 0, 0x21, 0x2c100800}},
      {{4, 0}, {0x121, 0x01c0003f, 0x3f, 1}},
      {{4, 1}, {0x122, 0x01c0003f, 0x3f, 1}},
      {{4, 2}, {0x143, 0x03c0003f, 0xfff, 1}},
      {{4, 3}, {0x163, 0x03c0003f, 0x3fff, 6}},
  };
  machine.xcr0 = 7;
  return machine;
}

struct Filled {
  Filled(int minor, const CpuFacts& facts, const char* variable = nullptr, uint64_t hwcap2 = 2)
      : layout(*find_layout(minor)) {
    char* envp[] = {const_cast<char*>(variable), nullptr};
    tunables.start(layout, envp, false);
    summary = fill_cpu_features(layout, facts, hwcap2, tunables, image.data());
  }
  [[nodiscard]] uint32_t word(size_t offset) const {
    uint32_t value;
    std::memcpy(&value, &image[offset], sizeof value);
    return value;
  }
  [[nodiscard]] uint64_t quad(size_t offset) const {
    uint64_t value;
    std::memcpy(&value, &image[offset], sizeof value);
    return value;
  }
  [[nodiscard]] uint32_t active(FeatureEntry entry, FeatureRegister reg) const {
    return word(layout.cpu_features.features + size_t{entry} * 32 + 16 + size_t{reg} * 4);
  }
  const Layout& layout;
  Tunables tunables;
  CpuSummary summary;
  std::array<unsigned char, 528> image = {};
};

TEST(CpuFeatures, RecordedIntelGuestWith236) {
  const CpuFacts facts = recorded_guest().read();
  const Filled filled(36, facts);
  const CpuFeatures& at = filled.layout.cpu_features;
  EXPECT_EQ(filled.word(at.kind), 1U);
  EXPECT_EQ(filled.word(at.max_cpuid), 0x20U);
  EXPECT_EQ(filled.word(at.family), 6U);
  EXPECT_EQ(filled.word(at.model), 0xa7U);
  EXPECT_EQ(filled.word(at.stepping), 8U);
  EXPECT_EQ(filled.active(kLeaf1, kEcx), 0x7ed83203U);
  EXPECT_EQ(filled.active(kLeaf1, kEdx), 0x17888110U);
  EXPECT_EQ(filled.active(kLeaf7, kEbx), 0xf1af0328U);
  EXPECT_EQ(filled.active(kLeaf7, kEcx), 0x1a405f5aU);
  EXPECT_EQ(filled.active(kLeaf7, kEdx), 0x03c14010U);
  EXPECT_EQ(filled.active(kLeaf80000001, kEcx), 0x121U);
  EXPECT_EQ(filled.active(kLeaf80000001, kEdx), 0x08000000U);
  EXPECT_EQ(filled.active(kLeafD1, kEax), 0x17U);
  EXPECT_EQ(filled.active(kLeaf71, kEax), 0x1c30U);
  EXPECT_EQ(filled.word(at.preferred), 0x82f9U);
  EXPECT_EQ(filled.word(at.isa_1), 15U);
  EXPECT_EQ(filled.quad(at.xsave_state_size), 0x9c0U);
  EXPECT_EQ(filled.word(at.xsave_state_full_size), 0x2b40U);
  EXPECT_EQ(filled.quad(at.data_cache_size), 0xc000U);
  EXPECT_EQ(filled.quad(at.shared_cache_size), 0x6b00000U);
  EXPECT_EQ(filled.quad(at.non_temporal_threshold), 0x28e0000U);
  EXPECT_EQ(filled.quad(at.rep_movsb_threshold), 0x840U);
  EXPECT_EQ(filled.quad(at.rep_movsb_stop_threshold), 0x28e0000U);
  EXPECT_EQ(filled.quad(at.rep_stosb_threshold), 0x800U);
  EXPECT_EQ(filled.quad(at.level1_dcache_assoc), 12U);
  EXPECT_EQ(filled.quad(at.level2_cache_size), 0x200000U);
  EXPECT_EQ(filled.quad(at.level3_cache_size), 0x6900000U);
  EXPECT_EQ(filled.quad(at.level3_cache_assoc), 15U);
  EXPECT_EQ(filled.quad(at.level4_cache_size), ~0UL);
  EXPECT_EQ(filled.summary.hwcap, 6U);
  EXPECT_STREQ(filled.summary.platform, "haswell");
}

TEST(CpuFeatures, RecordedIntelGuestWith241AndLater) {
  const CpuFacts facts = recorded_guest().read();
  for (const int minor : {41, 43, 44}) {
    const Filled filled(minor, facts);
    const CpuFeatures& at = filled.layout.cpu_features;
    EXPECT_EQ(filled.active(kLeaf7, kEbx), 0xf1af0329U);
    EXPECT_EQ(filled.word(at.preferred), 0x102f9U);
    EXPECT_EQ(filled.quad(at.xsave_state_size), 0xa00U);
    EXPECT_EQ(filled.word(at.xsave_state_full_size), 0x2b80U);
    EXPECT_EQ(filled.quad(at.shared_cache_size), 0x6b00000U);
    EXPECT_EQ(filled.quad(at.non_temporal_threshold), 0x3580000U);
    EXPECT_EQ(filled.quad(at.memset_non_temporal_threshold), 0x3580000U);
    EXPECT_EQ(filled.quad(at.rep_movsb_stop_threshold), 0x3580000U);
    EXPECT_EQ(filled.quad(at.rep_stosb_threshold), 0x800U);
    EXPECT_EQ(filled.quad(at.cachesize_non_temporal_divisor), 2U);
  }
}

TEST(CpuFeatures, RecordedEpycGuest) {
  const CpuFacts facts = recorded_epyc().read();
  const Filled old_release(36, facts);
  const CpuFeatures& at_old = old_release.layout.cpu_features;
  EXPECT_EQ(old_release.word(at_old.kind), 2U);
  EXPECT_EQ(old_release.quad(at_old.shared_cache_size), 0x10000000U);
  EXPECT_EQ(old_release.quad(at_old.non_temporal_threshold), 0xc000000U);
  EXPECT_EQ(old_release.quad(at_old.rep_movsb_threshold), 0x840U);
  EXPECT_EQ(old_release.quad(at_old.rep_movsb_stop_threshold), 0x80000U);
  EXPECT_EQ(old_release.quad(at_old.level3_cache_assoc), 0U);
  EXPECT_EQ(old_release.quad(at_old.xsave_state_size), 0x380U);
  const Filled filled(43, facts);
  const CpuFeatures& at = filled.layout.cpu_features;
  EXPECT_EQ(filled.quad(at.shared_cache_size), 0x2000000U);
  EXPECT_EQ(filled.quad(at.non_temporal_threshold), 0x1800000U);
  EXPECT_EQ(filled.quad(at.rep_movsb_threshold), 0x1800000U);
  EXPECT_EQ(filled.quad(at.rep_stosb_threshold), ~0UL);
  EXPECT_EQ(filled.quad(at.level3_cache_assoc), 16U);
  EXPECT_EQ(filled.quad(at.level4_cache_size), 0U);
  EXPECT_EQ(filled.quad(at.xsave_state_size), 0x3c0U);
  EXPECT_EQ(filled.summary.hwcap, 2U);
  EXPECT_EQ(filled.summary.platform, nullptr);
}

// Read off 2.44's own --list-diagnostics on such a machine; otherwise as 2.43.
TEST(CpuFeatures, StosbStopsWhereMemsetBypassesTheCachesWith244) {
  const CpuFacts facts = recorded_epyc().read();
  const Filled filled(44, facts);
  const CpuFeatures& at = filled.layout.cpu_features;
  EXPECT_EQ(filled.quad(at.memset_non_temporal_threshold), 0x1800000U);
  EXPECT_EQ(filled.quad(at.rep_stosb_threshold), 0x1800000U);
  const Filled wanted(44, facts, "GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=0x2000000");
  EXPECT_EQ(wanted.quad(at.rep_stosb_threshold), 0x2000000U);
}

TEST(CpuFeatures, Zen5PrefersWideVectorsWith244) {
  Machine machine = recorded_guest();
  machine.leaves[{0, 0}] = {0xd, 0x68747541, 0x444d4163, 0x69746e65};
  machine.leaves[{1, 0}].eax = 0xb00f21;
  for (const int minor : {43, 44}) {
    const Filled filled(minor, machine.read());
    const uint32_t preferred = filled.word(filled.layout.cpu_features.preferred);
    EXPECT_EQ(preferred >> 19, minor == 44 ? 1U : 0U);
    const Filled without(minor, machine.read(), "GLIBC_TUNABLES=glibc.cpu.hwcaps=-Prefer_EVEX512");
    EXPECT_EQ(without.word(filled.layout.cpu_features.preferred) >> 19, 0U);
  }
  machine.leaves[{1, 0}].eax = 0xa00f11;
  const Filled zen3(44, machine.read());
  EXPECT_EQ(zen3.word(zen3.layout.cpu_features.preferred) >> 19, 0U);
}

TEST(CpuFeatures, HygonStreamsEarlierWith244) {
  Machine machine = recorded_guest();
  machine.leaves[{0, 0}] = {0xd, 0x6f677948, 0x656e6975, 0x6e65476e};
  machine.leaves[{1, 0}].eax = 0x900f81;  // family 0x18, model 8
  machine.leaves[{0x80000006, 0}] = {0, 0, 0x02006140, 0x08009140};
  for (const int minor : {43, 44}) {
    const Filled filled(minor, machine.read());
    const CpuFeatures& at = filled.layout.cpu_features;
    const uint64_t share = filled.quad(at.shared_cache_size);
    EXPECT_EQ(filled.quad(at.memset_non_temporal_threshold), share * 3 / 4);
    EXPECT_EQ(filled.quad(at.non_temporal_threshold), share * 3 / (minor == 44 ? 8 : 4));
    EXPECT_EQ(filled.word(at.preferred) >> 13 & 1, minor == 44 ? 1U : 0U);  // Prefer_No_AVX512
    const Filled wanted(minor, machine.read(),
                        "GLIBC_TUNABLES=glibc.cpu.x86_non_temporal_threshold=0x5000");
    EXPECT_EQ(wanted.quad(at.non_temporal_threshold), 0x5000U);
  }
}

TEST(CpuFeatures, NothingKnownGivesSafeThresholds) {
  const CpuFacts facts;
  for (const int minor : {36, 39, 41, 43, 44}) {
    const Filled filled(minor, facts);
    const CpuFeatures& at = filled.layout.cpu_features;
    EXPECT_EQ(filled.quad(at.non_temporal_threshold), minor == 36 ? 0x4040U : 64U << 20);
    EXPECT_EQ(filled.quad(at.rep_movsb_threshold), 2048U);
    EXPECT_EQ(filled.active(kLeaf1, kEcx), 0U);
    EXPECT_EQ(filled.word(at.kind), minor < 41 ? 4U : 5U);
  }
}

TEST(CpuTunables, ThresholdsAreTakenWithinTheirBounds) {
  const CpuFacts facts = recorded_guest().read();
  const Filled filled(43, facts,
                      "GLIBC_TUNABLES=glibc.cpu.x86_non_temporal_threshold=0x5000:"
                      "glibc.cpu.x86_rep_movsb_threshold=257:glibc.cpu.x86_data_cache_size=4096:"
                      "glibc.cpu.x86_rep_stosb_threshold=1");
  const CpuFeatures& at = filled.layout.cpu_features;
  EXPECT_EQ(filled.quad(at.non_temporal_threshold), 0x5000U);
  EXPECT_EQ(filled.quad(at.rep_movsb_stop_threshold), 0x5000U);
  EXPECT_EQ(filled.quad(at.memset_non_temporal_threshold), 0x3580000U);
  EXPECT_EQ(filled.quad(at.rep_movsb_threshold), 0x840U);  // 512 is the least with AVX-512
  EXPECT_EQ(filled.quad(at.data_cache_size), 4096U);
  EXPECT_EQ(filled.quad(at.rep_stosb_threshold), 1U);
  const Filled low(43, facts, "GLIBC_TUNABLES=glibc.cpu.x86_non_temporal_threshold=0x4040");
  EXPECT_EQ(low.quad(at.non_temporal_threshold), 0x3580000U);
}

TEST(CpuTunables, HwcapsHideAndPrefer) {
  const CpuFacts facts = recorded_guest().read();
  const Filled filled(36, facts,
                      "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-,Prefer_ERMS,AVX,-XSAVEC,,nonsense,"
                      "-AVX_Fast_Unaligned_Load,I586");
  const CpuFeatures& at = filled.layout.cpu_features;
  EXPECT_EQ(filled.active(kLeaf7, kEbx), 0xf1af0308U);
  EXPECT_EQ(filled.word(at.preferred), (0x82f9U | 1U << 11) & ~(1U << 9));
  EXPECT_EQ(filled.quad(at.xsave_state_size), 0x2b40U);
  EXPECT_EQ(filled.summary.platform, nullptr);
}

TEST(CpuTunables, WithoutXsaveVectorsGo) {
  const Filled filled(41, recorded_guest().read(), "GLIBC_TUNABLES=glibc.cpu.hwcaps=-OSXSAVE");
  EXPECT_EQ(filled.active(kLeaf7, kEbx) & (1U << 5 | 1U << 16), 0U);
  EXPECT_EQ(filled.active(kLeaf1, kEcx) & (7U << 26), 0U);
  EXPECT_EQ(filled.quad(filled.layout.cpu_features.xsave_state_size), 0U);
}

TEST(CpuFacts, LevelsAndPlatform) {
  EXPECT_EQ(arch::isa_levels(recorded_guest().read()), 15U);
  EXPECT_EQ(arch::isa_levels(recorded_epyc().read()), 7U);
  EXPECT_STREQ(arch::platform_token(recorded_guest().read()), "haswell");
  EXPECT_EQ(arch::platform_token(recorded_epyc().read()), nullptr);
  Machine no_avx_state = recorded_guest();
  no_avx_state.xcr0 = 3;
  EXPECT_EQ(arch::isa_levels(no_avx_state.read()), 3U);
  EXPECT_EQ(arch::isa_levels(CpuFacts{}), 0U);
}

TEST(CpuFacts, SizeOfTheVectorState) {
  const arch::VectorState guest = arch::vector_state(recorded_guest().read());
  EXPECT_EQ(guest.saver, arch::StateSaver::kXsavec);
  EXPECT_EQ(guest.mask, 0xe6U);
  EXPECT_EQ(guest.bytes, 2432U);
  Machine without_xsavec = recorded_guest();
  without_xsavec.leaves[{13, 1}].eax = 1;
  const arch::VectorState standard = arch::vector_state(without_xsavec.read());
  EXPECT_EQ(standard.saver, arch::StateSaver::kXsave);
  EXPECT_EQ(standard.bytes, 2688U);
  EXPECT_EQ(arch::vector_state(recorded_epyc().read()).bytes, 832U);
  without_xsavec.leaves[{0, 0}] = kAmdVendor;
  EXPECT_EQ(arch::vector_state(without_xsavec.read()).bytes, 2688U) << "Intel's layout, named AMD";
  EXPECT_EQ(arch::vector_state(CpuFacts{}).saver, arch::StateSaver::kFxsave);
}

TEST(CpuFacts, ReadsFewLeaves) {
  Machine epyc = recorded_epyc();
  EXPECT_EQ(epyc.read().cpuid_count, 8);
  EXPECT_EQ(epyc.reads, 8U);
  Machine guest = recorded_guest();
  guest.read();
  EXPECT_EQ(guest.reads, 10U);
  Machine emulated = emulated_haswell();
  EXPECT_TRUE(emulated.read().has_leaf_2);
  EXPECT_EQ(emulated.reads, 10U) << "leaf 2 in place of leaf 7.1";
  Machine metal = recorded_guest();
  metal.leaves[{1, 0}].ecx &= ~(1U << 31);
  metal.leaves[{11, 1}] = {0, 64, 0x201, 0};
  const CpuFacts metal_facts = metal.read();
  EXPECT_EQ(metal.reads, 12U);
  EXPECT_EQ(metal_facts.threads_per_package, 64U);
  EXPECT_FALSE(metal_facts.has_leaf_2);
}

// Values of the real loaders' --list-diagnostics on these processors.
TEST(CpuCaches, DescriptorsContradictLeaf4) {
  const CpuFacts facts = emulated_haswell().read();
  for (const int minor : {36, 41, 43}) {
    const Filled filled(minor, facts);
    const CpuFeatures& at = filled.layout.cpu_features;
    EXPECT_EQ(filled.quad(at.level1_icache_linesize), 64U);
    EXPECT_EQ(filled.quad(at.level1_dcache_size), 0x8000U);
    EXPECT_EQ(filled.quad(at.level2_cache_size), 0x200000U);
    EXPECT_EQ(filled.quad(at.level2_cache_assoc), 8U);
    EXPECT_EQ(filled.quad(at.level3_cache_size), 0x1000000U);
    EXPECT_EQ(filled.quad(at.level4_cache_size), 0U);
    EXPECT_EQ(filled.quad(at.shared_cache_size), 0x1000000U);
  }
}

TEST(CpuCaches, OldProcessorsAreKnownByDescriptors) {
  Machine conroe;
  conroe.leaves = {
      {{0, 0}, {10, 0x756e6547, 0x6c65746e, 0x49656e69}},
      {{1, 0}, {0x6fb, 0x20800, 0xe3fd, 0xbfebfbff}},
      {{2, 0}, {0x05b0b101, 0x005657f0, 0, 0x2cb43049}},
      {{4, 0}, {0x04000121, 0x01c0003f, 0x3f, 1}},
      {{0x80000001, 0}, {0, 0, 1, 0x20100800}},
  };
  const Filled filled(36, conroe.read());
  const CpuFeatures& at = filled.layout.cpu_features;
  EXPECT_EQ(filled.quad(at.level1_icache_size), 0x8000U);
  EXPECT_EQ(filled.quad(at.level2_cache_size), 0x400000U);
  EXPECT_EQ(filled.quad(at.level2_cache_assoc), 16U);
  EXPECT_EQ(filled.quad(at.level3_cache_size), 0U);
  EXPECT_EQ(filled.quad(at.shared_cache_size), 0x400000U);
  EXPECT_EQ(filled.quad(at.non_temporal_threshold), 0x180000U);
}

TEST(CpuCaches, DescriptorsAreReadInOrder) {
  const auto source = [](CpuidLeaf leaf, CacheKind kind) {
    CpuFacts facts;
    facts.leaf_2 = leaf;
    return described_cache(facts, kind).source;
  };
  EXPECT_EQ(source({1, 0, 0, 0x7d}, CacheKind::kL2), CacheSource::kDescriptor);
  EXPECT_EQ(source({1, 0, 0, 0x7d}, CacheKind::kL3), CacheSource::kNone);
  EXPECT_EQ(source({1, 0, 0x8000007d, 0}, CacheKind::kL2), CacheSource::kNone);
  EXPECT_EQ(source({0x7d, 0, 0, 0}, CacheKind::kL2), CacheSource::kNone) << "a count";
  EXPECT_EQ(source({1, 0xff, 0, 0x7d}, CacheKind::kL2), CacheSource::kLeaf4);
  EXPECT_EQ(source({1, 0x7d, 0xff, 0}, CacheKind::kL2), CacheSource::kDescriptor);
  EXPECT_EQ(source({1, 0x7d, 0xff, 0}, CacheKind::kL4), CacheSource::kLeaf4);
  EXPECT_EQ(source({1, 0x40, 0, 0}, CacheKind::kL3), CacheSource::kUnknown);
  EXPECT_EQ(source({1, 0x40, 0, 0}, CacheKind::kL1Data), CacheSource::kNone);
}

TEST(CpuCaches, AFourthLevelOutsideGuests) {
  Machine metal = recorded_guest();
  metal.leaves[{4, 4}] = cache_leaf(3, 4, 15, 16, 131072);
  const Filled guest(36, metal.read());
  EXPECT_EQ(guest.quad(guest.layout.cpu_features.level4_cache_size), ~0UL);
  metal.leaves[{1, 0}].ecx &= ~(1U << 31);
  const Filled filled(36, metal.read());
  EXPECT_EQ(filled.quad(filled.layout.cpu_features.level4_cache_size), 128U << 20);
}

TEST(CpuFeatures, OfAnUnknownVendorNothingIsBelieved) {
  Machine machine = recorded_guest();
  machine.leaves[{0, 0}].ebx = 0x78787878;
  const CpuFacts facts = machine.read();
  EXPECT_EQ(arch::isa_levels(facts), 0U);
  const Filled filled(36, facts);
  EXPECT_EQ(filled.word(filled.layout.cpu_features.isa_1), 0U);
}

TEST(CpuFeatures, ZhaoxinHasNoStepping) {
  Machine machine = recorded_guest();
  machine.leaves[{0, 0}] = {0x20, 0x68532020, 0x20206961, 0x68676e61};
  machine.leaves[{1, 0}].eax = 0x507b3;
  const Filled filled(43, machine.read());
  const CpuFeatures& at = filled.layout.cpu_features;
  EXPECT_EQ(filled.word(at.model), 0x5bU);
  EXPECT_EQ(filled.word(at.stepping), 0U);
}

TEST(CpuFeatures, SizesOfTheProcessorItselfCount) {
  CpuFacts facts = recorded_guest().read();
  facts.leaf_d_0 = {0xff, 0xa88, 0xa88, 0};  // bound registers are there, not enabled
  const Filled filled(36, facts);
  const CpuFeatures& at = filled.layout.cpu_features;
  EXPECT_EQ(filled.word(at.xsave_state_full_size), 0xb00U);
  EXPECT_EQ(filled.quad(at.xsave_state_size), 0xa00U);
}

TEST(CpuFacts, NeverExceedsTheLimitNorTripsOverNonsense) {
  std::mt19937 engine(7);
  const auto random = [&engine] { return static_cast<uint32_t>(engine()); };
  for (int round = 0; round < 20000; ++round) {
    Machine machine;
    for (const uint32_t leaf : {0U, 1U, 2U, 7U, 4U, 11U, 13U, 0x80000001U, 0x80000005U, 0x80000006U,
                                0x80000008U, 0x8000001dU}) {
      for (uint32_t subleaf = 0; subleaf < 5; ++subleaf) {
        if (random() % 4 == 0) continue;
        machine.leaves[{leaf, subleaf}] = {random(), random(), random(), random()};
      }
    }
    CpuidLeaf vendor = round % 2 == 0 ? kIntelVendor : kAmdVendor;
    if (round % 7 == 0) vendor.ebx = random();
    vendor.eax = random() % 0x30;
    machine.leaves[{0, 0}] = vendor;
    machine.xcr0 = random();
    const CpuFacts facts = machine.read();
    const bool guest = (facts.leaf_1.ecx >> 31) != 0;
    ASSERT_LE(machine.reads, guest ? arch::kMaxCpuidOfGuest : arch::kMaxCpuid);
    for (const int minor : {36, 41, 43}) {
      const Filled filled(minor, facts);
      const CpuFeatures& at = filled.layout.cpu_features;
      ASSERT_GE(filled.quad(at.non_temporal_threshold), Thresholds::kNonTemporalMinimum);
      ASSERT_LE(filled.quad(at.non_temporal_threshold), Thresholds::kNonTemporalMaximum);
      ASSERT_GE(filled.quad(at.rep_movsb_threshold), 2048U);
    }
  }
}

// ---- the judge: the installed loader

std::map<std::string, std::string> diagnostics() {
  std::map<std::string, std::string> result;
  FILE* pipe =
      popen("env -u GLIBC_TUNABLES /lib64/ld-linux-x86-64.so.2 --list-diagnostics 2>&1", "r");
  if (pipe == nullptr) return result;
  char line[512];
  while (fgets(line, sizeof line, pipe) != nullptr) {
    const std::string text = line;
    const size_t sign = text.find('=');
    if (sign != std::string::npos && text.back() == '\n')
      result[text.substr(0, sign)] = text.substr(sign + 1, text.size() - sign - 2);
  }
  pclose(pipe);
  return result;
}

TEST(CpuFeatures, WordsThatLibcReadsEqualTheInstalledLoaders) {
  const auto lines = diagnostics();
  const auto version = lines.find("version.version");
  int minor = 0;
  if (version != lines.end()) std::sscanf(version->second.c_str(), "\"2.%d", &minor);
  if (find_layout(minor) == nullptr || lines.count("x86.cpu_features.isa_1") == 0)
    GTEST_SKIP() << "no served glibc loader is installed";
  const Filled filled(minor, arch::read_cpu_facts(), nullptr, getauxval(AT_HWCAP2));
  const auto expect = [&](const std::string& name, uint64_t value) {
    const auto line = lines.find("x86.cpu_features." + name);
    ASSERT_NE(line, lines.end()) << name;
    EXPECT_EQ(std::stoull(line->second, nullptr, 16), value) << name;
  };
  const CpuFeatures& at = filled.layout.cpu_features;
  expect("basic.kind", filled.word(at.kind));
  expect("basic.model", filled.word(at.model));
  expect("isa_1", filled.word(at.isa_1));
  const auto hex = [](size_t digit) { return "[0x" + std::to_string(digit) + "]"; };
  for (const FeatureEntry entry : {kLeaf1, kLeaf7, kLeaf80000001, kLeafD1, kLeaf71})
    for (const FeatureRegister reg : {kEax, kEbx, kEcx, kEdx})
      expect("features" + hex(entry) + ".active" + hex(reg), filled.active(entry, reg));
  const std::pair<const char*, uint16_t> kQuads[] = {
      {"data_cache_size", at.data_cache_size},
      {"shared_cache_size", at.shared_cache_size},
      {"non_temporal_threshold", at.non_temporal_threshold},
      {"rep_movsb_threshold", at.rep_movsb_threshold},
      {"rep_movsb_stop_threshold", at.rep_movsb_stop_threshold},
      {"rep_stosb_threshold", at.rep_stosb_threshold},
      {"level1_icache_size", at.level1_icache_size},
      {"level1_icache_linesize", at.level1_icache_linesize},
      {"level1_dcache_size", at.level1_dcache_size},
      {"level1_dcache_assoc", at.level1_dcache_assoc},
      {"level1_dcache_linesize", at.level1_dcache_linesize},
      {"level2_cache_size", at.level2_cache_size},
      {"level2_cache_assoc", at.level2_cache_assoc},
      {"level2_cache_linesize", at.level2_cache_linesize},
      {"level3_cache_size", at.level3_cache_size},
      {"level3_cache_assoc", at.level3_cache_assoc},
      {"level3_cache_linesize", at.level3_cache_linesize},
      {"level4_cache_size", at.level4_cache_size}};
  for (const auto& [name, offset] : kQuads) expect(name, filled.quad(offset));
}

}  // namespace
}  // namespace prelude::glibc
