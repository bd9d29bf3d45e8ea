// fork copies one thread and the memory as it is at that moment. The linker's data must not be half
// changed then, and locks of threads that stay behind must not stay locked in the child.
#include "shared_state.h"

#include <prelude/base/string.h>

#include <arch/native.h>

namespace prelude::glibc {
namespace {

constexpr int kAllThreads = 0x7fffffff;

void note_owner() {
  if (the_locks.change_depth++ == 0)
    __atomic_store_n(&the_locks.changing_thread, arch::thread_pointer(), __ATOMIC_RELAXED);
}

std::byte* load_lock() { return _rtld_global + state().layout->rtld_global.dl_load_lock; }

int32_t own_tid() {
  return field<int32_t>(thread_record(arch::thread_pointer()), state().layout->pthread.tid);
}

bool has_load_lock() {
  return __atomic_load_n(&field<int32_t>(load_lock(), kMutexOwner), __ATOMIC_RELAXED) == own_tid();
}

// A change by another thread than the one that forks in a window.
bool is_shut_out() {
  const Locks& l = the_locks;
  return l.fork_hold == ForkHold::kWindow && l.forking_thread != arch::thread_pointer() &&
         l.change_depth == 0;
}

void note_fork(ForkHold hold) {
  Locks& l = the_locks;
  l.fork_hold = hold;
  l.forking_tid = own_tid();
  __atomic_store_n(&l.forking_thread, arch::thread_pointer(), __ATOMIC_RELEASE);
}

constexpr uint64_t kPatience = 2'000'000'000;  // ns

// Whoever wants to change something while a fork is under way that could not wait for all locks.
// The wait has an end: handlers of the fork may want a lock that this thread has.
[[gnu::cold, gnu::noinline]] void wait_for_window() {
  const uint64_t started = sys::now_ns();
  while (is_shut_out() && sys::now_ns() - started < kPatience) {
    state().functions.mutex_unlock(the_locks.change);
    sys::yield();
    state().functions.mutex_lock(the_locks.change);
  }
}

void reset_mutex(void* mutex) {
  fill_zero(mutex, kMutexSize);
  field<int>(mutex, kMutexKind) = kMutexRecursive;
}

bool is_listed(uint16_t list, const char* record) {
  const auto* head = &field<ListHead>(_rtld_global, list);
  for (const ListHead* node = head->next; node != head; node = node->next)
    if (reinterpret_cast<const char*>(node) - state().layout->pthread.list == record) return true;
  return false;
}

// In a child only the calling thread is left, and what handlers have started there. libc keeps the
// stacks it has allocated for others, and with them their thread blocks.
bool stays_after_fork(const TlsThread& thread) {
  if (reinterpret_cast<const std::byte*>(thread.block) == arch::thread_pointer()) return true;
  const RtldGlobal& f = state().layout->rtld_global;
  const char* record = thread_record(thread.block);
  return is_listed(f.dl_stack_cache, record) || is_listed(f.dl_stack_used, record);
}

// In the order of a dlopen: handlers that run after ours may want the load lock, whose holder may
// want the other one.
bool try_both_locks() {
  const LibcFunctions& f = state().functions;
  if (f.mutex_trylock(load_lock()) != 0) return false;
  if (try_exclusive_change()) {
    note_fork(ForkHold::kLocks);
    return true;
  }
  f.mutex_unlock(load_lock());
  return false;
}

// Nothing is being changed now, and nothing will be until the fork is over.
bool try_window() {
  if (!try_exclusive_change()) return false;
  note_fork(ForkHold::kWindow);
  end_exclusive_change();
  return true;
}

// The waits have an end: a constructor or finaliser, whose thread has the load lock, may itself be
// waiting for the thread that forks, or for a lock that an earlier handler has taken.
void wait_for_both_locks() {
  constexpr uint64_t kPatienceWithCode = 100'000'000;  // ns
  const uint64_t started = sys::now_ns();
  while (!try_both_locks()) {
    const uint64_t waited = sys::now_ns() - started;
    if (waited > kPatienceWithCode && try_window()) return;
    if (waited > kPatience) return note_fork(ForkHold::kNothing);
    sys::yield();
  }
}

// Threads that keep opening and closing would be hard to outrun: they wait meanwhile.
void before_fork() {
  Locks& l = the_locks;
  if (try_both_locks()) return;
  __atomic_add_fetch(&l.forks_waiting, 1U, __ATOMIC_ACQ_REL);
  wait_for_both_locks();
  __atomic_sub_fetch(&l.forks_waiting, 1U, __ATOMIC_ACQ_REL);
  sys::futex_wake(&l.forks_waiting, kAllThreads);
}

void after_fork_in_parent() {
  Locks& l = the_locks;
  if (l.forking_thread != arch::thread_pointer()) return;
  const bool locked = l.fork_hold == ForkHold::kLocks;
  l.fork_hold = ForkHold::kNothing;
  __atomic_store_n(&l.forking_thread, static_cast<const std::byte*>(nullptr), __ATOMIC_RELEASE);
  if (!locked) return;
  end_exclusive_change();
  state().functions.mutex_unlock(load_lock());
}

// A finaliser that forks is inside of a change of its own thread; the fork's own hold ends here.
void keep_own_changes(Linker& linker) {
  Locks& l = the_locks;
  const bool owner = l.changing_thread == arch::thread_pointer();
  const uint32_t depth = owner ? l.change_depth - (l.fork_hold == ForkHold::kLocks ? 1 : 0) : 0;
  reset_mutex(l.change);
  for (uint32_t i = 0; i < depth; ++i) state().functions.mutex_lock(l.change);
  l.change_depth = depth;
  if (depth != 0) return;
  l.changing_thread = nullptr;
  if (linker.arena != nullptr) linker.arena->forget_changes();
}

// libc has made the load lock and the TLS lock anew already. A close that another thread had under
// way is forgotten; what it had not finalised stays loaded.
void after_fork_in_child() {
  Locks& l = the_locks;
  if (l.child_tid == own_tid()) return;
  l.child_tid = own_tid();
  Linker& linker = *the_linker;
  keep_own_changes(linker);
  l.forking_thread = nullptr;
  l.fork_hold = ForkHold::kNothing;
  l.forks_waiting = 0;
  reset_mutex(_rtld_global + state().layout->rtld_global.dl_load_write_lock);
  linker.open->readers = 0;
  linker.tls.keep_threads(stays_after_fork);
  if (linker.closing == 0 || linker.closing_thread == arch::thread_pointer()) return;
  const Opening opening(linker);
  linker.closing = 0;
  for (Namespace* space : linker.spaces)
    for (Module* module = space->first; module != nullptr; module = module->next)
      module->removed = false;
}

}  // namespace

void let_forks_go_first() {
  Locks& l = the_locks;
  if (has_load_lock()) return;  // a fork is waiting for it
  for (;;) {
    const uint32_t waiting = __atomic_load_n(&l.forks_waiting, __ATOMIC_ACQUIRE);
    if (waiting == 0) return;
    sys::futex_wait(&l.forks_waiting, waiting);
  }
}

void look_at_fork() {
  const Locks& l = the_locks;
  if (l.forking_thread == arch::thread_pointer() && l.forking_tid != own_tid())
    after_fork_in_child();
}

void begin_exclusive_change() {
  Locks& l = the_locks;
  if (l.forking_thread != nullptr) look_at_fork();
  state().functions.mutex_lock(the_locks.change);
  if (l.fork_hold == ForkHold::kWindow) wait_for_window();
  note_owner();
}

bool try_exclusive_change() {
  if (state().functions.mutex_trylock(the_locks.change) != 0) return false;
  if (is_shut_out()) {
    state().functions.mutex_unlock(the_locks.change);
    return false;
  }
  note_owner();
  return true;
}

void end_exclusive_change() {
  Locks& l = the_locks;
  if (--l.change_depth == 0)
    __atomic_store_n(&l.changing_thread, static_cast<const void*>(nullptr), __ATOMIC_RELAXED);
  state().functions.mutex_unlock(the_locks.change);
}

void watch_forks(const Module& libc) {
  Locks& l = the_locks;
  if (&libc == state().libc) l.fork_watched = true;
  int (*at_fork)(void (*)(), void (*)(), void (*)(), void*) = nullptr;
  at_fork = reinterpret_cast<decltype(at_fork)>(function_of(libc, "__register_atfork"));
  if (at_fork != nullptr)
    (void)at_fork(before_fork, after_fork_in_parent, after_fork_in_child, nullptr);
}

}  // namespace prelude::glibc
