// The JSON text of one event ("Trace Event Format"), without knowing where it goes.
#pragma once

#include <prelude/base/writer.h>
#include <prelude/trace/trace.h>

namespace prelude::report {

struct JsonStamp {
  uint64_t ns;
  int pid;
  int tid;
};

/// The first element of an array, with the opening bracket.
void write_json_start(Writer& out, int pid);
/// One event.
void write_json_object(Writer& out, const JsonStamp& stamp, const Event& event);
/// A further element, with the comma before it.
void write_json_event(Writer& out, const JsonStamp& stamp, const Event& event);

}  // namespace prelude::report
