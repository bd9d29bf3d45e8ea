// Tables by name: the objects of a namespace, and its unique definitions.
#pragma once

#include <prelude/base/heap.h>
#include <prelude/base/string.h>
#include <prelude/symbols/symbols.h>

#include <cstdint>

namespace prelude {

/// Entries on a Heap in chains by the hash of their names; chains stay short. An Entry has `hash`
/// and `next`. Entries of one chain keep the order in which they came. The first kFirst chains need
/// no memory.
template <typename Entry, uint32_t kFirst>
class NameChains {
  static_assert((kFirst & (kFirst - 1)) == 0);

 public:
  /// The chain of a hash, other hashes among it.
  [[nodiscard]] Entry* chain(uint32_t hash) const { return buckets()[hash & (count_ - 1)]; }

  void append(Heap& heap, Entry* entry) {
    if (++entries_ > 2 * size_t{count_}) grow(heap);
    put_last(entry);
  }
  /// Takes those of a hash's chain that `goes` says go, and releases them.
  template <typename Goes>
  void remove(Heap& heap, uint32_t hash, Goes goes) {
    for (Entry** link = &buckets()[hash & (count_ - 1)]; *link != nullptr;) {
      Entry* entry = *link;
      if (!goes(*entry)) {
        link = &entry->next;
        continue;
      }
      *link = entry->next;
      heap.release(entry, sizeof(Entry), alignof(Entry));
      --entries_;
    }
  }
  template <typename Goes>
  void remove_everywhere(Heap& heap, Goes goes) {
    for (uint32_t i = 0; i < count_; ++i) remove(heap, i, goes);
  }

 private:
  [[nodiscard]] Entry** buckets() { return grown_ != nullptr ? grown_ : first_; }
  [[nodiscard]] Entry* const* buckets() const { return grown_ != nullptr ? grown_ : first_; }

  void put_last(Entry* entry) {
    Entry** link = &buckets()[entry->hash & (count_ - 1)];
    while (*link != nullptr) link = &(*link)->next;
    entry->next = nullptr;
    *link = entry;
  }
  // Without memory the chains grow longer instead.
  void grow(Heap& heap) {
    const uint32_t old_count = count_;
    auto** fresh = heap.make_array<Entry*>(size_t{old_count} * 4);
    if (fresh == nullptr) return;
    Entry** const old = buckets();
    Entry** const owned = grown_;
    grown_ = fresh;
    count_ = old_count * 4;
    for (uint32_t i = 0; i < old_count; ++i)
      for (Entry *entry = old[i], *next = nullptr; entry != nullptr; entry = next) {
        next = entry->next;
        put_last(entry);
      }
    if (owned != nullptr) heap.release_array(owned, old_count);
  }

  Entry* first_[kFirst] = {};
  Entry** grown_ = nullptr;  // in place of first_
  uint32_t count_ = kFirst;
  size_t entries_ = 0;
};

/// All names under which the objects of a namespace are known. The first object to bear a name
/// keeps it.
class NameTable {
 public:
  [[nodiscard]] Module* find(const char* name) const { return find(name, hash_bytes(name)); }
  /// The same where the hash (hash_bytes) is known.
  [[nodiscard]] Module* find(const char* name, uint32_t hash) const;
  /// `name` lives as long as the module.
  [[nodiscard]] bool add(Heap& heap, const char* name, Module* module);
  /// Forgets the module under this name.
  void remove(Heap& heap, const char* name, const Module* module);

 private:
  struct Entry {
    uint32_t hash;
    const char* name;
    Module* module;
    Entry* next;
  };
  NameChains<Entry, 64> chains_;
};

/// STB_GNU_UNIQUE: one definition per name for a whole namespace.
class UniqueTable {
 public:
  /// `hash` is the GNU hash of the name.
  [[nodiscard]] const Definition* find(uint32_t hash, const char* name) const;
  /// `name` lives as long as the definition's module.
  [[nodiscard]] bool add(Heap& heap, uint32_t hash, const char* name, const Definition& definition);
  /// Forgets all definitions of the module.
  void remove(Heap& heap, const Module* module);

 private:
  struct Entry {
    uint32_t hash;
    const char* name;
    Definition definition;
    Entry* next;
  };
  NameChains<Entry, 16> chains_;
};

/// The objects of a namespace by their files, in the order in which they came. Those without a file
/// are in none.
class FileTable {
 public:
  /// The next behind `after` (null: the first) that was loaded from this file, or null.
  [[nodiscard]] Module* find(uint64_t device, uint64_t inode, const Module* after = nullptr) const;
  void add(Module& module);
  void remove(const Module& module);

 private:
  static constexpr size_t kChains = 64;
  Module* chains_[kChains] = {};  // linked by Module::next_in_files
};

}  // namespace prelude
