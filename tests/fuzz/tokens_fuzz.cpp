// Path lists and tokens: expansion in both modes, with the size told beforehand.
#include "fuzz.h"

#include <src/search/tokens.h>

#include <cstdlib>
#include <string>

using namespace prelude::search;

std::vector<std::vector<uint8_t>> fuzz_seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  for (const std::string_view text :
       {"$ORIGIN/../lib:${LIB}/x:/usr/lib:$PLATFORM", "::;$ORIGINx;${ORIGIN", "$LIB$LIB/$", ""})
    seeds.emplace_back(text.begin(), text.end());
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const char* const directories[] = {"/lib", "/usr/lib", nullptr};
  for (const bool secure : {false, true})
    for (const char* origin : {static_cast<const char*>(nullptr), "/usr/lib/sub", "/home/user"}) {
      const TokenValues values{origin, "lib/x86_64-linux-gnu", "haswell", directories, secure};
      std::string_view element;
      for (ListReader reader(text.c_str(), ":;"); reader.next(element);) {
        const Expansion sized = expand_tokens(element, values, nullptr);
        if (!sized.allowed) continue;
        std::vector<char> out(sized.size);
        const Expansion written = expand_tokens(element, values, out.data());
        if (written.allowed && written.size != sized.size) std::abort();
      }
    }
  return 0;
}
