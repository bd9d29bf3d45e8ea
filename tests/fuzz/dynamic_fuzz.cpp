// Everything that is read from a mapped object without its relocations: dynamic section, strings,
// notes, versions, names by both hash tables.
#include "elf_seeds.h"
#include "fuzz.h"

#include <prelude/link/module.h>
#include <prelude/symbols/symbols.h>
#include <tests/support/loaded_object.h>
#include <tests/support/test_heap.h>

#include <cstdlib>
#include <memory>

using namespace prelude;

std::vector<std::vector<uint8_t>> fuzz_seeds() { return elf_seeds(); }

namespace {

struct Free {
  void operator()(Module* at) const { std::free(at); }
};

void look_up(const test::LoadedObject& object, const VersionTable& versions, VersionNames& names) {
  const std::unique_ptr<Module, Free> module(static_cast<Module*>(std::calloc(1, sizeof(Module))));
  module->symbols = {&object.image(), versions};
  const LookupRecord record = make_record(*module, object.image());
  for (const char* name : {"f", "v", "t", "used", "none", ""})
    for (const bool versioned : {false, true}) {
      SymbolQuery query = make_query(name);
      query.versioned = versioned;
      query.version = versioned ? names.find("V1", version_hash("V1")) : 0;
      const elf::Symbol* found = find_in_object(record, query);
      if (found != nullptr && object.image().string(found->name) == nullptr) std::abort();
    }
}

// As libc's dladdr does it: by the hash table, with no bound.
void walk_symbols(const Image& image) {
  if (image.gnu_hash.bloom == nullptr || !symbols_are_walkable(image)) return;
  for (uint32_t b = 0; b < image.gnu_hash.bucket_count; ++b) {
    uint32_t index = image.gnu_hash.buckets[b];
    while (index != 0) {
      if (image.symbols[index].name == UINT32_MAX) break;
      if ((image.gnu_hash.chain_zero[index++] & 1) != 0) break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const test::LoadedObject object(std::vector<uint8_t>(data, data + size));
  if (!object.mapped()) return 0;
  const Image& image = object.image();
  uint32_t bytes = 0;
  if (const uint8_t* id = build_id(image, bytes); id != nullptr && bytes != 0)
    if (id[0] + id[bytes - 1] > 1000) std::abort();
  (void)gnu_property(image, 0xc0008002);
  if (!object.ok()) return 0;
  for_each_dynamic(image, elf::kDtNeeded, [&](uint64_t offset) {
    if (image.string(offset) == nullptr) std::abort();
    return true;
  });
  test::TestHeap heap;
  VersionNames names;
  const auto versions = read_versions(image, names, heap);
  if (!versions) return 0;
  for_each_version_need(
      image, *versions, [](void*, const VersionNeed&) { return true; }, nullptr);
  for_each_version_def(
      image, [](void*, const char*, uint32_t, uint16_t) { return true; }, nullptr);
  look_up(object, *versions, names);
  walk_symbols(image);
  return 0;
}
