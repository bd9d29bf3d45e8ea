// The real definition of sys.h. Calls that exist on every Linux machine are preferred (openat
// rather than open), so that this file needs nothing per machine. Numbers: kernel include/uapi.
#include <arch/syscall.h>
#include <prelude/sys/sys.h>

namespace prelude::sys {
namespace {

using arch::SyscallNumber;

constexpr int kReadOnly = 0, kWriteOnly = 1;
constexpr int kCreate = 0100, kTruncate = 01000, kAppend = 02000, kNonBlock = 04000,
              kCloseOnExec = 02000000;
constexpr int kAtCurrentDirectory = -100;
constexpr int kMapPrivate = 2, kMapFixed = 0x10, kMapAnonymous = 0x20, kMapPopulate = 0x8000,
              kMapFixedNoReplace = 0x100000;
constexpr int kFutexWaitPrivate = 128, kFutexWakePrivate = 129;
constexpr int kClockMonotonic = 1;
constexpr long kLargestError = 4095;

/// Whether the kernel takes an offset in a file as one argument.
constexpr bool kLongOffsets = sizeof(long) == sizeof(uint64_t);

constexpr bool failed(long result) { return result < 0 && result >= -kLargestError; }
constexpr Errno error_of(long result) { return Errno{static_cast<int32_t>(-result)}; }

template <typename T>
Ret<T> number(long result) {
  if (failed(result)) return error_of(result);
  return static_cast<T>(result);
}
Ret<Done> done(long result) {
  if (failed(result)) return error_of(result);
  return Done{};
}
Ret<void*> address(long result) {
  if (failed(result)) return error_of(result);
  return reinterpret_cast<void*>(result);
}

// Bounded: a kernel that answers EINTR for ever must not hang a start-up, which makes many calls.
template <typename Call>
long retry(Call call) {
  constexpr int kTries = 50;
  long result = 0;
  for (int i = 0; i < kTries; ++i) {
    result = call();
    if (result != -raw(kEINTR)) break;
  }
  return result;
}

long read_part(int fd, void* to, size_t bytes, uint64_t offset) {
  if constexpr (kLongOffsets) return arch::syscall(SyscallNumber::kPread64, fd, to, bytes, offset);
  const auto low = static_cast<uint32_t>(offset);
  return arch::syscall(SyscallNumber::kPread64, fd, to, bytes, low, offset >> 32);
}

Ret<int> open(const char* path, int flags, int mode = 0) {
  return number<int>(retry([=] {
    return arch::syscall(SyscallNumber::kOpenat, kAtCurrentDirectory, path, flags, mode);
  }));
}

long map(void* at, uint64_t bytes, int prot, int flags, int fd, uint64_t offset) {
  if constexpr (kLongOffsets)
    return arch::syscall(SyscallNumber::kMmap, at, bytes, prot, flags, fd, offset);
  // Where words have 32 bits, the call counts in pages of 4096 bytes.
  constexpr uint64_t kUnit = 4096;
  if (bytes > SIZE_MAX || offset / kUnit > SIZE_MAX) return -raw(kENOMEM);
  return arch::syscall(SyscallNumber::kMmap, at, bytes, prot, flags, fd, offset / kUnit);
}

// For a file of the user's choice. A pipe that nobody reads must not stop a start: opened like this
// it is an error, and what is written later waits for its reader as ever.
Ret<int> open_for_writing(const char* path, int flags) {
  constexpr int kSetFlags = 4;  // F_SETFL
  const auto fd = open(path, kWriteOnly | kCreate | kCloseOnExec | kNonBlock | flags, 0666);
  if (fd) arch::syscall(SyscallNumber::kFcntl, *fd, kSetFlags, flags & kAppend);
  return fd;
}

Ret<FileStatus> file_status(long result, const arch::KernelStat& stat) {
  if (failed(result)) return error_of(result);
  return FileStatus{.device = stat.device,
                    .inode = stat.inode,
                    .size = static_cast<uint64_t>(stat.size),
                    .mode = stat.mode,
                    .owner = stat.owner,
                    .links = stat.links,
                    .special_device = stat.special_device,
                    .mtime_s = stat.mtime_s,
                    .mtime_ns = stat.mtime_ns,
                    .ctime_s = stat.ctime_s,
                    .ctime_ns = stat.ctime_ns};
}

}  // namespace

Ret<int> open_for_reading(const char* path) {
  return open(path, kReadOnly | kCloseOnExec | kNonBlock);
}

Ret<int> open_for_trace(const char* path) {
  return open_for_writing(path, kAppend | arch::kNoFollowFlag);
}

Ret<int> create_file(const char* path) { return open_for_writing(path, kTruncate); }

Ret<int> create_memory_file() {
  constexpr long kCloseOnExecFlag = 1;
  return number<int>(arch::syscall(SyscallNumber::kMemfdCreate, "prelude", kCloseOnExecFlag));
}

Ret<int> open_device(const char* path, bool writable) {
  return open(path, writable ? kWriteOnly : kReadOnly);
}

// Not repeated after EINTR: the descriptor is gone by then (close(2), "Notes").
void close(int fd) { arch::syscall(SyscallNumber::kClose, fd); }

Ret<size_t> read_at(int fd, void* to, size_t bytes, uint64_t offset) {
  auto* out = static_cast<char*>(to);
  size_t total = 0;
  while (total < bytes) {
    const long part =
        retry([=] { return read_part(fd, out + total, bytes - total, offset + total); });
    if (failed(part)) return error_of(part);
    if (part == 0) break;
    total += static_cast<size_t>(part);
  }
  return total;
}

Ret<FileStatus> status(int fd) {
  arch::KernelStat stat;
  return file_status(arch::syscall(SyscallNumber::kFstat, fd, &stat), stat);
}

Ret<FileStatus> status_of(const char* path) {
  arch::KernelStat stat;
  const long result =
      arch::syscall(SyscallNumber::kNewfstatat, kAtCurrentDirectory, path, &stat, 0);
  return file_status(result, stat);
}

Ret<size_t> read_link(const char* path, char* to, size_t capacity) {
  return number<size_t>(
      arch::syscall(SyscallNumber::kReadlinkat, kAtCurrentDirectory, path, to, capacity));
}

Ret<size_t> current_directory(char* to, size_t capacity) {
  const long result = arch::syscall(SyscallNumber::kGetcwd, to, capacity);
  if (failed(result)) return error_of(result);
  // "(unreachable)/..." is what the kernel says of a directory outside the root (getcwd(2)).
  if (result < 2 || to[0] != '/') return kENOENT;
  return static_cast<size_t>(result) - 1;  // the kernel counts the NUL
}

Ret<void*> map_file(void* at, uint64_t bytes, int prot, int fd, uint64_t offset, bool fixed) {
  return address(map(at, bytes, prot, kMapPrivate | (fixed ? kMapFixed : 0), fd, offset));
}

Ret<void*> map_anonymous(void* at, uint64_t bytes, int prot, bool fixed) {
  const int flags = kMapPrivate | kMapAnonymous | (fixed ? kMapFixed : 0);
  return address(map(at, bytes, prot, flags, -1, 0));
}

Ret<void*> map_file_low(uint64_t bytes, int prot, int fd, uint64_t offset) {
  return address(map(nullptr, bytes, prot, kMapPrivate | arch::kMapLow, fd, offset));
}

Ret<void*> map_anonymous_low(uint64_t bytes, int prot) {
  return address(map(nullptr, bytes, prot, kMapPrivate | kMapAnonymous | arch::kMapLow, -1, 0));
}

Ret<void*> map_file_present(void* at, uint64_t bytes, int fd, uint64_t offset) {
  const int flags = kMapPrivate | kMapFixed | kMapPopulate;
  return address(map(at, bytes, kProtRead | kProtWrite, flags, fd, offset));
}

namespace {

// Kernels before 4.17 take the flag for a hint and map elsewhere.
Ret<void*> only_at(void* at, uint64_t bytes, Ret<void*> mapped) {
  if (!mapped || *mapped == at) return mapped;
  arch::syscall(SyscallNumber::kMunmap, *mapped, bytes);
  return kEEXIST;
}

}  // namespace

Ret<void*> map_file_exactly(void* at, uint64_t bytes, int prot, int fd, uint64_t offset) {
  return only_at(at, bytes,
                 address(map(at, bytes, prot, kMapPrivate | kMapFixedNoReplace, fd, offset)));
}

Ret<void*> map_anonymous_exactly(void* at, uint64_t bytes, int prot) {
  return only_at(
      at, bytes,
      address(map(at, bytes, prot, kMapPrivate | kMapAnonymous | kMapFixedNoReplace, -1, 0)));
}

Ret<Done> unmap(void* at, uint64_t bytes) {
  return done(arch::syscall(SyscallNumber::kMunmap, at, bytes));
}

Ret<Done> protect(void* at, uint64_t bytes, int prot) {
  return done(arch::syscall(SyscallNumber::kMprotect, at, bytes, prot));
}

Ret<Done> move_mapping(void* from, uint64_t bytes, void* to) {
  constexpr int kMayMove = 1, kFixed = 2;
  return done(arch::syscall(SyscallNumber::kMremap, from, bytes, bytes, kMayMove | kFixed, to));
}

// The kernel reads new limits before it looks for which resource they are: EFAULT or EINVAL, and no
// change. Loaders make this call anyway, which counts under a filter.
bool can_read(const void* byte) {
  constexpr int32_t kFault = 14;
  constexpr uint64_t kLimitBytes = 16;
  constexpr long kNoResource = 0x7fffffff;
  const auto at = reinterpret_cast<uintptr_t>(byte) & ~(kLimitBytes - 1);
  if (at == 0) return false;  // that would be no new limits
  return arch::syscall(SyscallNumber::kPrlimit64, 0, kNoResource, at, nullptr) != -kFault;
}

Ret<Done> seal(void* at, uint64_t bytes) {
  return done(arch::syscall(SyscallNumber::kMseal, at, bytes, 0));
}

void write_all(int fd, const char* text, size_t bytes) {
  while (bytes != 0) {
    const long part = retry([=] { return arch::syscall(SyscallNumber::kWrite, fd, text, bytes); });
    if (failed(part) || part == 0) return;
    text += part;
    bytes -= static_cast<size_t>(part);
  }
}

void exit_group(int status) {
  for (;;) arch::syscall(SyscallNumber::kExitGroup, status);
}

int process_id() { return static_cast<int>(arch::syscall(SyscallNumber::kGetpid)); }
int thread_id() { return static_cast<int>(arch::syscall(SyscallNumber::kGettid)); }

Ret<Done> execute(const char* path, char* const argv[], char* const envp[]) {
  return done(arch::syscall(SyscallNumber::kExecve, path, argv, envp));
}

Ret<Done> show_process(const ProcessView& view, int program) {
  constexpr int kSetMm = 35, kSetMmMap = 14;  // linux/prctl.h
  const auto program_break = static_cast<uint64_t>(arch::syscall(SyscallNumber::kBrk, 0));
  // struct prctl_mm_map. Nothing has moved the break yet; the auxiliary vector stays as it is.
  struct {
    uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
    uint64_t arg_start, arg_end, env_start, env_end, auxv;
    uint32_t auxv_size, exe_fd;
  } const map = {view.code_start,
                 view.code_end,
                 view.data_start,
                 view.data_end,
                 program_break,
                 program_break,
                 view.stack,
                 view.arguments_start,
                 view.arguments_end,
                 view.environment_start,
                 view.environment_end,
                 0,
                 0,
                 static_cast<uint32_t>(program)};
  return done(arch::syscall(SyscallNumber::kPrctl, kSetMm, kSetMmMap, &map, sizeof map, 0));
}

Ret<int> fork() {
  constexpr long kSignalOfChild = 17;  // SIGCHLD
  return number<int>(arch::syscall(SyscallNumber::kClone, kSignalOfChild, 0, 0, 0, 0));
}

Ret<int> wait_for(int child) {
  constexpr int kSignalBase = 128, kSignalMask = 0x7f, kStatusShift = 8, kStatusMask = 0xff;
  int status = 0;
  const long ended = retry([&] {
    return arch::syscall(SyscallNumber::kWait4, child, &status, 0, static_cast<void*>(nullptr));
  });
  if (failed(ended)) return error_of(ended);
  const int signal = status & kSignalMask;
  return signal != 0 ? kSignalBase + signal : status >> kStatusShift & kStatusMask;
}

Ret<Done> set_thread_pointer(void* pointer) { return done(arch::set_thread_pointer(pointer)); }

int set_tid_address(void* address) {
  return static_cast<int>(arch::syscall(SyscallNumber::kSetTidAddress, address));
}

Ret<Done> set_robust_list(void* head, size_t bytes) {
  return done(arch::syscall(SyscallNumber::kSetRobustList, head, bytes));
}

Ret<Done> register_rseq(void* area, uint32_t bytes, uint32_t signature) {
  return done(arch::syscall(SyscallNumber::kRseq, area, bytes, 0, signature));
}

void futex_wait(uint32_t* word, uint32_t expected) {
  arch::syscall(SyscallNumber::kFutex, word, kFutexWaitPrivate, expected, nullptr);
}

void futex_wake(uint32_t* word, int count) {
  arch::syscall(SyscallNumber::kFutex, word, kFutexWakePrivate, count);
}

void yield() { arch::syscall(SyscallNumber::kSchedYield); }

Ret<size_t> allowed_processors(uint64_t* bits, size_t bytes) {
  constexpr int kThisThread = 0;
  return number<size_t>(arch::syscall(SyscallNumber::kSchedGetaffinity, kThisThread, bytes, bits));
}

Ret<Done> run_on_processor(uint32_t number) {
  constexpr int kThisThread = 0;
  uint64_t bits[kMostProcessors / 64] = {};
  bits[number / 64] = uint64_t{1} << number % 64;
  const size_t bytes = (number / 64 + 1) * sizeof bits[0];
  return done(arch::syscall(SyscallNumber::kSchedSetaffinity, kThisThread, bytes, bits));
}

Ret<ProcessorNumber> current_processor() {
  ProcessorNumber result = {};
  const long status = arch::syscall(SyscallNumber::kGetcpu, &result.number, &result.node, nullptr);
  if (failed(status)) return error_of(status);
  return result;
}

uint64_t now_ns() {
  struct {
    int64_t seconds, nanoseconds;
  } now = {};
  arch::syscall(SyscallNumber::kClockGettime, kClockMonotonic, &now);
  return static_cast<uint64_t>(now.seconds) * 1000000000U + static_cast<uint64_t>(now.nanoseconds);
}

Ret<SystemName> system_name() {
  SystemName name;  // laid out as the kernel's struct new_utsname
  const long result = arch::syscall(SyscallNumber::kUname, &name);
  if (failed(result)) return error_of(result);
  return name;
}

}  // namespace prelude::sys
