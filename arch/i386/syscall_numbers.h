// Kernel call numbers used by sys/ (kernel arch/x86/entry/syscalls/syscall_32.tbl). Where a call
// has an older form with narrower numbers, the newer one is meant.
#pragma once

namespace prelude::arch {

enum class SyscallNumber : long {
  kRead = 3,
  kWrite = 4,
  kClose = 6,
  kExecve = 11,
  kGetpid = 20,
  kBrk = 45,
  kMunmap = 91,
  kWait4 = 114,
  kClone = 120,
  kUname = 122,
  kMprotect = 125,
  kSchedYield = 158,
  kMremap = 163,
  kPrctl = 172,
  kPread64 = 180,
  kGetcwd = 183,
  kMmap = 192,   // mmap2
  kFstat = 197,  // fstat64
  kFcntl = 221,  // fcntl64
  kGettid = 224,
  kFutex = 240,
  kSchedSetaffinity = 241,
  kSchedGetaffinity = 242,
  kSetThreadArea = 243,
  kExitGroup = 252,
  kSetTidAddress = 258,
  kOpenat = 295,
  kNewfstatat = 300,  // fstatat64
  kReadlinkat = 305,
  kSetRobustList = 311,
  kGetcpu = 318,
  kPrlimit64 = 340,
  kMemfdCreate = 356,
  kRseq = 386,
  kClockGettime = 403,  // clock_gettime64, Linux 5.1
  kMseal = 462,
};

}  // namespace prelude::arch
