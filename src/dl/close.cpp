// dlclose: what nobody reaches any more is finalised, taken out of every list, and unmapped.
#include <prelude/dl/dl.h>

#include <arch/native.h>

#include <prelude/base/string.h>

#include <utility>

namespace prelude::dl {
namespace {

// What a use could not note itself, as another change was under way.
void note_keeping(Module& module) {
  if (__atomic_load_n(&record_of(module).keep, __ATOMIC_RELAXED)) module.no_delete = true;
}

size_t ties(const Linker& linker) {
  return linker.ties + __atomic_load_n(&linker.open->late_ties, __ATOMIC_ACQUIRE);
}

bool is_root(Linker& linker, Module& module) {
  return module.kind != ModuleKind::kOpened || module.open_count != 0 || module.no_delete ||
         module.in_new_batch || linker.personality->pinned(module);
}

// Marks (kept_in) what is needed. Most modules need nobody: those are not looked into.
class Marker {
 public:
  /// `stack` has room for all modules of the namespace.
  Marker(uint64_t collection, const Namespace& space, Module** stack)
      : collection_(collection), space_(space.index), stack_(stack) {}

  /// The module and everything reachable from it.
  void keep(Module* root) {
    note(root);
    while (depth_ != 0) {
      Module* module = stack_[--depth_];
      for (Module* target : module->sorted) note(target);
      for (Module* target : module->needed) note(target);
      for (Module* target : module->used) note(target);
    }
  }

 private:
  void note(Module* module) {
    if (module->kept_in == collection_ || module->name_space != space_) return;
    module->kept_in = collection_;
    const bool alone =
        module->needed.empty() && module->used.empty() && module->sorted.size() <= 1;  // itself
    if (!alone) stack_[depth_++] = module;
  }

