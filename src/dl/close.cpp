// dlclose: what nobody reaches any more is finalised, taken out of every list, and unmapped.
#include <prelude/dl/dl.h>

#include <prelude/base/string.h>
#include <prelude/debugger/debugger.h>

namespace prelude::dl {
namespace {

bool is_root(Linker& linker, Module& module) {
  return module.kind != ModuleKind::kOpened || module.open_count != 0 || module.no_delete || module.in_new_batch ||
         linker.personality->pinned(module);
}

// Marks (visited) everything reachable from modules that must stay. `work` has room for all modules.
void mark_needed(Linker& linker, Namespace& space, Module** work) {
  size_t depth = 0;
  auto keep = [&](Module* module) {
    if (module->visited || module->name_space != space.index) return;
    module->visited = true;
    work[depth++] = module;
  };
  for (Module* module = space.first; module != nullptr; module = module->map.l_next)
    if (is_root(linker, *module)) keep(module);
  while (depth != 0) {
    Module* module = work[--depth];
    for (Module* target : module->sorted) keep(target);
    for (Module* target : module->needed) keep(target);
    for (Module* target : module->used) keep(target);
  }
}

void detach(Linker& linker, Namespace& space, Module& gone) {
  remove_from_list(linker, *space.global, gone);
  for (Module* module = space.first; module != nullptr; module = module->map.l_next) {
    if (module->removed) continue;
    const uint32_t before = module->scope_count;
    remove_scope(linker, *module, &gone.closure);
    if (module->scope_count != before) linker.personality->module_changed(linker, *module);
    for (size_t i = module->used.size(); i-- > 0;)
      if (module->used[i] == &gone) module->used.remove_at(i);
  }
}

void unload(Linker& linker, Namespace& space, Module* const* list, size_t count) {
  Personality& personality = *linker.personality;
  bool had_tls = false;
  for (size_t i = 0; i < count; ++i) {
    list[i]->removed = true;
    had_tls = had_tls || list[i]->tls.module_id != 0;
  }
  for (size_t i = 0; i < count; ++i) detach(linker, space, *list[i]);
  personality.space_changed(linker, space);
  (void)rebuild_index(linker);
  personality.lock_lists(linker);
  for (size_t i = 0; i < count; ++i) {
    if (linker.tracer.wants(Topic::kFiles))
      linker.tracer.emit({.kind = EventKind::kFileRemoved, .topic = Topic::kFiles, .file = list[i]->path,
                          .ns = list[i]->name_space});
    remove_from_namespace(linker, space, *list[i]);
    ++linker.removals;
  }
  personality.unlock_lists(linker);
  personality.space_changed(linker, space);
  if (had_tls) {
    personality.lock_tls(linker);
    for (size_t i = 0; i < count; ++i) linker.tls.remove(*list[i]);
    linker.tls.publish_generation();
    personality.unlock_tls(linker);
    personality.space_changed(linker, space);
  }
  const bool quiet = wait_for_readers(linker);
  for (size_t i = 0; i < count && quiet; ++i) discard_object(linker, list[i]);
}

// One round; true when something was unloaded.
bool collect(Linker& linker, Namespace& space) {
  const uint32_t count = space.count;
  auto* list = linker.heap.make_array<Module*>(count);
  if (list == nullptr) return false;
  mark_needed(linker, space, list);
  uint32_t used = 0, unused = 0;
  for (Module* module = space.first; module != nullptr; module = module->map.l_next) list[used++] = module;
  for (uint32_t i = 0; i < used; ++i) unused += list[i]->visited ? 0 : 1;
  const bool sorted = unused == 0 || sort_closure(linker, list, used, false, true);
  uint32_t gone = 0;
  for (uint32_t i = 0; i < used; ++i) {
    const bool keep = list[i]->visited || !sorted;
    list[i]->visited = false;
    if (!keep) list[gone++] = list[i];
  }
  for (uint32_t i = 0; i < gone; ++i) run_finaliser(linker, *list[i]);
  if (gone != 0) {
    debugger::announce(linker, space, kRtDelete);
    unload(linker, space, list, gone);
    debugger::announce(linker, space, kRtConsistent);
  }
  linker.heap.release_array(list, count);
  return gone != 0;
}

}  // namespace

Status close(Linker& linker, Module& module) {
  if (module.open_count == 0) return Error{.code = Errc::kNotOpen, .object = module.path};
  if (linker.tracer.wants(Topic::kFiles))
    linker.tracer.emit({.kind = EventKind::kFileClosing, .topic = Topic::kFiles, .file = module.path,
                        .value = module.open_count});
  --module.open_count;
  linker.personality->module_changed(linker, module);
  if (module.open_count != 0 || module.kind != ModuleKind::kOpened) return Done{};
  if (linker.closing != 0) {  // from a finaliser: the round under way starts over when it is done
    linker.closing = 2;
    return Done{};
  }
  Namespace& space = *linker.spaces[module.name_space];
  do {
    linker.closing = 1;
    (void)collect(linker, space);
  } while (linker.closing == 2);
  linker.closing = 0;
  return Done{};
}

}  // namespace prelude::dl
