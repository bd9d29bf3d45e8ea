// The file a trace goes to. It survives what programs do under a loader's feet: fork (the child
// gets a file of its own), vfork, closing every descriptor, and reusing the number we had.
#pragma once

#include <prelude/base/guarded.h>

#include <atomic>
#include <cstdint>

namespace prelude::report {

class TraceFile {
 public:
  enum class Naming : uint8_t {
    kWithPid,         ///< PATH.PID always (LD_DEBUG_OUTPUT)
    kWithPidIfTaken,  ///< PATH for the first process, PATH.PID for others (LD_TRACE_JSON)
  };
  /// `write` of a fresh (empty) file's first bytes; null = none.
  using Header = void (*)(int fd, int pid);

  constexpr TraceFile() = default;
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  /// `path` is borrowed for the life of the process; null = no file. Nothing is opened yet.
  void start(const char* path, Naming naming, Header header);
  [[nodiscard]] bool active() const { return path_ != nullptr; }

  /// A descriptor that is certainly this process's trace file, opened now if need be; -1 if the
  /// file cannot be opened (it is not tried again in this process). Any thread may call.
  int descriptor(int pid);

 private:
  [[nodiscard]] bool is_ours(int fd) const;
  int open_new(int pid);
  int open_named(int pid, bool with_pid, bool only_if_empty);

  const char* path_ = nullptr;
  Guarded<Header> header_;
  Naming naming_ = Naming::kWithPid;
  std::atomic<uint64_t> current_{0};   // pid << 32 | uint32(fd); 0 = nothing yet
  std::atomic<uint64_t> identity_{0};  // of the open file
  std::atomic<int> plain_owner_{0};    // the pid that has PATH itself
};

}  // namespace prelude::report
