// What a Searcher keeps, and the walk through one list of directories.
#pragma once

#include <prelude/search/search.h>

#include "cache_file.h"
#include "directories.h"
#include "hwcaps.h"

namespace prelude {

struct SearchState {
  const SearchSetup* setup = nullptr;
  Heap* heap = nullptr;
  Tracer* tracer = nullptr;
  search::HwcapList hwcaps;
  size_t longest_hwcap = 0;
  search::DirectoryTable table;
  DirectoryList* system_list = nullptr;
  DirectoryList* library_path_list = nullptr;
  search::CacheFile cache;
  search::TextBuffer candidate;  // the path being tried
  search::TextBuffer trace_text;
};

namespace search {

/// One name being looked for.
struct Attempt {
  SearchState& state;
  std::string_view name;
  Opener opener;
  void* context;
  FoundBy stage = FoundBy::kNone;
};

enum class Outcome : uint8_t { kNotFound, kAccepted, kFailed, kOutOfMemory };

/// Emits kTryFile, calls the opener, emits kTryRefused for an absent file.
Verdict try_file(const Attempt& attempt, const char* path);

/// Tries the name in every directory of the list, best hwcaps subdirectory first, and learns which
/// of them do not exist.
Outcome try_list(const Attempt& attempt, DirectoryList& list);

/// Room for any candidate of this name; false when out of memory.
bool reserve_candidate(const Attempt& attempt);

/// Emits kSearchPath for the directories from `start` on that have the source of the first.
void trace_search_path(SearchState& state, const DirectoryList& list, size_t start);

}  // namespace search
}  // namespace prelude
