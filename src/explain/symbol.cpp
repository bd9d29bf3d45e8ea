// --explain SYMBOL: each reference to it, the objects that were asked in their order, the one that
// is taken, and why not the others.
#include <prelude/base/string.h>

#include "answers.h"

namespace prelude::explain {
namespace {

const char* use_word(Use use) {
  switch (use) {
    case Use::kCall:
      return "function call";
    case Use::kCopy:
      return "copy into the program";
    case Use::kTls:
      return "thread-local";
    case Use::kData:
      break;
  }
  return "address";
}

// The entry by that name that comes nearest to a definition, or null.
const elf::Symbol* entry_called(const Module& module, const char* name) {
  const Image& image = module.image;
  const elf::Symbol* best = nullptr;
  for (uint32_t i = 1; i < image.symbol_limit; ++i) {
    const elf::Symbol& symbol = image.symbols[i];
    const char* text = image.string(symbol.name);
    if (text == nullptr || !equal(text, name)) continue;
    if (best == nullptr || (best->shndx == elf::kShnUndef && symbol.shndx != elf::kShnUndef))
      best = &symbol;
  }
  return best;
}

const char* why_not(const Module& module, const elf::Symbol* entry, bool versioned) {
  if (entry == nullptr) return "not defined here";
  if (entry->shndx == elf::kShnUndef) return "refers to it, does not define it";
  if (!exported(module, *entry)) return "not exported";
  if (entry->value == 0 && entry->shndx != elf::kShnAbs && entry->type() != elf::kSttTls)
    return "has no value";
  return versioned ? "another version" : "not the default version";
}

// One object and what it has to do with one reference.
struct Candidate {
  const Module* module;
  const elf::Symbol* entry;
  const char* verdict;
  bool asked;
};

class Explanation {
 public:
  explicit Explanation(Answer& answer)
      : answer_(answer), json_(answer.json), wanted_(answer.options.question_argument) {}

  int run() {
    if (answer_.as_json()) json_.object().text("symbol", wanted_).array("references");
    for (Module* module = answer_.first(); module != nullptr; module = module->next)
      if (module->scope != nullptr && !module->is_self && !module->is_vdso)
        for_each_binding(answer_.linker, *module, true, on_binding, this);
    if (answer_.as_json()) json_.close();
    const bool defined = tell_definers();
    if (answer_.as_json()) json_.close();
    if (seen_.empty() && !answer_.as_json())
      answer_.name(wanted_).put(defined ? " is asked for by nobody\n"
                                        : ": no object asks for it or defines it\n");
    return defined || !seen_.empty() ? kAnswered : kNothingMeant;
  }

 private:
  struct Reference {
    const Module* user;
    const elf::Symbol* symbol;
    Use use;
  };

  static bool on_binding(void* context, const Binding& binding) {
    auto& self = *static_cast<Explanation*>(context);
    const char* name = binding.user.image.string(binding.reference.name);
    if (name == nullptr || !equal(name, self.wanted_)) return true;
    for (const Reference& known : self.seen_)
      if (known.user == &binding.user && known.symbol == &binding.reference &&
          known.use == binding.use)
        return true;
    (void)self.seen_.push(self.answer_.linker.heap,
                          {&binding.user, &binding.reference, binding.use});
    self.tell(binding);
    return true;
  }

  void tell(const Binding& binding) {
    const char* version = version_of(answer_.linker, binding.user, binding.reference);
    if (answer_.as_json()) {
      json_.object()
          .text("object", binding.user.path)
          .text("use", use_word(binding.use))
          .text("version", version)
          .boolean("weak", binding.reference.binding() == elf::kStbWeak)
          .array("candidates");
    } else {
      answer_.name(binding.user.path).put(" asks for ");
      answer_.name(wanted_);
      if (version != nullptr) answer_.say(", version ", version);
      answer_.out.put(" (").put(use_word(binding.use));
      if (binding.reference.binding() == elf::kStbWeak) answer_.out.put(", weak");
      answer_.out.put(")\n");
    }
    walk_scopes(binding);
    tell_result(binding);
  }

