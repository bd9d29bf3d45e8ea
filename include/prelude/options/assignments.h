// The text of GLIBC_TUNABLES: NAME=VALUE:NAME=VALUE..., as glibc 2.39 and later take it apart.
#pragma once

#include <cstddef>
#include <string_view>

namespace prelude::options {

/// std::string_view's own find functions may call what the loader does not have; this is a loop.
inline size_t find_any(std::string_view text, size_t from, char one, char other) {
  while (from < text.size() && text[from] != one && text[from] != other) ++from;
  return from;
}

inline std::string_view part(std::string_view text, size_t from, size_t to) {
  return {text.data() + from, to - from};
}

/// Calls each(name, value) for every assignment; parts without '=' are passed over. False when the
/// last name has no value or a value holds a second '=': the whole text is void then, whatever has
/// been told before.
template <typename Each>
bool for_each_assignment(std::string_view text, Each each) {
  for (size_t at = 0;;) {
    const size_t name_end = find_any(text, at, '=', ':');
    if (name_end == text.size()) return false;
    if (text[name_end] == ':') {
      at = name_end + 1;
      continue;
    }
    const size_t value_end = find_any(text, name_end + 1, '=', ':');
    if (value_end < text.size() && text[value_end] == '=') return false;
    each(part(text, at, name_end), part(text, name_end + 1, value_end));
    if (value_end == text.size()) return true;
    at = value_end + 1;
  }
}

}  // namespace prelude::options
