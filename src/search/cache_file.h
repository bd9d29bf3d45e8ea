// ld.so.cache as a file: mapped at first use, kept, dropped or checked again on demand.
#pragma once

#include <prelude/search/search.h>
#include <prelude/sys/sys.h>

#include <cstddef>
#include <cstdint>

#include "cache.h"

namespace prelude::search {

class CacheFile {
 public:
  constexpr CacheFile() = default;

  /// The mapped cache; null when the file is absent or bad (asked once, until it is revalidated).
  const CacheView* view(const char* path);

  /// What came of the last view().
  [[nodiscard]] CacheState state() const { return status_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }

  /// The next view() looks whether the file is still the one that is mapped.
  void revalidate() { stale_ = true; }

 private:
  /// Unmaps; the next view() opens the file again.
  void drop();
  void check(const char* path);
  [[nodiscard]] CacheState map(const char* path);
  [[nodiscard]] bool map_open_file(int fd);

  void* start_ = nullptr;
  size_t bytes_ = 0;
  sys::FileStatus identity_ = {};
  CacheView view_;
  CacheState status_ = CacheState::kNotAsked;
  bool stale_ = false;
};

}  // namespace prelude::search
