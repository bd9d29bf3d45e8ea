// The order of the search (ld.so(8)): RPATH chain, LD_LIBRARY_PATH, RUNPATH, ld.so.cache, default
// directories.
#include <prelude/base/string.h>

#include "state.h"

namespace prelude {
namespace search {
namespace {

using std::string_view_literals::operator""sv;

TokenValues token_values(const SearchState& state, const char* origin) {
  const SearchSetup& setup = *state.setup;
  return {origin, setup.lib_token, setup.platform_token, setup.system_directories, setup.secure};
}

bool traced(const SearchState& state) { return state.tracer->wants(Topic::kLibs); }

/// False when out of memory. First of all lists, as in glibc: a directory named again keeps this
/// source.
bool need_system_list(SearchState& state) {
  if (state.system_list == nullptr)
    state.system_list = state.table.make_system_list(state.setup->system_directories);
  return state.system_list != nullptr;
}

/// A list of a requester, made at the first call and kept in the slot. Done is false when out of
/// memory.
struct KeptList {
  bool done = true;
  DirectoryList* list = nullptr;  // null = there is none
  bool temporary = false;         // no slot: release after use
};

KeptList requester_list(SearchState& state, const Requester& requester, Source source) {
  const bool wants_rpath = source == Source::kRpath;
  const char* text = wants_rpath ? requester.rpath : requester.runpath;
  DirectoryList** slot = wants_rpath ? requester.rpath_cache : requester.runpath_cache;
  if (text == nullptr || *text == 0 || (wants_rpath && requester.runpath != nullptr)) return {};
  if (slot != nullptr && *slot != nullptr) return {.list = *slot};
  if (!need_system_list(state)) return {.done = false};
  DirectoryList* list =
      state.table.make_list({.text = text,
                             .separators = ":"sv,
                             .source = source,
                             .source_of = traced(state) ? requester.name : nullptr,
                             .tokens = token_values(state, requester.origin)});
  if (list == nullptr) return {.done = false};
  if (slot == nullptr) return {.list = list, .temporary = true};
  *slot = list;
  return {.list = list};
}

/// The list of LD_LIBRARY_PATH in state.library_path_list; false when out of memory. The program's
/// own lists come first, as in glibc, because a directory shows the source that named it first.
bool need_library_path_list(SearchState& state, const Requester* main) {
  const SearchSetup& setup = *state.setup;
  if (state.library_path_list != nullptr || setup.library_path == nullptr) return true;
  if (*setup.library_path == 0 || setup.secure) return true;
  if (!need_system_list(state)) return false;
  if (main != nullptr && traced(state)) {
    for (const Source source : {Source::kRunpath, Source::kRpath}) {
      const KeptList kept = requester_list(state, *main, source);
      if (!kept.done) return false;
      if (kept.temporary) state.table.release_list(kept.list);
    }
  }
  state.library_path_list = state.table.make_list(
      {.text = setup.library_path,
       .separators = ":;"sv,
       .source = Source::kLibraryPath,
       .source_of = nullptr,
       .tokens = token_values(state, main != nullptr ? main->origin : nullptr)});
  return state.library_path_list != nullptr;
}

Outcome try_requester_list(const Attempt& attempt, const Requester& requester, Source source) {
  const KeptList kept = requester_list(attempt.state, requester, source);
  if (!kept.done) return Outcome::kOutOfMemory;
  if (kept.list == nullptr) return Outcome::kNotFound;
  const Outcome outcome = try_list(attempt, *kept.list);
  if (kept.temporary) attempt.state.table.release_list(kept.list);
  return outcome;
}

/// RPATH of the requester, of its loader, and so on; then of the program.
Outcome try_rpath_chain(const Attempt& attempt, const Requester& requester, const Requester* main) {
  if (requester.runpath != nullptr) return Outcome::kNotFound;
  bool main_done = main == nullptr;
  for (const Requester* at = &requester; at != nullptr; at = at->loader) {
    const Outcome outcome = try_requester_list(attempt, *at, Source::kRpath);
    if (outcome != Outcome::kNotFound) return outcome;
    main_done = main_done || at == main || at->is_main;
  }
  if (main_done) return Outcome::kNotFound;
  const Outcome outcome = try_requester_list(attempt, *main, Source::kRpath);
  if (outcome != Outcome::kNotFound || !requester.for_auditor) return outcome;
  return try_requester_list(attempt, *main, Source::kRunpath);
}

Outcome try_library_path(const Attempt& attempt, const Requester* main) {
  if (!need_library_path_list(attempt.state, main)) return Outcome::kOutOfMemory;
  DirectoryList* list = attempt.state.library_path_list;
  return list != nullptr ? try_list(attempt, *list) : Outcome::kNotFound;
}

bool in_system_directory(const SearchSetup& setup, const char* path) {
  for (const char* const* directory = setup.system_directories; *directory != nullptr;
       ++directory) {
    const size_t size = string_length(*directory);
    size_t i = 0;
    while (i < size && path[i] == (*directory)[i]) ++i;
    if (i == size && path[size] == '/') return true;
  }
  return false;
}

Outcome try_cache(const Attempt& attempt, const Requester& requester) {
  SearchState& state = attempt.state;
  const SearchSetup& setup = *state.setup;
  if (setup.cache_path == nullptr) return Outcome::kNotFound;
  if (traced(state))
    state.tracer->emit(
        {.kind = EventKind::kSearchCache, .topic = Topic::kLibs, .file = setup.cache_path});
  const CacheView* cache = state.cache.view(setup.cache_path);
  if (cache == nullptr) return Outcome::kNotFound;
  const char* path =
      cache->find(attempt.name.data(), {setup.cache_flags, setup.cache_isa_level, state.hwcaps});
  if (path == nullptr || (setup.secure && *path != '/')) return Outcome::kNotFound;
  if (requester.no_default_libraries && in_system_directory(setup, path)) {
    // Compat: glibc 2.36 shows the file it then refuses.
    if (traced(state))
      state.tracer->emit({.kind = EventKind::kTryFile, .topic = Topic::kLibs, .file = path});
    return Outcome::kNotFound;
  }
  switch (try_file(attempt, path)) {
    case Verdict::kAccepted:
      return Outcome::kAccepted;
    case Verdict::kFailed:
      return Outcome::kFailed;
    case Verdict::kAbsent:
    case Verdict::kBarred:
    case Verdict::kSkipped:
      break;
  }
  return Outcome::kNotFound;
}

Outcome try_system_directories(const Attempt& attempt) {
  if (!need_system_list(attempt.state)) return Outcome::kOutOfMemory;
  return try_list(attempt, *attempt.state.system_list);
}

struct Found {
  Outcome outcome = Outcome::kNotFound;
  FoundBy by = FoundBy::kNone;

