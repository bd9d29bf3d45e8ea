// The tunable glibc.cpu.hwcaps: names of features, each to be hidden ("-AVX2") or, for some
// preferences, set. Unknown names are ignored, as glibc does.
#include "cpu_features.h"

namespace prelude::glibc {
namespace {

using Need = PreferenceName::Need;

struct CpuName {
  char name[9];
  FeatureEntry entry;
  FeatureRegister reg;
  uint8_t bit;
};

// These can only be hidden; but see SHSTK below.
constexpr CpuName kCpuNames[] = {
    {"AVX", kLeaf1, kEcx, 28},      {"CX8", kLeaf1, kEdx, 8},
    {"FMA", kLeaf1, kEcx, 12},      {"HTT", kLeaf1, kEdx, 28},
    {"IBT", kLeaf7, kEdx, 20},      {"RTM", kLeaf7, kEbx, 11},
    {"AVX2", kLeaf7, kEbx, 5},      {"BMI1", kLeaf7, kEbx, 3},
    {"BMI2", kLeaf7, kEbx, 8},      {"CMOV", kLeaf1, kEdx, 15},
    {"ERMS", kLeaf7, kEbx, 9},      {"FMA4", kLeaf80000001, kEcx, 16},
    {"SSE2", kLeaf1, kEdx, 26},     {"LZCNT", kLeaf80000001, kEcx, 5},
    {"MOVBE", kLeaf1, kEcx, 22},    {"SHSTK", kLeaf7, kEcx, 7},
    {"SSSE3", kLeaf1, kEcx, 9},     {"XSAVE", kLeaf1, kEcx, 26},
    {"POPCNT", kLeaf1, kEcx, 23},   {"SSE4_1", kLeaf1, kEcx, 19},
    {"SSE4_2", kLeaf1, kEcx, 20},   {"XSAVEC", kLeafD1, kEax, 1},
    {"AVX512F", kLeaf7, kEbx, 16},  {"OSXSAVE", kLeaf1, kEcx, 27},
    {"AVX512CD", kLeaf7, kEbx, 28}, {"AVX512BW", kLeaf7, kEbx, 30},
    {"AVX512DQ", kLeaf7, kEbx, 17}, {"AVX512ER", kLeaf7, kEbx, 27},
    {"AVX512PF", kLeaf7, kEbx, 26}, {"AVX512VL", kLeaf7, kEbx, 31},
};

constexpr PreferenceName kPreferenceNames[] = {
    {"Fast_Rep_String", kFastRepString, nullptr, Need::kNothing},
    {"Fast_Copy_Backward", kFastCopyBackward, nullptr, Need::kNothing},
    {"Slow_BSF", kSlowBsf, nullptr, Need::kNothing},
    {"Fast_Unaligned_Load", kFastUnalignedLoad, nullptr, Need::kNothing},
    {"Prefer_PMINUB_for_stringop", kPreferPminub, nullptr, Need::kSse2},
    {"Fast_Unaligned_Copy", kFastUnalignedCopy, nullptr, Need::kNothing},
    {"I586", kI586, nullptr, Need::kNever},
    {"I686", kI686, nullptr, Need::kNever},
    {"Slow_SSE4_2", kSlowSse42, nullptr, Need::kSse42},
    {"AVX_Fast_Unaligned_Load", kAvxFastUnalignedLoad, nullptr, Need::kAvx},
    {"Prefer_MAP_32BIT_EXEC", 0, &CpuRules::prefer_map_32bit_exec, Need::kNoTunable},
    {"Prefer_No_VZEROUPPER", 0, &CpuRules::prefer_no_vzeroupper, Need::kAvx},
    {"Prefer_ERMS", 0, &CpuRules::prefer_erms, Need::kNothing},
    {"Prefer_No_AVX512", 0, &CpuRules::prefer_no_avx512, Need::kAvx512},
    {"MathVec_Prefer_No_AVX512", 0, &CpuRules::mathvec_prefer_no_avx512, Need::kAvx512},
    {"Prefer_FSRM", 0, &CpuRules::prefer_fsrm, Need::kNothing},
    {"Avoid_Short_Distance_REP_MOVSB", 0, &CpuRules::avoid_short_distance_rep_movsb,
     Need::kNoTunable},
    {"Avoid_Non_Temporal_Memset", 0, &CpuRules::avoid_non_temporal_memset, Need::kNothing},
    {"Avoid_STOSB", 0, &CpuRules::avoid_stosb, Need::kNothing},
    {"Prefer_EVEX512", 0, &CpuRules::prefer_evex512, Need::kAvx512},
};

bool met(Need need, const FeatureWords& words) {
  switch (need) {
    case Need::kNothing:
      return true;
    case Need::kNever:
    case Need::kNoTunable:
      return false;
    case Need::kAvx:
      return words.active(kLeaf1, kEcx, 28);
    case Need::kAvx512:
      return words.active(kLeaf7, kEbx, 16);
    case Need::kSse2:
      return words.active(kLeaf1, kEdx, 26);
    case Need::kSse42:
      return words.active(kLeaf1, kEcx, 20);
  }
  return false;
}

template <size_t kSize>
bool named(const char (&name)[kSize], std::string_view wanted) {
  size_t length = 0;
  while (length < kSize && name[length] != 0) ++length;
  return std::string_view(name, length) == wanted;
}

void hide(const CpuName& feature, FeatureWords& words) {
  const bool xsavec = feature.entry == kLeafD1;
  if (xsavec) words.xsave_size = words.xsave_full_size;
  words.clear(feature.entry, feature.reg, feature.bit);
}

void apply_one(const CpuRules& rules, std::string_view name, bool off, FeatureWords& words) {
  for (const CpuName& feature : kCpuNames) {
    if (!named(feature.name, name)) continue;
    if (off) hide(feature, words);
    // Since the time of tuned models the shadow stack may also be switched on.
    const bool shadow_stack = feature.entry == kLeaf7 && feature.reg == kEcx;
    if (!off && shadow_stack && rules.newer_features && words.has(kLeaf7, kEcx, feature.bit))
      words.set(kLeaf7, kEcx, feature.bit);
    return;
  }
  for (const PreferenceName& preference : kPreferenceNames) {
    if (preference.need == Need::kNoTunable || !named(preference.name, name)) continue;
    if (off || met(preference.need, words)) words.prefer(preference.bit_of(rules), !off);
    return;
  }
}

}  // namespace

std::span<const PreferenceName> preference_names() { return kPreferenceNames; }

void apply_hwcaps_tunable(const CpuRules& rules, std::string_view list, FeatureWords& words) {
  size_t at = 0;
  while (at < list.size()) {
    size_t end = at;
    while (end < list.size() && list[end] != ',') ++end;
    const bool off = list[at] == '-';
    const size_t start = at + (off ? 1 : 0);
    apply_one(rules, {list.data() + start, end - start}, off, words);
    at = end + 1;
  }
}

}  // namespace prelude::glibc
