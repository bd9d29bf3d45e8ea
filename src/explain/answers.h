// What the answers share. Each function prints one answer and gives the exit status.
#pragma once

#include <prelude/explain/bindings.h>
#include <prelude/explain/explain.h>
#include <prelude/report/json_text.h>

#include <string_view>

namespace prelude::explain {

struct Answer {
  Linker& linker;
  const Options& options;
  Writer& out;
  report::Json json;  ///< used instead of `out` where options.json is set

  [[nodiscard]] bool as_json() const { return options.json; }
  [[nodiscard]] Module* first() const { return linker.base_space.first; }
  /// Text of a name from outside.
  Writer& name(const char* text) const;
  /// Words of ours, then a name from outside.
  Writer& say(const char* words, const char* text) const {
    out.put(words);
    return name(text);
  }
};

enum Status : int { kAnswered = 0, kNothingMeant = 1, kFailed = 127 };

/// The version of a symbol table entry, null = none.
const char* version_of(const Linker& linker, const Module& module, const elf::Symbol& symbol);
/// Exported by the object: what a lookup from outside may find.
bool exported(const Module& module, const elf::Symbol& symbol);
/// "function", "object", ...; "global", "weak", "unique".
const char* type_word(const elf::Symbol& symbol);
const char* binding_word(const elf::Symbol& symbol);
/// The module that goes by the name, path or last component of its path; null = none.
Module* module_called(const Linker& linker, const char* wanted);
/// True when `module` has a DT_NEEDED that led to `target`; `name` is what it says.
bool needs_directly(const Module& module, const Module& target, const char*& name);
int explain_symbol(Answer& answer);
int explain_library(Answer& answer, const SearchLog& log);
int draw_graph(Answer& answer);
int list_collisions(Answer& answer);
int count_everything(Answer& answer);
int list_init_order(Answer& answer);
int tell_caches(Answer& answer, const SearchLog& log);
int simulate_open(Answer& answer);
/// Writes the plan for the parent of start_difference().
int hand_over_plan(Answer& answer);

/// The modules of the init order from `sorted`, first to run first.
void print_init_order(Answer& answer, const Array<Module*>& sorted, const Module* first);

}  // namespace prelude::explain
