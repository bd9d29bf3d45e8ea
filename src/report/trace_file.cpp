#include <prelude/report/trace_file.h>

#include <prelude/base/writer.h>
#include <prelude/sys/sys.h>

namespace prelude::report {
namespace {

constexpr size_t kPathSize = 2048;

uint64_t pack(int pid, int fd) {
  return static_cast<uint64_t>(static_cast<uint32_t>(pid)) << 32 | static_cast<uint32_t>(fd);
}
int pid_of(uint64_t packed) { return static_cast<int>(packed >> 32); }
int fd_of(uint64_t packed) { return static_cast<int>(static_cast<uint32_t>(packed)); }

uint64_t identity_of(const sys::FileStatus& status) {
  return (status.device * 0x9e3779b97f4a7c15U) ^ status.inode;
}

}  // namespace

void TraceFile::start(const char* path, Naming naming, Header header) {
  path_ = path;
  naming_ = naming;
  header_ = header;
}

bool TraceFile::is_ours(int fd) const {
  const auto status = sys::status(fd);
  return status.ok() && identity_of(*status) == identity_.load(std::memory_order_relaxed);
}

int TraceFile::descriptor(int pid) {
  uint64_t seen = current_.load(std::memory_order_acquire);
  const bool known = seen != 0 && pid_of(seen) == pid;
  if (known && (fd_of(seen) < 0 || is_ours(fd_of(seen)))) return fd_of(seen);
  // A forked child gives up its copy of the parent's file. A number that is not ours any more
  // belongs to the program and stays open.
  if (!known && seen != 0 && fd_of(seen) >= 0 && is_ours(fd_of(seen))) sys::close(fd_of(seen));
  const int fd = open_new(pid);
  if (current_.compare_exchange_strong(seen, pack(pid, fd), std::memory_order_acq_rel)) return fd;
  if (fd >= 0) sys::close(fd);  // another thread was first
  return fd_of(seen);
}

int TraceFile::open_new(int pid) {
  if (naming_ == Naming::kWithPid) return open_named(pid, true, false);
  const int owner = plain_owner_.load(std::memory_order_relaxed);
  if (owner == pid) return open_named(pid, false, false);
  if (owner == 0) {
    if (const int fd = open_named(pid, false, true); fd >= 0) {
      plain_owner_.store(pid, std::memory_order_relaxed);
      return fd;
    }
  }
  return open_named(pid, true, false);
}

int TraceFile::open_named(int pid, bool with_pid, bool only_if_empty) {
  char buffer[kPathSize];
  Writer name(buffer, sizeof buffer);
  name.put(path_);
  if (with_pid) name.put(".").decimal(static_cast<uint64_t>(pid));
  const char* path = name.c_str();
  if (name.truncated()) return -1;
  const auto fd = sys::open_for_trace(path);
  if (!fd) return -1;
  const auto status = sys::status(*fd);
  if (!status || (only_if_empty && status->size != 0)) {
    sys::close(*fd);
    return -1;
  }
  identity_.store(identity_of(*status), std::memory_order_relaxed);
  if (status->size == 0 && header_ != nullptr) header_(*fd, pid);
  return *fd;
}

}  // namespace prelude::report
