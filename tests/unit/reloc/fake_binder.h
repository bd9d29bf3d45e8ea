// A binder that answers from a table, and where things lie in the objects of these tests.
#pragma once

#include <prelude/reloc/apply.h>
#include <tests/support/elf_builder.h>

#include <map>
#include <string>
#include <vector>

namespace prelude::test {

struct FakeBinder {
  std::map<uint32_t, Bound> answers;
  std::vector<std::string> log;
  Error error;
  bool lazy_works = false, memory = true;

  void say(const std::string& text) { log.push_back(text); }
  const Bound* bind(uint32_t symbol, Use) {
    const auto found = answers.find(symbol);
    if (found != answers.end()) return &found->second;
    fail({.code = Errc::kUndefinedSymbol});
    return nullptr;
  }
  bool call_resolver(uint64_t address, uint64_t& result) {
    say("resolver");
    result = address + 1;
    return memory;
  }
  bool defer(uint64_t slot, int64_t addend, const Bound&, ResultForm form) {
    say("defer " + std::to_string(slot) + " " + std::to_string(addend) + " " +
        std::to_string(static_cast<int>(form)));
    return true;
  }
  bool store_result(uint64_t slot, uint64_t) {
    say("store " + std::to_string(slot));
    return true;
  }
  bool copy(void*, uint32_t, const Bound&) {
    say("copy");
    return true;
  }
  bool tls_module(const Bound&, uint64_t& id) {
    id = 7;
    return memory;
  }
  bool tls_offset(const Bound&, int64_t& from_tp) {
    from_tp = -64;
    return memory;
  }
  template <typename Word>
  bool tls_descriptor(Word* slot, const Bound&, int64_t addend) {
    slot[0] = 11;
    slot[1] = static_cast<Word>(addend);
    return true;
  }
  bool overflow(uint32_t, const char* type) {
    say(std::string("overflow ") + type);
    return true;
  }
  bool lazy(const void*) {
    say("lazy");
    return lazy_works;
  }
  bool fail(const Error& why) {
    error = why;
    return false;
  }
};

// Where things are in every object below, known after a first build.
template <typename Elf>
struct BasicPlaces {
  BasicPlaces() {
    BasicElfBuilder<Elf> builder;
    Relocation(builder);
    (void)builder.build();
    data = builder.data();
    code = builder.code();
    dynamic = builder.dynamic();
  }
  static void Relocation(BasicElfBuilder<Elf>& builder) {
    builder.symbol({.name = "s", .size = 16, .shndx = 0}).rela(0, 0, 0, 0).plt_rela(0, 0, 0, 0);
  }
  uint64_t data, code, dynamic;
};
using Places = BasicPlaces<elf::Elf64>;

}  // namespace prelude::test
