// The walk through one list of directories. glibc 2.36 opens a candidate in each hwcaps
// subdirectory and, when that fails for the first time, asks whether the subdirectory exists at
// all. So do we, and where nobody reads the trace one question about glibc-hwcaps answers for all
// of them.
#include <prelude/base/string.h>
#include <prelude/sys/sys.h>

#include "state.h"

namespace prelude::search {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kHwcapsRoot = "glibc-hwcaps/"sv;

char* put(char* at, std::string_view text) {
  copy_bytes(at, text.data(), text.size());
  return at + text.size();
}

/// Writes the directory or its hwcaps subdirectory, with the slash at its end; gives the end.
char* put_directory(char* at, const SearchState& state, const Directory& directory, size_t index) {
  at = put(at, directory.text());
  if (index == state.hwcaps.count) return at;
  at = put(at, kHwcapsRoot);
  at = put(at, state.hwcaps.names[index]);
  *at++ = '/';
  return at;
}

size_t longest_directory(const SearchState& state) {
  return state.table.longest() + kHwcapsRoot.size() + state.longest_hwcap + 1;
}

/// `text` is absolute and has a slash before `end`.
Presence ask(char* text, char* end) {
  *(end - text > 1 ? end - 1 : end) = 0;
  const auto status = sys::status_of(text);
  return status && status->directory() ? Presence::kExists : Presence::kMissing;
}

/// Whether nothing is known about the hwcaps subdirectories yet.
bool all_unknown(const Directory& directory, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (directory.states[i] != Presence::kUnknown) return false;
  return true;
}

bool observed(const SearchState& state) {
  return state.tracer->wants(Topic::kLibs) || state.setup->every_candidate;
}

/// Called after the first failure in subdirectory `index`.
void learn(SearchState& state, Directory& directory, size_t index, char* text) {
  const size_t plain = state.hwcaps.count;
  if (index < plain && all_unknown(directory, plain) && !observed(state)) {
    char* end = put(put(text, directory.text()), kHwcapsRoot);
    if (ask(text, end) == Presence::kMissing) {
      for (size_t i = 0; i < plain; ++i) directory.states[i] = Presence::kMissing;
      return;
    }
  }
  char* end = put_directory(text, state, directory, index);
  directory.states[index] = ask(text, end);
}

/// What is known of a directory after a name has been tried there.
struct Tried {
  bool exists = false;  // the directory, or a subdirectory, may exist
  bool barred = false;  // the last file could not be opened for a reason other than its absence
};

Outcome try_directory(const Attempt& attempt, Directory& directory, Tried& tried) {
  SearchState& state = attempt.state;
  char* text = state.candidate.reserve(*state.heap, 0);  // reserve_candidate has made the room
  for (size_t i = 0; i <= state.hwcaps.count; ++i) {
    Presence& presence = directory.states[i];
    if (presence == Presence::kMissing) continue;
    *put(put_directory(text, state, directory, i), attempt.name) = 0;
    const Verdict verdict = try_file(attempt, text);
    tried.barred = verdict == Verdict::kBarred;
    switch (verdict) {
      case Verdict::kAccepted:
        presence = Presence::kExists;
        return Outcome::kAccepted;
      case Verdict::kFailed:
        return Outcome::kFailed;
      case Verdict::kSkipped:
        presence = Presence::kExists;
        break;
      case Verdict::kAbsent:
      case Verdict::kBarred:
        if (presence == Presence::kUnknown) learn(state, directory, i, text);
        break;
    }
    tried.exists = tried.exists || presence != Presence::kMissing;
  }
  return Outcome::kNotFound;
}

const char* source_text(const SearchState& state, const Directory& directory) {
  switch (directory.source) {
    case Source::kSystem:
      return "system search path";
    case Source::kLibraryPath:
      return state.setup->library_path_source;
    case Source::kRpath:
      return "RPATH from file ";
    case Source::kRunpath:
      return "RUNPATH from file ";
  }
  return "";
}

/// Appends to the trace text; false when out of memory.
bool append(SearchState& state, size_t& used, std::string_view text) {
  char* start = state.trace_text.reserve(*state.heap, used + text.size() + 1, used);
  if (start == nullptr) return false;
  *put(start + used, text) = 0;
  used += text.size();
  return true;
}

/// Appends "A:B:" for the parts of a directory that may exist, without the slash at the end of
/// each; the root directory keeps its own.
bool append_directory(SearchState& state, size_t& used, const Directory& directory) {
  for (size_t i = 0; i <= state.hwcaps.count; ++i) {
    if (directory.states[i] == Presence::kMissing) continue;
    char* start = state.trace_text.reserve(*state.heap, used + longest_directory(state) + 2, used);
    if (start == nullptr) return false;
    const char* end = put_directory(start + used, state, directory, i);
    const auto written = static_cast<size_t>(end - (start + used));
    used += written > 1 ? written - 1 : written;
    if (!append(state, used, ":"sv)) return false;
  }
  return true;
}

}  // namespace

