// How names that come from files and from the user are put into a text.
#pragma once

#include <prelude/base/string.h>
#include <prelude/base/writer.h>

namespace prelude::report {

inline constexpr size_t kNameLimit = 4096;

/// Control characters never reach the terminal; null is nothing.
inline Writer& put_name(Writer& out, const char* name, size_t limit = kNameLimit) {
  return name == nullptr ? out : out.escaped(std::string_view(name, string_length(name)), limit);
}

inline bool present(const char* name) { return name != nullptr && *name != 0; }

/// A whole list or an LD_DEBUG line: as put_name, never cut.
inline Writer& put_whole(Writer& out, const char* name) {
  return put_name(out, name, static_cast<size_t>(-1));
}

/// NAME [NAMESPACE], as LD_DEBUG names objects.
inline Writer& put_object(Writer& out, const char* name, int64_t ns) {
  return put_whole(out, name).put(" [").signed_decimal(ns).put("]");
}

}  // namespace prelude::report
