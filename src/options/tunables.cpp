// The one tunable that decides before a libc, and with it a release, is known:
// glibc.rtld.enable_secure=1 makes a process a secure one. It is a test's way to see what a
// privileged program would do, and can take no protection away.
#include <prelude/options/assignments.h>

#include <string_view>

#include "parse.h"

namespace prelude::options {
namespace {

using std::string_view_literals::operator""sv;

// "1", "01" and "0x1".
bool is_one(std::string_view value) {
  size_t at = 0;
  if (value.size() > 2 && value[0] == '0' && (value[1] == 'x' || value[1] == 'X')) at = 2;
  while (at + 1 < value.size() && value[at] == '0') ++at;
  return at + 1 == value.size() && value[at] == '1';
}

}  // namespace

// Compat: of a name given twice the last value counts (glibc 2.41).
bool asks_for_secure_mode(std::string_view text) {
  bool asked = false;
  const bool valid = for_each_assignment(text, [&](std::string_view name, std::string_view value) {
    if (name == "glibc.rtld.enable_secure"sv) asked = is_one(value);
  });
  return valid && asked;
}

}  // namespace prelude::options
