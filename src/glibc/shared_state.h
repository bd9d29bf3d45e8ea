// The exported objects that libc reads and writes, addressed field by field through the layout of
// the mapped libc. They are mirrors: the core's data is the truth, except for the few fields libc
// owns (stack lists, locks), which nobody here touches after start.
#pragma once

#include "layout.h"
#include "tunables.h"

#include <prelude/base/guarded.h>
#include <prelude/base/room.h>
#include <prelude/base/string.h>
#include <prelude/glibc/describe.h>
#include <prelude/link/linker.h>
#include <prelude/report/debug_text.h>

#include <arch/cpu.h>
#include <arch/native.h>

#include <cstddef>
#include <cstdint>

// NOLINTBEGIN(readability-identifier-naming): names of the ABI
extern "C" {
#define PRELUDE_EXPORT [[gnu::visibility("default")]]
PRELUDE_EXPORT extern std::byte _rtld_global[];
PRELUDE_EXPORT extern std::byte _rtld_global_ro[];
PRELUDE_EXPORT extern void* __libc_stack_end;
PRELUDE_EXPORT extern int __libc_enable_secure;
PRELUDE_EXPORT extern char** _dl_argv;
/// From 2.44 on instead of the word in the thread block.
PRELUDE_EXPORT extern uintptr_t __pointer_chk_guard;
PRELUDE_EXPORT extern ptrdiff_t __rseq_offset;
PRELUDE_EXPORT extern uint32_t __rseq_size;
PRELUDE_EXPORT extern const uint32_t __rseq_flags;
PRELUDE_EXPORT extern bool __nptl_initial_report_events;
PRELUDE_EXPORT extern prelude::RDebug _r_debug;
PRELUDE_EXPORT void _dl_debug_state();
}
// NOLINTEND(readability-identifier-naming)

