// Answers about a program that is loaded and not run: who gets a symbol from where and why, who
// needs a library, in which order initialisers run, and so on. The facts come from the same Linker
// that a start-up uses. Cold: nothing here is touched when a program runs.
#pragma once

#include <prelude/base/array.h>
#include <prelude/link/linker.h>
#include <prelude/options/options.h>

namespace prelude::explain {

/// What the trace said of the search for one library, or for each: noted while a program is loaded.
class SearchLog {
 public:
  constexpr SearchLog() = default;
  SearchLog(const SearchLog&) = delete;
  SearchLog& operator=(const SearchLog&) = delete;

  /// Notes the search for the library that the question names, or all where it names none.
  void listen(Linker& linker);

  struct Step {
    EventKind kind;      ///< kSearchPath, kSearchCache, kTryFile, kTryRefused; kSearchBegin of each
    const char* text;    ///< path, directories or name; the heap's
    const char* detail;  ///< source or reason, or null; the heap's
  };
  [[nodiscard]] const Array<Step>& steps() const { return steps_; }

 private:
  static void on_event(void* context, const Event& event);
  void note(const Event& event);

  Linker* linker_ = nullptr;
  bool active_ = false, done_ = false;
  Array<Step> steps_;
};

/// Prints the answer to options.question and ends the process: status 0; 1 where there is nothing
/// that the question could mean; 127 where loading fails.
[[noreturn]] void answer(Linker& linker, const SearchLog& log);

/// --diff-env: makes two children, each with its own form of the environment, waits for their plans
/// and prints the difference. Comes back in the children only, with process.envp changed; their
/// answer() writes the plan.
void start_difference(Process& process, const Options& options);

}  // namespace prelude::explain
