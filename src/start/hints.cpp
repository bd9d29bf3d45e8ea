// Gathers what report/hints.h makes lines of. Runs once, in a process that is about to end, perhaps
// inside a lazy call of one thread among many: it takes no heap, and its work is bounded.
#include "start.h"

#include <prelude/base/string.h>
#include <prelude/report/hints.h>

namespace prelude::start {
namespace {

constexpr size_t kMostTried = 16;
constexpr size_t kMostChain = 32;
constexpr size_t kPathRoom = 512;

const Module* module_named(const char* path) {
  if (path == nullptr) return nullptr;
  for (const Namespace* space : linker.spaces)
    for (const Module* module = space->first; module != nullptr; module = module->next)
      if (equal(module->path, path)) return module;
  return nullptr;
}

// ---- a library that was not found

size_t chain_of(const Module* requester, const char** out) {
  size_t count = 0;
  for (; requester != nullptr && count < kMostChain; requester = requester->loader)
    out[count++] = requester->path;
  return count;
}

const char* source_name(FoundBy source) {
  switch (source) {
    case FoundBy::kRpath:
      return "RPATH";
    case FoundBy::kRunpath:
      return "RUNPATH";
    case FoundBy::kLibraryPath:
      return world.search.library_path_source;
    default:
      return nullptr;
  }
}

/// The places a search would look at, looked at again.
class Places {
 public:
  explicit Places(const char* name) : name_(name) {}

  void try_path(const char* path, const char* source) {
    if (count_ == kMostTried) {
      ++left_out_;
      return;
    }
    char* copy = paths_[count_];
    Writer text(copy, kPathRoom);
    text.put(path);
    tried_[count_++] = judge(text.c_str(), source);
  }
  static void try_directory(void* context, const char* directory, FoundBy source) {
    auto& places = *static_cast<Places*>(context);
    if (source == FoundBy::kDefault && !places.cache_done_) places.try_cache();
    char path[kPathRoom];
    Writer text(path, sizeof path);
    text.put(directory).put(equal(directory, "/") ? "" : "/").put(places.name_);
    if (!text.truncated()) places.try_path(text.c_str(), source_name(source));
  }
  void try_cache() {
    cache_done_ = true;
    if (world.search.cache_path == nullptr || count_ == kMostTried) return;
    if (const char* path = linker.searcher.cached_path(name_); path != nullptr)
      try_path(path, world.search.cache_path);
    else if (linker.searcher.cached_name(0) != nullptr)
      tried_[count_++] = {.path = world.search.cache_path, .refusal = report::Refusal::kNotInCache};
    else
      try_unread_cache();
  }
  void put(report::MissingLibrary& out) {
    out.tried = {tried_, count_};
    out.tried_left_out = left_out_;
  }

 private:
  // No cache at all says nothing about the library.
  void try_unread_cache() {
    report::TriedPath tried = judge(world.search.cache_path, nullptr);
    if (tried.refusal == report::Refusal::kNotElf) tried.refusal = report::Refusal::kOther;
    tried_[count_++] = tried;
  }
  static report::Refusal refusal_of_errno(int error) {
    if (error == sys::raw(sys::kEACCES)) return report::Refusal::kNotAllowed;
    if (error == sys::raw(sys::kEMFILE) || error == sys::raw(sys::kENFILE))
      return report::Refusal::kNoDescriptor;
    return report::Refusal::kNoSuchFile;
  }
  static report::Refusal refusal_of(const Error& error) {
    switch (error.code) {
      case Errc::kWrongClass:
        return report::Refusal::kWrongClass;
      case Errc::kWrongMachine:
        return report::Refusal::kWrongMachine;
      case Errc::kNotRegularFile:
        return report::Refusal::kNotRegular;
      case Errc::kBadMagic:
      case Errc::kFileTooShort:
        return report::Refusal::kNotElf;
      case Errc::kCannotOpen:
        return refusal_of_errno(error.sys_errno);
      default:
        return report::Refusal::kOther;
    }
  }
  static report::TriedPath judge(const char* path, const char* source) {
    OpenedFile file;
    Error error;
    report::TriedPath tried{.path = path, .source = source};
    if (open_file(linker, path, file, error) == Verdict::kAccepted) {
      sys::close(file.fd);
      tried.refusal = report::Refusal::kDefaultDirs;
    } else {
      tried.refusal = refusal_of(error);
    }
    return tried;
  }

