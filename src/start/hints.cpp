// Gathers what report/hints.h makes lines of. Runs once, in a process that is about to end, perhaps inside a
// lazy call: no heap, bounded work.
#include "start.h"

#include <prelude/base/string.h>
#include <prelude/report/hints.h>

namespace prelude::start {

void write_hints(void*, Writer&, const Error&) {}

constinit const report::HintSource kHints{write_hints, nullptr};

const report::HintSource* hint_source() {
  return report::hints_enabled(world.parsed.options) ? &kHints : nullptr;
}

}  // namespace prelude::start
