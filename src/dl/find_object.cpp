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
constinit uint64_t version = 0;  // its lowest bit names the active table
constinit bool fixed_complete = false;

uint64_t eh_frame_of(const Module& module) {
  return module.image.eh_frame_vaddr == 0 ? 0 : module.image.bias + module.image.eh_frame_vaddr;
}

bool takes_part(const Module& module, bool for_ever) {
  return !module.removed && module.stands_for == nullptr &&
         (module.kind != ModuleKind::kOpened) == for_ever;
}

uint32_t count_entries(const Linker& linker, bool for_ever) {
  uint32_t count = 0;
  for (const Namespace* space : linker.spaces)
    for (const Module* m = space->first; m != nullptr; m = m->map.l_next)
      if (takes_part(*m, for_ever)) count += m->segments_contiguous ? 1 : m->image.segment_count;
  return count;
}

void put_module(ObjectTable& table, Module& module) {
  if (module.segments_contiguous) {
    table.entries[table.count++] = {module.map_start, module.map_end, &module, eh_frame_of(module)};
    return;
  }
  for (uint32_t i = 0; i < module.image.segment_count; ++i) {
    const LoadSegment& s = module.image.segments[i];
    const uint64_t start = module.image.bias + s.vaddr;
    table.entries[table.count++] = {start, start + s.memsz, &module, eh_frame_of(module)};
  }
}

ObjectTable* make_table(Linker& linker, uint32_t capacity) {
  const size_t bytes = offsetof(ObjectTable, entries) + size_t{capacity} * sizeof(FoundObject);
  auto* table = static_cast<ObjectTable*>(linker.heap.allocate(bytes, alignof(ObjectTable)));
  if (table != nullptr) table->capacity = capacity;
  return table;
}

void fill(Linker& linker, ObjectTable& table, bool for_ever) {
  table.count = 0;
  for (Namespace* space : linker.spaces)
    for (Module* module = space->first; module != nullptr; module = module->map.l_next)
      if (takes_part(*module, for_ever)) put_module(table, *module);
  std::sort(table.entries, table.entries + table.count,
            [](const FoundObject& a, const FoundObject& b) { return a.start < b.start; });
}

}  // namespace

constinit const ObjectTable* fixed_objects = &nothing;

bool rebuild_index(Linker& linker) {
  if (!fixed_complete) {
    ObjectTable* const table = make_table(linker, count_entries(linker, true));
    if (table == nullptr) return false;
    fill(linker, *table, true);
    __atomic_store_n(&fixed_objects, table, __ATOMIC_RELEASE);
    // Auditors are opened while the program's libraries are not there yet.
    fixed_complete = linker.base_space.global != nullptr;
  }
  const uint64_t now = __atomic_load_n(&version, __ATOMIC_RELAXED);
  ObjectTable*& idle = tables[(now + 1) & 1];
  const uint32_t wanted = count_entries(linker, false);
  if (wanted > idle->capacity) {
    // The old block stays: a late reader may still look at it. Doubling bounds the loss.
    ObjectTable* const table = make_table(linker, wanted * 2 < 16 ? 16 : wanted * 2);
    if (table == nullptr) return false;
    __atomic_store_n(&idle, table, __ATOMIC_RELEASE);
  }
  fill(linker, *idle, false);
  __atomic_store_n(&version, now + 1, __ATOMIC_RELEASE);
  return true;
}

bool find_opened_object(uint64_t address, FoundObject& out) {
  for (;;) {
    const uint64_t seen = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
    const ObjectTable& table = *__atomic_load_n(&tables[seen & 1], __ATOMIC_ACQUIRE);
    const FoundObject* found = table.find(address);
    if (found != nullptr) out = *found;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&version, __ATOMIC_RELAXED) == seen) return found != nullptr;
  }
}

}  // namespace prelude::dl
