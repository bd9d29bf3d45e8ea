// Arguments of kernel calls as words of a register.
#pragma once

#include <type_traits>

namespace prelude::arch {

template <typename T>
inline long syscall_word(T value) {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<long>(value);
  else if constexpr (std::is_null_pointer_v<T>)
    return 0;
  else
    return static_cast<long>(value);
}

}  // namespace prelude::arch
