// Reading of DT_VERDEF and DT_VERNEED: linked records inside one segment, forward only.
#include <prelude/base/string.h>
#include <prelude/versions/versions.h>

namespace prelude {
namespace {

template <typename T>
const T* record_at(const std::byte* table, uint64_t room, uint64_t offset) {
  if (offset > room || room - offset < sizeof(T) || offset % 4 != 0) return nullptr;
  return reinterpret_cast<const T*>(table + offset);
}

// Records do not overlap, so a section has room for so many of them, and symbols can name so many
// versions; a walk that meets more goes in circles of its own or shares records, which only damaged
// files do.
class Budget {
 public:
  Budget(uint64_t room, uint64_t record_bytes)
      : left_(room / record_bytes < kMostVersions ? room / record_bytes : kMostVersions) {}
  bool spend() { return left_ != 0 && left_-- != 0; }

 private:
  static constexpr uint64_t kMostVersions = 0x8000;  // an index has 15 bits
  uint64_t left_;
};

// Visits checked records: def(record, name) and need(file, record aux). Both return a Status.
template <typename Visit>
Status visit_defs(const Image& image, Visit visit) {
  uint64_t offset = 0;
  Budget budget(image.verdef_room, sizeof(elf::VerDef));
  while (image.verdef != nullptr) {
    const auto* def = record_at<elf::VerDef>(image.verdef, image.verdef_room, offset);
    if (def == nullptr || !budget.spend())
      return bad_field("vd_next", offset, "a record inside DT_VERDEF's segment");
    if (def->version != 1) return Error{.code = Errc::kVersionRecordVerdef, .value = def->version};
    const auto* aux = record_at<elf::VerDefAux>(image.verdef, image.verdef_room, offset + def->aux);
    if (aux == nullptr) return bad_field("vd_aux", def->aux, "a record inside DT_VERDEF's segment");
    const char* name = image.string(aux->name);
    if (name == nullptr)
      return bad_field("vda_name", aux->name, "an offset inside the string table");
    PRELUDE_TRY(visit(*def, name));
    if (def->next == 0) break;
    offset += def->next;
  }
  return Done{};
}

template <typename Visit>
Status visit_needs(const Image& image, Visit visit) {
  uint64_t offset = 0;
  Budget budget(image.verneed_room, sizeof(elf::VerNeedAux));
  while (image.verneed != nullptr) {
    const auto* need = record_at<elf::VerNeed>(image.verneed, image.verneed_room, offset);
    if (need == nullptr)
      return bad_field("vn_next", offset, "a record inside DT_VERNEED's segment");
    if (need->version != 1)
      return Error{.code = Errc::kVersionRecordVerneed, .value = need->version};
    const char* file = image.string(need->file);
    if (file == nullptr)
      return bad_field("vn_file", need->file, "an offset inside the string table");
    uint64_t aux_offset = offset + need->aux;
    for (;;) {
      const auto* aux = record_at<elf::VerNeedAux>(image.verneed, image.verneed_room, aux_offset);
      if (aux == nullptr || !budget.spend())
        return bad_field("vna_next", aux_offset, "a record inside DT_VERNEED's segment");
      const char* name = image.string(aux->name);
      if (name == nullptr)
        return bad_field("vna_name", aux->name, "an offset inside the string table");
      PRELUDE_TRY(visit(file, *aux, name));
      if (aux->next == 0) break;
      aux_offset += aux->next;
    }
    if (need->next == 0) break;
    offset += need->next;
  }
  return Done{};
}

constexpr uint16_t kIndexMask = 0x7fff;

// Room for an index; nothing tells the highest one beforehand.
bool make_room(VersionTable& table, uint32_t index, Heap& heap) {
  if (index >= table.capacity) {
    uint32_t capacity = table.capacity == 0 ? 32 : table.capacity * 2;
    while (capacity <= index) capacity *= 2;
    auto* grown = heap.make_array<uint32_t>(capacity);
    if (grown == nullptr) return false;
    if (table.count != 0) copy_bytes(grown, table.entries, table.count * sizeof *grown);
    heap.release_array(table.entries, table.capacity);
    table.entries = grown;
    table.capacity = capacity;
  }
  if (index >= table.count) table.count = index + 1;
  return true;
}

}  // namespace

uint32_t version_hash(const char* name) {
  uint32_t hash = 0;
  for (; *name != 0; ++name) {
    hash = (hash << 4) + static_cast<uint8_t>(*name);
    hash ^= (hash >> 24) & 0xf0;
  }
  return hash & 0x0fffffff;
}

VersionId VersionNames::find(const char* name, uint32_t hash) const {
  const Entry* entries = __atomic_load_n(&entries_, __ATOMIC_ACQUIRE);
  if (entries == nullptr) return 0;
  const uint32_t* first = &entries[hash & entries[0].hash].first;
  for (uint32_t i = __atomic_load_n(first, __ATOMIC_ACQUIRE); i != 0; i = entries[i].next)
    if (entries[i].hash == hash && equal(entries[i].name, name)) return i;
  return 0;
}

bool VersionNames::crowded(uint32_t hash) const {
  constexpr uint32_t kMost = 32;
  uint32_t count = 0;
  if (entries_ != nullptr)
    for (uint32_t i = entries_[hash & entries_[0].hash].first; i != 0; i = entries_[i].next)
      count += entries_[i].hash == hash ? 1 : 0;
  return count >= kMost;
}

void VersionNames::link(Entry* entries, uint32_t index) {
  uint32_t& first = entries[entries[index].hash & entries[0].hash].first;
  entries[index].next = first;
  __atomic_store_n(&first, index, __ATOMIC_RELEASE);
}

// The old block stays as it is: a reader without lock may still look at it.
bool VersionNames::grow(Heap& heap) {
  const uint32_t capacity = capacity_ == 0 ? 128 : capacity_ * 2;
  auto* grown = heap.make_array<Entry>(capacity);
  if (grown == nullptr) return false;
  grown[0].hash = capacity - 1;
  for (uint32_t i = 1; i <= count_; ++i) {
    grown[i].name = entries_[i].name;
    grown[i].hash = entries_[i].hash;
    link(grown, i);
  }
  __atomic_store_n(&entries_, grown, __ATOMIC_RELEASE);
  capacity_ = capacity;
  return true;
}

// The texts share blocks, as none is ever freed.
const char* VersionNames::keep(Heap& heap, const char* name) {
  constexpr size_t kBlock = 1024;
  const size_t bytes = string_length(name) + 1;
  if (bytes > text_room_) {
    const size_t block = bytes > kBlock ? bytes : kBlock;
    auto* fresh = static_cast<char*>(heap.allocate_for_ever(block));
    if (fresh == nullptr) return nullptr;
    text_ = fresh;
    text_room_ = block;
  }
  char* const copy = text_;
  copy_bytes(copy, name, bytes);
  text_ += bytes;
  text_room_ -= bytes;
  return copy;
}

VersionId VersionNames::intern(Heap& heap, const char* name, uint32_t hash) {
  if (const VersionId known = find(name, hash); known != 0) return known;
  constexpr uint32_t kOrdinary = 256;  // so many are no work, whatever their hashes are
  if (count_ >= kOrdinary && crowded(hash)) return 0;
  if (count_ + 1 >= capacity_ && !grow(heap)) return 0;
  const char* copy = keep(heap, name);
  if (copy == nullptr) return 0;
  const uint32_t index = count_ + 1;
  entries_[index].name = copy;
  entries_[index].hash = hash;
  count_ = index;
  link(entries_, index);
  return index;
}

namespace {

[[gnu::cold, gnu::noinline]] Error refused_name(const VersionNames& names, uint32_t hash) {
  if (!names.crowded(hash)) return Error{.code = Errc::kOutOfMemory};
  return bad_field("version hash", hash, "the hash of its name, which few others have");
}

}  // namespace

Result<VersionTable> read_versions(const Image& image, VersionNames& names, Heap& heap) {
  VersionTable table;
  auto enter = [&](uint16_t index_word, const char* name, uint32_t hash, uint32_t flags) -> Status {
    const uint32_t index = index_word & kIndexMask;
    if (!make_room(table, index, heap)) return Error{.code = Errc::kOutOfMemory};
    if (name == nullptr) return Done{};
    const VersionId id = names.intern(heap, name, hash);
    if (id == 0) [[unlikely]]
      return refused_name(names, hash);
    table.entries[index] = id | flags;
    return Done{};
  };
  // The base definition names the file, not a version: its index stays without a name.
  Status status = visit_defs(image, [&](const elf::VerDef& def, const char* name) -> Status {
    const bool base = (def.flags & elf::kVerFlagBase) != 0;
    return enter(def.index, base ? nullptr : name, def.hash, VersionTable::kDefined);
  });
  if (status)
    status = visit_needs(
        image, [&](const char*, const elf::VerNeedAux& aux, const char* name) -> Status {
          const bool hidden = (aux.other & elf::kVerIndexHidden) != 0;
          return enter(aux.other, name, aux.hash, hidden ? VersionTable::kHidden : 0);
        });
  if (status) return table;
  heap.release_array(table.entries, table.capacity);
  return status.error();
}

void for_each_version_need(const Image& image, const VersionTable& table, VersionNeedCallback each,
                           void* context) {
  (void)visit_needs(
      image, [&](const char* file, const elf::VerNeedAux& aux, const char* name) -> Status {
        const bool weak = (aux.flags & elf::kVerFlagWeak) != 0;
        const VersionNeed need{file, name, aux.hash, table.id(aux.other & kIndexMask), weak};
        if (each(context, need)) return Done{};
        return Error{.code = Errc::kNone};
      });
}

void for_each_version_def(const Image& image, VersionDefCallback each, void* context) {
  (void)visit_defs(image, [&](const elf::VerDef& def, const char* name) -> Status {
    if (each(context, name, def.hash, def.flags)) return Done{};
    return Error{.code = Errc::kNone};
  });
}

}  // namespace prelude
