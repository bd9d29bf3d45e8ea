#include <prelude/report/json_trace.h>

#include <prelude/base/writer.h>
#include <prelude/sys/sys.h>

#include "json_event.h"

namespace prelude::report {
namespace {

constexpr size_t kBufferSize = 2048;
constexpr size_t kHeaderSize = 160;

/// Every file begins with an event, so all later ones can begin with a comma.
void write_header(int fd, int pid) {
  char buffer[kHeaderSize];
  Writer out(buffer, sizeof buffer, sys::to_descriptor, &fd);
  write_json_start(out, pid);
  out.flush();
}

}  // namespace

void JsonTrace::start(const char* path) {
  file_.start(path, TraceFile::Naming::kWithPidIfTaken, write_header);
}

void JsonTrace::start_lines(const char* output) {
  lines_ = true;
  file_.start(output, TraceFile::Naming::kWithPid, nullptr);
}

void JsonTrace::on_event(void* context, const Event& event) {
  static_cast<JsonTrace*>(context)->write(event);
}

void JsonTrace::write(const Event& event) {
  const int pid = sys::process_id();
  if (lines_) return write_line(pid, event);
  if (!file_.active() || finished_pid_.load(std::memory_order_relaxed) == pid) return;
  int fd = file_.descriptor(pid);
  if (fd < 0) return;
  char buffer[kBufferSize];
  Writer out(buffer, sizeof buffer, sys::to_descriptor, &fd);
  write_json_event(out, {sys::now_ns(), pid, sys::thread_id()}, event);
  out.flush();
}

void JsonTrace::write_line(int pid, const Event& event) {
  constexpr int kStandardError = 2;
  int fd = file_.active() ? file_.descriptor(pid) : -1;
  if (fd < 0) fd = kStandardError;
  char buffer[kBufferSize];
  Writer out(buffer, sizeof buffer, sys::to_descriptor, &fd);
  write_json_object(out, {sys::now_ns(), pid, sys::thread_id()}, event);
  out.put('\n').flush();
}

void JsonTrace::close_array() {
  const int pid = sys::process_id();
  if (finished_pid_.exchange(pid) == pid) return;
  const int fd = file_.descriptor(pid);
  if (fd >= 0) sys::write_all(fd, "\n]\n", 3);
}

}  // namespace prelude::report
