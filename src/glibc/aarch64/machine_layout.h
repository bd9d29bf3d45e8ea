// What of the layouts belongs to aarch64 alone: struct cpu_features, sizes, names that depend on
// the machine. tools/gen-glibc-layouts reads the field lists: one field a line.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::glibc {

inline constexpr uint16_t kAbsent = 0xffff;

/// The version that libc's and our oldest symbols have.
inline constexpr const char* kBaseVersion = "GLIBC_2.17";

// In the order in which glibc looks for them; null: it does not.
inline constexpr const char* kVdsoVersion = "LINUX_2.6.39";
inline constexpr const char* kVdsoClockGettime = "__kernel_clock_gettime";
inline constexpr const char* kVdsoGettimeofday = "__kernel_gettimeofday";
inline constexpr const char* kVdsoTime = nullptr;
inline constexpr const char* kVdsoGetcpu = nullptr;
inline constexpr const char* kVdsoClockGetres = "__kernel_clock_getres";
inline constexpr const char* kVdsoGetrandom = "__kernel_getrandom";

inline constexpr uint32_t kRseqSignature = 0xd428bc00;
inline constexpr uint16_t kMutexSize = 48;

// Buffers that hold any release's structure (checked in layout.cpp).
inline constexpr size_t kMaxRtldGlobalSize = 4544;
inline constexpr size_t kMaxRtldGlobalRoSize = 704;
inline constexpr size_t kMaxLinkMapSize = 1232;
inline constexpr size_t kMaxPthreadSize = 1856;
/// Whether libc expects addresses in a writable dynamic section to have the bias.
inline constexpr bool kAddressesInDynamic = true;
/// Bytes between struct pthread and a thread pointer behind it.
inline constexpr size_t kBehindPthread = 0;

struct CpuFeatures {  // embedded in _rtld_global_ro at dl_cpu_features
  uint16_t size = kAbsent;
  uint16_t midr_el1 = kAbsent;
  uint16_t zva_size = kAbsent;
  uint16_t bti = kAbsent;
  uint16_t mte_state = kAbsent;
  uint16_t sve = kAbsent;
  uint16_t prefer_sve_ifuncs = kAbsent;
  uint16_t mops = kAbsent;
};

/// Nothing about them differs between releases.
struct CpuRules {};

}  // namespace prelude::glibc
