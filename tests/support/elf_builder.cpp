#include "elf_builder.h"

#include <algorithm>
#include <cstring>

namespace prelude::test {
namespace {

constexpr uint32_t kBuckets = 3, kBloomWords = 2, kBloomShift = 6;
constexpr size_t kHeaders = 8;

template <typename T>
void append(std::vector<uint8_t>& out, const T& value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

}  // namespace

uint32_t gnu_hash_of(const std::string& name) {
  uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<uint8_t>(c);
  return hash;
}

uint32_t elf_hash_of(const std::string& name) {
  uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4) + static_cast<uint8_t>(c);
    const uint32_t high = hash & 0xf0000000;
    hash = (hash ^ (high >> 24)) & ~high;
  }
  return hash;
}

template <typename Elf>
BasicElfBuilder<Elf>& BasicElfBuilder<Elf>::needed(const std::string& name) {
  needed_.push_back(add_string(name));
  return *this;
}
template <typename Elf>
BasicElfBuilder<Elf>& BasicElfBuilder<Elf>::soname(const std::string& name) {
  soname_ = add_string(name);
  return *this;
}
template <typename Elf>
BasicElfBuilder<Elf>& BasicElfBuilder<Elf>::string(const std::string& text, uint64_t* offset) {
  *offset = add_string(text);
  return *this;
}
template <typename Elf>
BasicElfBuilder<Elf>& BasicElfBuilder<Elf>::rela(uint64_t offset, uint32_t type, uint32_t symbol,
                                                 int64_t addend) {
  rela_.push_back({offset, type, symbol, addend});
  return *this;
}
template <typename Elf>
BasicElfBuilder<Elf>& BasicElfBuilder<Elf>::plt_rela(uint64_t offset, uint32_t type,
                                                     uint32_t symbol, int64_t addend) {
  plt_rela_.push_back({offset, type, symbol, addend});
  return *this;
}
template <typename Elf>
BasicElfBuilder<Elf>& BasicElfBuilder<Elf>::tls(uint64_t filesz, uint64_t memsz, uint64_t align) {
  tls_filesz_ = filesz;
  tls_memsz_ = memsz;
  tls_align_ = align;
  return *this;
}

template <typename Elf>
uint64_t BasicElfBuilder<Elf>::put(const void* bytes, size_t count, size_t align) {
  while (file_.size() % align != 0) file_.push_back(0);
  const uint64_t at = file_.size();
  const auto* from = static_cast<const uint8_t*>(bytes);
  file_.insert(file_.end(), from, from + count);
  return at;
}

template <typename Elf>
uint32_t BasicElfBuilder<Elf>::add_string(const std::string& text) {
  const auto at = static_cast<uint32_t>(strings_.size());
  strings_ += text;
  strings_ += '\0';
  return at;
}

template <typename Elf>
uint32_t BasicElfBuilder<Elf>::symbol_index(const std::string& name) const {
  for (size_t i = 0; i < symbols_.size(); ++i)
    if (symbols_[i].name == name) return static_cast<uint32_t>(i + 1);
  return 0;
}

template <typename Elf>
uint64_t BasicElfBuilder<Elf>::header(uint32_t type) const {
  for (size_t i = 0; i < headers_.size(); ++i)
    if (headers_[i].type == type)
      return sizeof(typename Elf::FileHeader) + i * sizeof(typename Elf::ProgramHeader);
  return 0;
}

template <typename Elf>
void BasicElfBuilder<Elf>::entry(int64_t tag, uint64_t value) {
  if (std::find(removed_.begin(), removed_.end(), tag) != removed_.end()) return;
  if (const auto found = overrides_.find(tag); found != overrides_.end()) {
    value = found->second;
    overrides_.erase(found);
  }
  values_[tag] = value;
  dynamic_.push_back({static_cast<std::make_signed_t<Word>>(tag), static_cast<Word>(value)});
}

