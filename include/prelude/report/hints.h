// Hint lines below the first line of a fatal message: who needed the library, where it was looked
// for, what was meant. Plain data in, text out; the work is bounded whatever the data.
#pragma once

#include <prelude/base/writer.h>
#include <prelude/options/options.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace prelude::report {

/// LD_HINTS=0 turns hints off; secure programs never get any (they could tell what the user may
/// not read).
inline bool hints_enabled(const Options& options) { return options.hints && !options.secure; }

/// Why a candidate was not taken.
enum class Refusal : uint8_t {
  kNoSuchFile,
  kNotAllowed,    ///< no permission to read it
  kNoDescriptor,  ///< the process may open no more files
  kNotRegular,
  kNotElf,
  kWrongClass,
  kWrongMachine,
  kNotInCache,   ///< `path` is the cache
  kDefaultDirs,  ///< found in a default directory, which the requester excludes (NODEFLIB)
  kOther,        ///< `detail` says it
};

struct TriedPath {
  const char* path = nullptr;
  Refusal refusal = Refusal::kNoSuchFile;
  const char* source = nullptr;  ///< e.g. "LD_LIBRARY_PATH", "RUNPATH from file F"; null = default
  const char* detail = nullptr;
};

/// Gives names that exist, one a call; false at the end.
struct NameSource {
  bool (*next)(void* context, std::string_view& name) = nullptr;
  void* context = nullptr;
};

struct MissingLibrary {
  const char* name = nullptr;
  std::span<const char* const> chain = {};  ///< who needs it, that object first, the program last
  std::span<const TriedPath> tried = {};
  uint32_t tried_left_out = 0;  ///< further places the caller could not store
  NameSource names = {};        ///< e.g. the names in the cache
};
void write_missing_library_hints(Writer& out, const MissingLibrary& missing);

struct MissingSymbol {
  const char* name = nullptr;
  const char* version = nullptr;
  const char* user = nullptr;
  const char* provider = nullptr;           ///< the object named for the version, if any
  const char* provider_versions = nullptr;  ///< versions of the symbol that exist: "V1 V2"
  std::span<const char* const> scope = {};  ///< objects searched, in order
  NameSource names = {};                    ///< names defined in the scope
};
void write_missing_symbol_hints(Writer& out, const MissingSymbol& missing);

struct MissingVersion {
  const char* version = nullptr;
  const char* provider = nullptr;
  const char* requester = nullptr;
  NameSource names = {};  ///< versions the provider defines
};
void write_missing_version_hints(Writer& out, const MissingVersion& missing);

/// Edits (insert, delete, replace, swap of neighbours) from one to the other; `limit` + 1 when more
/// than `limit`. Names are compared up to 255 bytes.
uint32_t edit_distance(std::string_view a, std::string_view b, uint32_t limit);

}  // namespace prelude::report
