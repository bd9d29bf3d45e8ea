// Runs something that writes into a Writer and gives the text.
#pragma once

#include <prelude/base/writer.h>

#include <string>

namespace prelude::report {

template <typename Fill>
std::string text_of(Fill fill, size_t capacity = 64 * 1024) {
  std::string buffer(capacity, '\0');
  Writer out(buffer.data(), buffer.size());
  fill(out);
  return std::string(out.text());
}

}  // namespace prelude::report
