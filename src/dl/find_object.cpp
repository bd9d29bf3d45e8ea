// The index of address ranges. Objects of the start-up never go away: their table is made once. The
// others have two tables that take turns: the writer fills the idle one and switches; a reader that
// was overtaken sees the version change and looks again. A handler that interrupts the writer finds
// the active table untouched.
#include <prelude/dl/dl.h>

#include <prelude/base/string.h>

#include <algorithm>
#include <cstddef>

namespace prelude::dl {
namespace {

constinit ObjectTable nothing = {};
constinit ObjectTable* tables[2] = {&nothing, &nothing};
constinit size_t version = 0;  // its lowest bit names the active table

uint64_t eh_frame_of(const Module& module) {
  return module.image.eh_frame_vaddr == 0 ? 0 : module.image.bias + module.image.eh_frame_vaddr;
}

uint32_t entries_of(const Module& module) {
  return module.segments_contiguous ? 1 : module.image.segment_count;
}

// Entries stay in ascending order.
void put(ObjectTable& table, const FoundObject& entry) {
  FoundObject* const end = table.entries + table.count++;
  FoundObject* const at = std::upper_bound(
      table.entries, end, entry,
      [](const FoundObject& a, const FoundObject& b) { return a.start < b.start; });
  __builtin_memmove(at + 1, at, static_cast<size_t>(end - at) * sizeof entry);
  *at = entry;
}

// Entries that lie behind all of the table's.
void put_all(ObjectTable& table, const FoundObject* first, const FoundObject* end) {
  const auto count = static_cast<uint32_t>(end - first);
  copy_bytes(table.entries + table.count, first, count * sizeof(FoundObject));
  table.count += count;
}

FoundObject entry_of(const Module& module, uint64_t start, uint64_t end) {
  return {static_cast<uintptr_t>(start), static_cast<uintptr_t>(end), module.map,
          static_cast<uintptr_t>(eh_frame_of(module))};
}

void put_module(ObjectTable& table, const Module& module) {
  if (module.segments_contiguous)
    return put(table, entry_of(module, module.map_start, module.map_end));
  for (uint32_t i = 0; i < module.image.segment_count; ++i) {
    const LoadSegment& s = module.image.segments[i];
    const uint64_t start = module.image.bias + s.vaddr;
    put(table, entry_of(module, start, start + s.memsz));
  }
}

ObjectTable* make_table(Linker& linker, uint32_t capacity) {
  const size_t bytes = offsetof(ObjectTable, entries) + size_t{capacity} * sizeof(FoundObject);
  auto* table = static_cast<ObjectTable*>(linker.heap.allocate(bytes, alignof(ObjectTable)));
  if (table != nullptr) table->capacity = capacity;
  return table;
}

ObjectTable*& active_table() { return tables[version & 1]; }
ObjectTable*& idle_table() { return tables[(version + 1) & 1]; }

// Readers go over to the table that was idle.
void switch_tables() { __atomic_store_n(&version, version + 1, __ATOMIC_RELEASE); }

// Both tables have the same room, so that taking entries out needs no memory. The old blocks stay:
// a late reader may still look at them. Doubling bounds the loss.
bool make_room(Linker& linker, uint32_t wanted) {
  if (wanted <= idle_table()->capacity) return true;
  const uint32_t capacity = wanted * 2 < 16 ? 16 : wanted * 2;
  ObjectTable* const first = make_table(linker, capacity);
  ObjectTable* const second = make_table(linker, capacity);
  if (first == nullptr || second == nullptr) return false;
  const ObjectTable& active = *active_table();
  put_all(*second, active.entries, active.entries + active.count);
  __atomic_store_n(&idle_table(), second, __ATOMIC_RELEASE);
  switch_tables();
  __atomic_store_n(&idle_table(), first, __ATOMIC_RELEASE);
  return true;
}

}  // namespace

constinit const ObjectTable* fixed_objects = &nothing;

bool index_start_up(Linker& linker) {
  uint32_t count = 0;
  // Auditors run before anybody has needed the loader, which then is in no list.
  const bool unlisted = linker.self->prev == nullptr && linker.base_space.first != linker.self;
  auto each = [&](auto visit) {
    if (unlisted) visit(*linker.self);
    for (const Namespace* space : linker.spaces)
      for (const Module* module = space->first; module != nullptr; module = module->next)
        if (module->kind != ModuleKind::kOpened && module->stands_for == nullptr) visit(*module);
  };
  each([&](const Module& module) { count += entries_of(module); });
  ObjectTable* const table = make_table(linker, count);
  if (table == nullptr) return false;
  each([&](const Module& module) { put_module(*table, module); });
  __atomic_store_n(&fixed_objects, table, __ATOMIC_RELEASE);
  return true;
}

bool index_opened(Linker& linker, Module* const* modules, size_t count) {
  // Auditors are opened while the program's libraries are not there yet.
  if (linker.base_space.global == nullptr && !index_start_up(linker)) return false;
  uint32_t more = 0;
  for (size_t i = 0; i < count; ++i) more += entries_of(*modules[i]);
  if (!make_room(linker, active_table()->count + more)) return false;
  const ObjectTable& active = *active_table();
  ObjectTable& idle = *idle_table();
  idle.count = 0;
  put_all(idle, active.entries, active.entries + active.count);
  for (size_t i = 0; i < count; ++i)
    if (modules[i]->stands_for == nullptr) put_module(idle, *modules[i]);
  switch_tables();
  return true;
}

void forget_removed(Module* const* gone, size_t count) {
  uint64_t low = UINT64_MAX, high = 0;
  for (size_t i = 0; i < count; ++i) {
    if (gone[i]->stands_for != nullptr) continue;
    low = std::min(low, gone[i]->map_start);
    high = std::max(high, gone[i]->map_end);
  }
  const ObjectTable& active = *active_table();
  const FoundObject* const end = active.entries + active.count;
  const FoundObject* const first =
      std::lower_bound(active.entries, end, low,
                       [](const FoundObject& entry, uint64_t at) { return entry.start < at; });
  const FoundObject* const behind = std::upper_bound(
      first, end, high, [](uint64_t at, const FoundObject& entry) { return at < entry.start; });
  ObjectTable& idle = *idle_table();
  idle.count = 0;
  put_all(idle, active.entries, first);
  for (const FoundObject* at = first; at < behind; ++at)
    if (!at->module().removed) idle.entries[idle.count++] = *at;
  put_all(idle, behind, end);
  switch_tables();
}

bool find_opened_object(uint64_t address, FoundObject& out) {
  for (;;) {
    const size_t seen = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
    const ObjectTable& table = *__atomic_load_n(&tables[seen & 1], __ATOMIC_ACQUIRE);
    const FoundObject* found = table.find(address);
    if (found != nullptr) out = *found;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&version, __ATOMIC_RELAXED) == seen) return found != nullptr;
  }
}

