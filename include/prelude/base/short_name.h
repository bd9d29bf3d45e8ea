// A word held in place: a table of them is plain constant data, where pointers would have to be
// relocated in every process, on a page that is written for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prelude {

class ShortName {
 public:
  static constexpr size_t kLongest = 23;  ///< bytes

  template <size_t kSize>
  consteval ShortName(const char (&text)[kSize]) {  // NOLINT(google-explicit-constructor)
    static_assert(kSize - 1 <= kLongest);
    for (size_t i = 0; i + 1 < kSize; ++i) text_[i] = text[i];
    size_ = kSize - 1;
  }
  constexpr operator std::string_view() const {  // NOLINT(google-explicit-constructor)
    return {text_, size_};
  }

 private:
  char text_[kLongest] = {};
  uint8_t size_ = 0;
};

}  // namespace prelude
