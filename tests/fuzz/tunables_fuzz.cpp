// GLIBC_TUNABLES and the variables that alias tunables.
#include "fuzz.h"

#include <src/glibc/tunables.h>

#include <string>

using namespace prelude::glibc;

std::vector<std::vector<uint8_t>> fuzz_seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  for (const std::string_view text :
       {"glibc.malloc.mxfast=1:glibc.rtld.nns=4", "glibc.malloc.mxfast=glibc.malloc.mxfast=A",
        ":::=:=:glibc.:%n",
        "glibc.malloc.arena_max=99999999999999999999999:glibc.rtld.optional_static_tls=0x200"})
    seeds.emplace_back(text.begin(), text.end());
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const int release : {36, 41, 43})
    for (const bool secure : {false, true}) {
      const Layout* layout = find_layout(release);
      if (layout == nullptr) continue;
      std::string tunables = "GLIBC_TUNABLES=" + text, alias = "MALLOC_ARENA_MAX=" + text;
      char* environment[] = {tunables.data(), alias.data(), nullptr};
      Tunables settings;
      settings.start(*layout, environment, secure);
    }
  return 0;
}
