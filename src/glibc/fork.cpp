// fork copies one thread and the memory as it is at that moment. The linker's data must not be half
// changed then, and locks of threads that stay behind must not stay locked in the child.
#include "shared_state.h"

#include <prelude/base/string.h>

#include <arch/native.h>

namespace prelude::glibc {
namespace {

void reset_mutex(void* mutex) {
  fill_zero(mutex, kMutexSize);
  field<int>(mutex, kMutexKind) = kMutexRecursive;
}

// In a child only the calling thread is left. libc keeps the stacks it has allocated for others,
// and with them their thread blocks.
bool stays_after_fork(const TlsThread& thread) {
  if (reinterpret_cast<const std::byte*>(thread.block) == arch::thread_pointer()) return true;
  const Layout& layout = *state().layout;
  const auto* head = &field<ListHead>(_rtld_global, layout.rtld_global.dl_stack_cache);
  for (const ListHead* node = head->next; node != head; node = node->next)
    if (reinterpret_cast<const char*>(node) - layout.pthread.list == thread.block) return true;
  return false;
}

// The wait has an end: a finaliser may itself be waiting for the thread that forks.
void before_fork() {
  // ns. Threads that keep opening and closing are hard to outrun.
  constexpr uint64_t kPatience = 2'000'000'000;
  State& s = state();
  uint64_t started = 0;
  while (s.functions.mutex_trylock(s.change_lock) != 0) {
    const uint64_t now = sys::now_ns();
    if (started == 0) started = now;
    if (now - started > kPatience) return;
    sys::yield();
  }
  s.forking_thread = arch::thread_pointer();
}

void after_fork_in_parent() {
  State& s = state();
  if (s.forking_thread != arch::thread_pointer()) return;
  s.forking_thread = nullptr;
  s.functions.mutex_unlock(s.change_lock);
}

// libc has made the load lock and the TLS lock anew already. A close that another thread had under
// way is forgotten; what it had not finalised stays loaded.
void after_fork_in_child() {
  Linker& linker = *the_linker;
  reset_mutex(state().change_lock);
  state().forking_thread = nullptr;
  reset_mutex(_rtld_global + state().layout->rtld_global.dl_load_write_lock);
  linker.readers = 0;
  linker.tls.keep_threads(stays_after_fork);
  if (linker.closing != 0 && linker.closing_thread != arch::thread_pointer()) {
    linker.closing = 0;
    for (Namespace* space : linker.spaces)
      for (Module* module = space->first; module != nullptr; module = module->map.l_next)
        module->removed = false;
  }
}

}  // namespace

void watch_forks(const Module& libc) {
  State& s = state();
  if (&libc == s.libc) s.fork_watched = true;
  int (*at_fork)(void (*)(), void (*)(), void (*)(), void*) = nullptr;
  at_fork = reinterpret_cast<decltype(at_fork)>(function_of(libc, "__register_atfork"));
  if (at_fork != nullptr)
    (void)at_fork(before_fork, after_fork_in_parent, after_fork_in_child, nullptr);
}

}  // namespace prelude::glibc