namespace {

bool names(const ObjectTable& table, const void* map) {
  for (uint32_t i = 0; i < table.count; ++i)
    if (table.entries[i].map == map) return true;
  return false;
}

// The link map last found by is_indexed(), and when: in one word, which no reader sees half
// written.
PRELUDE_STAYS_OPEN constinit uintptr_t last_indexed = 0;

uintptr_t seal(const void* map, size_t at_version) {
  // No two addresses are multiples of it apart; its lower half serves where words have 32 bits.
  constexpr auto kApart = static_cast<uintptr_t>(0x9e3779b97f4a7c15);
  return (reinterpret_cast<uintptr_t>(map) + at_version * kApart) ^
         static_cast<uintptr_t>(pointer_key);
}

}  // namespace

bool is_opened_later(const void* map) { return names(*active_table(), map); }

bool is_indexed(const void* map, uint64_t address) {
  for (;;) {
    const size_t seen = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
    const uintptr_t sealed = seal(map, seen);
    if (__atomic_load_n(&last_indexed, __ATOMIC_RELAXED) == sealed) return true;
    const bool found = map_at(address) == map || names(*fixed_objects, map) ||
                       names(*__atomic_load_n(&tables[seen & 1], __ATOMIC_ACQUIRE), map);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&version, __ATOMIC_RELAXED) != seen) continue;
    if (found) __atomic_store_n(&last_indexed, sealed, __ATOMIC_RELAXED);
    return found;
  }
}

}  // namespace prelude::dl