  const char* name_;
  report::TriedPath tried_[kMostTried];
  char paths_[kMostTried][kPathRoom];
  size_t count_ = 0;
  uint32_t left_out_ = 0;
  bool cache_done_ = false;
};

struct CacheNames {
  uint32_t next = 0;
};

bool next_cached_name(void* context, std::string_view& name) {
  auto& names = *static_cast<CacheNames*>(context);
  const char* text = linker.searcher.cached_name(names.next++);
  if (text == nullptr) return false;
  name = text;
  return true;
}

enum class Detail : uint8_t { kFull, kShort };

void explain_library(Writer& out, const char* name, const Module* requester, Detail detail) {
  const char* chain[kMostChain];
  CacheNames names;
  Places places(name);
  report::MissingLibrary missing;
  missing.name = name;
  missing.chain = {chain, chain_of(requester, chain)};
  if (detail == Detail::kShort) {
    // The same places again would bury what is new.
  } else if (contains(name, '/')) {
    if (!contains(name, '$')) places.try_path(name, nullptr);
  } else if (requester != nullptr) {
    const Module* main = linker.base_space.first;
    linker.searcher.for_each_directory(requester->requester,
                                       main != nullptr ? &main->requester : nullptr,
                                       Places::try_directory, &places);
  } else {
    places.try_cache();
  }
  if (!contains(name, '/')) missing.names = {next_cached_name, &names};
  places.put(missing);
  report::write_missing_library_hints(out, missing);
}

// A file that was found and refused: who wanted it.
void explain_broken(Writer& out, const Error& error) {
  const Module* requester = world.broken_for;
  if (requester == nullptr) {
    const Module* module = module_named(error.object);
    requester = module != nullptr ? module->loader : nullptr;
  }
  const char* chain[kMostChain];
  report::write_missing_library_hints(out, {.chain = {chain, chain_of(requester, chain)}});
}

void explain_libraries(Writer& out) {
  for (size_t i = 0; i < world.missing.size(); ++i) {
    const MissingLibrary& missing = world.missing[i];
    if (i != 0) out.put("  also missing: ").escaped(missing.name).put('\n');
    explain_library(out, missing.name, missing.requester, i == 0 ? Detail::kFull : Detail::kShort);
  }
}

// ---- a version that no object defines

struct VersionNamesOf {
  const Image* image;
  uint32_t given = 0;
  uint32_t wanted = 0;
  const char* found = nullptr;
};

// The newest stand last in a file and are told first.
bool next_version(void* context, std::string_view& name) {
  auto& names = *static_cast<VersionNamesOf*>(context);
  uint32_t total = 0;
  for_each_version_def(
      *names.image,
      [](void* at, const char*, uint32_t, uint16_t flags) {
        if ((flags & elf::kVerFlagBase) == 0) ++*static_cast<uint32_t*>(at);
        return true;
      },
      &total);
  if (names.given >= total) return false;
  names.wanted = total - 1 - names.given++;
  for_each_version_def(
      *names.image,
      [](void* at, const char* text, uint32_t, uint16_t flags) {
        auto& state = *static_cast<VersionNamesOf*>(at);
        if ((flags & elf::kVerFlagBase) != 0) return true;
        state.found = text;
        return state.wanted-- != 0;
      },
      &names);
  name = names.found;
  return true;
}

void explain_version(Writer& out, const Error& error) {
  const Module* provider = module_named(error.object);
  if (provider == nullptr) return;
  VersionNamesOf names{&provider->image};
  report::write_missing_version_hints(out, {.version = error.subject,
                                            .provider = error.object,
                                            .requester = error.context,
                                            .names = {next_version, &names}});
}

// ---- a symbol that no object defines

struct SymbolNames {
  SearchList* const* scope;
  uint32_t module = 0, symbol = 0;
};

bool next_symbol(void* context, std::string_view& name) {
  auto& names = *static_cast<SymbolNames*>(context);
  for (; *names.scope != nullptr; ++names.scope, names.module = 0)
    for (; names.module < (*names.scope)->count; ++names.module, names.symbol = 0) {
      const Image& image = (*names.scope)->modules[names.module]->image;
      while (++names.symbol < image.symbol_limit) {
        const elf::Symbol& symbol = image.symbols[names.symbol];
        const char* text = image.string(symbol.name);
        if (symbol.shndx == elf::kShnUndef || symbol.binding() == elf::kStbLocal || text == nullptr)
          continue;
        name = text;
        return true;
      }
    }
  return false;
}

struct FurtherSymbols {
  Writer& out;
  const char* first;
  uint32_t shown = 0, more = 0;
};

bool note_further(void* context, const Binding& binding) {
  constexpr uint32_t kMost = 20;
  auto& further = *static_cast<FurtherSymbols*>(context);
  if (binding.found || binding.found.error().code != Errc::kUndefinedSymbol) return true;
  const Error& error = binding.found.error();
  if (equal(error.subject, further.first)) return true;
  if (further.shown == kMost) {
    ++further.more;
    return true;
  }
  ++further.shown;
  further.out.put("  also undefined: ").escaped(error.subject);
  if (error.context != nullptr) further.out.put(", version ").escaped(error.context);
  further.out.put(" (").escaped(error.object).put(")\n");
  return true;
}

// Start-up only: no other thread runs and nothing has been bound lazily.
void list_further_symbols(Writer& out, const char* first) {
  FurtherSymbols further{out, first};
  const Array<Module*>& sorted = linker.program->sorted;
  for (size_t i = sorted.size(); i-- > 0;)
    if (!sorted[i]->is_self && !sorted[i]->relocated)
      for_each_binding(linker, *sorted[i], !linker.lazy_allowed, note_further, &further);
  if (further.more != 0) out.put("  ... and ").decimal(further.more).put(" more\n");
}

// Versions of the symbol that exist, "V1 V2"; gives the first object that has one.
const Module* versions_of(const Module& user, const char* name, Writer& versions) {
  const Module* provider = nullptr;
  for (SearchList* const* scope = user.scope; *scope != nullptr; ++scope)
    for (uint32_t i = 0; i < (*scope)->count; ++i) {
      const Module& module = *(*scope)->modules[i];
      const Image& image = module.image;
      if (image.versym == nullptr || (provider != nullptr && provider != &module)) continue;
      for (uint32_t s = 1; s < image.symbol_limit; ++s) {
        const elf::Symbol& symbol = image.symbols[s];
        const char* text = image.string(symbol.name);
        const VersionId id = module.symbols.versions.id(image.versym[s] & 0x7fff);
        if (symbol.shndx == elf::kShnUndef || text == nullptr || id == 0 || !equal(text, name))
          continue;
        versions.put(provider == nullptr ? "" : " ").put(linker.version_names.name(id));
        provider = &module;
      }
    }
  return provider;
}

void explain_symbol(Writer& out, const Error& error) {
  const Module* user = module_named(error.object);
  if (user == nullptr || user->scope == nullptr) return;
  constexpr size_t kMostScope = 64;
  const char* scope[kMostScope];
  size_t count = 0;
  for (SearchList* const* list = user->scope; *list != nullptr; ++list)
    for (uint32_t i = 0; i < (*list)->count && count < kMostScope; ++i)
      scope[count++] = (*list)->modules[i]->path;
  char text[256];
  Writer versions(text, sizeof text);
  const Module* provider =
      error.context != nullptr ? versions_of(*user, error.subject, versions) : nullptr;
  SymbolNames names{user->scope};
  report::write_missing_symbol_hints(
      out, {.name = error.subject,
            .version = error.context,
            .user = error.object,
            .provider = provider != nullptr ? provider->path : nullptr,
            .provider_versions = provider != nullptr ? versions.c_str() : nullptr,
            .scope = {scope, count},
            .names = {next_symbol, &names}});
  if (linker.start_up_done) return;
  linker.tracer.silence();  // the report is no part of the trace
  linker.remark = nullptr;  // and what it binds again has been remarked on
  list_further_symbols(out, error.subject);
}

void write_hints(void*, Writer& out, const Error& error) {
  switch (error.code) {
    case Errc::kCannotOpen:
    case Errc::kWrongClass:
    case Errc::kWrongMachine:
      if (!world.missing.empty())
        explain_libraries(out);
      else if (error.object != nullptr &&
               linker.program != nullptr)  // the user knows what he named
        explain_library(out, error.object, nullptr, Detail::kFull);
      break;
    case Errc::kVersionNotFound:
      explain_version(out, error);
      break;
    case Errc::kUndefinedSymbol:
      explain_symbol(out, error);
      break;
    default:
      explain_broken(out, error);
      break;
  }
}

}  // namespace

const char* explain_missing(Linker& at, const Module& requester) {
  const char* chain[kMostChain];
  char text[2048];
  Writer out(text, sizeof text);
  report::write_missing_library_hints(out, {.chain = {chain, chain_of(&requester, chain)}});
  return at.heap.copy_string(text, out.text().size());
}

namespace {

constexpr report::HintSource kHints{write_hints, nullptr};

}  // namespace

const report::HintSource* hint_source() {
  return report::hints_enabled(world.parsed.options) ? &kHints : nullptr;
}

}  // namespace prelude::start
