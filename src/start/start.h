// The composition root: everything the process's linker is made of, and the order of a start-up.
#pragma once

#include <arch/cpu.h>
#include <arch/stubs.h>

#include <prelude/base/room.h>
#include <prelude/explain/bindings.h>
#include <prelude/explain/explain.h>
#include <prelude/glibc/describe.h>
#include <prelude/link/linker.h>
#include <prelude/options/options.h>
#include <prelude/report/debug_text.h>
#include <prelude/report/json_trace.h>
#include <prelude/report/messages.h>

#include <cstdint>

namespace prelude::start {

using explain::Binding;
using explain::for_each_binding;

/// The kernel's stack, decoded once. Pointers go into the stack itself.
struct InitialStack {
  uintptr_t* argc_word = nullptr;
  Process process;
  elf::AuxEntry* auxv = nullptr;

  [[nodiscard]] const elf::AuxEntry* find(uint64_t type) const;
  [[nodiscard, gnu::pure]] uint64_t value(uint64_t type, uint64_t otherwise = 0) const;
  /// The second half of AT_RANDOM; 0 where the kernel gives none.
  [[nodiscard]] uint64_t pointer_guard() const;
};

InitialStack decode_stack(uintptr_t* stack);
/// Takes the first `count` arguments away and moves the rest, environment and auxiliary vector
/// down, so that the stack pointer and its alignment stay.
void drop_arguments(InitialStack& stack, int count);

/// A library that was not found.
struct MissingLibrary {
  const char* name;  ///< as the requester names it
  Module* requester;
  Module* after;  ///< the last module of the namespace's list at that time
  Error error;
};

/// What belongs to the whole process beside the Linker.
struct World {
  InitialStack stack;
  ParsedOptions parsed;
  arch::CpuFacts cpu;
  explain::SearchLog search_log;
  SearchSetup search;
  Array<MissingLibrary> missing;
  Module* broken_for = nullptr;        ///< who needs the file that a start failed on
  const char* program_word = nullptr;  ///< direct mode: the program as the command line names it
  const char* program_file = nullptr;  ///< direct mode: where it was found
  glibc::Manners manners;              ///< of the system's libc, once asked for
  bool manners_known = false;
  bool origin_pending = false;  ///< see settle_pending_origin()
  bool early_thread = false;    ///< the first thread has run auditors already
  uint64_t started = 0;         ///< cycle counter at entry
  uint64_t base = 0;            ///< address of the loader's own ELF header
};
/// Who listens to the trace on any thread, with the files they open anew in children of a fork.
struct TraceOutputs {
  report::DebugText debug_text;
  report::JsonTrace json;
};
extern Room<TraceOutputs> trace_outputs;

extern Room<World> world_room;
// NOLINTNEXTLINE(readability-identifier-naming): what it refers to is a variable
inline constexpr World& world = world_room.object;

inline constexpr const char* kCachePath = "/etc/ld.so.cache";
inline constexpr const char* kLibc = "libc.so.6";
extern Room<Linker> linker_room;
// NOLINTNEXTLINE(readability-identifier-naming): this one, too
inline constexpr Linker& linker = linker_room.object;

/// Everything from the relocated loader to the registers for the program's entry.
void run(uintptr_t* stack, uint64_t started, arch::Handover& out);

/// Prints and ends the process.
[[noreturn]] void fail(Linker& linker, const Error& error);
void remark(Linker& linker, const char* what, const char* a, const char* b);
void trace_error(Linker& linker, const Error& error);

// ---- info.cpp: modes that print and end
[[noreturn]] void print_and_exit(Mode mode);
[[noreturn]] void usage_error(const UsageError& error);
void show_auxv();
// ---- setup.cpp
/// Where a Writer's text goes: what does not fit its buffer is not cut off.
using sys::to_stderr;
using sys::to_stdout;
/// The heap and what opening a file needs. Before anything that may ask served_manners().
void set_up_ground();
void set_up_linker();
/// Where the process is hardened: from here on the loader's memory is read-only between changes.
void close_arena();
/// What every search of this process has in common. Directories, processors and the platform are
/// the caller's.
SearchSetup usual_search();
void set_up_search();
// ---- objects.cpp
void adopt_self_and_vdso();
void adopt_program();
/// The load bias of a program that the kernel has mapped. Ends the process where its memory is not
/// what its headers say.
uint64_t bias_of_mapped_program(const elf::ProgramHeader* first, uint16_t count, uint64_t entry);
/// Direct mode: finds and maps the program named on the command line. May hand over to the kernel.
void load_program(Batch& batch);
void load_preloads(Batch& batch, Array<Module*>& roots);
// ---- release.cpp
/// Those of the libc in the process, or of the one that this system would give to a program. Looks
/// for it at the first call only; nothing of it stays mapped. A secure process never looks: it has
/// the manners of the oldest release.
glibc::Manners served_manners();
// ---- origin.cpp
/// The directory of the file that a link of /proc leads to, with a NUL behind it in `room`; empty
/// where the kernel does not say.
std::string_view directory_behind(const char* link, char* room, size_t capacity);
/// Whether $ORIGIN of the program may be asked for while libraries are looked for.
bool names_origin(const Image& image);
/// Of a program that the kernel has started.
void find_program_origin(Module& program);
/// Direct mode: $ORIGIN as the release in use has it. At once where the search for libraries needs
/// it, else when the libc is known.
void settle_origin();
void settle_pending_origin();
// ---- audit.cpp
bool wants_auditors();
/// Loads the auditors and tells them of the program and the loader. The first thread gets its
/// block.
void load_auditors();
/// Tells them that libraries are coming; a debugger knows it by then.
void tell_of_start();
void show_vdso();
// ---- secure.cpp
/// Opens missing standard descriptors of a secure process, or ends it; ends a secure loader that
/// was started directly.
void guard_secure_start(bool direct);
/// The only names of libraries that a secure program takes of its user: looked for in the default
/// directories, nowhere else.
bool is_plain_name(const char* name);
// ---- own_file.cpp
/// Makes /proc/self/exe name it. Before any code of the program runs.
void show_program();
// ---- seal.cpp
/// Seals code, constant data and RELRO of all objects, where the kernel can.
void seal_objects();
// ---- needs.cpp
/// Loads the dependencies of `roots`. Ends the process when a library is missing, after naming all
/// of them; in ldd mode they go to world.missing instead.
void load_dependencies(Batch& batch, const Array<Module*>& roots);
/// Names all versions that do not exist. In ldd mode the process goes on.
void check_all_versions();
// ---- listing.cpp
/// ldd mode or --list.
bool is_listing();
/// Prints what is loaded and ends the process.
[[noreturn]] void list_objects();
/// --verify: the status alone says what the file is.
[[noreturn]] void verify_program(const Result<Module*>& loaded);
// ---- hints.cpp
/// Writes the lines below a fatal message; null where nobody is to get them.
const report::HintSource* hint_source();
/// For Linker::explain_missing.
const char* explain_missing(Linker& linker, const Module& requester);

}  // namespace prelude::start
