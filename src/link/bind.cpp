// What a reference binds to: scopes in order, versions, protected, unique and copy rules
// (gABI ch. 4 "Symbol Table", ch. 5 "Shared Object Dependencies"; feature rows of ld.so(8)).
#include <prelude/link/linker.h>

#include <arch/native.h>

#include <prelude/base/string.h>

namespace prelude {
namespace {

// There is one loader in the process, whichever namespace asks for it.
long space_in_trace(const Module& module) {
  return module.stands_for != nullptr ? module.stands_for->name_space : module.name_space;
}

// Slow form of find_in_list: says each object asked, and lets weak definitions lose if the user
// wants so.
Definition find_observed(Linker& linker, const SearchList& list, SymbolQuery& query, uint32_t from,
                         const Module* skip, Definition& weak) {
  for (uint32_t i = from; i < list.count; ++i) {
    Module* module = list.modules[i];
    if (module == skip) continue;
    if (linker.tracer.wants(Topic::kSymbols))
      linker.tracer.emit({.kind = EventKind::kSymbolLookup,
                          .topic = Topic::kSymbols,
                          .file = module->path,
                          .name = query.name,
                          .ns = space_in_trace(*module)});
    const elf::Symbol* symbol = find_in_object(list.records[i], query);
    if (symbol == nullptr) continue;
    if (linker.options->dynamic_weak && symbol->binding() == elf::kStbWeak) {
      if (weak.symbol == nullptr) weak = {symbol, module};
      continue;
    }
    return {symbol, module};
  }
  return {};
}

[[gnu::noinline]] Definition find_in_observed_scope(Linker& linker, SymbolQuery& query,
                                                    SearchList* const* scope, const Module* skip) {
  Definition weak;
  for (; *scope != nullptr; ++scope)
    if (Definition found = find_observed(linker, **scope, query, 0, skip, weak);
        found.symbol != nullptr)
      return found;
  return weak;
}

[[gnu::always_inline]] inline Definition find_in_scope(Linker& linker, SymbolQuery& query,
                                                       SearchList* const* scope,
                                                       const Module* skip) {
  if (linker.tracer.wants(Topic::kSymbols) || linker.options->dynamic_weak) [[unlikely]]
    return find_in_observed_scope(linker, query, scope, skip);
  return find_in_lists(scope, query, skip);
}

// The version of a reference must be one that the object's tables name. An object that lost its
// tables altogether is served without versions.
bool version_known(const Module& module, uint32_t index) {
  const VersionTable& versions = module.symbols.versions;
  return module.image.versym == nullptr || versions.count == 0 ||
         (module.image.versym[index] & 0x7fffU) < versions.count;
}

}  // namespace

SymbolQuery query_of(const Module& module, uint32_t index, const char* name, Use use) {
  SymbolQuery query = make_query_in_table(name);
  query.function_call = use == Use::kCall;
  const Image& image = module.image;
  if (image.versym != nullptr) {
    const uint32_t entry = module.symbols.versions.entry(image.versym[index] & 0x7fff);
    query.version = entry & VersionTable::kIdMask;
    query.versioned = query.version != 0;
    query.version_hidden = (entry & VersionTable::kHidden) != 0;
  }
  return query;
}

namespace {

// A protected symbol of the module itself: its own definition serves, except where the program's
// PLT entry stands for the function's address everywhere (psABI x86-64, function pointer equality).
Definition settle_protected(Linker& linker, Module& module, const elf::Symbol& own,
                            SymbolQuery query, Use use, const Definition& found) {
  if (found.module == &module) return found;
  if (use == Use::kCall) return {&own, &module};
  query.function_call = true;
  const Definition defined = find_in_scope(linker, query, module.scope, nullptr);
  return defined.symbol != nullptr && defined.module != &module ? Definition{&own, &module} : found;
}

void trace_no_delete(const Linker& linker, const Module& module, const char* reason,
                     const Module* user) {
  if (!linker.tracer.wants(Topic::kBindings)) return;
  linker.tracer.emit({.kind = EventKind::kNoDelete,
                      .topic = Topic::kBindings,
                      .object = user != nullptr ? user->path : nullptr,
                      .file = module.path,
                      .detail = reason,
                      .ns = module.name_space,
                      .ns2 = user != nullptr ? user->name_space : 0});
}

// For good, unless the request under way fails.
bool mark_no_delete(Linker& linker, Module& module) {
  module.no_delete = true;
  ++linker.ties;
  return linker.batch == nullptr || linker.batch->pinned.push(linker.heap, &module);
}

}  // namespace

void trace_binding(const Linker& linker, const Module& module, const SymbolQuery& query,
                   const Definition& found, bool is_protected, const char* version) {
  if (!linker.tracer.wants(Topic::kBindings)) return;
  if (query.version != 0) version = linker.version_names.name(query.version);
  linker.tracer.emit({.kind = EventKind::kBinding,
                      .topic = Topic::kBindings,
                      .object = module.path,
                      .file = found.module->path,
                      .name = query.name,
                      .detail = version,
                      .ns = module.name_space,
                      .ns2 = space_in_trace(*found.module),
                      .value = is_protected ? 1U : 0U});
}

Definition settle_unique(Linker& linker, Module& referrer, const elf::Symbol& reference,
                         const SymbolQuery& query, const Definition& found, Use use) {
  const Change change(linker);
  Namespace& space = *linker.spaces[referrer.name_space];
  if (const Definition* first = space.unique.find(query.gnu_hash, query.name); first != nullptr)
    // A copy relocation initialises the central copy from the definition it names.
    return use == Use::kCopy ? found : *first;
  // The copy in the program is the one definition from then on.
  const Definition entry = use == Use::kCopy ? Definition{&reference, &referrer} : found;
  // Who asks may go before the definition does, and the words of a dlsym even earlier.
  const char* name = entry.module->image.string(entry.symbol->name);
  if (!space.unique.add(linker.heap, query.gnu_hash, name, entry)) return found;
  entry.module->gave_unique = true;
  if (entry.module->kind == ModuleKind::kOpened && !entry.module->no_delete) {
    trace_no_delete(linker, *entry.module, "unique symbol", nullptr);
    (void)mark_no_delete(linker, *entry.module);
  }
  return found;
}

namespace {

bool record_use(Linker& linker, Module& user, Module& used) {
  for (const Module* known : user.used)
    if (known == &used) return true;
  ++linker.ties;
  if (user.kind != ModuleKind::kOpened) {
    const bool by_program = user.kind == ModuleKind::kProgram;
    trace_no_delete(linker, used, by_program ? "reference from main program" : "reference from ",
                    by_program ? nullptr : &user);
    return mark_no_delete(linker, used);
  }
  if (linker.tracer.wants(Topic::kFiles))
    linker.tracer.emit({.kind = EventKind::kFileNeeded,
                        .topic = Topic::kFiles,
                        .object = user.path,
                        .name = used.path,
                        .ns = used.name_space,
                        .ns2 = user.name_space,
                        .value = 2});
  return user.used.push(linker.heap, &used);
}

// So that its next calls into the same object need no look at the lists.
bool remember_use(const Module& user, const Module& used) {
  __atomic_store_n(&record_of(user).last_used, &used, __ATOMIC_RELAXED);
  return true;
}

}  // namespace

bool note_late_use(Linker& linker, Module& user, Module& used) {
  for (const Module* known : user.sorted.empty() ? user.needed : user.sorted)
    if (known == &used) return remember_use(user, used);
  // A first call on any thread comes here, also below dl_iterate_phdr: it must not wait for a
  // request that waits for it. Keeping the object for good is the way out.
  if (!try_change(linker)) {
    __atomic_store_n(&record_of(used).keep, true, __ATOMIC_RELAXED);
    __atomic_add_fetch(&linker.open->late_ties, 1U, __ATOMIC_RELEASE);
    return true;
  }
  const bool recorded = record_use(linker, user, used) && remember_use(user, used);
  end_change(linker);
  return recorded;
}

namespace {

[[gnu::cold, gnu::noinline]] Error bad_value(const Definition& found, const char* expected) {
  return Error{.code = Errc::kBadField,
               .object = found.module->path,
               .subject = "st_value",
               .context = expected,
               .value = found.symbol->value};
}

}  // namespace

Result<uint64_t> definition_address(const Linker& linker, const Definition& found) {
  const elf::Symbol& symbol = *found.symbol;
  if (!is_sound(linker, found)) return bad_value(found, "an address inside the object");
  return symbol.shndx == elf::kShnAbs ? symbol.value : found.module->image.bias + symbol.value;
}

Result<uint64_t> resolved_address(const Linker& linker, const Definition& found) {
  auto address = definition_address(linker, found);
  if (!address || found.symbol->type() != elf::kSttGnuIfunc) return address;
  return arch::call_resolver(*address);
}

Status check_callable(const Definition& found) {
  const elf::Symbol& symbol = *found.symbol;
  if (symbol.shndx != elf::kShnAbs && found.module->image.executable(symbol.value)) return Done{};
  return bad_value(found, "an address in an executable segment");
}

Result<uint64_t> callable_address(const Linker& linker, const Definition& found) {
  PRELUDE_TRY(check_callable(found));
  return resolved_address(linker, found);
}

namespace {

[[gnu::cold, gnu::noinline]] Error bad_reference(const Module& module, const elf::Symbol& reference,
                                                 uint32_t index) {
  const Image& image = module.image;
  if (reference.name >= image.strings_size)
    return Error{.code = Errc::kBadField,
                 .object = module.path,
                 .subject = "st_name",
                 .context = "an offset inside the string table",
                 .value = reference.name};
  return Error{.code = Errc::kBadField,
               .object = module.path,
               .subject = "DT_VERSYM entry",
               .context = "the index of a version in DT_VERDEF or DT_VERNEED",
               .value = image.versym[index] & 0x7fffU};
}

// The object says that the definition is its own, and has none. glibc takes the object's start for
// it; no linker makes such a symbol but number 0.
[[gnu::cold, gnu::noinline]] Result<Definition> nothing_of_own(const Module& module,
                                                               const elf::Symbol& reference,
                                                               uint32_t index) {
  if (reference.binding() == elf::kStbWeak) return Definition{};
  const char* name = module.image.string(reference.name);
  if (name == nullptr) return bad_reference(module, reference, index);
  return Error{.code = Errc::kUndefinedSymbol, .object = module.path, .subject = name};
}

[[gnu::noinline]] Result<Definition> not_found(Linker& linker, const Module& module,
                                               const elf::Symbol& reference,
                                               const SymbolQuery& query) {
  // Who asks for unused dependencies wants them of programs that do not work, too (as glibc has
  // it).
  if (reference.binding() == elf::kStbWeak || linker.tracer.wants(Topic::kUnused))
    return Definition{};
  const Error error{
      .code = Errc::kUndefinedSymbol,
      .object = module.path,
      .subject = query.name,
      .context = query.versioned ? linker.version_names.name(query.version) : nullptr};
  if (linker.tracer.wants(Topic::kErrors)) linker.trace_error(linker, error);
  return error;
}

// The object that defines a protected symbol goes on using its own; the program would see another
// (or, of a function, compare its address with another), and the object may say that this must not
// be.
[[gnu::cold, gnu::noinline]] Status check_protected(Linker& linker, const elf::Symbol& reference,
                                                    const SymbolQuery& query,
                                                    const Definition& found, Use use) {
  const bool stands_for_function =
      use == Use::kCall && reference.shndx == elf::kShnUndef && reference.value != 0;
  if (use != Use::kCopy && !stands_for_function) return Done{};
  const Module& definer = *found.module;
  if (linker.remark != nullptr)
    linker.remark(
        linker, use == Use::kCopy ? "copies a protected symbol" : "refers to a protected function",
        query.name, definer.path);
  if ((gnu_property(definer.image, elf::kPropertyNeeded1) & elf::kNeeded1IndirectExternAccess) == 0)
    return Done{};
  return Error{.code = Errc::kProtectedCopy, .object = definer.path, .subject = query.name};
}

// References whose definition is not simply the first one.
[[gnu::noinline]] Definition settle(Linker& linker, Module& module, const elf::Symbol& reference,
                                    const SymbolQuery& query, Use use, Definition found) {
  if (reference.visibility() == elf::kStvProtected && reference.shndx != elf::kShnUndef)
    found = settle_protected(linker, module, reference, query, use, found);
  if (found.symbol->binding() == elf::kStbGnuUnique)
    found = settle_unique(linker, module, reference, query, found, use);
  return found;
}

}  // namespace

Result<Definition> bind_symbol(Linker& linker, Module& module, uint32_t index, Use use) {
  const elf::Symbol& reference = module.image.symbols[index];
  const uint8_t visibility = reference.visibility();
  if (index == 0 || reference.binding() == elf::kStbLocal || visibility == elf::kStvHidden ||
      visibility == elf::kStvInternal) {
    if (index != 0 && reference.shndx == elf::kShnUndef && reference.value == 0) [[unlikely]]
      return nothing_of_own(module, reference, index);
    return Definition{&reference, &module};
  }
  const char* name = module.image.string(reference.name);
  if (name == nullptr || !version_known(module, index)) [[unlikely]]
    return bad_reference(module, reference, index);
  SymbolQuery query = query_of(module, index, name, use);
  Definition found =
      find_in_scope(linker, query, module.scope, use == Use::kCopy ? linker.program : nullptr);
  if (found.symbol == nullptr) return not_found(linker, module, reference, query);
  if (found.symbol->visibility() == elf::kStvProtected && module.kind == ModuleKind::kProgram)
      [[unlikely]]
    PRELUDE_TRY(check_protected(linker, reference, query, found, use));
  const bool is_protected = visibility == elf::kStvProtected;
  if (is_protected || found.symbol->binding() == elf::kStbGnuUnique) [[unlikely]]
    found = settle(linker, module, reference, query, use, found);
  if (!note_use(linker, module, *found.module)) [[unlikely]]
    return Error{.code = Errc::kOutOfMemory, .object = module.path};
  if (linker.tracer.wants(Topic::kBindings)) [[unlikely]]
    trace_binding(linker, module, query, found, is_protected);
  return found;
}

Definition find_symbol(Linker& linker, SymbolQuery& query, SearchList* const* scope,
                       const Module* skip_until) {
  if (skip_until == nullptr) return find_in_scope(linker, query, scope, nullptr);
  // RTLD_NEXT: start behind the caller in the list that holds it.
  uint32_t from = 0;
  for (; *scope != nullptr; ++scope) {
    const SearchList& list = **scope;
    while (from < list.count && list.modules[from] != skip_until) ++from;
    if (from < list.count) break;
    from = 0;
  }
  if (*scope == nullptr) return {};
  ++from;
  Definition weak;
  const bool observed = linker.tracer.wants(Topic::kSymbols) || linker.options->dynamic_weak;
  for (; *scope != nullptr; ++scope, from = 0) {
    const Definition found = observed ? find_observed(linker, **scope, query, from, nullptr, weak)
                                      : find_in_list(**scope, query, from, nullptr);
    if (found.symbol != nullptr) return found;
  }
  return weak;
}

}  // namespace prelude
