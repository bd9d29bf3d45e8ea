// What of the layouts belongs to x86-64 alone: struct cpu_features, and how releases fill it;
// sizes; names that depend on the machine. tools/gen-glibc-layouts reads the field lists: one field
// a line.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::glibc {

inline constexpr uint16_t kAbsent = 0xffff;

/// The version that libc's and our oldest symbols have.
inline constexpr const char* kBaseVersion = "GLIBC_2.2.5";

// In the order in which glibc looks for them; null: it does not.
inline constexpr const char* kVdsoVersion = "LINUX_2.6";
inline constexpr const char* kVdsoClockGettime = "__vdso_clock_gettime";
inline constexpr const char* kVdsoGettimeofday = "__vdso_gettimeofday";
inline constexpr const char* kVdsoTime = "__vdso_time";
inline constexpr const char* kVdsoGetcpu = "__vdso_getcpu";
inline constexpr const char* kVdsoClockGetres = "__vdso_clock_getres";
inline constexpr const char* kVdsoGetrandom = "__vdso_getrandom";

inline constexpr uint32_t kRseqSignature = 0x53053053;
inline constexpr uint16_t kMutexSize = 40;

// Buffers that hold any release's structure (checked in layout.cpp).
inline constexpr size_t kMaxRtldGlobalSize = 4352;
inline constexpr size_t kMaxRtldGlobalRoSize = 976;
inline constexpr size_t kMaxLinkMapSize = 1216;
inline constexpr size_t kMaxPthreadSize = 2368;
/// Whether libc expects addresses in a writable dynamic section to have the bias.
inline constexpr bool kAddressesInDynamic = true;
/// Bytes between struct pthread and a thread pointer behind it.
inline constexpr size_t kBehindPthread = 0;

struct CpuFeatures {  // embedded in _rtld_global_ro at dl_cpu_features
  uint16_t size = kAbsent;
  uint16_t kind = kAbsent;
  uint16_t max_cpuid = kAbsent;
  uint16_t family = kAbsent;
  uint16_t model = kAbsent;
  uint16_t stepping = kAbsent;
  uint16_t features = kAbsent;        ///< entries of {cpuid[4], active[4]}, 32 bytes each
  uint16_t features_count = kAbsent;  ///< number of entries, not an offset
  uint16_t preferred = kAbsent;
  uint16_t isa_1 = kAbsent;
  uint16_t xsave_state_size = kAbsent;
  uint16_t xsave_state_full_size = kAbsent;
  uint16_t data_cache_size = kAbsent;
  uint16_t shared_cache_size = kAbsent;
  uint16_t non_temporal_threshold = kAbsent;
  uint16_t memset_non_temporal_threshold = kAbsent;
  uint16_t rep_movsb_threshold = kAbsent;
  uint16_t rep_movsb_stop_threshold = kAbsent;
  uint16_t rep_stosb_threshold = kAbsent;
  uint16_t level1_icache_size = kAbsent;
  uint16_t level1_icache_linesize = kAbsent;
  uint16_t level1_dcache_size = kAbsent;
  uint16_t level1_dcache_assoc = kAbsent;
  uint16_t level1_dcache_linesize = kAbsent;
  uint16_t level2_cache_size = kAbsent;
  uint16_t level2_cache_assoc = kAbsent;
  uint16_t level2_cache_linesize = kAbsent;
  uint16_t level3_cache_size = kAbsent;
  uint16_t level3_cache_assoc = kAbsent;
  uint16_t level3_cache_linesize = kAbsent;
  uint16_t level4_cache_size = kAbsent;
  uint16_t cachesize_non_temporal_divisor = kAbsent;
};

/// How this release fills struct cpu_features from the processor's answers.
struct CpuRules {
  // enum cpu_features_kind
  int32_t kind_intel = 0;
  int32_t kind_amd = 0;
  int32_t kind_zhaoxin = 0;
  int32_t kind_hygon = 0;
  int32_t kind_other = 0;
  bool newer_features = false;        ///< AVX-IFMA, AMX-FP16, APX and their time are reported
  bool fsgsbase_from_hwcap2 = false;  ///< AT_HWCAP2 bit 1 makes FSGSBASE active
  bool amd_topology_caches = false;   ///< AMD's L3 from leaf 0x8000001D, not 0x80000006
  bool amd_prefers_vectors = false;   ///< AMD: rep movsb and rep stosb are left alone
  bool tuned_by_model = false;        ///< share of the cache for cached copies depends on the model
  bool default_non_temporal = false;  ///< 64 MiB where no cache is known, not the minimum
  bool tuned_hygon = false;
  bool tuned_newer_hygon = false;      ///< 2.44: model 8; copies bypass the caches earlier
  bool stosb_until_streaming = false;  ///< 2.44: not where memset bypasses the caches
  bool apx_state = false;              ///< APX registers belong to the saved state
  uint16_t register_area = kAbsent;    ///< bytes for integer registers in xsave_state_size
  // Bit numbers in `preferred`; the first ten are alike everywhere.
  uint16_t prefer_map_32bit_exec = kAbsent;
  uint16_t prefer_no_vzeroupper = kAbsent;
  uint16_t prefer_erms = kAbsent;
  uint16_t prefer_no_avx512 = kAbsent;
  uint16_t mathvec_prefer_no_avx512 = kAbsent;
  uint16_t prefer_fsrm = kAbsent;
  uint16_t avoid_short_distance_rep_movsb = kAbsent;
  uint16_t avoid_non_temporal_memset = kAbsent;
  uint16_t avoid_stosb = kAbsent;
  uint16_t prefer_evex512 = kAbsent;
};

}  // namespace prelude::glibc
