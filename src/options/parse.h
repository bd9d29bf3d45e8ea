// Steps of parse_options, private to this folder. Each is a function of values, but for
// remove_unsafe_variables.
#pragma once

#include <prelude/options/options.h>

#include <string_view>

namespace prelude::options {

/// Reads the LD_* variables of a process that is not secure, unless it asks to be one: then only
/// Options::secure is set.
void read_environment(char** envp, ParsedOptions& out);

/// Of a secure process: notes the two variables that still have a say (see Options::refuse_trace
/// and Options::secure_preload). Nothing else is looked at.
void read_secure_environment(char** envp, Options& options);

/// Takes every copy of every variable unsafe for a secure process out of `envp`.
void remove_unsafe_variables(char** envp);

/// Decides what of the trace is JSON; the rest stays in debug_mask.
void choose_json_topics(Options& options);

/// Does a value of GLIBC_TUNABLES ask for secure mode?
bool asks_for_secure_mode(std::string_view tunables);

/// Adds the words of one LD_DEBUG value.
void add_debug_words(const char* words, ParsedOptions& out);

/// Reads `--option` words up to the program's name (direct mode).
void read_command_line(const Process& process, ParsedOptions& out);

}  // namespace prelude::options
