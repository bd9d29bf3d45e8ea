// Lists of modules and the tables of their names.
#include <prelude/link/linker.h>

#include <prelude/base/string.h>

#include <utility>

namespace prelude {

namespace {

// An odd number of cache lines: a walk that touches the same line of many uses the whole cache.
template <typename T>
constexpr size_t kBytesApart = (sizeof(T) + 63) / 128 * 128 + 64;

// Link maps of programs with many objects lie together: libc walks over them alone.
void* take_record(Linker& linker) {
  constexpr size_t kBytes = kBytesApart<LinkMapRecord>, kAlign = 64, kTogether = 16;
  if (linker.records_left == 0) {
    const size_t count = linker.adds < kTogether ? 1 : kTogether;
    void* const block = linker.open_heap->allocate_for_ever(count * kBytes, kAlign);
    if (block == nullptr) return nullptr;
    linker.next_record = static_cast<std::byte*>(block);
    linker.records_left = count;
  }
  --linker.records_left;
  return std::exchange(linker.next_record, linker.next_record + kBytes);
}

}  // namespace

Module* new_module(Linker& linker) {
  void* at = linker.spare_modules;
  void* record = nullptr;
  if (at != nullptr) {
    record = linker.spare_modules->map;
    linker.spare_modules = linker.spare_modules->next;
    fill_zero(at, sizeof(Module));
    fill_zero(record, sizeof(LinkMapRecord));
  } else {
    at = linker.heap.allocate_for_ever(kBytesApart<Module>, alignof(Module));
    record = take_record(linker);
  }
  if (at == nullptr || record == nullptr) return nullptr;
  auto* const module = new (at) Module;
  auto* const shown = new (record) LinkMapRecord;
  shown->module = module;
  module->map = &shown->map;
  return module;
}

void release_module(Linker& linker, Module& module) {
  module.next = linker.spare_modules;
  linker.spare_modules = &module;
}

bool address_in_segments(const Module& module, uint64_t address) {
  const uint64_t vaddr = address - module.image.bias;
  for (uint32_t i = 0; i < module.image.segment_count; ++i) {
    const LoadSegment& s = module.image.segments[i];
    if (vaddr - s.vaddr < s.memsz) return true;
  }
  return false;
}

bool has_name(const Module& module, const char* name) {
  for (const NameNode* node = module.names; node != nullptr; node = node->next)
    if (equal(node->name, name)) return true;
  return equal(module.path, name);
}

namespace {

// Both lists: ours and the one that the others see.
void tie(Namespace& space, Module* first, Module* second) {
  if (second != nullptr) {
    second->prev = first;
    second->map->l_prev = map_of(first);
  } else {
    space.last = first;
  }
  if (first != nullptr) {
    __atomic_store_n(&first->next, second, __ATOMIC_RELEASE);
    __atomic_store_n(&first->map->l_next, map_of(second), __ATOMIC_RELEASE);
  } else {
    space.first = second;
  }
}

// One store makes the module reachable: those who walk a list need not be kept out. `before` may be
// null: the end.
void insert(Namespace& space, Module& module, Module* before) {
  Module* const ahead = before != nullptr ? before->prev : space.last;
  tie(space, &module, before);
  tie(space, ahead, &module);
}

// Takes a module out of the list; readers walk it meanwhile.
void unlink(Namespace& space, const Module& module) { tie(space, module.prev, module.next); }

}  // namespace

void append_to_namespace(Linker& linker, Namespace& space, Module& module) {
  module.name_space = space.index;
  insert(space, module, nullptr);
  space.files.add(module);
  ++space.count;
  ++space.added;
  ++linker.adds;
}

void remove_from_namespace(Linker& linker, Namespace& space, Module& module) {
  for (const NameNode* node = module.names; node != nullptr; node = node->next)
    space.names.remove(linker.heap, node->name, &module);
  if (module.gave_unique) space.unique.remove(linker.heap, &module);
  if (linker.init_first == &module) linker.init_first = nullptr;
  if (module.prev == nullptr && space.first != &module)
    return;  // the request failed before it was in the list
  unlink(space, module);
  space.files.remove(module);
  --space.count;
}

void move_in_namespace(Linker& linker, Namespace& space, Module& module, Module& before) {
  if (&module == &before) return;
  linker.personality->lock_lists(linker);
  unlink(space, module);
  insert(space, module, &before);
  linker.personality->unlock_lists(linker);
}

bool add_name(Linker& linker, Module& module, const char* name) {
  // The path does not count: the first name is the one it was asked for by, also where both are
  // equal.
  for (const NameNode* node = module.names; node != nullptr; node = node->next)
    if (equal(node->name, name)) return true;
  auto* node = linker.open_heap->make<NameNode>();
  const char* copy = linker.heap.copy_string(name, string_length(name));
  if (node == nullptr || copy == nullptr) return false;
  *node = {copy, nullptr, 1};
  NameNode** link = &module.names;
  while (*link != nullptr) link = &(*link)->next;
  *link = node;
  return linker.spaces[module.name_space]->names.add(linker.heap, copy, &module);
}

Module* find_by_name(const Namespace& space, const char* name) {
  const uint32_t hash = hash_bytes(name);
  if (Module* known = space.names.find(name, hash); known != nullptr) return known;
  if (!contains(name, '/')) return nullptr;
  for (Module* module = space.first; module != nullptr; module = module->next) {
    if (module->hashed_path != module->map->l_name) {
      module->hashed_path = module->map->l_name;
      module->path_hash = hash_bytes(module->map->l_name);
    }
    if (module->path_hash == hash && !module->removed && equal(module->map->l_name, name))
      return module;
  }
  return nullptr;
}

Namespace* new_namespace(Linker& linker) {
  for (Namespace* space : linker.spaces) {
    if (space->in_use || space->index == 0) continue;
    space->in_use = true;
    return space;
  }
  auto* space = linker.heap.make<Namespace>();
  if (space == nullptr || !linker.spaces.push(linker.heap, space)) return nullptr;
  space->index = static_cast<uint32_t>(linker.spaces.size() - 1);
  space->in_use = true;
  return space;
}

void drop_if_empty(Linker& linker, Namespace& space) {
  if (space.index == 0 || space.first != nullptr) return;
  linker.heap.release_array(space.own_global.modules, space.own_global.capacity);
  linker.heap.release_array(space.own_global.records, space.own_global.capacity);
  space.own_global = {};
  space.global = nullptr;
  space.in_use = false;
  space.auditing = false;
}

Result<Module*> make_stand_in(Linker& linker, const char* name, const char* path) {
  Module& self = *linker.self;
  auto* module = new_module(linker);
  if (module == nullptr) return Error{.code = Errc::kOutOfMemory, .object = name};
  module->path = linker.heap.copy_string(path, string_length(path));
  if (module->path == nullptr) {
    release_module(linker, *module);
    return Error{.code = Errc::kOutOfMemory, .object = name};
  }
  // Everything but identity is the loader's own: tables are shared, found definitions are in the
  // loader.
  module->stands_for = &self;
  module->image = self.image;
  module->symbols = self.symbols;
  module->record = self.record;
  *module->map = {self.map->l_addr, module->path, self.map->l_ld, nullptr, nullptr};
  module->map_start = self.map_start;
  module->map_end = self.map_end;
  module->segments_contiguous = self.segments_contiguous;
  module->local_scope[0] = &module->closure;
  module->is_self = true;
  module->relocated = true;
  module->init_called = true;
  module->dependencies_known = true;
  return module;
}

Module* module_of_address(const Linker& linker, uint64_t address) {
  for (const Namespace* space : linker.spaces)
    for (Module* module = space->first; module != nullptr; module = module->next)
      if (module->stands_for == nullptr && module->contains(address) &&
          (module->segments_contiguous || address_in_segments(*module, address)))
        return module;
  return nullptr;
}

}  // namespace prelude
