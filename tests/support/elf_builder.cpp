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

ElfBuilder& ElfBuilder::needed(const std::string& name) {
  needed_.push_back(add_string(name));
  return *this;
}
ElfBuilder& ElfBuilder::soname(const std::string& name) {
  soname_ = add_string(name);
  return *this;
}
ElfBuilder& ElfBuilder::string(const std::string& text, uint64_t* offset) {
  *offset = add_string(text);
  return *this;
}
ElfBuilder& ElfBuilder::rela(uint64_t offset, uint32_t type, uint32_t symbol, int64_t addend) {
  rela_.push_back({offset, uint64_t{symbol} << 32 | type, addend});
  return *this;
}
ElfBuilder& ElfBuilder::plt_rela(uint64_t offset, uint32_t type, uint32_t symbol, int64_t addend) {
  plt_rela_.push_back({offset, uint64_t{symbol} << 32 | type, addend});
  return *this;
}
ElfBuilder& ElfBuilder::tls(uint64_t filesz, uint64_t memsz, uint64_t align) {
  tls_filesz_ = filesz;
  tls_memsz_ = memsz;
  tls_align_ = align;
  return *this;
}

uint64_t ElfBuilder::put(const void* bytes, size_t count, size_t align) {
  while (file_.size() % align != 0) file_.push_back(0);
  const uint64_t at = file_.size();
  const auto* from = static_cast<const uint8_t*>(bytes);
  file_.insert(file_.end(), from, from + count);
  return at;
}

uint32_t ElfBuilder::add_string(const std::string& text) {
  const auto at = static_cast<uint32_t>(strings_.size());
  strings_ += text;
  strings_ += '\0';
  return at;
}

uint32_t ElfBuilder::symbol_index(const std::string& name) const {
  for (size_t i = 0; i < symbols_.size(); ++i)
    if (symbols_[i].name == name) return static_cast<uint32_t>(i + 1);
  return 0;
}

uint64_t ElfBuilder::header(uint32_t type) const {
  for (size_t i = 0; i < headers_.size(); ++i)
    if (headers_[i].type == type) return sizeof(elf::FileHeader) + i * sizeof(elf::ProgramHeader);
  return 0;
}

void ElfBuilder::entry(int64_t tag, uint64_t value) {
  if (std::find(removed_.begin(), removed_.end(), tag) != removed_.end()) return;
  if (const auto found = overrides_.find(tag); found != overrides_.end()) {
    value = found->second;
    overrides_.erase(found);
  }
  values_[tag] = value;
  dynamic_.push_back({tag, value});
}

void ElfBuilder::put_symbols() {
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
  std::vector<elf::Symbol> table(1);
  for (const SymbolSpec& s : symbols_)
    table.push_back({add_string(s.name), static_cast<uint8_t>(s.binding << 4 | s.type),
                     s.visibility, s.shndx, s.value, s.size});
  entry(elf::kDtSymTab, put(table.data(), table.size() * sizeof(elf::Symbol), 8));
  entry(elf::kDtSymEnt, sizeof(elf::Symbol));
}

void ElfBuilder::put_gnu_hash() {
  std::vector<uint32_t> words{kBuckets, first_hashed_, kBloomWords, kBloomShift};
  uint64_t bloom[kBloomWords] = {};
  uint32_t buckets[kBuckets] = {};
  std::vector<uint32_t> chains;
  for (uint32_t i = first_hashed_; i <= symbols_.size(); ++i) {
    const uint32_t hash = gnu_hash_of(symbols_[i - 1].name);
    bloom[hash / 64 % kBloomWords] |= uint64_t{1} << hash % 64 | uint64_t{1}
                                                                     << (hash >> kBloomShift) % 64;
    uint32_t& bucket = buckets[hash % kBuckets];
    if (bucket == 0) bucket = i;
    const bool last =
        i == symbols_.size() || gnu_hash_of(symbols_[i].name) % kBuckets != hash % kBuckets;
    chains.push_back((hash & ~1U) | (last ? 1 : 0));
  }
  const auto* bloom_words = reinterpret_cast<const uint32_t*>(bloom);
  words.insert(words.end(), bloom_words, bloom_words + 2 * size_t{kBloomWords});
  words.insert(words.end(), buckets, buckets + kBuckets);
  words.insert(words.end(), chains.begin(), chains.end());
  entry(elf::kDtGnuHash, put(words.data(), words.size() * 4, 8));
}

