// Which subdirectories of glibc-hwcaps/ are searched, in which order. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prelude::search {

/// Names like "x86-64-v3", best first. A name may stand twice, as in glibc 2.36.
struct HwcapList {
  const std::string_view* names = nullptr;
  size_t count = 0;

  /// 1 for the best, 0 for a name not in the list.
  [[nodiscard]] uint32_t priority_of(std::string_view name) const;
};

/// The user's `prepend` list as it is, then those of `supported` that `mask` lets through (null:
/// all). Gives the count; writes where `out` is not null.
size_t select_hwcaps(const char* prepend, const char* const* supported, const char* mask,
                     std::string_view* out);

}  // namespace prelude::search
