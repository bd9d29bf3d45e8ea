// What machines share whose kernel interface began with the generic one (kernel
// include/uapi/asm-generic): aarch64, riscv64.
#pragma once

#include <cstdint>

namespace prelude::arch {

/// Kernel call numbers used by sys/ (unistd.h).
enum class SyscallNumber : long {
  kGetcwd = 17,
  kFcntl = 25,
  kOpenat = 56,
  kClose = 57,
  kRead = 63,
  kWrite = 64,
  kPread64 = 67,
  kReadlinkat = 78,
  kNewfstatat = 79,
  kFstat = 80,
  kExitGroup = 94,
  kSetTidAddress = 96,
  kFutex = 98,
  kSetRobustList = 99,
  kClockGettime = 113,
  kSchedSetaffinity = 122,
  kSchedGetaffinity = 123,
  kSchedYield = 124,
  kUname = 160,
  kPrctl = 167,
  kGetcpu = 168,
  kGetpid = 172,
  kGettid = 178,
  kBrk = 214,
  kMunmap = 215,
  kMremap = 216,
  kClone = 220,
  kExecve = 221,
  kMmap = 222,
  kMprotect = 226,
  kWait4 = 260,
  kPrlimit64 = 261,
  kMemfdCreate = 279,
  kRseq = 293,
  kMseal = 462,
};

/// The kernel's struct stat (stat.h).
struct KernelStat {
  uint64_t device, inode;
  uint32_t mode, links, owner, group;
  uint64_t special_device, padding;
  int64_t size;
  int32_t block_size, padding_2;
  int64_t blocks;
  int64_t atime_s, atime_ns, mtime_s, mtime_ns, ctime_s, ctime_ns;
  int32_t unused[2];
};
static_assert(sizeof(KernelStat) == 128);

/// There is no flag of mmap for low addresses.
inline constexpr int kMapLow = 0;

}  // namespace prelude::arch
