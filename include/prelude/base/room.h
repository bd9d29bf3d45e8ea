// Static storage of an object that is made at run time.
#pragma once

#include <new>
#include <type_traits>

namespace prelude {

/// Zeros in the file's .bss until make() is called: an object with other first values would lie in
/// .data, whose pages the kernel copies from the file one fault at a time.
template <typename T>
union Room {
  static_assert(std::is_trivially_destructible_v<T>);

  constexpr Room() : nothing() {}
  void make() { new (static_cast<void*>(&object)) T{}; }

  char nothing;
  T object;
};

}  // namespace prelude
