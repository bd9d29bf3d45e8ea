// LD_TRACE_JSON=FILE: the events as a timeline for chrome://tracing, Perfetto and tools ("Trace
// Event Format", JSON array form). The array is one event per write, so a process that dies leaves
// a file that those readers accept; finish() makes it complete JSON.
#pragma once

#include <prelude/report/trace_file.h>
#include <prelude/trace/trace.h>

namespace prelude::report {

class JsonTrace {
 public:
  constexpr JsonTrace() = default;

  /// `path` is borrowed for the life of the process. A file that already has content is left alone:
  /// the trace goes to FILE.PID then, as that of every forked child.
  void start(const char* path);
  /// One object a line, no array around them: to `output`.PID (LD_DEBUG_OUTPUT, borrowed), or to
  /// standard error where that is null or cannot be opened.
  void start_lines(const char* output);

  /// A Tracer::Listener; the context is the JsonTrace. Any thread may call.
  static void on_event(void* context, const Event& event);

  void write(const Event& event);
  /// Closes the array: for process exit. Later events are dropped.
  void finish() {
    if (!lines_ && file_.active()) [[unlikely]]
      close_array();
  }

 private:
  void close_array();
  void write_line(int pid, const Event& event);

  TraceFile file_;
  bool lines_ = false;
  std::atomic<int> finished_pid_{0};
};

}  // namespace prelude::report
