// fork copies one thread and the memory as it is at that moment. The linker's data must not be half
// changed then, and locks of threads that stay behind must not stay locked in the child.
#include "shared_state.h"

#include <prelude/base/string.h>

#include <arch/native.h>

namespace prelude::glibc {
namespace {

constexpr int kAllThreads = 0x7fffffff;

void note_owner() {
  State& s = state();
  if (s.change_depth++ == 0)
    __atomic_store_n(&s.changing_thread, arch::thread_pointer(), __ATOMIC_RELAXED);
}

// Only for a thread that holds nothing yet: what it holds a fork may be waiting for.
[[gnu::cold, gnu::noinline]] void let_forks_go_first() {
  State& s = state();
  if (__atomic_load_n(&s.changing_thread, __ATOMIC_RELAXED) == arch::thread_pointer()) return;
  for (;;) {
    const uint32_t waiting = __atomic_load_n(&s.forks_waiting, __ATOMIC_ACQUIRE);
    if (waiting == 0) return;
    sys::futex_wait(&s.forks_waiting, waiting);
  }
}

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
bool take_for_fork() {
  constexpr uint64_t kPatience = 2'000'000'000;  // ns
  uint64_t started = 0;
  while (!try_exclusive_change()) {
    const uint64_t now = sys::now_ns();
    if (started == 0) started = now;
    if (now - started > kPatience) return false;
    sys::yield();
  }
  return true;
}

// Threads that keep opening and closing would be hard to outrun: they wait meanwhile.
void before_fork() {
  State& s = state();
  if (!try_exclusive_change()) {
    __atomic_add_fetch(&s.forks_waiting, 1U, __ATOMIC_ACQ_REL);
    const bool taken = take_for_fork();
    __atomic_sub_fetch(&s.forks_waiting, 1U, __ATOMIC_ACQ_REL);
    sys::futex_wake(&s.forks_waiting, kAllThreads);
    if (!taken) return;
  }
  s.forking_thread = arch::thread_pointer();
}

void after_fork_in_parent() {
  State& s = state();
  if (s.forking_thread != arch::thread_pointer()) return;
  s.forking_thread = nullptr;
  end_exclusive_change();
}

// libc has made the load lock and the TLS lock anew already. A close that another thread had under
// way is forgotten; what it had not finalised stays loaded.
void after_fork_in_child() {
  Linker& linker = *the_linker;
  reset_mutex(state().change_lock);
  state().forking_thread = nullptr;
  state().changing_thread = nullptr;
  state().change_depth = state().forks_waiting = 0;
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

void begin_exclusive_change() {
  if (__atomic_load_n(&state().forks_waiting, __ATOMIC_RELAXED) != 0) let_forks_go_first();
  state().functions.mutex_lock(state().change_lock);
  note_owner();
}

bool try_exclusive_change() {
  if (state().functions.mutex_trylock(state().change_lock) != 0) return false;
  note_owner();
  return true;
}

void end_exclusive_change() {
  State& s = state();
  if (--s.change_depth == 0)
    __atomic_store_n(&s.changing_thread, static_cast<const void*>(nullptr), __ATOMIC_RELAXED);
  s.functions.mutex_unlock(s.change_lock);
}

void watch_forks(const Module& libc) {
  State& s = state();
  if (&libc == s.libc) s.fork_watched = true;
  int (*at_fork)(void (*)(), void (*)(), void (*)(), void*) = nullptr;
  at_fork = reinterpret_cast<decltype(at_fork)>(function_of(libc, "__register_atfork"));
  if (at_fork != nullptr)
    (void)at_fork(before_fork, after_fork_in_parent, after_fork_in_child, nullptr);
}

}  // namespace prelude::glibc
