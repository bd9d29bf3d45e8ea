// ld.so.cache as a file: mapped at first use, kept, dropped or checked again on demand.
#pragma once

#include <prelude/sys/sys.h>

#include <cstddef>
#include <cstdint>

#include "cache.h"

namespace prelude::search {

class CacheFile {
 public:
  constexpr CacheFile() = default;

  /// The mapped cache; null when the file is absent or bad (asked once, until drop or revalidate).
  const CacheView* view(const char* path);

  /// Unmaps; the next view() opens the file again.
  void drop();

  /// Drops unless the file at `path` is the one that is mapped.
  void revalidate(const char* path);

 private:
  enum class Status : uint8_t { kUnknown, kMapped, kUnusable };
  [[nodiscard]] bool map(const char* path);
  [[nodiscard]] bool map_open_file(int fd);

  void* start_ = nullptr;
  size_t bytes_ = 0;
  sys::FileStatus identity_ = {};
  CacheView view_;
  Status status_ = Status::kUnknown;
};

}  // namespace prelude::search
