// Search directories, each known once per process, and lists of them. No system calls: what is
// learned about a directory is written down here by walk.cpp.
#pragma once

#include <prelude/base/heap.h>
#include <prelude/search/search.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokens.h"

namespace prelude {

namespace search {

enum class Presence : uint8_t { kUnknown, kExists, kMissing };
enum class Source : uint8_t { kSystem, kLibraryPath, kRpath, kRunpath };

/// One directory. The list that named it first gives the source shown in traces, as in glibc 2.36.
struct Directory {
  Directory* next;        ///< in its hash bucket
  uint64_t last_list;     ///< serial number of the list it was last entered in
  const char* path;       ///< ends with a slash; "" for the current directory
  const char* source_of;  ///< the file of an RPATH or RUNPATH; null when nobody traces
  size_t size;            ///< of the path
  uint32_t hash;
  Source source;
  /// One for each hwcaps subdirectory, best first; the last one is the directory itself. A relative
  /// directory stays kExists: the current directory may change.
  Presence* states;

  [[nodiscard]] std::string_view text() const { return {path, size}; }
};

/// What the making of a list needs to know.
struct ListRequest {
  const char* text;
  std::string_view separators;
  Source source;
  const char* source_of;  ///< null = do not keep
  TokenValues tokens;
};

}  // namespace search

struct DirectoryList {
  search::Directory** entries;
  size_t count;
  size_t capacity;
  uint64_t serial;
  bool all_missing;  ///< none of them exists: left out from now on
};

namespace search {

/// A block of heap text that only grows.
class TextBuffer {
 public:
  /// Room for `size` bytes, of which the `used` first ones stay; null when out of memory.
  char* reserve(Heap& heap, size_t size, size_t used = 0);

 private:
  char* text_ = nullptr;
  size_t capacity_ = 0;
};

class DirectoryTable {
 public:
  constexpr DirectoryTable() = default;

  /// `subdirectory_count`: of hwcaps names.
  void start(Heap& heap, size_t subdirectory_count);

  /// Splits and expands; drops what cannot be expanded, is not allowed, or stands in the list
  /// already. Null when out of memory.
  DirectoryList* make_list(const ListRequest& request);
  /// The list of the default directories.
  DirectoryList* make_system_list(const char* const* directories);
  void release_list(DirectoryList* list);

  [[nodiscard]] size_t longest() const { return longest_; }

 private:
  Directory* find_or_add(std::string_view path, Source source, const char* source_of);
  Directory* add(std::string_view path, uint32_t hash, Source source, const char* source_of);
  DirectoryList* new_list(size_t capacity);
  /// False when out of memory.
  bool append(DirectoryList& list, std::string_view path, Source source, const char* source_of);
  bool append_element(DirectoryList& list, std::string_view element, const ListRequest& request);

  /// Keeps the buckets' chains short; false when out of memory.
  bool make_room();

  Heap* heap_ = nullptr;
  Directory** buckets_ = nullptr;
  size_t bucket_count_ = 0;  ///< a power of two
  size_t count_ = 0;
  uint64_t lists_made_ = 0;
  size_t state_count_ = 0;
  size_t longest_ = 0;
  TextBuffer buffer_;
};

}  // namespace search
}  // namespace prelude
