// ld.so.cache: the file's bytes and what lookups make of them.
#include "fuzz.h"

#include <src/search/cache.h>
#include <tests/unit/search/cache_builder.h>

#include <cstdlib>
#include <cstring>

using namespace prelude;

std::vector<std::vector<uint8_t>> fuzz_seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  for (int entries = 0; entries < 4; ++entries) {
    search::CacheBuilder builder;
    for (int i = 0; i < entries; ++i) {
      const std::string name = "libseed.so." + std::to_string(9 - i);
      builder.add(name, "/lib/" + name)
          .add(name, "/lib/glibc-hwcaps/x86-64-v3/" + name, search::kNamedHwcap);
    }
    if (entries % 2 == 0) builder.hwcaps({"x86-64-v3"});
    if (entries == 3) builder.old_header(2);
    const std::string bytes = builder.build();
    seeds.emplace_back(bytes.begin(), bytes.end());
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The end of a cache is no string end: a copy of its own, without anything behind it.
  const std::vector<char> bytes(data, data + size);
  const auto view = search::CacheView::decode(bytes.data(), bytes.size());
  if (!view) return 0;
  const std::string_view levels[] = {"x86-64-v3", "x86-64-v2"};
  const search::CacheQuery query{.flags = 0x0303, .isa_level = 2, .hwcaps = {levels, 2}};
  for (const char* name : {"libseed.so.9", "libseed.so.8", "lib", "", "libseed.so.10"})
    if (const char* path = view->find(name, query); path != nullptr && std::strlen(path) >= size)
      std::abort();
  for (uint32_t i = 0; i < 64; ++i)
    if (const char* name = view->name(i); name != nullptr && std::strlen(name) >= size)
      std::abort();
  return 0;
}