void ElfBuilder::put_sysv_hash() {
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

void ElfBuilder::put_versions() {
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

void ElfBuilder::put_relocations() {
  if (!rela_.empty()) {
    entry(elf::kDtRela, put(rela_.data(), rela_.size() * sizeof(elf::Rela), 8));
    entry(elf::kDtRelaSz, rela_.size() * sizeof(elf::Rela));
    entry(elf::kDtRelaEnt, sizeof(elf::Rela));
  }
  if (!plt_rela_.empty()) {
    entry(elf::kDtJmpRel, put(plt_rela_.data(), plt_rela_.size() * sizeof(elf::Rela), 8));
    entry(elf::kDtPltRelSz, plt_rela_.size() * sizeof(elf::Rela));
    entry(elf::kDtPltRel, elf::kDtRela);
  }
  if (!relr_.empty()) {
    entry(elf::kDtRelr, put(relr_.data(), relr_.size() * 8, 8));
    entry(elf::kDtRelrSz, relr_.size() * 8);
    entry(elf::kDtRelrEnt, 8);
  }
}

void ElfBuilder::put_segments() {
  const uint64_t tables = file_.size();
  file_.resize((file_.size() + kPage - 1) / kPage * kPage);
  code_ = file_.size();
  file_.resize(code_ + kPage);
  dynamic_at_ = file_.size();
  for (const auto& [tag, value] : std::map<int64_t, uint64_t>(overrides_)) entry(tag, value);
  dynamic_.push_back({elf::kDtNull, 0});
  put(dynamic_.data(), dynamic_.size() * sizeof(elf::Dynamic), 8);
  data_ = dynamic_at_ + kDynamicBytes;  // fixed, so that further entries move nothing
  file_.resize(data_ + kDataBytes);
  const uint64_t end = file_.size(), r = elf::kPfR;
  headers_ = {
      {elf::kPtLoad, elf::kPfR, 0, 0, 0, tables, tables, kPage},
      {elf::kPtLoad, elf::kPfR | elf::kPfX, code_, code_, code_, kCodeBytes, kCodeBytes, kPage},
      {elf::kPtLoad, elf::kPfR | elf::kPfW, dynamic_at_, dynamic_at_, dynamic_at_,
       end - dynamic_at_, end - dynamic_at_ + kBssBytes, kPage},
      {elf::kPtDynamic, elf::kPfR | elf::kPfW, dynamic_at_, dynamic_at_, dynamic_at_,
       dynamic_.size() * sizeof(elf::Dynamic), dynamic_.size() * sizeof(elf::Dynamic), 8},
  };
  const auto flags = static_cast<uint32_t>(r);
  if (tls_memsz_ != 0)
    headers_.push_back(
        {elf::kPtTls, flags, data_, data_, data_, tls_filesz_, tls_memsz_, tls_align_});
  if (relro_ != 0)
    headers_.push_back(
        {elf::kPtGnuRelro, flags, dynamic_at_, dynamic_at_, dynamic_at_, relro_, relro_, 1});
  if (!note_.empty())
    headers_.push_back(
        {elf::kPtNote, flags, note_at_, note_at_, note_at_, note_.size(), note_.size(), 4});
  headers_.push_back({elf::kPtGnuStack, elf::kPfR | elf::kPfW, 0, 0, 0, 0, 0, 16});
}

std::vector<uint8_t> ElfBuilder::build() {
  file_.assign(sizeof(elf::FileHeader) + kHeaders * sizeof(elf::ProgramHeader), 0);
  dynamic_.clear();
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
  const elf::FileHeader header{{0x7f, 'E', 'L', 'F', elf::kClass64, elf::kDataLittle, 1},
                               type_,
                               62,
                               1,
                               code_,
                               sizeof(elf::FileHeader),
                               0,
                               0,
                               sizeof(elf::FileHeader),
                               sizeof(elf::ProgramHeader),
                               static_cast<uint16_t>(headers_.size()),
                               64,
                               0,
                               0};
  std::memcpy(file_.data(), &header, sizeof header);
  std::memcpy(file_.data() + sizeof header, headers_.data(),
              headers_.size() * sizeof(elf::ProgramHeader));
  return file_;
}

}  // namespace prelude::test