bool reserve_candidate(const Attempt& attempt) {
  const size_t bytes = longest_directory(attempt.state) + attempt.name.size() + 1;
  return attempt.state.candidate.reserve(*attempt.state.heap, bytes) != nullptr;
}

Verdict try_file(const Attempt& attempt, const char* path) {
  const Tracer& tracer = *attempt.state.tracer;
  const bool traced = tracer.wants(Topic::kLibs);
  if (traced) tracer.emit({.kind = EventKind::kTryFile, .topic = Topic::kLibs, .file = path});
  const Verdict verdict = attempt.opener(attempt.context, path, attempt.stage);
  if (traced && (verdict == Verdict::kAbsent || verdict == Verdict::kBarred))
    tracer.emit({.kind = EventKind::kTryRefused,
                 .topic = Topic::kLibs,
                 .file = path,
                 .detail = "no such file"});
  return verdict;
}

Outcome try_list(const Attempt& attempt, DirectoryList& list) {
  SearchState& state = attempt.state;
  if (list.all_missing || list.count == 0) return Outcome::kNotFound;
  if (!reserve_candidate(attempt)) return Outcome::kOutOfMemory;
  const bool traced = state.tracer->wants(Topic::kLibs);
  bool any_exists = false;
  for (size_t i = 0; i < list.count; ++i) {
    Directory& directory = *list.entries[i];
    if (traced && (i == 0 || list.entries[i - 1]->source != directory.source))
      trace_search_path(state, list, i);
    Tried tried;
    const Outcome outcome = try_directory(attempt, directory, tried);
    if (outcome != Outcome::kNotFound) return outcome;
    // Compat: the rest of the list is left out then (glibc 2.36 to 2.43).
    if (tried.exists && tried.barred) return Outcome::kNotFound;
    any_exists = any_exists || tried.exists;
  }
  // glibc keeps showing an empty LD_LIBRARY_PATH, but forgets an empty RPATH or RUNPATH.
  list.all_missing = !any_exists && &list != state.system_list && &list != state.library_path_list;
  return Outcome::kNotFound;
}

void trace_search_path(SearchState& state, const DirectoryList& list, size_t start) {
  const Directory& first = *list.entries[start];
  size_t used = 0;
  if (!append(state, used, ""sv)) return;
  for (size_t i = start; i < list.count && list.entries[i]->source == first.source; ++i)
    if (!append_directory(state, used, *list.entries[i])) return;
  if (used > 0) --used;  // the last colon
  const size_t path_end = used;
  // Both texts share the buffer: "A:B\0source\0".
  if (!append(state, used, "\0"sv)) return;
  const char* source = source_text(state, first);
  if (!append(state, used, {source, string_length(source)})) return;
  if (first.source_of != nullptr &&
      !append(state, used, {first.source_of, string_length(first.source_of)}))
    return;
  const char* text = state.trace_text.reserve(*state.heap, 0);
  state.tracer->emit({.kind = EventKind::kSearchPath,
                      .topic = Topic::kLibs,
                      .name = text,
                      .detail = text + path_end + 1});
}

}  // namespace prelude::search
