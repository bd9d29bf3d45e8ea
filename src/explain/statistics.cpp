// --stats: what a start-up has to do, object by object, counted and not timed.
#include <prelude/base/string.h>

#include <arch/native.h>

#include "answers.h"

namespace prelude::explain {
namespace {

constexpr uint32_t kFields = 8;
constexpr const char* kNames[kFields] = {"bytes",   "relative", "symbolic", "calls",
                                         "lookups", "probes",   "exports",  "initialisers"};

struct Counts {
  uint64_t values[kFields] = {};
  uint64_t& bytes() { return values[0]; }
  uint64_t& relative() { return values[1]; }  ///< relative relocations, packed ones too
  uint64_t& symbolic() { return values[2]; }  ///< relocations that name a symbol, but for calls
  uint64_t& calls() { return values[3]; }     ///< PLT slots
  uint64_t& lookups() { return values[4]; }   ///< symbols looked up
  uint64_t& probes() { return values[5]; }    ///< objects asked for them
  uint64_t& exports() { return values[6]; }
  uint64_t& initialisers() { return values[7]; }
};

// A word of a RELR table is an address, or bits for the 63 words behind the last one.
uint64_t packed_relocations(const Image& image) {
  uint64_t count = 0;
  for (uint64_t i = 0; i < image.relr_count; ++i) {
    uint64_t word = image.relr[i];
    if ((word & 1) == 0) {
      ++count;
      continue;
    }
    for (word >>= 1; word != 0; word &= word - 1) ++count;
  }
  return count;
}

void count_table(const elf::Relocation* table, uint64_t size, Counts& counts) {
  for (uint64_t i = 0; i < size; ++i) {
    const arch::RelocKind kind = arch::Native::kind_of(table[i].type());
    if (kind == arch::RelocKind::kRelative)
      ++counts.relative();
    else if (table[i].symbol() != 0)
      ++counts.symbolic();
  }
}

bool count_lookup(void* context, const Binding& binding) {
  Counts& counts = *static_cast<Counts*>(context);
  ++counts.lookups();
  const Definition found = binding.found ? *binding.found : Definition{};
  for (SearchList* const* list = binding.user.scope; *list != nullptr; ++list)
    for (uint32_t i = 0; i < (*list)->count; ++i) {
      ++counts.probes();
      if (found.symbol != nullptr && (*list)->modules[i] == found.module) return true;
    }
  return true;
}

Counts count_module(Linker& linker, Module& module) {
  const Image& image = module.image;
  Counts counts;
  counts.bytes() = image.end - image.low;
  counts.relative() = packed_relocations(image);
  count_table(image.relocations, image.relocation_count, counts);
  counts.calls() = image.plt_relocation_count;
  for (uint32_t i = 1; i < image.symbol_limit; ++i)
    if (exported(module, image.symbols[i])) ++counts.exports();
  counts.initialisers() = image.init_array.count + (image.init != 0 ? 1 : 0);
  if (module.scope != nullptr && !module.is_self && !module.is_vdso)
    for_each_binding(linker, module, true, count_lookup, &counts);
  return counts;
}

void print_row(Answer& answer, const char* name, const Counts& counts) {
  constexpr size_t kWidth = 10;
  if (answer.as_json()) {
    answer.json.object().text("object", name);
    for (uint32_t i = 0; i < kFields; ++i) answer.json.number(kNames[i], counts.values[i]);
    answer.json.close();
    return;
  }
  for (const uint64_t value : counts.values) answer.out.decimal(value, kWidth).put("  ");
  answer.name(name).put('\n');
}

}  // namespace

int count_everything(Answer& answer) {
  if (answer.as_json()) {
    answer.json.object().array("objects");
  } else {
    for (const char* name : kNames) {
      for (size_t i = string_length(name); i < 10; ++i) answer.out.put(' ');
      answer.out.put(name).put("  ");
    }
    answer.out.put("object\n");
  }
  Counts total;
  uint64_t objects = 0;
  for (Module* module = answer.first(); module != nullptr; module = module->next, ++objects) {
    const Counts counts = count_module(answer.linker, *module);
    print_row(answer, module->path, counts);
    for (uint32_t i = 0; i < kFields; ++i) total.values[i] += counts.values[i];
  }
  if (answer.as_json()) {
    answer.json.close().number("count", objects).object("total");
    for (uint32_t i = 0; i < kFields; ++i) answer.json.number(kNames[i], total.values[i]);
    answer.json.close().close();
    return kAnswered;
  }
  char text[32];
  Writer sum(text, sizeof text);
  sum.decimal(objects).put(" objects");
  print_row(answer, sum.c_str(), total);
  return kAnswered;
}

}  // namespace prelude::explain
