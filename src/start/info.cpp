// Modes that tell something and end: --help, --version and their kin.
#include "start.h"

#include <arch/native.h>

#include <prelude/report/diagnostics.h>
#include <prelude/report/help.h>

namespace prelude::start {
namespace {

void to_stdout(void*, const char* text, size_t bytes) { sys::write_all(1, text, bytes); }

}  // namespace

[[noreturn]] void usage_error(const UsageError& error) {
  char buffer[1024];
  Writer out(buffer, sizeof buffer);
  report::write_usage_error(out, world.parsed.options.self, error);
  sys::write_all(2, out.text().data(), out.text().size());
  sys::exit_group(1);
}

void show_auxv() {
  char buffer[4096];
  Writer out(buffer, sizeof buffer, to_stdout);
  report::write_auxv(out, reinterpret_cast<const uint64_t*>(world.stack.auxv));
  out.flush();
}

[[noreturn]] void print_and_exit(Mode mode) {
  char buffer[4096];
  Writer out(buffer, sizeof buffer, to_stdout);
  if (mode == Mode::kVersion) report::write_version(out, "2.36");
  if (mode == Mode::kHelp) {
    report::HelpData data;
    data.loader = world.parsed.options.self;
    data.interpreter = arch::Native::kLoaderPath;
    report::write_help(out, data);
  }
  out.flush();
  sys::exit_group(0);
}

}  // namespace prelude::start
