// The dynamic section (gABI ch. 5): every table it names is checked against the mapped, file-backed
// bytes here and nowhere else. Values are copied into the Image before any relocation can change
// them.
#include <arch/native.h>

#include <prelude/base/string.h>
#include <prelude/image/image.h>

#include <iterator>

#include "words.h"

namespace prelude {
namespace {

using namespace elf;

constexpr const char* kInside = "an address inside the object's file-backed segments";

// Raw values of one pass over the section; a zero-initialised slot counts as absent unless has()
// says so.
struct Raw {
  uint64_t value[64] = {};
  uint64_t present = 0;

  enum Slot : uint8_t {
    kGnuHash = 40,
    kVerSym,
    kRelaCount,
    kRelCount,
    kFlags1,
    kVerDef,
    kVerNeed,
    kAuxiliary,
    kFilter,
    kAudit
  };
  static int slot_of(int64_t tag) {
    if (tag >= 0 && tag <= kDtRelrEnt) return static_cast<int>(tag);
    switch (tag) {
      case kDtGnuHash:
        return kGnuHash;
      case kDtVerSym:
        return kVerSym;
      case kDtRelaCount:
        return kRelaCount;
      case kDtRelCount:
        return kRelCount;
      case kDtFlags1:
        return kFlags1;
      case kDtVerDef:
        return kVerDef;
      case kDtVerNeed:
        return kVerNeed;
      case kDtAuxiliary:
        return kAuxiliary;
      case kDtFilter:
        return kFilter;
      case kDtAudit:
      case kDtDepAudit:
        return kAudit;
      default:
        return -1;
    }
  }
  [[nodiscard]] bool has(int slot) const { return (present >> slot & 1) != 0; }
  [[nodiscard]] uint64_t get(int slot) const { return value[slot]; }
};

// What tells of a machine's relocation tables, whose entries have addends or have not.
struct RelocationTags {
  uint8_t table, size, entry, count, other_size;
  const char *table_name, *size_name, *entry_name, *other_name, *plt_kind, *no_other;
};
constexpr RelocationTags kRelaTags = {.table = kDtRela,
                                      .size = kDtRelaSz,
                                      .entry = kDtRelaEnt,
                                      .count = Raw::kRelaCount,
                                      .other_size = kDtRelSz,
                                      .table_name = "DT_RELA",
                                      .size_name = "DT_RELASZ",
                                      .entry_name = "DT_RELAENT",
                                      .other_name = "DT_RELSZ",
                                      .plt_kind = "7 (DT_RELA)",
                                      .no_other = "no REL relocations on this machine"};
constexpr RelocationTags kRelTags = {.table = kDtRel,
                                     .size = kDtRelSz,
                                     .entry = kDtRelEnt,
                                     .count = Raw::kRelCount,
                                     .other_size = kDtRelaSz,
                                     .table_name = "DT_REL",
                                     .size_name = "DT_RELSZ",
                                     .entry_name = "DT_RELENT",
                                     .other_name = "DT_RELASZ",
                                     .plt_kind = "17 (DT_REL)",
                                     .no_other = "no RELA relocations on this machine"};
template <typename Elf>
constexpr const RelocationTags& kTags = Elf::kHasAddends ? kRelaTags : kRelTags;

// Bytes from vaddr to the end of the file-backed part of its segment; 0 = not in the file.
template <typename Elf>
uint64_t room_at(const BasicImage<Elf>& image, uint64_t vaddr) {
  const LoadSegment* s = image.file_segment(vaddr, 1);
  return s == nullptr ? 0 : s->vaddr + s->filesz - vaddr;
}

template <typename Elf>
Status read_section(BasicImage<Elf>& image, Raw& raw) {
  if (image.dynamic_size == 0) return Error{.code = Errc::kNoDynamic};
  using Dynamic = typename Elf::Dynamic;
  if (image.dynamic_vaddr % sizeof(typename Elf::Word) != 0)
    return bad_field("PT_DYNAMIC p_vaddr", image.dynamic_vaddr, kWordMultiple<Elf>);
  const void* section = image.file_bytes(image.dynamic_vaddr, image.dynamic_size);
  if (section == nullptr) return bad_field("PT_DYNAMIC p_vaddr", image.dynamic_vaddr, kInside);
  image.dynamic = static_cast<const Dynamic*>(section);
  const uint64_t room = image.dynamic_size / sizeof(Dynamic);
  for (uint64_t i = 0; i < room && i < UINT32_MAX; ++i) {
    const Dynamic& entry = image.dynamic[i];
    if (entry.tag == kDtNull) {
      image.dynamic_count = static_cast<uint32_t>(i);
      return Done{};
    }
    const int slot = Raw::slot_of(entry.tag);
    if (slot < 0) continue;
    raw.value[slot] = entry.value;
    raw.present |= uint64_t{1} << slot;
    if (entry.tag == kDtDebug)
      image.debug_slot = image.dynamic_vaddr + i * sizeof(Dynamic) + offsetof(Dynamic, value);
  }
  return bad_field("PT_DYNAMIC p_filesz", image.dynamic_size, "a section that ends with DT_NULL");
}

// Nobody needs p_offset. But where it tells of another place and this one names no symbols and
// strings, p_vaddr is wrong, and the program would start without its relocations.
template <typename Elf>
Status check_place(const BasicImage<Elf>& image, const Raw& raw) {
  if (!image.dynamic_strays || (raw.has(kDtStrTab) && raw.has(kDtSymTab))) return Done{};
  return bad_field("PT_DYNAMIC p_vaddr", image.dynamic_vaddr,
                   "the address at which p_offset is mapped");
}

struct Pair {
  uint8_t address, size;
  const char *address_name, *size_name;
};
template <typename Elf>
constexpr Pair kPairs[] = {
    {kTags<Elf>.table, kTags<Elf>.size, kTags<Elf>.table_name, kTags<Elf>.size_name},
    {kDtJmpRel, kDtPltRelSz, "DT_JMPREL", "DT_PLTRELSZ"},
    {kDtRelr, kDtRelrSz, "DT_RELR", "DT_RELRSZ"},
    {kDtInitArray, kDtInitArraySz, "DT_INIT_ARRAY", "DT_INIT_ARRAYSZ"},
    {kDtFiniArray, kDtFiniArraySz, "DT_FINI_ARRAY", "DT_FINI_ARRAYSZ"},
    {kDtPreinitArray, kDtPreinitArraySz, "DT_PREINIT_ARRAY", "DT_PREINIT_ARRAYSZ"}};

// An address and a size come together (gABI ch. 5, "Dynamic Section"). A size of nothing may stand
// alone.
template <typename Elf>
Status check_pairs(const Raw& raw) {
  uint64_t odd = 0;
  for (const Pair& pair : kPairs<Elf>)
    odd |= raw.present >> pair.address ^ raw.present >> pair.size;
  if ((odd & 1) == 0) return Done{};
  for (const Pair& pair : kPairs<Elf>) {
    if (raw.has(pair.address) && !raw.has(pair.size))
      return bad_field(pair.size_name, 0, "the size of a table that is there");
    if (!raw.has(pair.address) && raw.get(pair.size) != 0)
      return bad_field(pair.address_name, 0, kInside);
  }
  return Done{};
}

template <typename Elf>
Status read_strings(BasicImage<Elf>& image, const Raw& raw) {
  if (!raw.has(kDtStrTab)) {
    if (raw.has(kDtNeeded) || raw.has(kDtSymTab))
      return bad_field("DT_STRTAB", 0, "a string table");
    return Done{};
  }
  const uint64_t at = raw.get(kDtStrTab);
  const uint64_t room = room_at(image, at);
  if (room == 0) return bad_field("DT_STRTAB", at, kInside);
  uint64_t size = raw.has(kDtStrSz) ? raw.get(kDtStrSz) : room;
  if (size > room) return bad_field("DT_STRSZ", size, "a table that ends inside its segment");
  const char* strings = static_cast<const char*>(image.address(at));
  while (size != 0 && strings[size - 1] != 0) --size;  // nothing behind the last NUL is a string
  image.strings = strings;
  image.strings_size = size;
  return Done{};
}

// A table starts where another ends: the nearest table above the symbols bounds their number, as
// the dynamic section does not tell it.
template <typename Elf>
uint64_t symbol_table_end(const Raw& raw, uint64_t symtab, uint64_t segment_end) {
  static constexpr uint8_t kNeighbours[] = {kDtStrTab,    kDtHash,      kTags<Elf>.table,
                                            kDtJmpRel,    kDtRelr,      Raw::kGnuHash,
                                            Raw::kVerSym, Raw::kVerDef, Raw::kVerNeed};
  uint64_t end = segment_end;
  for (const uint8_t slot : kNeighbours)
    if (raw.has(slot) && raw.get(slot) > symtab && raw.get(slot) < end) end = raw.get(slot);
  return end;
}

// Symbol 0 may always be referred to: it stands for "no symbol" (gABI ch. 4).
template <typename Elf>
constexpr typename Elf::Symbol kNoSymbol{};

template <typename Elf>
Status read_symbols(BasicImage<Elf>& image, const Raw& raw) {
  using Symbol = typename Elf::Symbol;
  image.symbols = &kNoSymbol<Elf>;
  if (!raw.has(kDtSymTab)) return Done{};
  const uint64_t at = raw.get(kDtSymTab);
  const uint64_t room = room_at(image, at);
  if (room < sizeof(Symbol)) return bad_field("DT_SYMTAB", at, kInside);
  if (at % sizeof(typename Elf::Word) != 0) return bad_field("DT_SYMTAB", at, kWordMultiple<Elf>);
  if (raw.has(kDtSymEnt) && raw.get(kDtSymEnt) != sizeof(Symbol))
    return bad_field("DT_SYMENT", raw.get(kDtSymEnt), kSymbolBytes<Elf>);
  image.symbols = static_cast<const Symbol*>(image.address(at));
  uint64_t limit = (symbol_table_end<Elf>(raw, at, at + room) - at) / sizeof(Symbol);
  if (limit == 0) return bad_field("DT_SYMTAB", at, "room for a symbol before the next table");
  if (raw.has(Raw::kVerSym)) {
    const uint64_t versym = raw.get(Raw::kVerSym);
    const uint64_t versym_room = room_at(image, versym);
    if (versym_room < 2 || versym % 2 != 0) return bad_field("DT_VERSYM", versym, kInside);
    image.versym = static_cast<const uint16_t*>(image.address(versym));
    if (limit > versym_room / 2) limit = versym_room / 2;
  }
  image.symbol_limit = limit > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(limit);
  return Done{};
}

template <typename Word>
bool all_zero(const Word* words, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i)
    if (words[i] != 0) return false;
  return true;
}

template <typename Elf>
Status read_gnu_hash(BasicImage<Elf>& image, const Raw& raw) {
  using Word = typename Elf::Word;
  if (!raw.has(Raw::kGnuHash)) return Done{};
  const uint64_t at = raw.get(Raw::kGnuHash);
  const uint64_t room = room_at(image, at);
  if (room < 16 || at % sizeof(Word) != 0) return bad_field("DT_GNU_HASH", at, kInside);
  const auto* words = static_cast<const uint32_t*>(image.address(at));
  const uint64_t buckets = words[0], first = words[1], bloom = words[2], shift = words[3];
  if (bloom == 0 || (bloom & (bloom - 1)) != 0)
    return bad_field("DT_GNU_HASH bloom size", bloom, "a power of two");
  if (bloom > (room - 16) / sizeof(Word))
    return bad_field("DT_GNU_HASH bloom size", bloom, "a filter inside the segment");
  const uint64_t bucket_room = room - 16 - bloom * sizeof(Word);
  if (buckets > bucket_room / 4)
    return bad_field("DT_GNU_HASH bucket count", buckets, "buckets inside the segment");
  const auto* filter = reinterpret_cast<const Word*>(words + 4);
  if (buckets == 0) {  // an object without exported symbols may have no bucket
    if (!all_zero(filter, bloom))
      return bad_field("DT_GNU_HASH bucket count", 0, "at least one bucket");
    return Done{};
  }
  if (first > image.symbol_limit)
    return bad_field("DT_GNU_HASH symbol offset", first, "the index of a dynamic symbol");
  GnuHashFacts<Word>& hash = image.gnu_hash;
  hash.bloom = filter;
  hash.bloom_mask = static_cast<uint32_t>(bloom - 1);
  hash.bloom_shift = shift & (sizeof(Word) * 8 - 1);
  hash.bucket_count = static_cast<uint32_t>(buckets);
  hash.first_symbol = static_cast<uint32_t>(first);
  hash.buckets = words + 4 + bloom * (sizeof(Word) / 4);
  hash.chain_zero = hash.buckets + buckets - first;
  const uint64_t chain_room = (bucket_room - buckets * 4) / 4;
  if (image.symbol_limit > first + chain_room)
    image.symbol_limit = static_cast<uint32_t>(first + chain_room);
  return Done{};
}

template <typename Elf>
Status read_sysv_hash(BasicImage<Elf>& image, const Raw& raw) {
  if (!raw.has(kDtHash)) return Done{};
  const uint64_t at = raw.get(kDtHash);
  const uint64_t room = room_at(image, at);
  if (room < 8 || at % 4 != 0) return bad_field("DT_HASH", at, kInside);
  const auto* words = static_cast<const uint32_t*>(image.address(at));
  const uint64_t buckets = words[0], chains = words[1];
  if (buckets + chains > (room - 8) / 4)
    return bad_field("DT_HASH table size", buckets + chains, "a table inside the segment");
  if (buckets == 0 && chains > 1)
    return bad_field("DT_HASH bucket count", 0, "at least one bucket");
  if (buckets == 0) return Done{};
  SysvHashFacts& hash = image.sysv_hash;
  hash.buckets = words + 2;
  hash.chains = hash.buckets + buckets;
  hash.bucket_count = static_cast<uint32_t>(buckets);
  // nchain is the number of symbols; a larger value than the table has room for is cut.
  hash.chain_count =
      chains < image.symbol_limit ? static_cast<uint32_t>(chains) : image.symbol_limit;
  if (chains != 0 && chains < image.symbol_limit)
    image.symbol_limit = static_cast<uint32_t>(chains);
  return Done{};
}

template <typename Elf>
Status read_versions(BasicImage<Elf>& image, const Raw& raw) {
  using Image = BasicImage<Elf>;
  struct Table {
    int address;
    const char* name;
    const std::byte* Image::*start;
    uint64_t Image::*room;
  };
  const Table tables[] = {{Raw::kVerDef, "DT_VERDEF", &Image::verdef, &Image::verdef_room},
                          {Raw::kVerNeed, "DT_VERNEED", &Image::verneed, &Image::verneed_room}};
  for (const Table& table : tables) {
    if (!raw.has(table.address)) continue;
    const uint64_t at = raw.get(table.address);
    const uint64_t room = room_at(image, at);
    if (room < 16 || at % 4 != 0) return bad_field(table.name, at, kInside);
    image.*table.start = static_cast<const std::byte*>(image.address(at));
    image.*table.room = room;
  }
  return Done{};
}

struct TableTags {
  int address, size, entry;
  uint64_t entry_bytes;
  const char *address_name, *size_name, *entry_name, *entry_size;
};

// Gives the start of a relocation table and its number of entries.
template <typename Elf>
Status read_table(const BasicImage<Elf>& image, const Raw& raw, const TableTags& tags,
                  const void*& start, uint64_t& count) {
  if (!raw.has(tags.address)) return Done{};
  if (tags.entry >= 0 && raw.has(tags.entry) && raw.get(tags.entry) != tags.entry_bytes)
    return bad_field(tags.entry_name, raw.get(tags.entry), tags.entry_size);
  const uint64_t at = raw.get(tags.address), size = raw.get(tags.size);
  if (size == 0) return Done{};
  if (size % tags.entry_bytes != 0)
    return bad_field(tags.size_name, size, "a whole number of entries");
  if (image.file_bytes(at, 1) == nullptr || at % sizeof(typename Elf::Word) != 0)
    return bad_field(tags.address_name, at, kInside);
  if (image.file_bytes(at, size) == nullptr)
    return bad_field(tags.size_name, size, "a table that ends inside its segment");
  start = image.address(at);
  count = size / tags.entry_bytes;
  return Done{};
}

template <typename Elf>
Status read_relocations(BasicImage<Elf>& image, const Raw& raw) {
  using Relocation = typename Elf::Relocation;
  using Word = typename Elf::Word;
  static constexpr const RelocationTags& kMine = kTags<Elf>;
  static constexpr TableTags kTable = {kMine.table,        kMine.size,           kMine.entry,
                                       sizeof(Relocation), kMine.table_name,     kMine.size_name,
                                       kMine.entry_name,   kRelocationBytes<Elf>};
  static constexpr TableTags kPlt = {kDtJmpRel,   kDtPltRelSz,   -1, sizeof(Relocation),
                                     "DT_JMPREL", "DT_PLTRELSZ", "", ""};
  static constexpr TableTags kRelr = {kDtRelr,   kDtRelrSz,   kDtRelrEnt,   sizeof(Word),
                                      "DT_RELR", "DT_RELRSZ", "DT_RELRENT", kWordBytes<Elf>};
  const void *table = nullptr, *plt = nullptr, *relr = nullptr;
  PRELUDE_TRY(read_table(image, raw, kTable, table, image.relocation_count));
  PRELUDE_TRY(read_table(image, raw, kRelr, relr, image.relr_count));
  if (raw.has(kDtPltRel) && raw.get(kDtPltRel) != kMine.table)
    return bad_field("DT_PLTREL", raw.get(kDtPltRel), kMine.plt_kind);
  PRELUDE_TRY(read_table(image, raw, kPlt, plt, image.plt_relocation_count));
  if (raw.has(kMine.other_size) && raw.get(kMine.other_size) != 0)
    return bad_field(kMine.other_name, raw.get(kMine.other_size), kMine.no_other);
  image.relocations = static_cast<const Relocation*>(table);
  image.plt_relocations = static_cast<const Relocation*>(plt);
  image.relr = static_cast<const Word*>(relr);
  // Old linkers count the PLT's relocations in the other table's size too; they are applied once,
  // as the PLT's.
  if (image.relocations != nullptr && image.plt_relocations != nullptr &&
      image.plt_relocations + image.plt_relocation_count ==
          image.relocations + image.relocation_count &&
      image.plt_relocations >= image.relocations)
    image.relocation_count = static_cast<uint64_t>(image.plt_relocations - image.relocations);
  const uint64_t relative = raw.get(kMine.count);
  image.relative_count = relative < image.relocation_count ? relative : image.relocation_count;
  image.pltgot = raw.get(kDtPltGot);
  if (image.pltgot != 0 && image.plt_relocation_count != 0 &&
      (image.pltgot % sizeof(Word) != 0 ||
       image.memory_segment(image.pltgot, 3 * sizeof(Word)) == nullptr))
    return bad_field("DT_PLTGOT", image.pltgot, "the address of words inside the object");
  return Done{};
}

struct ArrayTags {
  int address, size;
  const char *address_name, *size_name;
};

template <typename Elf>
Status read_array(const BasicImage<Elf>& image, const Raw& raw, const ArrayTags& tags,
                  FunctionArray& out) {
  constexpr uint64_t kWord = sizeof(typename Elf::Word);
  const uint64_t at = raw.get(tags.address), bytes = raw.get(tags.size);
  if (!raw.has(tags.address) || bytes == 0) return Done{};
  if (bytes % kWord != 0) return bad_field(tags.size_name, bytes, "a whole number of entries");
  if (at % kWord != 0 || image.memory_segment(at, bytes) == nullptr)
    return bad_field(tags.address_name, image.memory_segment(at, kWord) == nullptr ? at : bytes,
                     "an array inside the object");
  out = {at, bytes / kWord};
  return Done{};
}

template <typename Elf>
bool overlap(const FunctionArray& a, const FunctionArray& b) {
  constexpr uint64_t kWord = sizeof(typename Elf::Word);
  return a.vaddr < b.vaddr + b.count * kWord && b.vaddr < a.vaddr + a.count * kWord;
}

// A function array that runs into its neighbours would have wrong functions called.
template <typename Elf>
Status check_arrays(const BasicImage<Elf>& image) {
  const FunctionArray section{image.dynamic_vaddr, uint64_t{image.dynamic_count} * 2};
  const FunctionArray* arrays[] = {&section, &image.preinit_array, &image.init_array,
                                   &image.fini_array};
  for (size_t i = 0; i < std::size(arrays); ++i)
    for (size_t k = i + 1; k < std::size(arrays); ++k)
      if (overlap<Elf>(*arrays[i], *arrays[k]))
        return bad_field("function array", arrays[k]->vaddr, "arrays that do not overlap");
  return Done{};
}

template <typename Elf>
Status read_functions(BasicImage<Elf>& image, const Raw& raw) {
  if (arch::Native::kCallsInitAndFini) {
    image.init = raw.get(kDtInit);
    image.fini = raw.get(kDtFini);
  }
  if (image.init != 0 && !image.executable(image.init))
    return bad_field("DT_INIT", image.init, "an address in an executable segment");
  if (image.fini != 0 && !image.executable(image.fini))
    return bad_field("DT_FINI", image.fini, "an address in an executable segment");
  static constexpr ArrayTags kInit = {kDtInitArray, kDtInitArraySz, "DT_INIT_ARRAY",
                                      "DT_INIT_ARRAYSZ"};
  static constexpr ArrayTags kFini = {kDtFiniArray, kDtFiniArraySz, "DT_FINI_ARRAY",
                                      "DT_FINI_ARRAYSZ"};
  static constexpr ArrayTags kPreinit = {kDtPreinitArray, kDtPreinitArraySz, "DT_PREINIT_ARRAY",
                                         "DT_PREINIT_ARRAYSZ"};
  PRELUDE_TRY(read_array(image, raw, kInit, image.init_array));
  PRELUDE_TRY(read_array(image, raw, kFini, image.fini_array));
  PRELUDE_TRY(read_array(image, raw, kPreinit, image.preinit_array));
  return check_arrays(image);
}

template <typename Elf>
Status read_names(BasicImage<Elf>& image, const Raw& raw) {
  struct Name {
    int tag;
    const char* field;
    const char* BasicImage<Elf>::*slot;
  };
  const Name names[] = {{kDtRpath, "DT_RPATH", &BasicImage<Elf>::rpath},
                        {kDtRunpath, "DT_RUNPATH", &BasicImage<Elf>::runpath}};
  for (const Name& name : names) {
    if (!raw.has(name.tag)) continue;
    image.*name.slot = image.string(raw.get(name.tag));
    if (image.*name.slot == nullptr)
      return bad_field(name.field, raw.get(name.tag), "an offset inside the string table");
  }
  if (image.runpath != nullptr) image.rpath = nullptr;
  if (raw.has(kDtSoname)) image.soname = image.string(raw.get(kDtSoname));
  Status status = Done{};
  for_each_dynamic(image, kDtNeeded, [&](uint64_t offset) {
    if (image.string(offset) != nullptr) return true;
    status = bad_field("DT_NEEDED", offset, "an offset inside the string table");
    return false;
  });
  return status;
}

template <typename Elf>
void read_flags(BasicImage<Elf>& image, const Raw& raw) {
  image.flags = raw.get(kDtFlags);
  image.flags_1 = raw.get(Raw::kFlags1);
  image.text_relocations = raw.has(kDtTextRel) || (image.flags & kDfTextRel) != 0;
  image.bind_now =
      raw.has(kDtBindNow) || (image.flags & kDfBindNow) != 0 || (image.flags_1 & kDf1Now) != 0;
  image.symbolic = raw.has(kDtSymbolic) || (image.flags & kDfSymbolic) != 0;
  image.has_filters = raw.has(Raw::kAuxiliary) || raw.has(Raw::kFilter);
  image.names_auditors = raw.has(Raw::kAudit);
}

template <typename Elf>
uint64_t gnu_hash_bytes(const BasicImage<Elf>& image) {
  const auto& hash = image.gnu_hash;
  if (hash.buckets == nullptr) return 16;
  return 16 + (uint64_t{hash.bloom_mask} + 1) * sizeof(typename Elf::Word) +
         uint64_t{hash.bucket_count} * 4 + uint64_t{image.symbol_limit - hash.first_symbol} * 4;
}

template <typename Elf>
uint64_t sysv_hash_bytes(const BasicImage<Elf>& image) {
  return 8 + (uint64_t{image.sysv_hash.bucket_count} + image.sysv_hash.chain_count) * 4;
}

template <typename Elf>
void note_table(BasicImage<Elf>& image, uint64_t at, uint64_t bytes) {
  const LoadSegment* s = bytes == 0 ? nullptr : image.file_segment(at, 1);
  if (s == nullptr || ((s->flags & kPfW) == 0 && !image.text_relocations)) return;
  image.metadata[image.metadata_count++] = {at, at + bytes};
}

// Relocations must not be able to change tables that were checked above and are read again later.
// Normally those lie in a read-only segment; else their ranges are kept for the relocation loop to
// refuse. The version records are not among them: they are read once, before any relocation.
template <typename Elf>
void note_metadata(BasicImage<Elf>& image, const Raw& raw) {
  constexpr uint64_t kRelocation = sizeof(typename Elf::Relocation);
  const struct {
    uint8_t slot;
    uint64_t bytes;
  } tables[] = {{kDtStrTab, image.strings_size},
                {kDtSymTab, uint64_t{image.symbol_limit} * sizeof(typename Elf::Symbol)},
                {kDtHash, sysv_hash_bytes(image)},
                {Raw::kGnuHash, gnu_hash_bytes(image)},
                {Raw::kVerSym, uint64_t{image.symbol_limit} * 2},
                {kTags<Elf>.table, image.relocation_count * kRelocation},
                {kDtJmpRel, image.plt_relocation_count * kRelocation},
                {kDtRelr, image.relr_count * sizeof(typename Elf::Word)}};
  static_assert(std::size(tables) < std::size(BasicImage<Elf>{}.metadata));
  for (const auto& table : tables)
    if (raw.has(table.slot)) note_table(image, raw.get(table.slot), table.bytes);
  note_table(image, reinterpret_cast<uintptr_t>(image.phdr) - image.bias,
             uint64_t{image.phnum} * sizeof(typename Elf::ProgramHeader));
}

}  // namespace

template <typename Elf>
Status decode_dynamic(BasicImage<Elf>& image) {
  Raw raw;
  PRELUDE_TRY(read_section(image, raw));
  PRELUDE_TRY(check_place(image, raw));
  PRELUDE_TRY(check_pairs<Elf>(raw));
  PRELUDE_TRY(read_strings(image, raw));
  PRELUDE_TRY(read_symbols(image, raw));
  PRELUDE_TRY(read_gnu_hash(image, raw));
  PRELUDE_TRY(read_sysv_hash(image, raw));
  PRELUDE_TRY(read_versions(image, raw));
  PRELUDE_TRY(read_relocations(image, raw));
  PRELUDE_TRY(read_functions(image, raw));
  read_flags(image, raw);
  PRELUDE_TRY(read_names(image, raw));
  note_metadata(image, raw);
  return Done{};
}

#define PRELUDE_INSTANTIATE(Elf) template Status decode_dynamic(BasicImage<Elf>&);
PRELUDE_FOR_EACH_CLASS(PRELUDE_INSTANTIATE)

}  // namespace prelude
