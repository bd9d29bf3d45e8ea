// Kernel call numbers used by sys/ (kernel arch/x86/entry/syscalls/syscall_64.tbl).
#pragma once

namespace prelude::arch {

enum class SyscallNumber : long {
  kRead = 0,
  kWrite = 1,
  kClose = 3,
  kFstat = 5,
  kMmap = 9,
  kMprotect = 10,
  kMunmap = 11,
  kBrk = 12,
  kPread64 = 17,
  kSchedYield = 24,
  kMremap = 25,
  kGetpid = 39,
  kClone = 56,
  kExecve = 59,
  kWait4 = 61,
  kUname = 63,
  kFcntl = 72,
  kGetcwd = 79,
  kPrctl = 157,
  kArchPrctl = 158,
  kGettid = 186,
  kFutex = 202,
  kSchedSetaffinity = 203,
  kSchedGetaffinity = 204,
  kSetTidAddress = 218,
  kClockGettime = 228,
  kExitGroup = 231,
  kOpenat = 257,
  kNewfstatat = 262,
  kReadlinkat = 267,
  kSetRobustList = 273,
  kPrlimit64 = 302,
  kGetcpu = 309,
  kMemfdCreate = 319,
  kRseq = 334,
  kMseal = 462,
};

}  // namespace prelude::arch
