// Every way the loader talks to the kernel. Two definitions exist: src/sys/linux.cpp and the fake
// of the tests. EINTR is retried where the call allows it; close is never retried.
#pragma once

#include <prelude/base/result.h>

#include <cstddef>
#include <cstdint>

namespace prelude::sys {

/// A positive kernel error number.
enum class Errno : int32_t {};
inline constexpr Errno kENOENT{2}, kEINTR{4}, kEIO{5}, kEBADF{9}, kEACCES{13}, kENOMEM{12},
    kENOTDIR{20}, kEEXIST{17}, kEINVAL{22}, kENFILE{23}, kEMFILE{24}, kENOSYS{38};
constexpr int32_t raw(Errno e) { return static_cast<int32_t>(e); }

template <typename T>
using Ret = Result<T, Errno>;

struct FileStatus {
  uint64_t device, inode, size;  ///< size in bytes
  uint32_t mode;                 ///< st_mode
  uint32_t owner;
  uint64_t links;
  uint64_t special_device;  ///< which device a device file is
  int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
  [[nodiscard]] bool regular() const { return (mode & 0170000) == 0100000; }
  [[nodiscard]] bool directory() const { return (mode & 0170000) == 0040000; }
};

enum Prot : int {
  kProtNone = 0,
  kProtRead = 1,
  kProtWrite = 2,
  kProtExec = 4,
  kProtGrowsDown = 0x01000000
};

/// O_RDONLY | O_CLOEXEC | O_NONBLOCK (a FIFO must not hang us).
Ret<int> open_for_reading(const char* path);
/// O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode 0666.
Ret<int> open_for_trace(const char* path);
/// O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode 0666: a file that the user has named.
Ret<int> create_file(const char* path);
/// A file that only lives as long as its descriptors.
Ret<int> create_memory_file();
/// O_WRONLY or O_RDONLY without O_CLOEXEC: used for the standard descriptors of secure programs
/// only.
Ret<int> open_device(const char* path, bool writable);
void close(int fd);
/// Reads until `bytes` or end of file; gives the count read.
Ret<size_t> read_at(int fd, void* to, size_t bytes, uint64_t offset);
Ret<FileStatus> status(int fd);
Ret<FileStatus> status_of(const char* path);
/// The target of a symbolic link, not NUL-terminated; gives its length.
Ret<size_t> read_link(const char* path, char* to, size_t capacity);
Ret<size_t> current_directory(char* to, size_t capacity);

/// Private file mapping. `fixed` places it exactly at `at` over whatever is there.
Ret<void*> map_file(void* at, uint64_t bytes, int prot, int fd, uint64_t offset, bool fixed);
/// Private zero pages. `fixed` as above.
Ret<void*> map_anonymous(void* at, uint64_t bytes, int prot, bool fixed);
/// As the two above, anywhere below 2 GiB, or with an error where there is no room; a machine
/// without such a choice gives any address.
Ret<void*> map_file_low(uint64_t bytes, int prot, int fd, uint64_t offset);
Ret<void*> map_anonymous_low(uint64_t bytes, int prot);
/// Writable pages of a file over what is at `at`, each of them present already (MAP_POPULATE).
Ret<void*> map_file_present(void* at, uint64_t bytes, int fd, uint64_t offset);
/// As map_file, but never over an existing mapping (MAP_FIXED_NOREPLACE); for ET_EXEC.
Ret<void*> map_file_exactly(void* at, uint64_t bytes, int prot, int fd, uint64_t offset);
/// Private zero pages exactly there, but never over an existing mapping: kEEXIST.
Ret<void*> map_anonymous_exactly(void* at, uint64_t bytes, int prot);
Ret<Done> unmap(void* at, uint64_t bytes);
Ret<Done> protect(void* at, uint64_t bytes, int prot);
/// Moves pages over whatever is at `to`, contents and protection with them.
Ret<Done> move_mapping(void* from, uint64_t bytes, void* to);
/// No later call can change, move or unmap these pages (Linux 6.10: mseal).
Ret<Done> seal(void* at, uint64_t bytes);

/// Whether the byte can be read: a look at it would be a signal else. For memory that others have
/// mapped from a file.
bool can_read(const void* byte);

/// Writes all of it; errors other than EINTR end the try and are ignored.
void write_all(int fd, const char* text, size_t bytes);
/// Standard output and standard error as the sink of a Writer.
inline void to_stdout(void* /*context*/, const char* text, size_t bytes) {
  write_all(1, text, bytes);
}
inline void to_stderr(void* /*context*/, const char* text, size_t bytes) {
  write_all(2, text, bytes);
}
/// Another descriptor, to which the context points; nothing where it is negative.
inline void to_descriptor(void* context, const char* text, size_t bytes) {
  const int fd = *static_cast<const int*>(context);
  if (fd >= 0) write_all(fd, text, bytes);
}
[[noreturn]] void exit_group(int status);
int process_id();
int thread_id();
/// Only returns on failure.
Ret<Done> execute(const char* path, char* const argv[], char* const envp[]);

/// What the kernel shows of a process: addresses of its parts.
struct ProcessView {
  uint64_t code_start, code_end, data_start, data_end;
  uint64_t stack, arguments_start, arguments_end, environment_start, environment_end;
};
/// Makes `program`, an open file, the one that /proc/self/exe names, and the addresses known with
/// it (Linux 3.18: prctl(PR_SET_MM_MAP); needs CAP_CHECKPOINT_RESTORE). kEBUSY while pages of the
/// file named so far are mapped.
Ret<Done> show_process(const ProcessView& view, int program);

/// The process id of the child, 0 in it.
Ret<int> fork();
/// The exit status of a child that has ended; 128 + the number of the signal that ended it.
Ret<int> wait_for(int child);

/// Thread block services of the kernel.
Ret<Done> set_thread_pointer(void* pointer);
int set_tid_address(void* address);
Ret<Done> set_robust_list(void* head, size_t bytes);
Ret<Done> register_rseq(void* area, uint32_t bytes, uint32_t signature);

/// Waits while *word == expected / wakes up to `count` waiters.
void futex_wait(uint32_t* word, uint32_t expected);
void futex_wake(uint32_t* word, int count);
/// Lets others run.
void yield();

inline constexpr uint32_t kMostProcessors = 8192;
/// A bit for each processor that the process may run on; gives the bytes that the kernel has
/// filled.
Ret<size_t> allowed_processors(uint64_t* bits, size_t bytes);
/// From now on this thread runs on that one, below kMostProcessors, alone.
Ret<Done> run_on_processor(uint32_t number);
struct ProcessorNumber {
  uint32_t number, node;
};
Ret<ProcessorNumber> current_processor();

/// Nanoseconds of the monotonic clock.
uint64_t now_ns();

struct SystemName {
  char sysname[65], nodename[65], release[65], version[65], machine[65], domain[65];
};
Ret<SystemName> system_name();

}  // namespace prelude::sys
