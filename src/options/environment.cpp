// Environment variables, as in ld.so(8) and as measured with glibc 2.36.
// The stored secure flag decides what has an effect; removal only protects child processes.
#include <prelude/base/short_name.h>
#include <prelude/base/string.h>

#include <string_view>

#include "parse.h"

namespace prelude::options {
namespace {

using std::string_view_literals::operator""sv;

constexpr bool has_prefix(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::string_view(text.data(), prefix.size()) == prefix;
}

/// One `NAME=value` entry; false for entries without `=` or with an empty name.
bool split_entry(const char* entry, std::string_view& name, const char*& value) {
  size_t size = 0;
  while (entry[size] != 0 && entry[size] != '=') ++size;
  if (size == 0 || entry[size] == 0) return false;
  name = {entry, size};
  value = entry + size + 1;
  return true;
}

enum class When : uint8_t { kNonEmpty, kAny };

struct FlagVariable {
  ShortName name;
  bool Options::*field;
  When when;
};
constexpr FlagVariable kFlagVariables[] = {
    {"LD_BIND_NOW", &Options::bind_now, When::kNonEmpty},
    {"LD_BIND_NOT", &Options::bind_not, When::kNonEmpty},
    {"LD_WARN", &Options::warn, When::kNonEmpty},
    {"LD_VERBOSE", &Options::verbose, When::kNonEmpty},
    {"LD_DYNAMIC_WEAK", &Options::dynamic_weak, When::kAny},
    {"LD_SHOW_AUXV", &Options::show_auxv, When::kAny},
    {"LD_SEAL", &Options::seal, When::kNonEmpty},
};

/// An empty value counts as not set.
struct TextVariable {
  ShortName name;
  const char* Options::*field;
};
constexpr TextVariable kTextVariables[] = {
    {"LD_LIBRARY_PATH", &Options::library_path}, {"LD_PRELOAD", &Options::env_preload},
    {"LD_AUDIT", &Options::env_audit},           {"LD_DEBUG_OUTPUT", &Options::debug_output},
    {"LD_TRACE_JSON", &Options::trace_json},
};

/// The value of a hexadecimal digit, 16 for any other character.
uint32_t digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint32_t>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<uint32_t>(c - 'A') + 10;
  return 16;
}

/// The number that a text begins with, as strtoul with base 0 reads it; saturating. A negative one
/// is large.
uint32_t leading_number(const char* text) {
  while (*text == ' ' || *text == '\t') ++text;
  const bool negative = *text == '-';
  if (negative || *text == '+') ++text;
  uint32_t base = 10;
  if (*text == '0') base = text[1] == 'x' || text[1] == 'X' ? 16 : 8;
  if (base == 16) text += 2;
  uint32_t number = 0;
  for (uint32_t digit = digit_value(*text); digit < base; digit = digit_value(*++text)) {
    if (number > (UINT32_MAX - digit) / base) return UINT32_MAX;
    number = number * base + digit;
  }
  return negative && number != 0 ? UINT32_MAX : number;
}

void read_variable(std::string_view name, const char* value, ParsedOptions& out) {
  Options& options = out.options;
  for (const FlagVariable& variable : kFlagVariables) {
    if (name != variable.name) continue;
    options.*variable.field = variable.when == When::kAny || *value != 0;
    return;
  }
  for (const TextVariable& variable : kTextVariables) {
    if (name != variable.name) continue;
    options.*variable.field = *value != 0 ? value : nullptr;
    return;
  }
  if (name == "LD_DEBUG"sv) {
    add_debug_words(value, out);
  } else if (name == "LD_TRACE_LOADED_OBJECTS"sv) {
    options.trace_objects = true;
    options.trace_level = leading_number(value);
  } else if (name == "LD_ORIGIN_PATH"sv) {
    options.origin_path = value;
  } else if (name == "LD_HINTS"sv) {
    options.hints = !equal(value, "0");
  } else if (name == "LD_PREFER_MAP_32BIT_EXEC"sv) {
    options.tunables = true;
  }
}

/// Union of what glibc 2.36 and 2.42 remove; names that begin with LD_ are covered by a prefix.
constexpr ShortName kUnsafe[] = {
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "LOCPATH",
    "MALLOC_ARENA_MAX",
    "MALLOC_ARENA_TEST",
    "MALLOC_CHECK_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_PERTURB_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRACE",
    "MALLOC_TRIM_THRESHOLD_",
    "NIS_PATH",
    "NLSPATH",
    "RESOLV_HOST_CONF",
    "RES_OPTIONS",
    "TMPDIR",
    "TZDIR",
};

/// Sees to GLIBC_TUNABLES; true when it asks for secure mode.
bool wants_secure_mode(const char* entry, Options& options) {
  std::string_view name;
  const char* value;
  if (!split_entry(entry, name, value) || name != "GLIBC_TUNABLES"sv) return false;
  options.tunables = true;
  return asks_for_secure_mode(value);
}

bool is_unsafe(std::string_view name) {
  if (has_prefix(name, "LD_"sv) || has_prefix(name, "PRELUDE_"sv)) return true;
  for (const ShortName& unsafe : kUnsafe)
    if (name == unsafe) return true;
  return false;
}

}  // namespace

void read_environment(char** envp, ParsedOptions& out) {
  for (; *envp != nullptr; ++envp) {
    const char* entry = *envp;
    if (entry[0] == 'G' && wants_secure_mode(entry, out.options)) [[unlikely]] {
      out = ParsedOptions{};
      out.options.secure = true;
      return;
    }
    if (entry[0] != 'L' || entry[1] != 'D' || entry[2] != '_') continue;
    std::string_view name;
    const char* value;
    if (split_entry(entry, name, value)) read_variable(name, value, out);
  }
}

void read_secure_environment(char** envp, Options& options) {
  for (; *envp != nullptr; ++envp) {
    std::string_view name;
    const char* value;
    if (!split_entry(*envp, name, value)) continue;
    if (name == "LD_TRACE_LOADED_OBJECTS"sv) options.refuse_trace = true;
    if (name == "LD_PRELOAD"sv) options.secure_preload = *value != 0 ? value : nullptr;
  }
}

void remove_unsafe_variables(char** envp) {
  char** kept = envp;
  for (; *envp != nullptr; ++envp) {
    std::string_view name;
    const char* value;
    if (split_entry(*envp, name, value) && is_unsafe(name)) continue;
    *kept++ = *envp;
  }
  *kept = nullptr;
}

}  // namespace prelude::options
