// JSON, written as it comes: commas are put where they belong.
#pragma once

#include <prelude/base/writer.h>

#include <cstdint>

namespace prelude::report {

/// The inside of a JSON string. What is no printable UTF-8 becomes the four characters \\xNN.
void put_json(Writer& out, const char* text);

/// Objects and arrays, at most 64 deep. Every `open` has its close(). A key is for members of
/// objects only; null in arrays.
class Json {
 public:
  explicit Json(Writer& out) : out_(out) {}

  Json& object(const char* key = nullptr);
  Json& array(const char* key = nullptr);
  Json& close();
  /// Null gives null.
  Json& text(const char* key, const char* value);
  Json& number(const char* key, uint64_t value);
  Json& boolean(const char* key, bool value);

 private:
  Writer& start(const char* key);
  Json& open(const char* key, bool is_array);

  Writer& out_;
  uint64_t arrays_ = 0, filled_ = 0;  // a bit a level
  uint32_t depth_ = 0;
};

}  // namespace prelude::report
