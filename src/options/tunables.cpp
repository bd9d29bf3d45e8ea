// The one tunable that decides before a libc, and with it a release, is known:
// glibc.rtld.enable_secure=1 makes a process a secure one. It is a test's way to see what a
// privileged program would do, and can take no protection away.
#include <string_view>

#include "parse.h"

namespace prelude::options {
namespace {

using std::string_view_literals::operator""sv;

size_t find_any(std::string_view text, size_t from, char one, char other) {
  while (from < text.size() && text[from] != one && text[from] != other) ++from;
  return from;
}

std::string_view part(std::string_view text, size_t from, size_t to) {
  return {text.data() + from, to - from};
}

// "1", "01" and "0x1".
bool is_one(std::string_view value) {
  size_t at = 0;
  if (value.size() > 2 && value[0] == '0' && (value[1] == 'x' || value[1] == 'X')) at = 2;
  while (at + 1 < value.size() && value[at] == '0') ++at;
  return at + 1 == value.size() && value[at] == '1';
}

}  // namespace

// Compat: a part without a value, or a second '=' in one, voids the whole text; of a name given
// twice the last value counts (glibc 2.41).
bool asks_for_secure_mode(std::string_view text) {
  bool asked = false;
  for (size_t at = 0;;) {
    const size_t name_end = find_any(text, at, '=', ':');
    if (name_end == text.size()) return false;
    if (text[name_end] == ':') {
      at = name_end + 1;
      continue;
    }
    const size_t value_end = find_any(text, name_end + 1, '=', ':');
    if (value_end < text.size() && text[value_end] == '=') return false;
    if (part(text, at, name_end) == "glibc.rtld.enable_secure"sv)
      asked = is_one(part(text, name_end + 1, value_end));
    if (value_end == text.size()) return asked;
    at = value_end + 1;
  }
}

}  // namespace prelude::options
