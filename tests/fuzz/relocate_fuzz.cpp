// Loads an object and relocates it against itself: every kind, lazily and at once.
#include "elf_seeds.h"
#include "fuzz.h"

#include <prelude/reloc/apply.h>
#include <tests/support/loaded_object.h>

using namespace prelude;

std::vector<std::vector<uint8_t>> fuzz_seeds() { return elf_seeds(); }

namespace {

// Symbols bind to the object's own table; nothing is called.
struct SelfBinder {
  const Image& image;
  const WriteWindow& window;
  Bound bound{};

  const Bound* bind(uint32_t symbol, Use) {
    const elf::Symbol& s = image.symbols[symbol];
    bound = {.value = image.bias + s.value,
             .size = s.size,
             .undefined = s.shndx == 0,
             .resolver = s.type() == elf::kSttGnuIfunc};
    return &bound;
  }
  bool call_resolver(uint64_t, uint64_t& result) {
    result = 1;
    return true;
  }
  bool store_result(uint64_t slot, uint64_t value) {
    copy_bytes(image.address(slot), &value, sizeof value);
    return true;
  }
  bool defer(uint64_t slot, int64_t, const Bound&, ResultForm form) {
    copy_bytes(image.address(slot), "12345678", form == ResultForm::kWord ? 8 : 4);
    return true;
  }
  bool copy(void* to, uint32_t symbol, const Bound&) {
    fill_zero(to, image.symbols[symbol].size);
    return true;
  }
  bool tls_module(const Bound&, uint64_t& id) {
    id = 1;
    return true;
  }
  bool tls_offset(const Bound&, int64_t& from_tp) {
    from_tp = -16;
    return true;
  }
  bool tls_descriptor(uint64_t* slot, const Bound&, int64_t) {
    slot[0] = slot[1] = 1;
    return true;
  }
  bool overflow(uint32_t, const char*) { return true; }
  bool lazy(uint64_t* slot) { return *slot % 2 == 0; }
  bool fail(const Error&) { return false; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const bool lazy : {false, true}) {
    const test::LoadedObject object(std::vector<uint8_t>(data, data + size));
    if (!object.ok()) return 0;
    const WriteWindow window(object.image(), object.image().text_relocations);
    SelfBinder binder{object.image(), window};
    Relocator<SelfBinder> relocator(object.image(), window, binder);
    (void)(relocator.run_plain(lazy) && relocator.run_indirect());
  }
  return 0;
}
