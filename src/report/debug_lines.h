// The text of each event, without knowing where it goes.
#pragma once

#include <prelude/base/writer.h>
#include <prelude/trace/trace.h>

#include <cstdarg>

namespace prelude::report {

/// Appends the lines of `event`; nothing for events that LD_DEBUG does not show.
void write_event_lines(Writer& out, int pid, const Event& event);

/// A formatted text of one or more lines; the prefix goes before each.
void write_debug_lines(Writer& out, int pid, const char* format, va_list arguments);

}  // namespace prelude::report
