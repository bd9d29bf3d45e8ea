// What debuggers read: r_debug with its list of objects, and the function they put a breakpoint on
// (<link.h>, "Rendezvous with the debugger").
#pragma once

#include <prelude/link/linker.h>

namespace prelude::debugger {

/// Called at each change; empty, kept out of line. The loader's exported break function.
using BreakFunction = void (*)();

/// Fills the record of the first namespace and stores its address behind the program's DT_DEBUG.
void start(Linker& linker, RDebug& record, BreakFunction break_function, uint64_t loader_base);
/// Announces a change that begins (kRtAdd, kRtDelete) or has ended (kRtConsistent).
void announce(Namespace& space, RState state);

}  // namespace prelude::debugger
