// The order of the steps: what the environment says first, then the command line over it.
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

}  // namespace prelude
