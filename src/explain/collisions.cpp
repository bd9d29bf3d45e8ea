// --collisions: names that more than one object of the global scope defines, and which one wins.
#include <prelude/base/string.h>

#include <arch/native.h>

#include "answers.h"

namespace prelude::explain {
namespace {

// The program's copy of a library's object is that object, not another one.
bool is_copied(const Module& program, const elf::Symbol& symbol) {
  const Image& image = program.image;
  for (uint64_t i = 0; i < image.relocation_count; ++i)
    if (arch::Native::kind_of(image.relocations[i].type()) == arch::RelocKind::kCopy &&
        &image.symbols[image.relocations[i].symbol()] == &symbol)
      return true;
  return false;
}

class Collisions {
 public:
  explicit Collisions(Answer& answer) : answer_(answer), scope_(answer.linker.program->closure) {}

  int run() {
    if (answer_.as_json()) answer_.json.object().array("collisions");
    for (uint32_t i = 0; i < scope_.count; ++i) {
      const Image& image = scope_.modules[i]->image;
      for (uint32_t s = 1; s < image.symbol_limit; ++s)
        if (exported(*scope_.modules[i], image.symbols[s]) &&
            !names_version(*scope_.modules[i], image.symbols[s]))
          look_at(i, image.symbols[s]);
    }
    if (answer_.as_json())
      answer_.json.close().number("count", count_).close();
    else if (count_ == 0)
      answer_.out.put("no name is defined by two objects of the global scope\n");
    return kAnswered;
  }

 private:
  // Linkers put the names of versions themselves into the table.
  bool names_version(const Module& module, const elf::Symbol& symbol) const {
    if (symbol.shndx != elf::kShnAbs) return false;
    const char* version = version_of(answer_.linker, module, symbol);
    return version != nullptr && equal(version, module.image.string(symbol.name));
  }

  SymbolQuery query_for(const Module& module, const elf::Symbol& symbol) const {
    const Image& image = module.image;
    SymbolQuery query = make_query(image.string(symbol.name));
    if (image.versym == nullptr) return query;
    const auto index = static_cast<size_t>(&symbol - image.symbols);
    query.version = module.symbols.versions.id(image.versym[index] & 0x7fff);
    query.versioned = query.version != 0;
    return query;
  }

  // Each collision is told where its winner stands.
  void look_at(uint32_t at, const elf::Symbol& symbol) {
    const Module& module = *scope_.modules[at];
    SymbolQuery query = query_for(module, symbol);
    bool open = false;
    for (uint32_t i = 0; i < scope_.count; ++i) {
      if (i == at) continue;
      const elf::Symbol* other = find_in_object(scope_.records[i], query);
      if (other == nullptr) continue;
      if (i < at) return;  // told there already
      if (!open) begin(module, symbol, query);
      open = true;
      add(*scope_.modules[i], *other);
    }
    if (open) end();
  }

  void begin(const Module& winner, const elf::Symbol& symbol, const SymbolQuery& query) {
    ++count_;
    const char* version = version_of(answer_.linker, winner, symbol);
    const bool copied = winner.kind == ModuleKind::kProgram && is_copied(winner, symbol);
    if (answer_.as_json()) {
      answer_.json.object()
          .text("symbol", query.name)
          .text("version", version)
          .text("winner", winner.path)
          .text("binding", binding_word(symbol))
          .boolean("copied", copied)
          .array("others");
      return;
    }
    answer_.name(query.name);
    if (version != nullptr) answer_.say(", version ", version);
    answer_.say(": ", winner.path).put(" wins (").put(binding_word(symbol));
    answer_.out.put(copied ? ", a copy)" : ")");
    others_ = 0;
  }

  void add(const Module& module, const elf::Symbol& symbol) {
    if (answer_.as_json()) {
      answer_.json.object()
          .text("object", module.path)
          .text("binding", binding_word(symbol))
          .close();
      return;
    }
    answer_.say(others_++ == 0 ? "; also in " : ", ", module.path);
    answer_.out.put(" (").put(binding_word(symbol)).put(')');
  }

  void end() {
    if (answer_.as_json())
      answer_.json.close().close();
    else
      answer_.out.put('\n');
  }

  Answer& answer_;
  const SearchList& scope_;
  uint64_t count_ = 0;
  uint32_t others_ = 0;
};

}  // namespace

int list_collisions(Answer& answer) { return Collisions(answer).run(); }

}  // namespace prelude::explain
