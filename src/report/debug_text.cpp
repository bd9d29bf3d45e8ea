#include <prelude/report/debug_text.h>

#include <prelude/sys/sys.h>

#include "debug_lines.h"

namespace prelude::report {
namespace {

// On the stack of whatever thread binds a symbol, so not large.
constexpr size_t kBufferSize = 2048;

}  // namespace

void DebugText::start(const char* output, int fallback) {
  file_.start(output, TraceFile::Naming::kWithPid, nullptr);
  fallback_ = fallback;
}

int DebugText::descriptor(int pid) {
  const int fd = file_.active() ? file_.descriptor(pid) : -1;
  return fd >= 0 ? fd : fallback_;
}

void DebugText::on_event(void* context, const Event& event) {
  static_cast<DebugText*>(context)->print(event);
}

void DebugText::print(const Event& event) {
  const int pid = sys::process_id();
  int fd = descriptor(pid);
  char buffer[kBufferSize];
  Writer out(buffer, sizeof buffer, sys::to_descriptor, &fd);
  write_event_lines(out, pid, event, tls_detail_);
  out.flush();
}

void DebugText::printf(const char* format, va_list arguments) {
  const int pid = sys::process_id();
  int fd = descriptor(pid);
  char buffer[kBufferSize];
  Writer out(buffer, sizeof buffer, sys::to_descriptor, &fd);
  write_debug_lines(out, pid, format, arguments);
  out.flush();
}

void debug_printf(DebugText& text, const char* format, va_list arguments) {
  text.printf(format, arguments);
}

void write_debug_help(Writer& out) {
  out.put(
      "Valid options for the LD_DEBUG environment variable are:\n\n"
      "  libs        display library search paths\n"
      "  reloc       display relocation processing\n"
      "  files       display progress for input file\n"
      "  symbols     display symbol table processing\n"
      "  bindings    display information about symbol binding\n"
      "  versions    display version dependencies\n"
      "  scopes      display scope information\n"
      "  tls         display TLS structures processing\n"
      "  security    show security warnings for input files\n"
      "  all         all previous options combined\n"
      "  statistics  display relocation statistics\n"
      "  unused      determined unused DSOs\n"
      "  json        the trace as JSON, of the other options named or of all but symbols\n"
      "  help        display this help message and exit\n\n"
      "To direct the debugging output into a file instead of standard output\n"
      "a filename can be specified using the LD_DEBUG_OUTPUT environment variable.\n");
}

void write_debug_warning(Writer& out, const DebugWarning& warning) {
  out.put("warning: debug option `").escaped({warning.word, warning.size});
  out.put("' unknown; try LD_DEBUG=help\n");
}

}  // namespace prelude::report
