// The order of the steps: what the environment says first, then the command line over it.
#include <prelude/base/string.h>
#include <prelude/options/options.h>

#include "parse.h"

namespace prelude {

void parse_options(const Process& process, bool direct, ParsedOptions& out) {
  out = ParsedOptions{};
  Options& options = out.options;
  options.secure = process.secure;
  if (!options.secure) options::read_environment(process.envp, out);
  options.direct = direct;
  if (options.secure) {
    options.hints = false;
    options::read_secure_environment(process.envp, options);
    options::remove_unsafe_variables(process.envp);
  }
  if (direct) options::read_command_line(process, out);
  options::choose_json_topics(options);
}

const char* environment_value(char** envp, const char* name) {
  const size_t size = string_length(name);
  for (; *envp != nullptr; ++envp) {
    const char* entry = *envp;
    size_t i = 0;
    while (i < size && entry[i] == name[i]) ++i;
    if (i == size && entry[size] == '=') return entry + size + 1;
  }
  return nullptr;
}

}  // namespace prelude