  /// Notes a stage's outcome; true when the search ends with it.
  bool ends(Outcome stage, FoundBy stage_by) {
    outcome = stage;
    by = stage_by;
    return stage != Outcome::kNotFound;
  }
};

Found run_stages(Attempt attempt, const Requester& requester, const Requester* main) {
  Found found;
  if (main != nullptr && !requester.system_only) {
    attempt.stage = FoundBy::kRpath;
    if (found.ends(try_rpath_chain(attempt, requester, main), attempt.stage)) return found;
    attempt.stage = FoundBy::kLibraryPath;
    if (found.ends(try_library_path(attempt, main), attempt.stage)) return found;
    attempt.stage = FoundBy::kRunpath;
    if (found.ends(try_requester_list(attempt, requester, Source::kRunpath), attempt.stage))
      return found;
  }
  attempt.stage = FoundBy::kCache;
  if (!requester.system_only && found.ends(try_cache(attempt, requester), attempt.stage))
    return found;
  attempt.stage = FoundBy::kDefault;
  if (main != nullptr && !requester.no_default_libraries)
    found.ends(try_system_directories(attempt), attempt.stage);
  return found;
}

/// Shows the directories of one list to a callback.
class Lister {
 public:
  Lister(SearchState& state, Searcher::DirectoryCallback each, void* context,
         Searcher::Absent absent)
      : state_(state), each_(each), context_(context), absent_(absent) {}

  void show(const DirectoryList* list, FoundBy by) {
    if (list == nullptr || (list->all_missing && absent_ == Searcher::Absent::kLeftOut)) return;
    for (size_t i = 0; i < list->count; ++i) {
      const std::string_view path = without_trailing_slashes(list->entries[i]->text());
      char* text = state_.trace_text.reserve(*state_.heap, path.size() + 2);
      if (text == nullptr) return;
      copy_bytes(text, path.empty() ? "." : path.data(), path.empty() ? 1 : path.size());
      text[path.empty() ? 1 : path.size()] = 0;
      each_(context_, text, by);
    }
  }
  void show_requester(const Requester& requester, Source source, FoundBy by) {
    const KeptList kept = requester_list(state_, requester, source);
    show(kept.list, by);
    if (kept.temporary) state_.table.release_list(kept.list);
  }
  void show_rpath_chain(const Requester& requester, const Requester* main) {
    if (requester.runpath != nullptr) return;
    bool main_done = main == nullptr;
    for (const Requester* at = &requester; at != nullptr; at = at->loader) {
      show_requester(*at, Source::kRpath, FoundBy::kRpath);
      main_done = main_done || at == main || at->is_main;
    }
    if (!main_done) show_requester(*main, Source::kRpath, FoundBy::kRpath);
  }

