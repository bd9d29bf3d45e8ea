// Loads an object and relocates it against itself: every kind, lazily and at once.
#include "elf_seeds.h"
#include "fuzz.h"

#include <arch/i386/traits.h>
#include <arch/x86_64/traits.h>

#include <prelude/reloc/apply.h>
#include <tests/support/loaded_object.h>

using namespace prelude;

std::vector<std::vector<uint8_t>> fuzz_seeds() { return elf_seeds(); }

namespace {

// Symbols bind to the object's own table; nothing is called.
template <typename Elf>
struct SelfBinder {
  const BasicImage<Elf>& image;
  Bound bound{};

  const Bound* bind(uint32_t symbol, Use) {
    const typename Elf::Symbol& s = image.symbols[symbol];
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
    copy_bytes(image.address(slot), &value, sizeof(typename Elf::Word));
    return true;
  }
  bool defer(uint64_t slot, int64_t, const Bound&, ResultForm form) {
    copy_bytes(image.address(slot), "12345678",
               form == ResultForm::kWord ? sizeof(typename Elf::Word) : 4);
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
  bool tls_descriptor(typename Elf::Word* slot, const Bound&, int64_t) {
    slot[0] = slot[1] = 1;
    return true;
  }
  bool overflow(uint32_t, const char*) { return true; }
  bool lazy(typename Elf::Word* slot) { return *slot % 2 == 0; }
  bool fail(const Error&) { return false; }
};

template <typename Machine, typename Elf>
void relocate(const std::vector<uint8_t>& file) {
  for (const bool lazy : {false, true}) {
    const test::BasicLoadedObject<Elf> object(file);
    if (!object.ok()) return;
    const BasicWriteWindow<Elf> window(object.image(), object.image().text_relocations);
    SelfBinder<Elf> binder{object.image()};
    Relocator<SelfBinder<Elf>, Machine> relocator(object.image(), window, binder);
    (void)(relocator.run_plain(lazy) && relocator.run_indirect());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> file(data, data + size);
  if (is_narrow(data, size))
    relocate<arch::I386, elf::Elf32>(file);
  else
    relocate<arch::X86_64, elf::Elf64>(file);
  return 0;
}
