// Writer builds text in a caller's buffer, without heap. A full buffer goes to the sink; without a
// sink the rest is cut and truncated() says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prelude {

class Writer {
 public:
  using Sink = void (*)(void* context, const char* text, size_t bytes);

  constexpr Writer(char* buffer, size_t capacity, Sink sink = nullptr, void* context = nullptr)
      : buffer_(buffer), capacity_(capacity), sink_(sink), context_(context) {}

  Writer& put(char c);
  Writer& put(std::string_view text);
  /// Null prints as "(null)".
  Writer& put(const char* text);
  Writer& decimal(uint64_t value, size_t width = 0, char pad = ' ');
  Writer& signed_decimal(int64_t value);
  /// Lower-case digits without prefix, padded to `digits`.
  Writer& hex(uint64_t value, size_t digits = 0, char pad = '0');
  /// Names from outside: control characters and bytes that are no UTF-8 as \xNN, at most `limit`
  /// bytes.
  Writer& escaped(std::string_view text, size_t limit = 4096);

  void flush();
  [[nodiscard]] std::string_view text() const { return {buffer_, used_}; }
  [[nodiscard]] bool truncated() const { return truncated_; }
  void clear() {
    used_ = 0;
    truncated_ = false;
  }
  /// Ends the text with a NUL (cutting the last byte of a full buffer) and gives its start.
  const char* c_str();

 private:
  char* buffer_;
  size_t capacity_;
  size_t used_ = 0;
  Sink sink_;
  void* context_;
  bool truncated_ = false;
};

}  // namespace prelude
