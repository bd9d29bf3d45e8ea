// The end of a request: all of it stays, or nothing.
#include <prelude/link/linker.h>

#include <arch/native.h>

#include <prelude/base/string.h>

namespace prelude {

// Whoever begins to read now cannot find what was taken out before: the fence keeps our look at the
// count behind the stores that took it out, as readers count themselves before they look at a list.
bool no_reader(const Linker& linker) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return __atomic_load_n(&linker.open->readers, __ATOMIC_ACQUIRE) == 0;
}

void retire_block(Linker& linker, void* block, size_t bytes, size_t align) {
  if (no_reader(linker)) return linker.heap.release(block, bytes, align);
  (void)linker.retired.push(linker.heap, {nullptr, block, bytes, align});  // else it is lost
}

void retire_object(Linker& linker, Module& module) {
  if (no_reader(linker)) return discard_object(linker, &module);
  (void)linker.retired.push(linker.heap, {&module, nullptr, 0, 0});
}

void release_retired(Linker& linker) {
  // Lookups are short. A count that does not fall belongs to a thread that was preempted.
  constexpr int kPatience = 20000;
  if (linker.retired.empty()) return;
  for (int spins = 0; !no_reader(linker); ++spins) {
    if (spins == kPatience) return;
    arch::pause();
  }
  for (const Retired& entry : linker.retired) {
    if (entry.module != nullptr)
      discard_object(linker, entry.module);
    else
      linker.heap.release(entry.block, entry.bytes, entry.align);
  }
  linker.retired.clear();
}

Module** in_closing_order(Linker& linker, const Batch& batch) {
  const size_t count = batch.modules.size();
  auto* list = linker.heap.make_array<Module*>(count);
  if (list == nullptr) return nullptr;
  copy_bytes(list, batch.modules.data(), count * sizeof(Module*));
  (void)sort_closure(linker, list, static_cast<uint32_t>(count), false, SortFor::kEnd);
  return list;
}

void trace_removed(const Linker& linker, const Module& module, bool complete) {
  if (complete) trace_tls_id(linker, module, EventKind::kTlsReleased);
  if (linker.tracer.wants(Topic::kFiles))
    linker.tracer.emit({.kind = EventKind::kFileRemoved,
                        .topic = Topic::kFiles,
                        .file = module.path,
                        .ns = module.name_space});
}

namespace {

void trace_removal(Linker& linker, const Batch& batch) {
  const size_t count = batch.modules.size();
  if (count == 0 || !linker.tracer.any()) return;
  Module** const list = in_closing_order(linker, batch);
  if (list == nullptr) return;
  for (size_t i = 0; i < count; ++i) trace_removed(linker, *list[i], batch.mapping_announced);
  linker.heap.release_array(list, count);
}

void release_lists(Linker& linker, Batch& batch) {
  batch.modules.release(linker.heap);
  batch.pending.release(linker.heap);
  batch.late_tls.release(linker.heap);
  batch.pinned.release(linker.heap);
}

}  // namespace

void roll_back(Linker& linker, Batch& batch) {
  Personality& personality = *linker.personality;
  trace_removal(linker, batch);
  for (Module* module : batch.pinned) module->no_delete = false;
  if (linker.init_first != nullptr && linker.init_first->in_new_batch) linker.init_first = nullptr;
  if (batch.root != nullptr)
    for (uint32_t i = 0; i < batch.root->closure.count; ++i) {
      Module& module = *batch.root->closure.modules[i];
      if (!module.in_new_batch && batch.root->in_new_batch) {
        remove_scope(linker, module, &batch.root->closure);
        personality.module_changed(linker, module);
      }
    }
  // Nor does anything remember an object that stayed only because of the request.
  for (Module* module = batch.space->first; module != nullptr; module = module->next)
    __atomic_store_n(&record_of(*module).last_used, nullptr, __ATOMIC_RELAXED);
  personality.lock_lists(linker);
  for (size_t i = batch.modules.size(); i-- > 0;)
    remove_from_namespace(linker, *batch.space, *batch.modules[i]);
  personality.unlock_lists(linker);
  personality.lock_tls(linker);
  for (size_t i = batch.modules.size(); i-- > 0;) linker.tls.remove(*batch.modules[i]);
  personality.unlock_tls(linker);
  for (size_t i = batch.modules.size(); i-- > 0;) retire_object(linker, *batch.modules[i]);
  release_retired(linker);
  drop_if_empty(linker, *batch.space);
  personality.space_changed(linker, *batch.space);
  release_lists(linker, batch);
}

void commit(Linker& linker, Batch& batch) {
  for (Module* module : batch.modules) module->in_new_batch = false;
  release_lists(linker, batch);
}

}  // namespace prelude