namespace prelude::glibc {

/// A field of type T at `offset` of a structure, or a write into nowhere for fields the release
/// lacks.
template <typename T>
T& field(void* base, uint16_t offset) {
  return *reinterpret_cast<T*>(static_cast<std::byte*>(base) + offset);
}
template <typename T>
void set(void* base, uint16_t offset, T value) {
  if (present(offset)) field<T>(base, offset) = value;
}
/// An address or a size.
inline void set_word(void* base, uint16_t offset, uint64_t value) {
  set(base, offset, static_cast<uintptr_t>(value));
}
inline void set_bits(void* base, BitField where, uint8_t value) {
  if (!present(where)) return;
  auto& byte = field<uint8_t>(base, where.offset);
  const auto mask = static_cast<uint8_t>(((1U << where.width) - 1) << where.bit);
  byte = static_cast<uint8_t>((byte & ~mask) | ((value << where.bit) & mask));
}

/// Functions of the mapped libc that the loader calls.
struct LibcFunctions {
  Guarded<void* (*)(size_t)> malloc;
  Guarded<void* (*)(size_t, size_t)> calloc;
  Guarded<void* (*)(void*, size_t)> realloc;
  Guarded<void (*)(void*)> free;
  Guarded<int (*)(void*)> mutex_lock;
  Guarded<int (*)(void*)> mutex_unlock;
  Guarded<int (*)(void*)> mutex_trylock;
  Guarded<int (*)(const char**, const char**, bool*, void (*)(void*), void*)> catch_error;
  Guarded<void (*)(int, void*, const char*)> signal_exception;
};

/// Auxiliary vector values the mirrors need.
struct KernelFacts {
  uint64_t page_size = 4096, minimum_signal_stack = 2048, clock_tick = 100, hwcap = 0, hwcap2 = 0;
  uint64_t rseq_feature_size = 0, rseq_align = 0;
  const uint8_t* random = nullptr;
  const elf::AuxEntry* auxv = nullptr;
  const char* platform = nullptr;
  uintptr_t* stack_end = nullptr;  ///< the argc word
};

/// What a thread has while it forks.
enum class ForkHold : uint8_t {
  kNothing,
  kWindow,  ///< no lock, but no change begins meanwhile
  kLocks,   ///< the load lock and that of changes
};

/// Everything the personality learns from the composition root before any libc is known.
struct State {
  const Layout* layout = nullptr;  ///< null: no libc in the process
  Module* libc = nullptr;
  LibcFunctions functions;
  KernelFacts kernel;
  arch::CpuFacts cpu;
  Tunables tunables;
  report::DebugText* debug_text = nullptr;
  Manners expected;  ///< of the release that the trace shows before a libc is mapped
  char* main_thread = nullptr;
  int64_t rseq_displacement = 0;  ///< of the area from the thread pointer (2.41+)
  bool early = false;             ///< auditors are, or were, loaded before the program's libraries
  bool stacks_executable = false;
};

/// The one state of the module.
extern Room<State> the_state;
inline State& state() { return the_state.object; }

/// Locks and what goes with them: written to before anything may be changed, by libc too. Zeroed.
struct Locks {
  alignas(8) std::byte change[kMutexSize];  ///< held while the linker's data change
  const void* changing_thread;              ///< its owner
  uint32_t change_depth;                    ///< how often the owner has it
  uint32_t forks_waiting;                   ///< threads that want the locks for a fork
  const std::byte* forking_thread;          ///< whose fork is under way
  int32_t forking_tid;                      ///< its number; in the child it has another one
  int32_t child_tid;                        ///< who has made the locks anew after a fork
  ForkHold fork_hold;
  bool fork_watched;
};
extern Locks the_locks;

/// What lies at the other side of the thread pointer than static blocks.
inline uint64_t record_bytes() { return state().layout->pthread.size + kBehindPthread; }

/// struct pthread of the thread whose pointer is `tp`: it begins there, or ends there where static
/// blocks lie above.
inline char* thread_record(const void* tp) {
  auto* at = static_cast<char*>(const_cast<void*>(tp));
  return NativeTls::kBelow ? at : at - record_bytes();
}

inline constexpr const char* kLibcSoname = "libc.so.6";
inline bool is_libc(const Module& module) {
  return module.image.soname != nullptr && equal(module.image.soname, kLibcSoname);
}

/// Address of a function of libc, private version or public default; null if absent or no code.
void* libc_symbol(const char* name);
/// The same of a given libc.
void* function_of(const Module& libc, const char* name);
/// Address of a variable of so many bytes; null if absent or not to be written to.
void* variable_of(const Module& libc, const char* name, uint64_t bytes);
/// What to say of a function that is null.
Error lacks(const Module& libc, const char* name);

// ---- link_map_view.cpp
void fill_link_map(const Layout& layout, Module& module);
void update_link_map(const Layout& layout, Module& module);
/// Before libc walks over the module's symbols, as dladdr does: where the walk would leave the
/// tables, libc sees none.
void show_symbols(const Layout& layout, Module& module);
// ---- globals.cpp
void fill_globals(Linker& linker);
/// What the program's own objects decide: its search list, the number of auditors.
void fill_program_facts(Linker& linker);
/// Tells the trace which of the vdso's functions libc will be given.
void trace_vdso(Linker& linker);
void update_space(Linker& linker, Namespace& space);
void update_tls(Linker& linker);
// ---- thread.cpp
void prepare_main_thread(Linker& linker, char* block);
void start_main_thread(char* block);
void reserve_rseq(Linker& linker);
// ---- stacks.cpp
/// Start-up: what the objects loaded by then ask for. With auditors once more when all are.
Status prepare_stacks(const Linker& linker);
/// An object wants an executable stack.
Status grant_executable_stack(const Linker& linker);
/// Makes the stack of one thread executable; gives an errno value.
int open_thread_stack(char* thread);
// ---- fork.cpp
/// Has libc call us around fork. Done at the first change after start, so that a start-up does not
/// pay.
void watch_forks(const Module& libc);
/// Returns when no thread is waiting for the load lock in order to fork.
[[gnu::cold]] void let_forks_go_first();
/// Somebody is forking. Handlers of the child that run before ours find the locks usable.
[[gnu::cold]] void look_at_fork();
/// Take and leave the lock of changes.
void begin_exclusive_change();
bool try_exclusive_change();
void end_exclusive_change();
// ---- spaces.cpp
/// Refuses a C library whose structures are not those of the first one's.
Status admit_libc(Linker& linker, const Batch& batch);
/// Tells the program's libc that there are threads which it has not made: those of other C
/// libraries. The loader calls its allocator on them, and that leaves out its locks while it knows
/// of one thread only.
void expect_foreign_threads(const Linker& linker);
/// Starts a C library of another namespace.
Status start_libc_copies(Linker& linker, const Batch& batch);
// ---- high_spaces.cpp
/// Makes dl_iterate_phdr of a libc that is not relocated yet, in a namespace of number kNamespaces
/// or above, work there.
Status give_own_iteration(const Module& libc);
// ---- early.cpp
/// Auditors are about to be loaded, before the program's libraries.
void expect_early(Linker& linker);
/// The libc of an auditor may be mapped, and none runs: settles the layout and fills the mirrors.
Status begin_early(Linker& linker, const Batch& batch);
/// It is relocated: its locks and exceptions serve until the program's are ready.
void start_early(Linker& linker, const Batch& batch);
/// Forgets an auditor's libc that has gone.
void check_early(const Linker& linker);
/// The functions are the program's by now; blocks of the early allocator are still about.
void end_early();
// ---- personality.cpp
/// Chooses the layout that the mapped libc has, or refuses it, and fills the exported objects.
Status settle_layout(Linker& linker, Module& libc);
/// The program's copy of an object of libc's or of ours (gABI: copy relocation). Null where it has
/// none, or none of that size in memory that stays writable.
void* program_copy(const Linker& linker, const char* name, uint64_t bytes);
/// The functions for locks and exceptions of state().libc.
void find_functions(Linker& linker);
// ---- slots.cpp
void fill_slots(const Layout& layout);
// ---- errors.cpp
/// libc's struct dl_exception.
struct Raised {
  const char* object;
  const char* text;
  void* block;  ///< to free, null if not from malloc
};
/// Text and object of an error in one block of libc's allocator.
Raised make_exception(const char* object, const char* text);
Raised make_exception(const Error& error);
/// The exception with further lines, to be raised without a number; frees `raised`.
Raised add_lines(const Raised& raised, int32_t number, const char* lines);
/// Unwinds to the innermost catch frame of libc; ends the process where there is none.
[[noreturn]] void raise(int32_t number, const Raised& raised, const char* occasion);
int catch_errors(const char** object, const char** text, bool* allocated, void (*operate)(void*),
                 void* argument);
/// The loader's lock, shared with libc.
void lock_load(const Linker& linker);
void unlock_load(const Linker& linker);

}  // namespace prelude::glibc
