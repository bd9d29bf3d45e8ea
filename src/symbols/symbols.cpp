// Symbol lookup. The loop over a list reads one cache line per object and its bloom word; strings
// are read only when 31 bits of hash agree.
#include <prelude/symbols/symbols.h>

#include <prelude/base/string.h>

namespace prelude {
namespace {

// Types that may satisfy a reference: NOTYPE, OBJECT, FUNC, COMMON, TLS, GNU_IFUNC.
constexpr uint32_t kUsableTypes = 1U << elf::kSttNoType | 1U << elf::kSttObject |
                                  1U << elf::kSttFunc | 1U << elf::kSttCommon | 1U << elf::kSttTls |
                                  1U << elf::kSttGnuIfunc;
constexpr uint32_t kUsableBindings =
    1U << elf::kStbGlobal | 1U << elf::kStbWeak | 1U << elf::kStbGnuUnique;
constexpr uint32_t kUsableVisibilities = 1U << elf::kStvDefault | 1U << elf::kStvProtected;

// Only programs (which have an interpreter or a fixed address) lend their PLT entries to others.
bool lends_plt_entries(const Image& image) {
  return image.interp_size != 0 || image.type == elf::kTypeExec;
}

[[gnu::always_inline]] inline bool usable(const SymbolTable& table, const elf::Symbol& symbol,
                                          const SymbolQuery& query) {
  if ((kUsableTypes >> symbol.type() & kUsableBindings >> symbol.binding() &
       kUsableVisibilities >> symbol.visibility() & 1) == 0)
    return false;
  if (symbol.value == 0 && symbol.shndx != elf::kShnAbs && symbol.type() != elf::kSttTls)
    return false;
  // An undefined function with a value is the program's PLT entry that stands for its address.
  return symbol.shndx != elf::kShnUndef ||
         (!query.function_call && lends_plt_entries(*table.image));
}

template <typename T>
bool same_ends(const char* a, const char* b, size_t bytes) {
  T words[4];
  __builtin_memcpy(&words[0], a, sizeof(T));
  __builtin_memcpy(&words[1], b, sizeof(T));
  __builtin_memcpy(&words[2], a + bytes - sizeof(T), sizeof(T));
  __builtin_memcpy(&words[3], b + bytes - sizeof(T), sizeof(T));
  return ((words[0] ^ words[1]) | (words[2] ^ words[3])) == 0;
}

// Most names have 8 to 16 bytes: no call, two words each.
bool same_bytes(const char* a, const char* b, size_t bytes) {
  if (bytes > 16) return __builtin_memcmp(a, b, bytes) == 0;
  if (bytes >= 8) return same_ends<uint64_t>(a, b, bytes);
  if (bytes >= 4) return same_ends<uint32_t>(a, b, bytes);
  return __builtin_memcmp(a, b, bytes) == 0;
}

bool same_name(const SymbolTable& table, const elf::Symbol& symbol, const SymbolQuery& query) {
  const Image& image = *table.image;
  if (symbol.name >= image.strings_size || image.strings_size - symbol.name <= query.length)
    return false;
  return same_bytes(image.strings + symbol.name, query.name, size_t{query.length} + 1);
}

enum class VersionFit : uint8_t { kNo, kYes, kCandidate };

// LSB "Symbol Version": the version of a definition against that of the reference.
[[gnu::always_inline]] inline VersionFit version_fit(const SymbolTable& table, uint32_t index,
                                                     const SymbolQuery& query) {
  const Image& image = *table.image;
  if (image.versym == nullptr) return VersionFit::kYes;
  const uint16_t value = image.versym[index];
  const uint16_t version_index = value & 0x7fff;
  const bool hidden = (value & elf::kVerIndexHidden) != 0;
  if (query.versioned) {
    const VersionId have = table.versions.id(version_index);
    if (have == query.version && have != 0) return VersionFit::kYes;
    return query.version_hidden || have != 0 || hidden ? VersionFit::kNo : VersionFit::kYes;
  }
  if (version_index < (query.newest ? 2 : 3)) return VersionFit::kYes;
  return hidden ? VersionFit::kNo : VersionFit::kCandidate;
}

// Collects what a walk over one hash chain finds.
struct ChainMatch {
  const elf::Symbol* candidate = nullptr;  // single non-hidden version for an unversioned reference
  uint32_t candidates = 0;

