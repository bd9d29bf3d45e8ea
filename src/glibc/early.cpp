// The libc of an auditor runs before the program's is found. It settles the layout that all share,
// and its locks and exceptions serve the loader until the program's are ready. Memory comes from
// the loader's heap meanwhile: what a libc's allocator gives must go back to the same one.
#include "shared_state.h"

#include <prelude/base/array.h>
#include <prelude/base/string.h>

namespace prelude::glibc {
namespace {

constinit Array<void*> early_blocks;
using Free = void (*)(void*);
constinit Guarded<Free> program_free;

void* take(size_t bytes) {
  Heap& heap = *the_linker->open_heap;
  void* block = heap.allocate(bytes);
  return block != nullptr && early_blocks.push(heap, block) ? block : nullptr;
}
void* take_cleared(size_t count, size_t bytes) { return take(count * bytes); }
// Early blocks are few, and stay.
void give_back(void* block) {
  for (const void* early : early_blocks)
    if (early == block) return;
  if (program_free != nullptr) program_free(block);
}

Module* libc_of(const Batch& batch) {
  for (Module* module : batch.modules)
    if (is_libc(*module)) return module;
  return nullptr;
}

bool is_listed(const Linker& linker, const Module* wanted) {
  for (const Namespace* space : linker.spaces)
    for (const Module* module = space->first; module != nullptr; module = module->next)
      if (module == wanted) return true;
  return false;
}

}  // namespace

void expect_early(Linker& linker) {
  state().early = true;
  linker.thread_memory = {take, give_back};
}

Status begin_early(Linker& linker, const Batch& batch) {
  Module* libc = libc_of(batch);
  if (libc == nullptr) return Done{};
  PRELUDE_TRY(settle_layout(linker, *libc));
  state().libc = libc;
  for (Namespace* space : linker.spaces) {
    for (Module* module = space->first; module != nullptr; module = module->next)
      fill_link_map(*state().layout, *module);
    update_space(linker, *space);
  }
  fill_link_map(*state().layout, *linker.self);
  update_tls(linker);
  return prepare_stacks(linker);  // auditors may start threads
}

void start_early(Linker& linker, const Batch& batch) {
  LibcFunctions& f = state().functions;
  if (f.mutex_lock != nullptr || state().libc == nullptr || libc_of(batch) != state().libc) return;
  find_functions(linker);
  f.malloc = take;
  f.calloc = take_cleared;
  f.free = give_back;
  field<int>(the_locks.change, kMutexKind) = kMutexRecursive;
  // The request under way has begun its change when there was no lock to take.
  if (f.mutex_lock != nullptr) f.mutex_lock(the_locks.change);
}

void check_early(const Linker& linker) {
  State& s = state();
  if (s.libc == nullptr || is_listed(linker, s.libc)) return;
  s.libc = nullptr;
  s.functions = {};
  fill_zero(the_locks.change, sizeof the_locks.change);
}

void end_early() {
  State& s = state();
  program_free = s.functions.free;
  s.functions.free = give_back;
  the_locks.fork_watched = false;  // by the program's libc
}

}  // namespace prelude::glibc
