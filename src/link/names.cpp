#include <prelude/link/module.h>
#include <prelude/link/names.h>

#include <prelude/base/string.h>

namespace prelude {

Module* NameTable::find(const char* name, uint32_t hash) const {
  for (const Entry* entry = chains_.chain(hash); entry != nullptr; entry = entry->next)
    if (entry->hash == hash && !entry->module->removed && equal(entry->name, name))
      return entry->module;
  return nullptr;
}

bool NameTable::add(Heap& heap, const char* name, Module* module) {
  auto* entry = heap.make<Entry>();
  if (entry == nullptr) return false;
  *entry = {hash_bytes(name), name, module, nullptr};
  chains_.append(heap, entry);
  return true;
}

void NameTable::remove(Heap& heap, const char* name, const Module* module) {
  chains_.remove(heap, hash_bytes(name),
                 [module](const Entry& entry) { return entry.module == module; });
}

const Definition* UniqueTable::find(uint32_t hash, const char* name) const {
  for (const Entry* entry = chains_.chain(hash); entry != nullptr; entry = entry->next)
    if (entry->hash == hash && equal(entry->name, name)) return &entry->definition;
  return nullptr;
}

bool UniqueTable::add(Heap& heap, uint32_t hash, const char* name, const Definition& definition) {
  auto* entry = heap.make<Entry>();
  if (entry == nullptr) return false;
  *entry = {hash, name, definition, nullptr};
  chains_.append(heap, entry);
  return true;
}

void UniqueTable::remove(Heap& heap, const Module* module) {
  chains_.remove_everywhere(
      heap, [module](const Entry& entry) { return entry.definition.module == module; });
}

}  // namespace prelude
