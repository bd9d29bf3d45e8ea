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

Module* FileTable::find(uint64_t device, uint64_t inode, const Module* after) const {
  Module* module = after != nullptr ? after->next_in_files : chains_[inode % kChains];
  while (module != nullptr && (module->inode != inode || module->device != device))
    module = module->next_in_files;
  return module;
}

void FileTable::add(Module& module) {
  if (module.inode == 0) return;
  Module** link = &chains_[module.inode % kChains];
  while (*link != nullptr) link = &(*link)->next_in_files;
  module.next_in_files = nullptr;
  *link = &module;
}

void FileTable::remove(const Module& module) {
  Module** link = &chains_[module.inode % kChains];
  while (*link != nullptr && *link != &module) link = &(*link)->next_in_files;
  if (*link != nullptr) *link = module.next_in_files;
}

}  // namespace prelude