template <typename Elf>
void BasicElfBuilder<Elf>::put_symbols() {
  const bool gnu = hash_ == HashTables::kGnu || hash_ == HashTables::kBoth;
  if (gnu) {
    std::stable_partition(symbols_.begin(), symbols_.end(),
                          [](const SymbolSpec& s) { return s.shndx == 0; });
    const auto first = std::find_if(symbols_.begin(), symbols_.end(),
                                    [](const SymbolSpec& s) { return s.shndx != 0; });
    std::stable_sort(first, symbols_.end(), [](const SymbolSpec& a, const SymbolSpec& b) {
      return gnu_hash_of(a.name) % kBuckets < gnu_hash_of(b.name) % kBuckets;
    });
    first_hashed_ = static_cast<uint32_t>(first - symbols_.begin()) + 1;
  }
  std::vector<typename Elf::Symbol> table(1);
  for (const SymbolSpec& s : symbols_) {
    typename Elf::Symbol& symbol = table.emplace_back();
    symbol.name = add_string(s.name);
    symbol.info = static_cast<uint8_t>(s.binding << 4 | s.type);
    symbol.other = s.visibility;
    symbol.shndx = s.shndx;
    symbol.value = static_cast<Word>(s.value);
    symbol.size = static_cast<Word>(s.size);
  }
  entry(elf::kDtSymTab, put(table.data(), table.size() * sizeof(typename Elf::Symbol), 8));
  entry(elf::kDtSymEnt, sizeof(typename Elf::Symbol));
}

template <typename Elf>
void BasicElfBuilder<Elf>::put_gnu_hash() {
  std::vector<uint32_t> words{kBuckets, first_hashed_, kBloomWords, kBloomShift};
  constexpr uint32_t kBits = sizeof(Word) * 8;
  Word bloom[kBloomWords] = {};
  uint32_t buckets[kBuckets] = {};
  std::vector<uint32_t> chains;
  for (uint32_t i = first_hashed_; i <= symbols_.size(); ++i) {
    const uint32_t hash = gnu_hash_of(symbols_[i - 1].name);
    bloom[hash / kBits % kBloomWords] |=
        Word{1} << hash % kBits | Word{1} << (hash >> kBloomShift) % kBits;
    uint32_t& bucket = buckets[hash % kBuckets];
    if (bucket == 0) bucket = i;
    const bool last =
        i == symbols_.size() || gnu_hash_of(symbols_[i].name) % kBuckets != hash % kBuckets;
    chains.push_back((hash & ~1U) | (last ? 1 : 0));
  }
  const auto* bloom_words = reinterpret_cast<const uint32_t*>(bloom);
  words.insert(words.end(), bloom_words, bloom_words + sizeof bloom / 4);
  words.insert(words.end(), buckets, buckets + kBuckets);
  words.insert(words.end(), chains.begin(), chains.end());
  entry(elf::kDtGnuHash, put(words.data(), words.size() * 4, 8));
}

template <typename Elf>
void BasicElfBuilder<Elf>::put_sysv_hash() {
  const auto count = static_cast<uint32_t>(symbols_.size()) + 1;
  std::vector<uint32_t> words{kBuckets, count};
  words.resize(2 + kBuckets + count);
  for (uint32_t i = 1; i < count; ++i) {
    uint32_t& bucket = words[2 + elf_hash_of(symbols_[i - 1].name) % kBuckets];
    words[2 + kBuckets + i] = bucket;
    bucket = i;
  }
  entry(elf::kDtHash, put(words.data(), words.size() * 4, 8));
}

