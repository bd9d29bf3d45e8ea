// What the user asked for: command line of direct mode and LD_* variables, read once into an
// immutable value. In secure mode unsafe variables have no effect and leave the environment.
#pragma once

#include <prelude/base/result.h>

#include <cstdint>

namespace prelude {

enum class Mode : uint8_t {
  kRun,
  kList,
  kVerify,
  kHelp,
  kVersion,
  kListTunables,
  kListDiagnostics
};

/// What is to be told of a program instead of running it (direct mode; Mode::kList).
enum class Question : uint8_t {
  kNone,
  kSymbol,      ///< --explain SYMBOL
  kLibrary,     ///< --why LIB
  kGraph,       ///< --graph FILE
  kCollisions,  ///< --collisions
  kStatistics,  ///< --stats
  kInitOrder,   ///< --init-order
  kOpen,        ///< --simulate-dlopen LIB
  kDifference,  ///< --diff-env VAR[=VALUE]
  kCaches,      ///< --cache-status
};

/// Facts from the kernel. The vectors belong to the process's stack.
struct Process {
  int argc = 0;
  char** argv = nullptr;  ///< NULL-terminated
  char** envp = nullptr;  ///< NULL-terminated
  bool secure = false;    ///< AT_SECURE set or absent
};

struct Options {
  Mode mode = Mode::kRun;
  bool direct = false;  ///< started as `ld.so prog`
  bool secure = false;
  bool inhibit_cache = false;
  bool keep_exe = false;  ///< --keep-exe: /proc/self/exe is to name the program
  bool bind_now = false, bind_not = false, dynamic_weak = false;
  bool warn = false, verbose = false, show_auxv = false;
  bool seal = false;           ///< LD_SEAL is set: seal what stays as it is
  bool tunables = false;       ///< a variable is set that may hold some of the C library's tunables
  bool hints = true;           ///< LD_HINTS=0 turns the hint lines off
  bool trace_objects = false;  ///< LD_TRACE_LOADED_OBJECTS is set
  uint32_t trace_level = 0;    ///< its numeric value
  uint32_t debug_mask = 0;     ///< Topic bits; implies kImpcalls where section 11 says so
  bool debug_help = false;
  bool debug_json = false;    ///< word `json` of LD_DEBUG: the trace is JSON, not text
  uint32_t json_mask = 0;     ///< Topic bits of the JSON trace, 0 = none is wanted
  bool refuse_trace = false;  ///< secure and LD_TRACE_LOADED_OBJECTS was set: exit 5, print nothing
  const char* debug_output = nullptr;
  const char* library_path = nullptr;  ///< null = not set; never empty
  bool library_path_from_option = false;
  const char* env_preload = nullptr;
  /// LD_PRELOAD of a secure process (env_preload is null there). To be dropped, or to be used with
  /// all limits: names without slash, system directories only, owned by root, set-user-ID bit, not
  /// writable by others.
  const char* secure_preload = nullptr;
  const char* option_preload = nullptr;
  const char* env_audit = nullptr;
  static constexpr int kMostAuditOptions = 8;
  const char* option_audit[kMostAuditOptions] = {};  ///< each --audit; the rest is null
  const char* inhibit_rpath = nullptr;               ///< may be "": it names the main program
  const char* hwcaps_prepend = nullptr;
  const char* hwcaps_mask = nullptr;  ///< may be "": no built-in subdirectory is left
  const char* argv0 = nullptr;
  const char* origin_path = nullptr;
  const char* trace_json = nullptr;
  Question question = Question::kNone;
  const char* question_argument = nullptr;
  bool json = false;           ///< the answer as JSON
  const char* self = nullptr;  ///< argv[0] of the loader in direct mode
  int program_index = 0;       ///< index in argv of EXECUTABLE-FILE (direct mode)

  /// What the loader keeps to itself is protected also from the process it serves.
  [[nodiscard]] bool hardened() const { return secure || seal; }
  /// The mode prints facts of the loader and ends; no program is loaded.
  [[nodiscard]] bool only_informs() const {
    return mode != Mode::kRun && mode != Mode::kList && mode != Mode::kVerify;
  }
};

/// A usage error of direct mode; the words and the exit status are report's.
struct UsageError {
  enum class Kind : uint8_t { kNone, kMissingProgram, kUnrecognised } kind = Kind::kNone;
  const char* option = nullptr;
};

/// Unknown words of LD_DEBUG, reported by the caller one warning each.
struct DebugWarning {
  const char* word = nullptr;
  uint32_t size = 0;
  bool takes_back = false;  ///< "-word" of a known word: see take_words_back()
};
inline constexpr int kMaxDebugWarnings = 8;

struct ParsedOptions {
  Options options;
  UsageError usage;
  DebugWarning warnings[kMaxDebugWarnings];
  int warning_count = 0;
  bool takes_words_back = false;    ///< there is such a word
  uint32_t debug_mask_reduced = 0;  ///< what LD_DEBUG asks for where "-word" takes a word back
};

/// From glibc 2.44 on "-word" takes a word of LD_DEBUG back; before it is unknown, which is what
/// the options say until this is called.
void take_words_back(ParsedOptions& parsed);

/// `direct` says that the kernel started the loader itself. Removes what secure mode forbids from
/// process.envp in place: find the auxiliary vector first. Of several copies of a variable the last
/// one counts, as in glibc 2.36; LD_DEBUG adds up. Pure but for that.
void parse_options(const Process& process, bool direct, ParsedOptions& out);

}  // namespace prelude
