// Lists of modules and the tables of their names.
#include <prelude/link/linker.h>

#include <prelude/base/string.h>

namespace prelude {

Module* new_module(Linker& linker) {
  // An odd number of cache lines: a walk that touches the same line of many uses the whole cache.
  constexpr size_t kBytes = (sizeof(Module) + 63) / 128 * 128 + 64;
  Module* const spare = linker.spare_modules;
  void* at = spare;
  if (spare != nullptr) {
    linker.spare_modules = spare->map.l_next;
    fill_zero(at, sizeof(Module));
  } else {
    at = linker.heap.allocate_for_ever(kBytes, alignof(Module));
  }
  return at == nullptr ? nullptr : new (at) Module;
}

void release_module(Linker& linker, Module& module) {
  module.map.l_next = linker.spare_modules;
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

// One store makes the module reachable: those who walk the list need not be kept out.
void append_to_namespace(Linker& linker, Namespace& space, Module& module) {
  module.name_space = space.index;
  module.map.l_next = nullptr;
  module.map.l_prev = space.last;
  if (space.last != nullptr)
    __atomic_store_n(&space.last->map.l_next, &module, __ATOMIC_RELEASE);
  else
    space.first = &module;
  space.last = &module;
  space.files.add(module);
  ++space.count;
  ++space.added;
  ++linker.adds;
}

namespace {

// Takes a module out of the list; readers walk it meanwhile.
void unlink(Namespace& space, const Module& module) {
  Module *next = module.map.l_next, *prev = module.map.l_prev;
  if (prev != nullptr)
    __atomic_store_n(&prev->map.l_next, next, __ATOMIC_RELEASE);
  else
    space.first = next;
  if (next != nullptr)
    next->map.l_prev = prev;
  else
    space.last = prev;
}

}  // namespace

void remove_from_namespace(Linker& linker, Namespace& space, Module& module) {
  for (const NameNode* node = module.names; node != nullptr; node = node->next)
    space.names.remove(linker.heap, node->name, &module);
  if (module.gave_unique) space.unique.remove(linker.heap, &module);
  if (linker.init_first == &module) linker.init_first = nullptr;
  if (module.map.l_prev == nullptr && space.first != &module)
    return;  // the request failed before it was in the list
  unlink(space, module);
  space.files.remove(module);
  --space.count;
}

void move_in_namespace(Linker& linker, Namespace& space, Module& module, Module& before) {
  if (&module == &before) return;
  linker.personality->lock_lists(linker);
  unlink(space, module);
  Module* const ahead = before.map.l_prev;
  module.map.l_prev = ahead;
  module.map.l_next = &before;
  before.map.l_prev = &module;
  if (ahead != nullptr)
    __atomic_store_n(&ahead->map.l_next, &module, __ATOMIC_RELEASE);
  else
    space.first = &module;
  linker.personality->unlock_lists(linker);
}

bool add_name(Linker& linker, Module& module, const char* name) {
  // The path does not count: the first name is the one it was asked for by, also where both are
  // equal.
  for (const NameNode* node = module.names; node != nullptr; node = node->next)
    if (equal(node->name, name)) return true;
  auto* node = linker.heap.make<NameNode>();
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
  for (Module* module = space.first; module != nullptr; module = module->map.l_next) {
    if (module->hashed_path != module->map.l_name) {
      module->hashed_path = module->map.l_name;
      module->path_hash = hash_bytes(module->map.l_name);
    }
    if (module->path_hash == hash && !module->removed && equal(module->map.l_name, name))
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
  module->map = {self.map.l_addr, module->path, self.map.l_ld, nullptr, nullptr};
  module->map_start = self.map_start;
  module->map_end = self.map_end;
  module->segments_contiguous = self.segments_contiguous;
  module->is_self = true;
  module->relocated = true;
  module->init_called = true;
  module->dependencies_known = true;
  return module;
}

Module* module_of_address(const Linker& linker, uint64_t address) {
  for (const Namespace* space : linker.spaces)
    for (Module* module = space->first; module != nullptr; module = module->map.l_next)
      if (module->stands_for == nullptr && module->contains(address) &&
          (module->segments_contiguous || address_in_segments(*module, address)))
        return module;
  return nullptr;
}

}  // namespace prelude
