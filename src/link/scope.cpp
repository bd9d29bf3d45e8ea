// Search lists and the scopes made of them. A published list is replaced, never changed in place
// below its count, and behind it only where no reader can have seen more; so readers need no lock.
#include <prelude/link/linker.h>

#include <prelude/base/string.h>
#include <prelude/base/writer.h>

namespace prelude {

bool reserve_in_list(Linker& linker, SearchList& list, uint32_t more) {
  Heap& heap = linker.heap;
  if (list.capacity - list.count >= more) return true;
  uint32_t capacity = list.capacity == 0 ? 8 : list.capacity * 2;
  while (capacity - list.count < more) capacity *= 2;
  auto* modules = heap.make_array<Module*>(capacity);
  auto* records = heap.make_array<LookupRecord>(capacity);
  if (modules == nullptr || records == nullptr) return false;
  if (list.count != 0) {
    copy_bytes(modules, list.modules, list.count * sizeof(Module*));
    copy_bytes(records, list.records, list.count * sizeof(LookupRecord));
  }
  Module** const old_modules = list.modules;
  LookupRecord* const old_records = list.records;
  __atomic_store_n(&list.modules, modules, __ATOMIC_RELEASE);
  __atomic_store_n(&list.records, records, __ATOMIC_RELEASE);
  if (old_modules != nullptr) {
    retire_array(linker, old_modules, list.capacity);
    retire_array(linker, old_records, list.capacity);
  }
  list.capacity = capacity;
  return true;
}

bool append_to_list(Linker& linker, SearchList& list, Module& module) {
  if (!reserve_in_list(linker, list, 1)) return false;
  list.modules[list.count] = &module;
  list.records[list.count] = module.record;
  __atomic_store_n(&list.count, list.count + 1, __ATOMIC_RELEASE);
  return true;
}

bool add_scope(Linker& linker, Module& module, SearchList* list, bool first) {
  for (uint32_t i = 0; i < module.scope_count; ++i)
    if (module.scope[i] == list) return true;
  // A new array each time: scopes change rarely and readers hold the old one.
  const uint32_t capacity = module.scope_count + 3;
  auto* scope = linker.heap.make_array<SearchList*>(capacity);
  if (scope == nullptr) return false;
  uint32_t count = 0;
  if (first) scope[count++] = list;
  for (uint32_t i = 0; i < module.scope_count; ++i) scope[count++] = module.scope[i];
  if (!first) scope[count++] = list;
  scope[count] = nullptr;
  SearchList** old = module.scope;
  const uint32_t old_capacity = module.scope_capacity;
  __atomic_store_n(&module.scope, scope, __ATOMIC_RELEASE);
  module.scope_count = count;
  module.scope_capacity = capacity;
  if (old != nullptr) retire_array(linker, old, old_capacity);
  return true;
}

namespace {

bool give_scope(Linker& linker, Module& module, SearchList* global, SearchList* local, bool deep) {
  if (deep && local != nullptr && local != global && !add_scope(linker, module, local, false))
    return false;
  if (global != nullptr && !add_scope(linker, module, global, false)) return false;
  if (!deep && local != nullptr && local != global && !add_scope(linker, module, local, false))
    return false;
  // DT_SYMBOLIC: the object's own definitions first (gABI ch. 5). RTLD_DEEPBIND puts other words
  // before that.
  if (!module.image.symbolic || module.kind == ModuleKind::kProgram || deep) return true;
  if (module.stands_for != nullptr) return true;  // it refers to nothing itself
  return append_to_list(linker, module.self_list, module) &&
         add_scope(linker, module, &module.self_list, true);
}

}  // namespace

bool make_own_list(Linker& linker, Module& module) {
  if (module.closure.modules != nullptr) return true;
  bool ok = append_to_list(linker, module.closure, module);
  for (Module* dependency : module.needed)
    if (dependency != &module) ok = ok && append_to_list(linker, module.closure, *dependency);
  return ok;
}

namespace {

// The lists of the scope but those that `goes` says go; `instead` (may be null) takes the place of
// the one at `place`. False when memory is out: the lists stay, empty.
template <typename Goes>
bool leave_out(Linker& linker, Module& module, Goes goes, uint32_t place, SearchList* instead) {
  auto* scope = linker.heap.make_array<SearchList*>(module.scope_capacity);
  if (scope == nullptr) return false;
  uint32_t count = 0;
  for (uint32_t i = 0; i < module.scope_count; ++i)
    if (i == place && instead != nullptr)
      scope[count++] = instead;
    else if (!goes(*module.scope[i]))
      scope[count++] = module.scope[i];
  SearchList** old = module.scope;
  __atomic_store_n(&module.scope, scope, __ATOMIC_RELEASE);
  module.scope_count = count;
  retire_array(linker, old, module.scope_capacity);
  return true;
}

}  // namespace

void remove_scope(Linker& linker, Module& module, const SearchList* list) {
  uint32_t at = 0;
  while (at < module.scope_count && module.scope[at] != list) ++at;
  if (at == module.scope_count) return;
  (void)leave_out(
      linker, module, [list](const SearchList& other) { return &other == list; }, at, nullptr);
}

bool remove_leaving(Linker& linker, Module& module) {
  uint32_t first = UINT32_MAX, place = 0;
  for (uint32_t i = 0; i < module.scope_count; ++i)
    if (const uint32_t turn = module.scope[i]->leaving; turn != 0 && turn < first) {
      first = turn;
      place = i;
    }
  if (first == UINT32_MAX) return false;
  const bool own = module.closure.modules == nullptr && make_own_list(linker, module);
  (void)leave_out(
      linker, module, [](const SearchList& list) { return list.leaving != 0; }, place,
      own ? &module.closure : nullptr);
  return true;
}

namespace {

// All elements but the one at `at`, which leaves `count`. A reader with the old count finds the
// last one twice.
template <typename T>
T* copy_without(Linker& linker, const T* from, uint32_t at, uint32_t count, uint32_t capacity) {
  T* const copy = linker.heap.make_unfilled<T>(capacity);
  if (copy == nullptr) return nullptr;
  copy_bytes(copy, from, at * sizeof(T));
  copy_bytes(copy + at, from + at + 1, (count - at) * sizeof(T));
  copy[count] = count != 0 ? copy[count - 1] : from[at];
  return copy;
}

}  // namespace

void remove_from_list(Linker& linker, SearchList& list, const Module& module) {
  uint32_t at = list.count;
  while (at != 0 && list.modules[at - 1] != &module) --at;
  if (at-- == 0) return;
  const uint32_t count = list.count - 1;
  if (at == count && no_reader(linker)) {
    __atomic_store_n(&list.count, count, __ATOMIC_RELEASE);
    if (no_reader(linker)) return;  // nor has anybody seen it meanwhile: its place may be reused
  }
  auto* modules = copy_without(linker, list.modules, at, count, list.capacity);
  auto* records = copy_without(linker, list.records, at, count, list.capacity);
  if (modules == nullptr || records == nullptr) return;
  Module** old_modules = list.modules;
  LookupRecord* old_records = list.records;
  // The count shrinks first: with the new count and the old arrays the last one is missed for a
  // moment.
  __atomic_store_n(&list.count, count, __ATOMIC_RELEASE);
  __atomic_store_n(&list.modules, modules, __ATOMIC_RELEASE);
  __atomic_store_n(&list.records, records, __ATOMIC_RELEASE);
  retire_array(linker, old_modules, list.capacity);
  retire_array(linker, old_records, list.capacity);
}

bool give_scopes(Linker& linker, Batch& batch) {
  SearchList* global = batch.space->global;
  const bool own = batch.root != nullptr && !batch.starts_global;
  SearchList* local = own ? &batch.root->closure : nullptr;
  const bool deep = (batch.mode & kOpenDeepBind) != 0;
  for (Module* module : batch.modules)
    if (!give_scope(linker, *module, global, local, deep)) return false;
  return true;
}

bool extend_scopes(Linker& linker, Module& root) {
  for (uint32_t i = 0; i < root.closure.count; ++i) {
    Module& module = *root.closure.modules[i];
    const uint32_t before = module.scope_count;
    // An object whose constructor has not run yet belongs to a request that is still under way.
    if (module.init_called && module.kind == ModuleKind::kOpened && module.stands_for == nullptr) {
      if (!add_scope(linker, module, &root.closure, false)) return false;
      if (module.scope_count == before) continue;
      linker.personality->module_changed(linker, module);
    }
    trace_scope(linker, module, module.scope_count == before ? 0 : before);
  }
  return true;
}

bool add_to_global(Linker& linker, Namespace& space, const SearchList& closure) {
  for (uint32_t i = 0; i < closure.count; ++i) {
    Module& module = *closure.modules[i];
    if (module.global) continue;
    if (!append_to_list(linker, *space.global, module)) return false;
    module.global = true;
    if (linker.tracer.wants(Topic::kScopes))
      linker.tracer.emit({.kind = EventKind::kScopeGlobal,
                          .topic = Topic::kScopes,
                          .file = module.path,
                          .ns = module.name_space});
  }
  linker.personality->space_changed(linker, space);
  return true;
}

void trace_scope(Linker& linker, const Module& module, uint32_t from) {
  if (!linker.tracer.wants(Topic::kScopes)) return;
  size_t room = 1;
  for (uint32_t i = from; i < module.scope_count; ++i) {
    size_t line = 1;
    for (uint32_t k = 0; k < module.scope[i]->count; ++k)
      line += string_length(module.scope[i]->modules[k]->path) + 1;
    if (line > room) room = line;
  }
  auto* line = static_cast<char*>(linker.heap.allocate(room, 1));
  if (line == nullptr) return;
  const Tracer& tracer = linker.tracer;
  tracer.emit({.kind = EventKind::kScopeObject,
               .topic = Topic::kScopes,
               .object = module.path,
               .ns = module.name_space});
  for (uint32_t i = from; i < module.scope_count; ++i) {
    Writer names(line, room);
    for (uint32_t k = 0; k < module.scope[i]->count; ++k) {
      if (k != 0) names.put(' ');
      names.put(module.scope[i]->modules[k]->path);
    }
    tracer.emit({.kind = EventKind::kScopeList,
                 .topic = Topic::kScopes,
                 .name = names.c_str(),
                 .value = i});
  }
  if (from >= module.scope_count)
    tracer.emit({.kind = EventKind::kScopeNone, .topic = Topic::kScopes});
  tracer.emit({.kind = EventKind::kScopesEnd, .topic = Topic::kScopes});
  linker.heap.release(line, room, 1);
}

void trace_scopes(Linker& linker, Module* const* modules, size_t count) {
  if (!linker.tracer.wants(Topic::kScopes)) return;
  linker.tracer.emit({.kind = EventKind::kScopesBegin, .topic = Topic::kScopes});
  // The loader has one early when there are auditors, and none to show otherwise.
  for (size_t m = 0; m < count; ++m)
    trace_scope(linker, *modules[m], modules[m]->is_self ? modules[m]->scope_count : 0);
}

}  // namespace prelude
