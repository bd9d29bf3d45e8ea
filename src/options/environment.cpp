// Environment variables, as in ld.so(8) and as measured with glibc 2.36.
// The stored secure flag decides what has an effect; removal only protects child processes.
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
  std::string_view name;
  bool Options::*field;
  When when;
};
constexpr FlagVariable kFlagVariables[] = {
    {"LD_BIND_NOW"sv, &Options::bind_now, When::kNonEmpty},
    {"LD_BIND_NOT"sv, &Options::bind_not, When::kNonEmpty},
    {"LD_WARN"sv, &Options::warn, When::kNonEmpty},
    {"LD_VERBOSE"sv, &Options::verbose, When::kNonEmpty},
    {"LD_DYNAMIC_WEAK"sv, &Options::dynamic_weak, When::kAny},
    {"LD_SHOW_AUXV"sv, &Options::show_auxv, When::kAny},
    {"LD_SEAL"sv, &Options::seal, When::kNonEmpty},
};

/// An empty value counts as not set.
struct TextVariable {
  std::string_view name;
  const char* Options::*field;
};
constexpr TextVariable kTextVariables[] = {
    {"LD_LIBRARY_PATH"sv, &Options::library_path}, {"LD_PRELOAD"sv, &Options::env_preload},
    {"LD_AUDIT"sv, &Options::env_audit},           {"LD_DEBUG_OUTPUT"sv, &Options::debug_output},
    {"LD_TRACE_JSON"sv, &Options::trace_json},
};

/// Leading decimal digits, saturating.
uint32_t leading_number(const char* text) {
  uint32_t number = 0;
  for (; *text >= '0' && *text <= '9'; ++text) {
    const uint32_t digit = static_cast<uint32_t>(*text - '0');
    if (number > (UINT32_MAX - digit) / 10) return UINT32_MAX;
    number = number * 10 + digit;
  }
  return number;
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
  }
}

/// Union of what glibc 2.36 and 2.42 remove; names that begin with LD_ are covered by a prefix.
constexpr std::string_view kUnsafe[] = {
    "GCONV_PATH"sv,
    "GETCONF_DIR"sv,
    "GLIBC_TUNABLES"sv,
    "HOSTALIASES"sv,
    "LOCALDOMAIN"sv,
    "LOCPATH"sv,
    "MALLOC_ARENA_MAX"sv,
    "MALLOC_ARENA_TEST"sv,
    "MALLOC_CHECK_"sv,
    "MALLOC_MMAP_MAX_"sv,
    "MALLOC_PERTURB_"sv,
    "MALLOC_MMAP_THRESHOLD_"sv,
    "MALLOC_TOP_PAD_"sv,
    "MALLOC_TRACE"sv,
    "MALLOC_TRIM_THRESHOLD_"sv,
    "NIS_PATH"sv,
    "NLSPATH"sv,
    "RESOLV_HOST_CONF"sv,
    "RES_OPTIONS"sv,
    "TMPDIR"sv,
    "TZDIR"sv,
};

bool is_unsafe(std::string_view name) {
  if (has_prefix(name, "LD_"sv) || has_prefix(name, "PRELUDE_"sv)) return true;
  for (const std::string_view unsafe : kUnsafe)
    if (name == unsafe) return true;
  return false;
}

}  // namespace

void read_environment(char** envp, ParsedOptions& out) {
  for (; *envp != nullptr; ++envp) {
    const char* entry = *envp;
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