template <typename Elf>
void BasicElfBuilder<Elf>::put_versions() {
  if (versions_.empty()) return;
  std::vector<uint16_t> indexes(1);
  for (const SymbolSpec& s : symbols_) indexes.push_back(s.version);
  entry(elf::kDtVerSym, put(indexes.data(), indexes.size() * 2, 2));
  std::vector<uint8_t> defs, needs;
  uint32_t def_count = 0, need_count = 0;
  for (const VersionSpec& v : versions_) (v.file.empty() ? def_count : need_count) += 1;
  uint32_t defs_left = def_count, needs_left = need_count;
  for (const VersionSpec& v : versions_) {
    const uint32_t name = add_string(v.name);
    if (v.file.empty()) {
      const uint32_t next = --defs_left == 0 ? 0 : sizeof(elf::VerDef) + sizeof(elf::VerDefAux);
      append(defs,
             elf::VerDef{1, v.flags, v.index, 1, elf_hash_of(v.name), sizeof(elf::VerDef), next});
      append(defs, elf::VerDefAux{name, 0});
    } else {
      const uint32_t next = --needs_left == 0 ? 0 : sizeof(elf::VerNeed) + sizeof(elf::VerNeedAux);
      append(needs, elf::VerNeed{1, 1, add_string(v.file), sizeof(elf::VerNeed), next});
      append(needs, elf::VerNeedAux{elf_hash_of(v.name), v.flags, v.index, name, 0});
    }
  }
  if (def_count != 0) {
    entry(elf::kDtVerDef, put(defs.data(), defs.size(), 8));
    entry(elf::kDtVerDefNum, def_count);
  }
  if (need_count != 0) {
    entry(elf::kDtVerNeed, put(needs.data(), needs.size(), 8));
    entry(elf::kDtVerNeedNum, need_count);
  }
}

template <typename Elf>
void BasicElfBuilder<Elf>::put_relocations() {
  constexpr uint64_t kEntry = sizeof(typename Elf::Relocation);
  constexpr bool kAddends = Elf::kHasAddends;
  if (!rela_.empty()) {
    entry(kAddends ? elf::kDtRela : elf::kDtRel, put_table(rela_));
    entry(kAddends ? elf::kDtRelaSz : elf::kDtRelSz, rela_.size() * kEntry);
    entry(kAddends ? elf::kDtRelaEnt : elf::kDtRelEnt, kEntry);
  }
  if (!plt_rela_.empty()) {
    entry(elf::kDtJmpRel, put_table(plt_rela_));
    entry(elf::kDtPltRelSz, plt_rela_.size() * kEntry);
    entry(elf::kDtPltRel, kAddends ? elf::kDtRela : elf::kDtRel);
  }
  if (!relr_.empty()) {
    entry(elf::kDtRelr, put(relr_.data(), relr_.size() * sizeof(Word), 8));
    entry(elf::kDtRelrSz, relr_.size() * sizeof(Word));
    entry(elf::kDtRelrEnt, sizeof(Word));
  }
}

template <typename Elf>
uint64_t BasicElfBuilder<Elf>::put_table(const std::vector<RelocationSpec>& specs) {
  std::vector<typename Elf::Relocation> table;
  for (const RelocationSpec& spec : specs) {
    auto& relocation = table.emplace_back();
    relocation.offset = static_cast<Word>(spec.offset);
    relocation.info = Elf::Relocation::make_info(spec.symbol, spec.type);
    if constexpr (Elf::kHasAddends) relocation.addend = spec.addend;
  }
  return put(table.data(), table.size() * sizeof table[0], 8);
}

// Entries that point outside of the file's bytes are there to be refused. Those without an addend
// leave the bytes as they are.
template <typename Elf>
void BasicElfBuilder<Elf>::put_addends(const std::vector<RelocationSpec>& specs) {
  for (const RelocationSpec& spec : specs) {
    const auto addend = static_cast<Word>(spec.addend);
    if (addend != 0 && spec.offset < file_.size() && file_.size() - spec.offset >= sizeof addend)
      std::memcpy(file_.data() + spec.offset, &addend, sizeof addend);
  }
}