  // True when the symbol at `index` is the answer.
  [[gnu::always_inline]] bool check(const LookupRecord& record, uint32_t index,
                                    const SymbolQuery& query) {
    const elf::Symbol& symbol = record.symbols[index];
    const SymbolTable& table = symbol_table_of(*record.module);
    if (!usable_name(table, symbol, query)) return false;
    const VersionFit fit = version_fit(table, index, query);
    if (fit == VersionFit::kCandidate && candidates++ == 0) candidate = &symbol;
    return fit == VersionFit::kYes;
  }
  [[nodiscard]] const elf::Symbol* only_candidate() const {
    return candidates == 1 ? candidate : nullptr;
  }

 private:
  static bool usable_name(const SymbolTable& table, const elf::Symbol& symbol,
                          const SymbolQuery& query) {
    return same_name(table, symbol, query) && usable(table, symbol, query);
  }
};

[[gnu::always_inline]] inline const elf::Symbol* probe_gnu(const LookupRecord& record,
                                                           const SymbolQuery& query) {
  uint32_t index = record.buckets[query.gnu_hash % record.bucket_count];
  if (index < record.first_symbol) return nullptr;  // 0 = empty bucket
  ChainMatch match;
  const uint32_t wanted = query.gnu_hash | 1;
  for (; index < record.symbol_limit; ++index) {
    const uint32_t chain = record.chain_zero[index];
    if ((chain | 1) == wanted && match.check(record, index, query)) return &record.symbols[index];
    if ((chain & 1) != 0) break;
  }
  return match.only_candidate();
}

uint32_t sysv_hash_of(SymbolQuery& query) {
  if (!query.sysv_ready) {
    query.sysv_hash = version_hash(query.name);  // the same function
    query.sysv_ready = true;
  }
  return query.sysv_hash;
}

[[gnu::noinline]] const elf::Symbol* probe_sysv(const LookupRecord& record, SymbolQuery& query) {
  const SysvHashFacts& hash = symbol_table_of(*record.module).image->sysv_hash;
  if (hash.buckets == nullptr) return nullptr;
  ChainMatch match;
  uint32_t index = hash.buckets[sysv_hash_of(query) % hash.bucket_count];
  // A chain has at most as many members as there are symbols: a longer walk is a damaged table's
  // cycle.
  for (uint32_t steps = 0; index != 0 && index < hash.chain_count && steps < hash.chain_count;
       ++steps) {
    if (match.check(record, index, query)) return &record.symbols[index];
    index = hash.chains[index];
  }
  return match.only_candidate();
}

// Filters of objects without a GNU hash table: all pass (SysV table) or none (no exported symbol).
constexpr elf::Word kAll = ~elf::Word{0}, kNone = 0;
constexpr uint32_t kBits = sizeof(elf::Word) * 8;

[[gnu::always_inline]] inline bool bloom_passes(const LookupRecord& record, uint32_t hash) {
  const elf::Word word = record.bloom[(hash / kBits) & record.bloom_mask];
  return ((word >> (hash % kBits)) & (word >> ((elf::Word{hash} >> record.bloom_shift) % kBits)) &
          1) != 0;
}

[[gnu::always_inline]] inline const elf::Symbol* probe(const LookupRecord& record,
                                                       SymbolQuery& query) {
  if (record.bucket_count == 0) [[unlikely]]
    return probe_sysv(record, query);
  return probe_gnu(record, query);
}

// Searches list[from..]. The walk is the hottest loop of the loader, so each way in has its own.
[[gnu::always_inline]] inline Definition walk_list(const SearchList& list, SymbolQuery& query,
                                                   uint32_t from, const Module* skip) {
  const LookupRecord* const records = list.records;
  const LookupRecord* const end = records + list.count;
  const uint32_t hash = query.gnu_hash;
  constexpr uint32_t kAhead = 6;  // hides the miss on the bloom word of the objects to come
  const LookupRecord* const far_end = list.count > kAhead ? end - kAhead : records;
  for (const LookupRecord* record = records + from; record < end; ++record) {
    if (record < far_end)
      __builtin_prefetch(record[kAhead].bloom + ((hash / kBits) & record[kAhead].bloom_mask));
    if (!bloom_passes(*record, hash)) continue;
    const elf::Symbol* symbol = probe(*record, query);
    if (symbol == nullptr || record->module == skip) continue;
    return {symbol, record->module};
  }
  return {};
}

constexpr uint32_t kStart = 5381, kFactor = 33, kFactor2 = kFactor * kFactor;
constexpr uint32_t kFactor4 = kFactor2 * kFactor2;
constexpr uint32_t kPowers[] = {1,
                                kFactor,
                                kFactor2,
                                kFactor* kFactor2,
                                kFactor4,
                                kFactor4* kFactor,
                                kFactor4* kFactor2,
                                kFactor4* kFactor2* kFactor,
                                kFactor4* kFactor4};

// What eight characters (the first one in the lowest byte) add to the hash of those before them.
uint32_t hash_of_eight(uint64_t word) {
  constexpr uint64_t kBytes = 0x00ff00ff00ff00ff, kPairs = 0x0000ffff0000ffff;
  const uint64_t pairs = (word & kBytes) * kFactor + (word >> 8 & kBytes);
  const uint64_t quads = (pairs & kPairs) * kFactor2 + (pairs >> 16 & kPairs);
  return static_cast<uint32_t>(quads) * kFactor4 + static_cast<uint32_t>(quads >> 32);
}

// Two characters a step: one product lies on the way from step to step.
SymbolQuery finish_query(const char* name, const char* end, uint32_t hash) {
  for (; *end != 0; end += 2) {
    const uint32_t first = static_cast<uint8_t>(end[0]), second = static_cast<uint8_t>(end[1]);
    if (second == 0) {
      hash = hash * kFactor + first;
      ++end;
      break;
    }
    hash = hash * kFactor2 + (first * kFactor + second);
  }
  return {.name = name, .length = static_cast<uint32_t>(end - name), .gnu_hash = hash};
}

}  // namespace

uint32_t gnu_hash(const char* name) { return make_query(name).gnu_hash; }

SymbolQuery make_query(const char* name) { return finish_query(name, name, kStart); }

// Eight bytes a step: products of neighbours in 16-bit lanes, then in 32-bit lanes, then both
// halves. A word that does not cross a page may be read past the NUL: that memory is mapped.
__attribute__((no_sanitize("address"))) SymbolQuery make_query_in_table(const char* name) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  constexpr uintptr_t kSmallestPage = 4096;
  uint32_t hash = kStart;
  for (const char* at = name;; at += 8) {
    if ((reinterpret_cast<uintptr_t>(at) & (kSmallestPage - 1)) > kSmallestPage - 8) [[unlikely]]
      return finish_query(name, at, hash);
    uint64_t word;
    __builtin_memcpy(&word, at, sizeof word);
    const uint64_t nul = (word - kOnes) & ~word & kHighs;
    if (nul == 0) {
      hash = hash * kPowers[8] + hash_of_eight(word);
      continue;
    }
    // The last characters move to the end of the word: zeros in front add nothing.
    const auto rest = static_cast<uint32_t>(__builtin_ctzll(nul)) / 8;
    if (rest != 0) hash = hash * kPowers[rest] + hash_of_eight(word << (64 - 8 * rest));
    return {.name = name, .length = static_cast<uint32_t>(at - name) + rest, .gnu_hash = hash};
  }
}

