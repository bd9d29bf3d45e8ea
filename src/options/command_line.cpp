// `ld.so [OPTION]... EXECUTABLE-FILE [ARGS...]`. Measured with glibc 2.36:
// the last mode option wins (but --list and --verify not over --help), --version wins at once, a
// repeated option replaces the earlier one, but for --audit.
#include <prelude/base/short_name.h>
#include <prelude/base/string.h>

#include <string_view>

#include "parse.h"

namespace prelude::options {
namespace {

using std::string_view_literals::operator""sv;

struct ModeOption {
  ShortName word;
  Mode mode;
};
constexpr ModeOption kModes[] = {
    {"--list", Mode::kList},
    {"--verify", Mode::kVerify},
    {"--help", Mode::kHelp},
    {"--version", Mode::kVersion},
    {"--list-tunables", Mode::kListTunables},
    {"--list-diagnostics", Mode::kListDiagnostics},
};

struct TextOption {
  ShortName word;
  const char* Options::*field;
};
constexpr TextOption kTexts[] = {
    {"--library-path", &Options::library_path},
    {"--glibc-hwcaps-prepend", &Options::hwcaps_prepend},
    {"--glibc-hwcaps-mask", &Options::hwcaps_mask},
    {"--inhibit-rpath", &Options::inhibit_rpath},
    {"--preload", &Options::option_preload},
    {"--argv0", &Options::argv0},
    {"--trace", &Options::trace_json},
};

struct QuestionOption {
  ShortName word;
  Question question;
  bool has_argument;
};
constexpr QuestionOption kQuestions[] = {
    {"--explain", Question::kSymbol, true},       {"--why", Question::kLibrary, true},
    {"--graph", Question::kGraph, true},          {"--collisions", Question::kCollisions, false},
    {"--stats", Question::kStatistics, false},    {"--init-order", Question::kInitOrder, false},
    {"--simulate-dlopen", Question::kOpen, true}, {"--diff-env", Question::kDifference, true},
    {"--cache-status", Question::kCaches, false},
};

enum class Taken : uint8_t { kNo, kWord, kWordAndArgument };

// The last question counts.
Taken read_question(std::string_view word, const char* argument, Options& options) {
  if (word == "--json"sv) {
    options.json = true;
    return Taken::kWord;
  }
  for (const QuestionOption& option : kQuestions) {
    if (word != option.word || (option.has_argument && argument == nullptr)) continue;
    options.question = option.question;
    options.question_argument = option.has_argument ? argument : nullptr;
    options.mode = Mode::kList;
    return option.has_argument ? Taken::kWordAndArgument : Taken::kWord;
  }
  return Taken::kNo;
}

bool read_mode(std::string_view word, Options& options) {
  for (const ModeOption& option : kModes) {
    if (word != option.word) continue;
    const bool about_program = option.mode == Mode::kList || option.mode == Mode::kVerify;
    if (!about_program || options.mode != Mode::kHelp) options.mode = option.mode;
    return true;
  }
  if (word == "--inhibit-cache"sv) return options.inhibit_cache = true;
  if (word == "--keep-exe"sv) return options.keep_exe = true;
  return false;
}

// The lists add up, unlike all other options.
void add_audit(const char* list, Options& options) {
  for (const char*& place : options.option_audit) {
    if (place != nullptr) continue;
    place = list;
    return;
  }
}

bool read_text(std::string_view word, const char* argument, Options& options) {
  if (argument == nullptr) return false;
  if (word == "--audit"sv) {
    add_audit(argument, options);
    return true;
  }
  for (const TextOption& option : kTexts) {
    if (word != option.word) continue;
    options.*option.field = argument;
    if (option.field == &Options::library_path) options.library_path_from_option = true;
    return true;
  }
  return false;
}

}  // namespace

void read_command_line(const Process& process, ParsedOptions& out) {
  Options& options = out.options;
  options.self = process.argc > 0 ? process.argv[0] : nullptr;
  int i = 1;
  while (i < process.argc) {
    const char* text = process.argv[i];
    if (text[0] != '-' || text[1] != '-') break;
    ++i;
    if (text[2] == 0) break;  // `--` ends the options (glibc 2.41 and later)
    const std::string_view word(text, string_length(text));
    const char* argument = i < process.argc ? process.argv[i] : nullptr;
    if (read_text(word, argument, options)) {
      ++i;
    } else if (const Taken taken = read_question(word, argument, options); taken != Taken::kNo) {
      if (taken == Taken::kWordAndArgument) ++i;
    } else if (!read_mode(word, options)) {
      out.usage = {UsageError::Kind::kUnrecognised, text};
      return;
    }
    if (options.mode == Mode::kVersion) return;
  }
  if (options.library_path != nullptr && *options.library_path == 0) options.library_path = nullptr;
  if (i < process.argc)
    options.program_index = i;
  else if (!options.only_informs())
    out.usage = {UsageError::Kind::kMissingProgram, nullptr};
}

}  // namespace prelude::options