  uint64_t collection_;
  uint32_t space_;
  Module** stack_;
  size_t depth_ = 0;
};

bool is_kept(const Linker& linker, const Module& module) {
  return module.kept_in == linker.collection;
}

// Begins a collection: marks everything reachable from modules that must stay, and puts the others
// into `rest`, in the list's order. `rest` has room for twice as many as there are modules. Gives
// the number of the others.
uint32_t mark_needed(Linker& linker, const Namespace& space, Module** rest) {
  Marker marker(++linker.collection, space, rest + space.count);
  uint32_t count = 0, others = 0;
  for (Module* module = space.first; module != nullptr; module = module->next)
    if (note_keeping(*module); is_root(linker, *module))
      marker.keep(module);
    else
      rest[count++] = module;
  for (uint32_t i = 0; i < count; ++i)
    if (!is_kept(linker, *rest[i])) rest[others++] = rest[i];
  return others;
}

// What stays forgets the lists of what goes. (It uses nothing that goes: that would be needed.)
void detach(Linker& linker, Module* const* gone, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    const SearchList& closure = gone[i]->closure;
    for (uint32_t k = 0; k < closure.count; ++k)
      if (Module& module = *closure.modules[k]; !module.removed && remove_leaving(linker, module))
        linker.personality->module_changed(linker, module);
  }
}

// A second close of the same handle shall name the object.
void remember_closed(Linker& linker, const Module& module) {
  ClosedHandle& place = linker.closed[linker.closed_count++ % ClosedHandle::kKept];
  linker.heap.release_string(place.name);
  place = {module.map, linker.heap.copy_string(module.path, string_length(module.path))};
}

void unload(Linker& linker, Namespace& space, Module* const* list, uint32_t count) {
  Personality& personality = *linker.personality;
  bool had_tls = false;
  for (uint32_t i = 0; i < count; ++i) {
    list[i]->removed = true;
    list[i]->closure.leaving = i + 1;
    had_tls = had_tls || list[i]->tls.module_id != 0;
  }
  detach(linker, list, count);
  personality.space_changed(linker, space);
  forget_removed(list, count);
  personality.lock_lists(linker);
  for (uint32_t i = 0; i < count; ++i) {
    trace_removed(linker, *list[i], true);
    remove_from_namespace(linker, space, *list[i]);
    ++linker.removals;
  }
  personality.unlock_lists(linker);
  personality.space_changed(linker, space);
  if (had_tls) {
    personality.lock_tls(linker);
    for (uint32_t i = 0; i < count; ++i) linker.tls.remove(*list[i]);
    linker.tls.publish_generation();
    personality.unlock_tls(linker);
    personality.space_changed(linker, space);
  }
  for (uint32_t i = 0; i < count; ++i) remember_closed(linker, *list[i]);
  for (uint32_t i = 0; i < count; ++i) retire_object(linker, *list[i]);
  release_retired(linker);
}

// Finalises and forgets: whatever looks for the object from here on must not find it.
void finalise(Linker& linker, Namespace& space, Module& module, bool first) {
  // libc keeps locks of its own while finalisers run (__cxa_finalize): a fork waits for their end.
  const Exclusion exclusion(linker);
  (void)run_finaliser(linker, module);
  const Opening opening(linker);
  if (first) tell_removal(linker, space, Removal::kFirstClose);
  if (linker.auditor != nullptr) linker.auditor->closed(linker, module);
  module.removed = true;
  if (module.global) remove_from_list(linker, *space.global, module);
}

// A finaliser may have opened objects that need one of the condemned. Those stay, without a second
// finalisation; without memory to look all do. Gives the number that goes.
uint32_t spare_reopened(Linker& linker, const Namespace& space, Module** list, uint32_t count) {
  const size_t room = 2 * size_t{space.count};
  auto* work = linker.heap.make_unfilled<Module*>(room);
  if (work != nullptr) (void)mark_needed(linker, space, work);
  uint32_t gone = 0;
  for (uint32_t i = 0; i < count; ++i) {
    Module* module = list[i];
    module->removed = work != nullptr && !is_kept(linker, *module);
    if (module->removed) list[gone++] = module;
  }
  linker.heap.release_array(work, room);
  return gone;
}

// Whether finalisers may have made one of the condemned needed again.
bool may_be_needed(Linker& linker, size_t before, Module* const* list, uint32_t count) {
  if (ties(linker) != before) return true;
  for (uint32_t i = 0; i < count; ++i)
    if (linker.personality->pinned(*list[i])) return true;
  return false;
}

// Compat: 2.36 keeps the namespace's first object in its place, releases from 2.39 on the one that
// is being closed (`closed`; null when a round is done over).
bool sort_for_close(Linker& linker, const Namespace& space, Module** list, uint32_t count,
                    const Module* closed) {
  if (!linker.closed_goes_first)
    return sort_closure(linker, list, count, space.index == 0, SortFor::kClose);
  if (closed != nullptr) {
    uint32_t at = 0;
    while (list[at] != closed) ++at;
    std::swap(list[0], list[at]);
  }
  return sort_closure(linker, list, count, closed != nullptr, SortFor::kClose);
}

// Those that go, in the order of their finalisers. What stays belongs to the sort as well. `list`
// has room for all modules.
uint32_t sort_condemned(Linker& linker, const Namespace& space, Module** list,
                        const Module* closed) {
  uint32_t used = 0, gone = 0;
  for (Module* module = space.first; module != nullptr; module = module->next)
    list[used++] = module;
  if (!sort_for_close(linker, space, list, used, closed)) return 0;
  for (uint32_t i = 0; i < used; ++i)
    if (!is_kept(linker, *list[i])) list[gone++] = list[i];
  return gone;
}

// One round: finds what is not needed, finalises it, unloads it. Finalisers run outside of any
// change.
void collect(Linker& linker, Namespace& space, const Module* closed) {
  Personality& personality = *linker.personality;
  begin_change(linker);
  const size_t room = 2 * size_t{space.count};
  auto* list = linker.heap.make_unfilled<Module*>(room);
  if (list == nullptr) return end_change(linker);
  uint32_t gone = mark_needed(linker, space, list);
  if (gone > 1) gone = sort_condemned(linker, space, list, closed);
  const size_t before = ties(linker);
  const bool told =
      gone != 0 && linker.auditor != nullptr && personality.audit_rules().removal_before_close;
  end_change(linker);
  for (uint32_t i = 0; i < gone; ++i) finalise(linker, space, *list[i], i == 0);
  const Change change(linker);
  if (may_be_needed(linker, before, list, gone)) gone = spare_reopened(linker, space, list, gone);
  if (gone != 0) {
    tell_removal(linker, space, Removal::kUnload);
    debugger::announce(space, debugger::Stage::kUnmapStart);
    unload(linker, space, list, gone);
    announce_end(linker, space, debugger::Stage::kUnmapComplete, true);
  } else if (told) {
    linker.auditor->activity(linker, space, Activity::kConsistent);
  }
  linker.heap.release_array(list, room);
  drop_if_empty(linker, space);
}

// Whether that was the last reference.
bool count_closing(Linker& linker, Module& module) {
  const Opening opening(linker);
  --module.open_count;
  linker.personality->module_changed(linker, module);
  return module.open_count == 0 && module.kind == ModuleKind::kOpened;
}

void note_closing(Linker& linker, uint8_t how) {
  const Opening opening(linker);
  linker.closing = how;
  linker.closing_thread = arch::thread_pointer();
}

}  // namespace

const char* closed_name(const Linker& linker, const void* handle) {
  for (const ClosedHandle& closed : linker.closed)
    if (closed.handle == handle) return closed.name;
  return nullptr;
}

Status close(Linker& linker, Module& module) {
  if (module.no_delete) return Done{};
  if (module.open_count == 0) return Error{.code = Errc::kNotOpen, .object = module.map->l_name};
  const bool last = count_closing(linker, module);
  if (!last || linker.closing != 0) {
    if (last)
      note_closing(linker, 2);  // from a finaliser: the round under way starts over when it is done
    if (linker.tracer.wants(Topic::kFiles))
      linker.tracer.emit({.kind = EventKind::kFileClosing,
                          .topic = Topic::kFiles,
                          .file = module.map->l_name,
                          .value = module.open_count});
    return Done{};
  }
  Namespace& space = *linker.spaces[module.name_space];
  const Module* closed = &module;
  do {
    note_closing(linker, 1);
    collect(linker, space, closed);
    closed = nullptr;
  } while (linker.closing == 2);
  note_closing(linker, 0);
  return Done{};
}

}  // namespace prelude::dl
