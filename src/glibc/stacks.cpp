// Executable stacks, for code that builds functions on them. A program or library says so in
// PT_GNU_STACK. A start-up grants it; later it depends on the release of the libc and its tunable.
// Never in secure mode.
#include "shared_state.h"

#include <prelude/base/align.h>

namespace prelude::glibc {
namespace {

// Values of glibc.rtld.execstack (2.41 and later).
enum class StackPolicy : uint32_t { kNever = 0, kAtStart = 1, kAlways = 2 };

constexpr int kEverything = sys::kProtRead | sys::kProtWrite | sys::kProtExec;

StackPolicy policy() {
  const Tunables& t = state().tunables;
  return static_cast<StackPolicy>(
      t.number(t.ids().rtld_execstack, static_cast<uint32_t>(StackPolicy::kAtStart)));
}

bool wants_executable_stack(const Module& module) {
  return module.image.has_stack_header && (module.image.stack_flags & elf::kPfX) != 0;
}

// libc's low-level lock: 0 free, 1 held, 2 held and waited for.
class LowLevelLock {
 public:
  explicit LowLevelLock(uint32_t* word) : word_(word) {
    uint32_t seen = 0;
    if (__atomic_compare_exchange_n(word_, &seen, 1U, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return;
    while (__atomic_exchange_n(word_, 2U, __ATOMIC_ACQUIRE) != 0) sys::futex_wait(word_, 2);
  }
  ~LowLevelLock() {
    if (__atomic_exchange_n(word_, 0U, __ATOMIC_RELEASE) == 2) sys::futex_wake(word_, 1);
  }
  LowLevelLock(const LowLevelLock&) = delete;
  LowLevelLock& operator=(const LowLevelLock&) = delete;

 private:
  uint32_t* word_;
};

// The kernel extends the change to the lowest page the stack will ever have.
int open_main_stack() {
  const uint64_t page = state().kernel.page_size;
  const uint64_t start = round_down(reinterpret_cast<uintptr_t>(state().kernel.stack_end), page);
  void* at = reinterpret_cast<void*>(start);
  const auto changed = sys::protect(at, page, kEverything | sys::kProtGrowsDown);
  return changed ? 0 : sys::raw(changed.error());
}

// Stacks that libc has made, in use or kept for later.
int open_thread_stacks(const Layout& layout) {
  const RtldGlobal& f = layout.rtld_global;
  const LowLevelLock lock(&field<uint32_t>(_rtld_global, f.dl_stack_cache_lock));
  for (const uint16_t list : {f.dl_stack_used, f.dl_stack_cache}) {
    ListHead* const head = &field<ListHead>(_rtld_global, list);
    for (ListHead* node = head->next; node != head; node = node->next)
      if (const int failure =
              open_thread_stack(reinterpret_cast<char*>(node) - layout.pthread.list);
          failure != 0)
        return failure;
  }
  return 0;
}

void note_permission(const Layout& layout, bool executable) {
  const uint32_t flags = elf::kPfR | elf::kPfW | (executable ? elf::kPfX : 0);
  const int protection = executable ? kEverything : sys::kProtRead | sys::kProtWrite;
  set<uint32_t>(_rtld_global, layout.rtld_global.dl_stack_flags, flags);
  set<uint32_t>(_rtld_global, layout.rtld_global.dl_stack_prot_flags,
                static_cast<uint32_t>(protection));
  state().stacks_executable = executable;
}

}  // namespace

int open_thread_stack(char* thread) {
  const Pthread& f = state().layout->pthread;
  const auto start = field<uintptr_t>(thread, f.stackblock) + field<uintptr_t>(thread, f.guardsize);
  const uint64_t end =
      field<uintptr_t>(thread, f.stackblock) + field<uintptr_t>(thread, f.stackblock_size);
  const auto changed = sys::protect(reinterpret_cast<void*>(start), end - start, kEverything);
  return changed ? 0 : sys::raw(changed.error());
}

Status prepare_stacks(const Linker& linker) {
  if (state().stacks_executable) return Done{};  // an auditor or the program has asked before
  const Layout& layout = *state().layout;
  const Module* wanting = nullptr;
  for (const Module* module = linker.base_space.first; module != nullptr && wanting == nullptr;
       module = module->next)
    if (wants_executable_stack(*module)) wanting = module;
  const bool grant =
      !linker.process.secure && (wanting != nullptr || policy() == StackPolicy::kAlways);
  note_permission(layout, grant);
  if (!grant) return Done{};
  const char* object = wanting != nullptr ? wanting->path : linker.program->path;
  if (policy() == StackPolicy::kNever)
    return Error{.code = Errc::kExecStackRefused, .sys_errno = 22, .object = object};
  const int failure = open_main_stack();
  if (failure == 0) return Done{};
  return Error{.code = Errc::kExecStackRefused, .sys_errno = failure, .object = object};
}

Status grant_executable_stack(const Linker& linker) {
  const Error refusal{.code = Errc::kExecStackRefused, .sys_errno = 22};
  if (linker.process.secure) return refusal;
  // At start-up prepare_stacks() looks after it, when it is known which libc there is.
  if (state().layout == nullptr || state().stacks_executable) return Done{};
  const Layout& layout = *state().layout;
  if (!layout.behaviour.exec_stack_on_dlopen) return refusal;
  int failure = open_main_stack();
  if (failure == 0) {
    note_permission(layout, true);
    failure = open_thread_stacks(layout);
  }
  if (failure == 0) return Done{};
  return Error{.code = Errc::kExecStackRefused, .sys_errno = failure};
}

}  // namespace prelude::glibc
