// Result<T>: a value or an error. Ours because std::expected is missing in the compilers we serve.
#pragma once

#include <prelude/base/error.h>

#include <new>
#include <type_traits>
#include <utility>

namespace prelude {

template <typename T, typename E = Error>
class [[nodiscard]] Result {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_copyable_v<E>);

 public:
  Result(const T& value) : value_(value), ok_(true) {}   // NOLINT(google-explicit-constructor)
  Result(const E& error) : error_(error), ok_(false) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return ok_; }
  [[nodiscard]] bool ok() const { return ok_; }
  const T& operator*() const { return value_; }
  T& operator*() { return value_; }
  const T* operator->() const { return &value_; }
  T* operator->() { return &value_; }
  [[nodiscard]] const E& error() const { return error_; }

 private:
  union {
    T value_;
    E error_;
  };
  bool ok_;
};

/// Success without a value.
struct Done {};
using Status = Result<Done>;

}  // namespace prelude

/// Unwraps a Result or returns its error from the enclosing function.
#define PRELUDE_TRY(expression)             \
  __extension__({                           \
    auto prelude_try_result = (expression); \
    if (!prelude_try_result) [[unlikely]]   \
      return prelude_try_result.error();    \
    *prelude_try_result;                    \
  })
