// The glibc personality: makes the loader look like ld-linux to the libc.so.6 it has mapped.
#pragma once

#include <prelude/abi/link_map.h>
#include <prelude/elf/format.h>
#include <prelude/glibc/describe.h>
#include <prelude/link/personality.h>
#include <prelude/report/debug_text.h>

#include <arch/cpu.h>

namespace prelude::glibc {

/// What the composition root knows when it makes the personality.
struct Origin {
  const elf::AuxEntry* auxv = nullptr;
  uintptr_t* stack_end = nullptr;  ///< the argc word the program sees
  arch::CpuFacts cpu;
  report::DebugText* debug_text = nullptr;
};

/// What debuggers look for by name in the loader's symbols.
struct DebuggerSymbols {
  RDebug& root;
  void (*stop)();
};
DebuggerSymbols debugger_symbols();

/// The one personality. It stays inert in a process without libc.so.6.
Personality& make_personality(const Origin& origin);

/// What the trace shows before a libc is mapped; asked for where it is wanted.
void expect_manners(const Manners& manners);

/// Do tunables in a process that is not secure ask for objects at low addresses? Objects are mapped
/// before a release is known, so it is as the newest one reads them.
bool wants_low_addresses(char** envp);

}  // namespace prelude::glibc
