// What of the layouts belongs to i386 alone: struct cpu_features, sizes, names that depend on the
// machine. tools/gen-glibc-layouts reads the field lists: one field a line.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::glibc {

inline constexpr uint16_t kAbsent = 0xffff;

/// The version that libc's and our oldest symbols have.
inline constexpr const char* kBaseVersion = "GLIBC_2.0";

// In the order in which glibc looks for them; null: it does not. The clock is asked for 64-bit
// times.
inline constexpr const char* kVdsoVersion = "LINUX_2.6";
inline constexpr const char* kVdsoClockGettime = "__vdso_clock_gettime64";
inline constexpr const char* kVdsoGettimeofday = "__vdso_gettimeofday";
inline constexpr const char* kVdsoTime = "__vdso_time";
inline constexpr const char* kVdsoGetcpu = nullptr;
inline constexpr const char* kVdsoClockGetres = "__vdso_clock_getres";
inline constexpr const char* kVdsoGetrandom = nullptr;

inline constexpr uint32_t kRseqSignature = 0x53053053;
inline constexpr uint16_t kMutexSize = 24;

// Buffers that hold any release's structure (checked in layout.cpp).
inline constexpr size_t kMaxRtldGlobalSize = 2368;
inline constexpr size_t kMaxRtldGlobalRoSize = 928;
inline constexpr size_t kMaxLinkMapSize = 640;
inline constexpr size_t kMaxPthreadSize = 1216;
/// Bytes between struct pthread and a thread pointer behind it.
inline constexpr size_t kBehindPthread = 0;

/// Whether libc expects addresses in a writable dynamic section to have the bias.
inline constexpr bool kAddressesInDynamic = true;

struct CpuFeatures {  // embedded in _rtld_global_ro at dl_cpu_features
  uint16_t size = kAbsent;
  uint16_t kind = kAbsent;
  uint16_t data_cache_size = kAbsent;
  uint16_t shared_cache_size = kAbsent;
  uint16_t non_temporal_threshold = kAbsent;
  uint16_t rep_movsb_threshold = kAbsent;
  uint16_t rep_movsb_stop_threshold = kAbsent;
  uint16_t rep_stosb_threshold = kAbsent;
};

/// How this release fills struct cpu_features.
struct CpuRules {
  int32_t kind_other = 0;  ///< of enum cpu_features_kind
};

}  // namespace prelude::glibc