template <typename Elf>
void BasicElfBuilder<Elf>::put_segments() {
  const uint64_t tables = file_.size();
  file_.resize((file_.size() + kPage - 1) / kPage * kPage);
  code_ = file_.size();
  file_.resize(code_ + kPage);
  dynamic_at_ = file_.size();
  for (const auto& [tag, value] : std::map<int64_t, uint64_t>(overrides_)) entry(tag, value);
  dynamic_.push_back({elf::kDtNull, 0});
  put(dynamic_.data(), dynamic_.size() * sizeof(typename Elf::Dynamic), 8);
  data_ = dynamic_at_ + kDynamicBytes;  // fixed, so that further entries move nothing
  file_.resize(data_ + kDataBytes);
  if constexpr (!Elf::kHasAddends) {
    put_addends(rela_);
    put_addends(plt_rela_);
  }
  const uint64_t data_bytes = file_.size() - dynamic_at_;
  const uint64_t dynamic_bytes = dynamic_.size() * sizeof dynamic_[0];
  const uint32_t r = elf::kPfR, w = elf::kPfW, x = elf::kPfX;
  add_header(elf::kPtLoad, r, 0, tables, tables, kPage);
  add_header(elf::kPtLoad, r | x, code_, kCodeBytes, kCodeBytes, kPage);
  add_header(elf::kPtLoad, r | w, dynamic_at_, data_bytes, data_bytes + kBssBytes, kPage);
  add_header(elf::kPtDynamic, r | w, dynamic_at_, dynamic_bytes, dynamic_bytes, 8);
  if (tls_memsz_ != 0) add_header(elf::kPtTls, r, data_, tls_filesz_, tls_memsz_, tls_align_);
  if (relro_ != 0) add_header(elf::kPtGnuRelro, r, dynamic_at_, relro_, relro_, 1);
  if (!note_.empty()) add_header(elf::kPtNote, r, note_at_, note_.size(), note_.size(), 4);
  add_header(elf::kPtGnuStack, r | w, 0, 0, 0, 16);
}

template <typename Elf>
void BasicElfBuilder<Elf>::add_header(uint32_t type, uint32_t flags, uint64_t at, uint64_t filesz,
                                      uint64_t memsz, uint64_t align) {
  typename Elf::ProgramHeader& header = headers_.emplace_back();
  header.type = type;
  header.flags = flags;
  header.offset = header.vaddr = header.paddr = static_cast<Word>(at);
  header.filesz = static_cast<Word>(filesz);
  header.memsz = static_cast<Word>(memsz);
  header.align = static_cast<Word>(align);
}

template <typename Elf>
std::vector<uint8_t> BasicElfBuilder<Elf>::build() {
  file_.assign(sizeof(typename Elf::FileHeader) + kHeaders * sizeof(typename Elf::ProgramHeader),
               0);
  dynamic_.clear();
  headers_.clear();
  values_.clear();
  for (const uint64_t name : needed_) entry(elf::kDtNeeded, name);
  if (soname_ != 0) entry(elf::kDtSoname, soname_);
  put_symbols();
  if (hash_ == HashTables::kGnu || hash_ == HashTables::kBoth) put_gnu_hash();
  if (hash_ == HashTables::kSysv || hash_ == HashTables::kBoth) put_sysv_hash();
  put_versions();
  put_relocations();
  if (!note_.empty()) note_at_ = put(note_.data(), note_.size(), 8);
  entry(elf::kDtStrTab, put(strings_.data(), strings_.size(), 8));
  entry(elf::kDtStrSz, strings_.size());
  put_segments();
  const typename Elf::FileHeader header{{0x7f, 'E', 'L', 'F', Elf::kClass, elf::kDataLittle, 1},
                                        type_,
                                        kMachineOf<Elf>,
                                        1,
                                        static_cast<Word>(code_),
                                        sizeof(typename Elf::FileHeader),
                                        0,
                                        0,
                                        sizeof(typename Elf::FileHeader),
                                        sizeof(typename Elf::ProgramHeader),
                                        static_cast<uint16_t>(headers_.size()),
                                        64,
                                        0,
                                        0};
  std::memcpy(file_.data(), &header, sizeof header);
  std::memcpy(file_.data() + sizeof header, headers_.data(),
              headers_.size() * sizeof(typename Elf::ProgramHeader));
  return file_;
}

template class BasicElfBuilder<elf::Elf64>;
template class BasicElfBuilder<elf::Elf32>;

}  // namespace prelude::test
