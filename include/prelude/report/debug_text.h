// LD_DEBUG: makes lines in glibc's format from events, and from what libc prints through the
// loader's exported debug print function. Any thread may call; each event is one write (unless
// its text is longer than the buffer).
#pragma once

#include <prelude/base/writer.h>
#include <prelude/options/options.h>
#include <prelude/report/trace_file.h>
#include <prelude/trace/trace.h>

#include <cstdarg>

namespace prelude::report {

/// What the topic `tls` tells, in the words of which release.
enum class TlsDetail : uint8_t {
  kThreads,  ///< glibc 2.43: the blocks of threads
  kAll,      ///< 2.44: module ids and dynamic blocks, too
};

class DebugText {
 public:
  constexpr DebugText() = default;

  /// `output` is LD_DEBUG_OUTPUT (borrowed for the life of the process) or null. `fallback` is the
  /// descriptor used without it or when it cannot be opened; -1 = write nothing.
  void start(const char* output, int fallback = 2);

  void set_tls_detail(TlsDetail detail) { tls_detail_ = detail; }

  /// A Tracer::Listener; the context is the DebugText.
  static void on_event(void* context, const Event& event);

  void print(const Event& event);
  /// Text of one or more lines; each line gets the prefix.
  void printf(const char* format, va_list arguments);

 private:
  int descriptor(int pid);

  TraceFile file_;
  int fallback_ = 2;
  TlsDetail tls_detail_ = TlsDetail::kThreads;
};

/// For libc's calls: printf with the prefix on each line.
void debug_printf(DebugText& text, const char* format, va_list arguments);

/// LD_DEBUG=help, for stdout.
void write_debug_help(Writer& out);

/// One word of LD_DEBUG that nobody knows, for stderr.
void write_debug_warning(Writer& out, const DebugWarning& warning);

}  // namespace prelude::report
