// Symbol versions (LSB "Symbol Versioning"). Names are interned once; afterwards a version is a
// small number and two versions are compared by one instruction.
#pragma once

#include <prelude/base/heap.h>
#include <prelude/base/result.h>
#include <prelude/image/image.h>

#include <cstdint>

namespace prelude {

/// Identifies a (name, hash) pair. 0 = no version (unversioned, local or base).
using VersionId = uint32_t;

/// The set of all version names seen by the process. Names are copied and never freed, so ids stay
/// valid when the object that brought them is closed.
class VersionNames {
 public:
  constexpr VersionNames() = default;
  /// The id of the pair, new if unseen; 0 when memory is out or too many names share the hash.
  VersionId intern(Heap& heap, const char* name, uint32_t hash);
  /// The id of the pair if any object has named it, else 0.
  [[nodiscard]] VersionId find(const char* name, uint32_t hash) const;
  [[nodiscard]] const char* name(VersionId id) const { return entries_[id].name; }
  /// True where no further name of this hash is taken. Files say the hash themselves.
  [[nodiscard]] bool crowded(uint32_t hash) const;

 private:
  // Entry 0 stands for no version: its hash is the mask that makes a hash the number of a bucket.
  struct Entry {
    const char* name;
    uint32_t hash;
    uint32_t next;   // index of the next entry of the same bucket, 0 = none
    uint32_t first;  // of the bucket with this entry's index
  };

  const char* keep(Heap& heap, const char* name);
  bool grow(Heap& heap);
  static void link(Entry* entries, uint32_t index);

  char* text_ = nullptr;  // where the next name goes
  size_t text_room_ = 0;
  Entry* entries_ = nullptr;
  uint32_t count_ = 0, capacity_ = 0;
};

/// Versions of one object by version index (the values of .gnu.version).
struct VersionTable {
  static constexpr uint32_t kHidden = 0x80000000U;   ///< the need is marked hidden
  static constexpr uint32_t kDefined = 0x40000000U;  ///< comes from DT_VERDEF
  static constexpr uint32_t kIdMask = 0x3fffffffU;

  uint32_t* entries = nullptr;  ///< id and flags; `capacity` of them, owned by the module's heap
  uint32_t count = 0;
  uint32_t capacity = 0;

  [[nodiscard]] uint32_t entry(uint16_t index) const { return index < count ? entries[index] : 0; }
  [[nodiscard]] VersionId id(uint16_t index) const { return entry(index) & kIdMask; }
  [[nodiscard]] bool defines(VersionId wanted) const {
    for (uint32_t i = 0; i < count; ++i)
      if ((entries[i] & ~kHidden) == (wanted | kDefined)) return true;
    return false;
  }
};

/// The hash of a version name (the ELF hash function, gABI ch. 5).
uint32_t version_hash(const char* name);

/// Reads both version sections of a checked image. Errors name the broken record.
Result<VersionTable> read_versions(const Image& image, VersionNames& names, Heap& heap);

/// One record of DT_VERNEED with its file, handed to the callback below.
struct VersionNeed {
  const char* file;  ///< the name of a DT_NEEDED entry
  const char* version;
  uint32_t hash;
  VersionId id;
  bool weak;
};
using VersionNeedCallback = bool (*)(void* context, const VersionNeed& need);
/// Calls `each` for every needed version until it returns false. The image's records were checked
/// by read_versions.
void for_each_version_need(const Image& image, const VersionTable& table, VersionNeedCallback each,
                           void* context);

using VersionDefCallback = bool (*)(void* context, const char* name, uint32_t hash, uint16_t flags);
void for_each_version_def(const Image& image, VersionDefCallback each, void* context);

}  // namespace prelude
