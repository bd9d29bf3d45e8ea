// What of the layouts belongs to riscv64 alone: sizes, and names that depend on the machine.
// tools/gen-glibc-layouts reads the field lists: one field a line.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::glibc {

inline constexpr uint16_t kAbsent = 0xffff;

/// The version that libc's and our oldest symbols have.
inline constexpr const char* kBaseVersion = "GLIBC_2.27";

// In the order in which glibc looks for them; null: it does not.
inline constexpr const char* kVdsoVersion = "LINUX_4.15";
inline constexpr const char* kVdsoClockGettime = "__vdso_clock_gettime";
inline constexpr const char* kVdsoGettimeofday = "__vdso_gettimeofday";
inline constexpr const char* kVdsoTime = nullptr;
inline constexpr const char* kVdsoGetcpu = "__vdso_getcpu";
inline constexpr const char* kVdsoClockGetres = "__vdso_clock_getres";
inline constexpr const char* kVdsoGetrandom = "__vdso_getrandom";

inline constexpr uint32_t kRseqSignature = 0xf1401073;
inline constexpr uint16_t kMutexSize = 40;

// Buffers that hold any release's structure (checked in layout.cpp).
inline constexpr size_t kMaxRtldGlobalSize = 2880;
inline constexpr size_t kMaxRtldGlobalRoSize = 384;
inline constexpr size_t kMaxLinkMapSize = 1152;
inline constexpr size_t kMaxPthreadSize = 1824;
/// Whether libc expects addresses in a writable dynamic section to have the bias.
inline constexpr bool kAddressesInDynamic = false;
/// Bytes between struct pthread and a thread pointer behind it.
inline constexpr size_t kBehindPthread = 32;  // two words, at the alignment of the structure

/// The loader keeps no facts about the processor for libc, whose resolvers ask the kernel.
struct CpuFeatures {
  size_t size = 0;
};
struct CpuRules {};

}  // namespace prelude::glibc
