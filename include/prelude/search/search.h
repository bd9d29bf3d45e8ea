// From a needed name to candidate paths, in the order ld.so(8) gives: RPATH chain, LD_LIBRARY_PATH,
// RUNPATH, ld.so.cache, default directories; with $ORIGIN/$LIB/$PLATFORM and glibc-hwcaps
// subdirectories.
#pragma once

#include <prelude/base/array.h>
#include <prelude/base/heap.h>
#include <prelude/base/result.h>
#include <prelude/trace/trace.h>

#include <cstdint>

namespace prelude {

/// What the search must know of the machine and the user. Strings live for the process.
struct SearchSetup {
  const char* lib_token;                  ///< "lib/x86_64-linux-gnu"
  const char* platform_token;             ///< "haswell", "x86_64", ...
  const char* const* system_directories;  ///< null-terminated, in search order, no trailing slash
  const char* const* hwcaps_supported;    ///< null-terminated, best first: "x86-64-v3", "x86-64-v2"
  const char* hwcaps_prepend;             ///< user's colon list or null
  const char* hwcaps_mask;                ///< user's colon list or null
  const char* cache_path;                 ///< "/etc/ld.so.cache", null = do not use
  uint32_t cache_flags;                   ///< entry flags of this machine (x86-64: 0x0303)
  uint32_t cache_isa_level;               ///< highest ISA level index the CPU has (x86-64-v1 = 0)
  const char* library_path;               ///< LD_LIBRARY_PATH or --library-path, null = not set
  const char* library_path_source;        ///< "LD_LIBRARY_PATH" or "--library-path"
  bool secure;
  bool every_candidate = false;  ///< somebody looks at each path that is tried
};

/// An expanded, split path list. Made by the Searcher, kept in a slot of the object it belongs to,
/// given back with release_list.
struct DirectoryList;
struct SearchState;

/// Where the requester's DT_RPATH / DT_RUNPATH stand. The chain of loaders is given by `loader`.
/// --inhibit-rpath is the caller's: a null rpath, and "" for a runpath (which still hides an
/// rpath).
struct Requester {
  const char* name = nullptr;     ///< file name for the trace text
  const char* origin = nullptr;   ///< directory of the object, null = unknown
  const char* rpath = nullptr;    ///< raw DT_RPATH (ignored where runpath is set), null = none
  const char* runpath = nullptr;  ///< raw DT_RUNPATH, null = none, "" = has one without effect
  DirectoryList** rpath_cache = nullptr;  ///< slot of the object where the split list is kept
  DirectoryList** runpath_cache = nullptr;
  const Requester* loader =
      nullptr;  ///< object that caused this one to be loaded; null at the root
  bool no_default_libraries = false;  ///< DF_1_NODEFLIB
  bool is_main = false;
  bool system_only = false;  ///< LD_PRELOAD of a secure process: default directories alone
  bool for_auditor = false;  ///< the program's RUNPATH counts, too (glibc 2.36, measured)
};

enum class FoundBy : uint8_t {
  kNone,
  kFailed,
  kRpath,
  kLibraryPath,
  kRunpath,
  kCache,
  kDefault,
  kOutOfMemory
};

/// What came of trying one path.
enum class Verdict : uint8_t {
  kAccepted,  ///< the opener keeps the file open in its context
  kAbsent,    ///< could not be opened: go on
  kBarred,    ///< could not be opened, though it may be there (a name too long, no descriptor left)
  kSkipped,   ///< other class or machine: go on
  kFailed,    ///< opened, but broken: the search ends with the opener's error
};
/// `path` lives during the call only; `source` is the stage of the search. An opener that answers
/// kSkipped emits kTryRefused itself: it alone knows the reason.
using Opener = Verdict (*)(void* context, const char* path, FoundBy source);

/// What became of ld.so.cache.
enum class CacheState : uint8_t {
  kNotAsked,
  kAbsent,  ///< it cannot be opened
  kUnusable,
  kUsable,
};
struct CacheFacts {
  const char* path;  ///< null = not to be used
  CacheState state;
  uint32_t entries;  ///< for all machines and processors
  uint64_t bytes;
};

class Searcher {
 public:
  constexpr Searcher() = default;
  Searcher(const Searcher&) = delete;
  Searcher& operator=(const Searcher&) = delete;

  /// `setup`, `heap` and `tracer` must outlive the searcher. Opens nothing.
  void start(const SearchSetup& setup, Heap& heap, Tracer& tracer);

  /// Tries candidates for `name` (which has no slash) until one is accepted or fails.
  /// `main` is the program (its RPATH ends every chain; LD_LIBRARY_PATH's $ORIGIN is its
  /// directory). Null: the program itself is looked for, and only ld.so.cache is asked (measured,
  /// glibc 2.36). Emits kSearchPath, kSearchCache, kTryFile, kTryRefused of absent files; the
  /// caller kSearchBegin and kSearchEnd. kFailed: the opener knows the error; kOutOfMemory: ours.
  FoundBy find(const char* name, const Requester& requester, const Requester* main, Opener opener,
               void* context);

  /// Expands $ORIGIN, $LIB and $PLATFORM of one name (needed name with a slash, filter, preload).
  /// Gives a heap string (release with its length + 1), `text` itself when it has no token, or an
  /// error kEmptyToken when the expansion is not allowed or not possible. In secure mode a result
  /// with a slash must be absolute; a name without token is not judged, that is the caller's.
  Result<const char*> expand(const char* text, const char* origin);

  /// Frees the list an object kept in its rpath_cache or runpath_cache slot; null is fine.
  void release_list(DirectoryList* list);

  /// For error texts: where ld.so.cache says that a name is, null = it does not know the name; and
  /// all names it knows, by number, null behind the last. Valid until the cache is dropped.
  const char* cached_path(const char* name);
  const char* cached_name(uint32_t index);

  /// For reports. Looks for the file if nobody has yet.
  CacheFacts cache_facts();

  /// Drops the cache mapping when the file has been replaced; call before a dlopen search.
  void revalidate_cache();

  /// The directories in effect for dlinfo(RTLD_DI_SERINFO) and --help: calls `each` with a path and
  /// the source, in search order, without hwcaps subdirectories, without looking whether they
  /// exist. The current directory of an empty element is ".". `main` may be null.
  using DirectoryCallback = void (*)(void* context, const char* path, FoundBy source);
  /// Lists known to have no directory that exists are left out where `absent` says so.
  enum class Absent : uint8_t { kShown, kLeftOut };
  void for_each_directory(const Requester& requester, const Requester* main, DirectoryCallback each,
                          void* context, Absent absent = Absent::kShown);

 private:
  SearchState* state_ = nullptr;
};

}  // namespace prelude
