// Kernel call numbers used by sys/ (kernel include/uapi/asm-generic/unistd.h).
#pragma once

namespace prelude::arch {

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

}  // namespace prelude::arch