  void walk_scopes(const Binding& binding) {
    const auto index = static_cast<uint32_t>(&binding.reference - binding.user.image.symbols);
    SymbolQuery query = query_of(binding.user, index, wanted_, binding.use);
    Array<const Module*> judged;
    settled_ = false;
    for (SearchList* const* list = binding.user.scope; *list != nullptr; ++list)
      for (uint32_t i = 0; i < (*list)->count; ++i) {
        const Module* module = (*list)->modules[i];
        bool known = false;
        for (const Module* other : judged) known = known || other == module;
        if (known || !judged.push(answer_.linker.heap, module)) continue;
        print(judge((*list)->records[i], *module, binding, query));
      }
    judged.release(answer_.linker.heap);
  }

  Candidate judge(const LookupRecord& record, const Module& module, const Binding& binding,
                  SymbolQuery& query) {
    const bool asked = !settled_;
    const elf::Symbol* hit = find_in_object(record, query);
    if (binding.found && binding.found->symbol != nullptr && binding.found->module == &module) {
      settled_ = true;
      return {&module, binding.found->symbol, "taken", asked};
    }
    if (hit == nullptr) {
      const elf::Symbol* entry = entry_called(module, wanted_);
      return {&module, entry, why_not(module, entry, query.versioned), asked};
    }
    const char* verdict = "passed over";
    if (binding.use == Use::kCopy && &module == answer_.linker.program)
      verdict = "passed over: a copy comes from behind the program";
    else if (!asked)
      verdict = "comes later";
    else if (answer_.options.dynamic_weak && hit->binding() == elf::kStbWeak)
      verdict = "weak, and LD_DYNAMIC_WEAK lets strong ones win";
    else if (binding.reference.visibility() == elf::kStvProtected)
      verdict = "passed over: the reference is protected and has a definition of its own";
    return {&module, hit, verdict, asked};
  }

  void print(const Candidate& candidate) {
    const elf::Symbol* entry = candidate.entry;
    const bool defines = entry != nullptr && entry->shndx != elf::kShnUndef;
    const char* version = defines ? version_of(answer_.linker, *candidate.module, *entry) : nullptr;
    if (answer_.as_json()) {
      json_.object()
          .text("object", candidate.module->path)
          .boolean("asked", candidate.asked)
          .text("verdict", candidate.verdict);
      if (defines) describe(*candidate.module, *entry);
      json_.close();
      return;
    }
    if (!candidate.asked && !defines) return;  // nothing to tell
    answer_.out.put("  ");
    answer_.name(candidate.module->path).put(": ").put(candidate.verdict);
    if (defines) answer_.out.put(" (").put(binding_word(*entry)).put(' ').put(type_word(*entry));
    if (version != nullptr) answer_.say(", version ", version);
    answer_.out.put(defines ? ")\n" : "\n");
  }

  void describe(const Module& module, const elf::Symbol& symbol) {
    json_.text("version", version_of(answer_.linker, module, symbol))
        .text("binding", binding_word(symbol))
        .text("type", type_word(symbol))
        .number("value", symbol.value)
        .number("size", symbol.size);
  }

  void tell_result(const Binding& binding) {
    const Definition found = binding.found ? *binding.found : Definition{};
    if (answer_.as_json()) {
      json_.close()
          .text("bound_to", found.symbol != nullptr ? found.module->path : nullptr)
          .close();
      return;
    }
    if (found.symbol == nullptr)
      answer_.out.put(binding.found ? "  => nothing: the reference is weak and gets 0\n"
                                    : "  => undefined: the program could not use it\n");
    else if (!settled_)  // no object of the scope: STB_GNU_UNIQUE, or its own
      answer_.say("  => ", found.module->path).put('\n');
  }

  // All objects that define the name, in load order.
  bool tell_definers() {
    bool any = false;
    if (answer_.as_json()) json_.array("defined_by");
    for (Module* module = answer_.first(); module != nullptr; module = module->next) {
      const elf::Symbol* entry = entry_called(*module, wanted_);
      if (entry == nullptr || !exported(*module, *entry)) continue;
      if (answer_.as_json()) {
        json_.object().text("object", module->path);
        describe(*module, *entry);
        json_.close();
      } else {
        answer_.out.put(any ? ", " : "defined by ");
        answer_.name(module->path);
      }
      any = true;
    }
    if (answer_.as_json())
      json_.close();
    else if (any)
      answer_.out.put('\n');
    return any;
  }

  Answer& answer_;
  report::Json& json_;
  const char* wanted_;
  Array<Reference> seen_;
  bool settled_ = false;
};

}  // namespace

int explain_symbol(Answer& answer) { return Explanation(answer).run(); }

}  // namespace prelude::explain