const elf::Symbol* find_in_object(const LookupRecord& record, SymbolQuery& query) {
  return bloom_passes(record, query.gnu_hash) ? probe(record, query) : nullptr;
}

Definition find_in_list(const SearchList& list, SymbolQuery& query, uint32_t from,
                        const Module* skip) {
  return walk_list(list, query, from, skip);
}

Definition find_in_lists(SearchList* const* lists, SymbolQuery& query, const Module* skip) {
  for (; *lists != nullptr; ++lists)
    if (const Definition found = walk_list(**lists, query, 0, skip); found.symbol != nullptr)
      return found;
  return {};
}

LookupRecord make_record(Module& module, const Image& image) {
  const auto& hash = image.gnu_hash;
  const bool gnu = hash.bloom != nullptr;
  return {.bloom = gnu                                  ? hash.bloom
                   : image.sysv_hash.buckets != nullptr ? &kAll
                                                        : &kNone,
          .buckets = hash.buckets,
          .chain_zero = hash.chain_zero,
          .symbols = image.symbols,
          .module = &module,
          .bloom_mask = hash.bloom_mask,
          .bucket_count = gnu ? hash.bucket_count : 0,
          .symbol_limit = image.symbol_limit,
          .bloom_shift = hash.bloom_shift,
          .first_symbol = hash.first_symbol == 0 ? 1 : hash.first_symbol};
}

}  // namespace prelude
