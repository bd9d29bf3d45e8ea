// Command line and environment: the input is a list of strings, divided by NUL; those with '=' at
// first are the environment, the others arguments.
#include "fuzz.h"

#include <prelude/options/options.h>

#include <cstdlib>
#include <cstring>
#include <string>

using namespace prelude;

namespace {

template <size_t N>
std::vector<uint8_t> bytes(const char (&text)[N]) {
  return {text, text + N - 1};
}

}  // namespace

std::vector<std::vector<uint8_t>> fuzz_seeds() {
  return {
      bytes("ld.so\0--list\0prog\0LD_DEBUG=libs,all\0LD_LIBRARY_PATH=/a:/b"),
      bytes("ld.so\0--preload\0x\0--library-path\0/a\0--argv0\0y\0prog\0LD_PRELOAD=a "
            "b\0LD_BIND_NOW=1"),
      bytes(
          "prog\0LD_DEBUG=help\0LD_TRACE_LOADED_OBJECTS=1\0=\0\0LD_PRELOAD\0LD_HWCAP_MASK=0xfff")};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const bool secure : {false, true})
    for (const bool direct : {false, true}) {
      std::vector<std::string> texts;
      for (size_t at = 0; at < size;) {
        const auto* end = static_cast<const uint8_t*>(std::memchr(data + at, 0, size - at));
        const size_t length = end == nullptr ? size - at : static_cast<size_t>(end - (data + at));
        texts.emplace_back(reinterpret_cast<const char*>(data + at), length);
        at += length + 1;
      }
      std::vector<char*> argv, envp;
      for (std::string& text : texts)
        (text.find('=') == std::string::npos ? argv : envp).push_back(text.data());
      if (argv.empty()) return 0;
      const auto count = static_cast<int>(argv.size());
      argv.push_back(nullptr);
      envp.push_back(nullptr);
      Process process;
      process.argc = count;
      process.argv = argv.data();
      process.envp = envp.data();
      process.secure = secure;
      ParsedOptions parsed;
      parse_options(process, direct, parsed);
      if (parsed.options.program_index > count || parsed.warning_count > kMaxDebugWarnings)
        std::abort();
      if (!secure) continue;
      for (char** entry = envp.data(); *entry != nullptr; ++entry)
        if (std::strncmp(*entry, "LD_PRELOAD=", 11) == 0 ||
            std::strncmp(*entry, "LD_LIBRARY_PATH=", 16) == 0)
          std::abort();
    }
  return 0;
}
