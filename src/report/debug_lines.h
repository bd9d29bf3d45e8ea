// The text of each event, without knowing where it goes.
#pragma once

#include <prelude/report/debug_text.h>

#include <cstdarg>

namespace prelude::report {

/// Appends the lines of `event`; nothing for events that LD_DEBUG does not show.
void write_event_lines(Writer& out, int pid, const Event& event,
                       TlsDetail detail = TlsDetail::kThreads);

/// The text of an event of Topic::kTls, one line without its prefix. False = it has none.
bool write_tls_text(Writer& out, const Event& event, TlsDetail detail);

/// A formatted text of one or more lines; the prefix goes before each.
void write_debug_lines(Writer& out, int pid, const char* format, va_list arguments);

}  // namespace prelude::report
