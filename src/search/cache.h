// The bytes of ld.so.cache: decode once, then look names up. Pure; every offset is checked.
//
// The file: an optional old header "ld.so-1.7.0" with its table (skipped), then the new header of
// 48 bytes, its entries of 24 bytes in descending order of compare_names, the strings, and an
// optional extension directory with the names of the glibc-hwcaps subdirectories.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "hwcaps.h"

namespace prelude::search {

/// What this machine and the user accept of a cache.
struct CacheQuery {
  uint32_t flags;      ///< of an entry for this machine
  uint32_t isa_level;  ///< highest ISA level index the CPU has
  HwcapList hwcaps;
};

/// Borrows the bytes.
class CacheView {
 public:
  static std::optional<CacheView> decode(const char* bytes, size_t size);

  /// The path of the best entry for `name`, in the borrowed bytes; null when there is none.
  [[nodiscard]] const char* find(const char* name, const CacheQuery& query) const;

  [[nodiscard]] uint32_t count() const { return count_; }
  /// The name of an entry, in the borrowed bytes; null behind the last one (or where an entry is
  /// bad).
  [[nodiscard]] const char* name(uint32_t index) const {
    return index < count_ ? string(entry(index).key) : nullptr;
  }

 private:
  struct Entry {
    int32_t flags;
    uint32_t key;
    uint32_t value;
    uint32_t os_version;
    uint64_t hwcap;
  };
  static_assert(sizeof(Entry) == 24);

  /// Of an entry: 0 = not for us, 1..n = a named subdirectory, best first, then the two plain
  /// ranks.
  using Rank = uint64_t;

  [[nodiscard]] Entry entry(uint32_t index) const;
  [[nodiscard]] const char* string(uint32_t offset) const;
  [[nodiscard]] bool equal_range(const char* name, uint32_t& first, uint32_t& end) const;
  [[nodiscard]] Rank rank(const Entry& entry, const CacheQuery& query) const;
  [[nodiscard]] Rank named_rank(uint64_t hwcap, const CacheQuery& query) const;
  bool decode_extensions(const char* file, size_t file_size, uint32_t offset);

  const char* base_ = nullptr;  // of the new header: offsets of strings count from here
  const char* entries_ = nullptr;
  const char* hwcap_names_ = nullptr;  // array of string offsets
  uint32_t count_ = 0;
  uint32_t hwcap_count_ = 0;
  size_t string_limit_ = 0;  // a string that starts below it ends in the file
};

/// The order of the entries: as strcmp, but runs of digits compare as numbers and come behind other
/// characters.
int compare_names(const char* a, const char* b);

}  // namespace prelude::search