 private:
  SearchState& state_;
  Searcher::DirectoryCallback each_;
  void* context_;
  Searcher::Absent absent_;
};

}  // namespace
}  // namespace search

using search::Outcome;
using search::Source;

void Searcher::start(const SearchSetup& setup, Heap& heap, Tracer& tracer) {
  state_ = nullptr;
  auto* state = heap.make<SearchState>();
  if (state == nullptr) return;
  state->setup = &setup;
  state->heap = &heap;
  state->tracer = &tracer;
  const char* prepend = setup.secure ? nullptr : setup.hwcaps_prepend;
  const size_t count =
      search::select_hwcaps(prepend, setup.hwcaps_supported, setup.hwcaps_mask, nullptr);
  if (count != 0) {
    auto* names = heap.make_array<std::string_view>(count);
    if (names == nullptr) return;
    search::select_hwcaps(prepend, setup.hwcaps_supported, setup.hwcaps_mask, names);
    state->hwcaps = {names, count};
    for (size_t i = 0; i < count; ++i)
      if (names[i].size() > state->longest_hwcap) state->longest_hwcap = names[i].size();
  }
  state->table.start(heap, count);
  state_ = state;
}

FoundBy Searcher::find(const char* name, const Requester& requester, const Requester* main,
                       Opener opener, void* context) {
  if (state_ == nullptr) return FoundBy::kOutOfMemory;
  const search::Attempt attempt{*state_, {name, string_length(name)}, opener, context};
  const search::Found found = search::run_stages(attempt, requester, main);
  switch (found.outcome) {
    case Outcome::kAccepted:
      return found.by;
    case Outcome::kFailed:
      return FoundBy::kFailed;
    case Outcome::kOutOfMemory:
      return FoundBy::kOutOfMemory;
    case Outcome::kNotFound:
      break;
  }
  return FoundBy::kNone;
}

Result<const char*> Searcher::expand(const char* text, const char* origin) {
  if (!search::has_token(text)) return text;
  if (state_ == nullptr) return Error{.code = Errc::kOutOfMemory, .object = text};
  const Error refused{.code = Errc::kEmptyToken, .object = text};
  const search::TokenValues values = search::token_values(*state_, origin);
  const std::string_view whole(text, string_length(text));
  const search::Expansion sized = search::expand_tokens(whole, values, nullptr);
  if (!sized.allowed || sized.size == 0) return refused;
  char* result = state_->heap->make_array<char>(sized.size + 1);
  if (result == nullptr) return Error{.code = Errc::kOutOfMemory, .object = text};
  const bool allowed = search::expand_tokens(whole, values, result).allowed;
  result[sized.size] = 0;
  const bool relative = result[0] != '/' && contains(result, '/');
  if (allowed && !(values.secure && relative)) return static_cast<const char*>(result);
  state_->heap->release_array(result, sized.size + 1);
  return refused;
}

void Searcher::for_each_directory(const Requester& requester, const Requester* main,
                                  DirectoryCallback each, void* context, Absent absent) {
  if (state_ == nullptr) return;
  SearchState& state = *state_;
  search::Lister lister(state, each, context, absent);
  lister.show_rpath_chain(requester, main);
  if (search::need_library_path_list(state, main))
    lister.show(state.library_path_list, FoundBy::kLibraryPath);
  lister.show_requester(requester, Source::kRunpath, FoundBy::kRunpath);
  if (!requester.no_default_libraries && search::need_system_list(state))
    lister.show(state.system_list, FoundBy::kDefault);
}

const char* Searcher::cached_path(const char* name) {
  if (state_ == nullptr || state_->setup->cache_path == nullptr) return nullptr;
  const SearchSetup& setup = *state_->setup;
  const search::CacheView* cache = state_->cache.view(setup.cache_path);
  if (cache == nullptr) return nullptr;
  return cache->find(name, {setup.cache_flags, setup.cache_isa_level, state_->hwcaps});
}

const char* Searcher::cached_name(uint32_t index) {
  if (state_ == nullptr || state_->setup->cache_path == nullptr) return nullptr;
  const search::CacheView* cache = state_->cache.view(state_->setup->cache_path);
  return cache != nullptr ? cache->name(index) : nullptr;
}

CacheFacts Searcher::cache_facts() {
  const char* path = state_ != nullptr ? state_->setup->cache_path : nullptr;
  if (path == nullptr) return {nullptr, CacheState::kNotAsked, 0, 0};
  const search::CacheView* cache = state_->cache.view(path);
  return {path, state_->cache.state(), cache != nullptr ? cache->count() : 0,
          state_->cache.bytes()};
}

void Searcher::release_list(DirectoryList* list) {
  if (state_ != nullptr) state_->table.release_list(list);
}

void Searcher::revalidate_cache() {
  if (state_ != nullptr) state_->cache.revalidate();
}

}  // namespace prelude
