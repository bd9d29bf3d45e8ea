// The words of LD_DEBUG, as `LD_DEBUG=help` of glibc 2.43 lists them, and json.
#include <prelude/base/short_name.h>
#include <prelude/base/string.h>
#include <prelude/trace/trace.h>

#include <string_view>

#include "parse.h"

namespace prelude::options {
namespace {

using std::string_view_literals::operator""sv;

struct DebugWord {
  ShortName word;
  uint32_t bits;
};

/// Topics whose users also want the lines about constructors.
constexpr uint32_t with_calls(Topic topic) { return bit(topic) | bit(Topic::kImpcalls); }

constexpr uint32_t kAllTopics = with_calls(Topic::kLibs) | bit(Topic::kBindings) |
                                bit(Topic::kSymbols) | bit(Topic::kVersions) | bit(Topic::kReloc) |
                                bit(Topic::kFiles) | bit(Topic::kScopes) | bit(Topic::kTls) |
                                bit(Topic::kSecurity);

constexpr DebugWord kWords[] = {
    {"libs", with_calls(Topic::kLibs)},
    {"reloc", with_calls(Topic::kReloc)},
    {"files", with_calls(Topic::kFiles)},
    {"symbols", with_calls(Topic::kSymbols)},
    {"bindings", with_calls(Topic::kBindings)},
    {"versions", with_calls(Topic::kVersions)},
    {"scopes", bit(Topic::kScopes)},
    {"tls", bit(Topic::kTls)},
    {"security", bit(Topic::kSecurity)},
    {"statistics", bit(Topic::kStatistics)},
    {"unused", bit(Topic::kUnused)},
    {"all", kAllTopics},
};

constexpr bool separates(char c) { return c == ':' || c == ',' || c == ' '; }

bool known_word(std::string_view word, ParsedOptions& out) {
  for (const DebugWord& known : kWords) {
    if (word != known.word) continue;
    out.options.debug_mask |= known.bits;
    out.debug_mask_reduced |= known.bits;
    return true;
  }
  if (word == "help"sv) return out.options.debug_help = true;
  if (word == "json"sv) return out.options.debug_json = true;
  return false;
}

bool takes_back(std::string_view word, ParsedOptions& out) {
  if (!word.starts_with('-')) return false;
  word.remove_prefix(1);
  bool known = word == "help"sv;
  for (const DebugWord& candidate : kWords) {
    if (word != candidate.word) continue;
    out.debug_mask_reduced &= ~candidate.bits;
    known = true;
  }
  out.takes_words_back = out.takes_words_back || known;
  return known;
}

}  // namespace

void choose_json_topics(Options& options) {
  constexpr uint32_t kUnused = bit(Topic::kUnused);
  constexpr uint32_t kUsual = (kAllTopics & ~bit(Topic::kSymbols)) | bit(Topic::kStatistics);
  const uint32_t wanted = options.debug_mask & ~kUnused;
  if (options.debug_json || options.trace_json != nullptr)
    options.json_mask = options.debug_json && wanted != 0 ? wanted : kUsual;
  if (options.debug_json) options.debug_mask &= kUnused;
}

void add_debug_words(const char* words, ParsedOptions& out) {
  const char* at = words;
  while (*at != 0) {
    if (separates(*at)) {
      ++at;
      continue;
    }
    const char* start = at;
    while (*at != 0 && !separates(*at)) ++at;
    const auto size = static_cast<size_t>(at - start);
    if (known_word({start, size}, out)) continue;
    const bool back = takes_back({start, size}, out);
    if (out.warning_count == kMaxDebugWarnings) continue;
    out.warnings[out.warning_count++] = {start, static_cast<uint32_t>(size), back};
  }
}

}  // namespace prelude::options

namespace prelude {

void take_words_back(ParsedOptions& parsed) {
  int kept = 0;
  for (int i = 0; i < parsed.warning_count; ++i)
    if (!parsed.warnings[i].takes_back) parsed.warnings[kept++] = parsed.warnings[i];
  parsed.warning_count = kept;
  parsed.options.debug_mask = parsed.debug_mask_reduced;
  options::choose_json_topics(parsed.options);
}

}  // namespace prelude
