// What debuggers read: r_debug with its list of objects, the function they put a breakpoint on
// (<link.h>, "Rendezvous with the debugger"), and probe points that tell more.
#pragma once

#include <prelude/link/linker.h>

namespace prelude::debugger {

/// Called at each change; empty, kept out of line. The loader's exported break function.
using BreakFunction = void (*)();

/// Fills the record of the first namespace and stores its address behind the program's DT_DEBUG.
void start(Linker& linker, RDebug& record, BreakFunction break_function, uint64_t loader_base);

/// The program's own copy of that record: its state follows from now on.
void follow(RDebug& copy);

/// Each is a probe of the same name.
enum class Stage : uint8_t {
  kInitStart,     ///< before the libraries of the start-up
  kInitComplete,  ///< before their initialisers
  kMapStart,      ///< before the first object of a request
  kMapFailed,     ///< there is none
  kMapComplete,   ///< all are in the list
  kRelocStart,
  kRelocComplete,  ///< before initialisers
  kUnmapStart,
  kUnmapComplete,
};
/// Announces a change that begins or has ended; `opened` is the first object of the request.
void announce(Namespace& space, Stage stage, const Module* opened = nullptr);

/// A request ends that has changed no list, or is about to begin a namespace.
void stop_unchanged();
/// What a request that brought nothing may leave: the record of a new namespace.
void keep_record(Namespace& space);

}  // namespace prelude::debugger
