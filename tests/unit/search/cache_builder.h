// Writes ld.so.cache files for tests, good ones; the tests break them afterwards.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "src/search/cache.h"

namespace prelude::search {

inline constexpr uint32_t kX86Flags = 0x0303;
inline constexpr uint64_t kNamedHwcap = uint64_t{1} << 62;

struct CacheEntry {
  std::string name;
  std::string path;
  uint64_t hwcap = 0;
  uint32_t flags = kX86Flags;
};

class CacheBuilder {
 public:
  CacheBuilder& add(const std::string& name, const std::string& path, uint64_t hwcap = 0,
                    uint32_t flags = kX86Flags) {
    entries_.push_back({name, path, hwcap, flags});
    return *this;
  }
  /// Adds the extension directory; index in `names` is the low half of an entry's hwcap.
  CacheBuilder& hwcaps(std::vector<std::string> names) {
    names_ = std::move(names);
    extensions_ = true;
    return *this;
  }
  /// An old header with `count` entries in front.
  CacheBuilder& old_header(uint32_t count) {
    old_entries_ = count;
    with_old_ = true;
    return *this;
  }

  [[nodiscard]] std::string build() const {
    std::vector<CacheEntry> sorted = entries_;
    std::ranges::stable_sort(sorted, [](const CacheEntry& a, const CacheEntry& b) {
      return compare_names(a.name.c_str(), b.name.c_str()) > 0;
    });
    std::string file = old_part();
    const size_t base = file.size();
    file += "glibc-ld.so.cache1.1";
    put(file, static_cast<uint32_t>(sorted.size()));
    const size_t strings_start = 48 + 24 * sorted.size();
    std::string strings;
    const auto intern = [&](const std::string& text) {
      const auto at = static_cast<uint32_t>(strings_start + strings.size());
      strings.append(text.c_str(), text.size() + 1);
      return at;
    };
    std::string entries;
    for (const CacheEntry& entry : sorted) {
      put(entries, entry.flags);
      put(entries, intern(entry.name));
      put(entries, intern(entry.path));
      put(entries, 0);
      put(entries, static_cast<uint32_t>(entry.hwcap));
      put(entries, static_cast<uint32_t>(entry.hwcap >> 32));
    }
    std::vector<uint32_t> names;
    for (const std::string& name : names_) names.push_back(intern(name));
    put(file, static_cast<uint32_t>(strings.size()));
    put(file, 2);  // little endian
    const size_t strings_end = base + strings_start + strings.size();
    const size_t extensions = (strings_end + 3) & ~size_t{3};
    put(file, extensions_ ? static_cast<uint32_t>(extensions) : 0);
    for (int i = 0; i < 3; ++i) put(file, 0);
    file += entries;
    file += strings;
    if (extensions_) put_extensions(file, extensions, names);
    return file;
  }

  static void put(std::string& to, uint32_t word) {
    char bytes[4];
    memcpy(bytes, &word, 4);
    to.append(bytes, 4);
  }
  static void poke(std::string& file, size_t at, uint32_t word) { memcpy(&file[at], &word, 4); }
  static uint32_t peek(const std::string& file, size_t at) {
    uint32_t word;
    memcpy(&word, &file[at], 4);
    return word;
  }

 private:
  [[nodiscard]] std::string old_part() const {
    if (!with_old_) return {};
    std::string file("ld.so-1.7.0\0", 12);
    put(file, old_entries_);
    file.append(12 * old_entries_, 'x');
    file.resize((file.size() + 7) & ~size_t{7});
    return file;
  }
  static void put_extensions(std::string& file, size_t start, const std::vector<uint32_t>& names) {
    file.resize(start);
    put(file, 0xEAA42174);
    put(file, 3);
    const auto data = static_cast<uint32_t>(start + 8 + 3 * 16);
    const auto name_bytes = static_cast<uint32_t>(4 * names.size());
    for (const uint32_t word : {99U, 0U, 0U, 0U}) put(file, word);  // unknown tag
    for (const uint32_t word : {1U, 0U, data, name_bytes}) put(file, word);
    for (const uint32_t word : {0U, 0U, data + name_bytes, 9U}) put(file, word);
    for (const uint32_t name : names) put(file, name);
    file += "generator";  // ends without NUL, as ldconfig writes it
  }

  std::vector<CacheEntry> entries_;
  std::vector<std::string> names_;
  uint32_t old_entries_ = 0;
  bool with_old_ = false;
  bool extensions_ = false;
};

}  // namespace prelude::search
