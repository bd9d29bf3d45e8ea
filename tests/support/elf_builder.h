// Builds small ELF objects in memory for tests: what a linker would write, plus whatever damage a
// test asks for. File offsets equal addresses. Three segments: tables (R), code (R+X), data (R+W)
// with a zero-filled tail.
#pragma once

#include <prelude/elf/format.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace prelude::test {

struct SymbolSpec {
  std::string name;
  uint64_t value = 0;
  uint64_t size = 0;
  uint8_t type = elf::kSttFunc;
  uint8_t binding = elf::kStbGlobal;
  uint8_t visibility = elf::kStvDefault;
  uint16_t shndx = 1;    ///< 0 = undefined
  uint16_t version = 1;  ///< index with the hidden bit, as in .gnu.version
};

struct VersionSpec {
  std::string name;
  uint16_t index = 0;
  std::string file = {};  ///< of a need; empty = a definition
  uint16_t flags = 0;
};

enum class HashTables : uint8_t { kNone, kGnu, kSysv, kBoth };

class ElfBuilder {
 public:
  static constexpr uint64_t kPage = 0x1000;
  static constexpr uint64_t kCodeBytes = 0x400, kDynamicBytes = 0x400, kDataBytes = 0x400,
                            kBssBytes = 0x800;

  ElfBuilder() = default;

  // What goes in. Symbols keep their order except that GNU hash tables need the defined ones last
  // and sorted by bucket: name them in symbol_index() after build().
  ElfBuilder& symbol(SymbolSpec spec) {
    symbols_.push_back(std::move(spec));
    return *this;
  }
  ElfBuilder& version(VersionSpec spec) {
    versions_.push_back(std::move(spec));
    return *this;
  }
  ElfBuilder& needed(const std::string& name);
  ElfBuilder& soname(const std::string& name);
  ElfBuilder& hash(HashTables tables) {
    hash_ = tables;
    return *this;
  }
  ElfBuilder& rela(uint64_t offset, uint32_t type, uint32_t symbol, int64_t addend);
  ElfBuilder& plt_rela(uint64_t offset, uint32_t type, uint32_t symbol, int64_t addend);
  ElfBuilder& relr(uint64_t word) {
    relr_.push_back(word);
    return *this;
  }
  ElfBuilder& tls(uint64_t filesz, uint64_t memsz, uint64_t align);
  ElfBuilder& relro(uint64_t bytes) {
    relro_ = bytes;
    return *this;
  }
  /// A whole PT_NOTE segment's bytes.
  ElfBuilder& note(std::vector<uint8_t> bytes) {
    note_ = std::move(bytes);
    return *this;
  }
  /// A further dynamic entry, or a value in the place of the one build() would write.
  ElfBuilder& set(int64_t tag, uint64_t value) {
    overrides_[tag] = value;
    return *this;
  }
  ElfBuilder& remove(int64_t tag) {
    removed_.push_back(tag);
    return *this;
  }
  ElfBuilder& string(const std::string& text, uint64_t* offset);
  ElfBuilder& type(uint16_t value) {
    type_ = value;
    return *this;
  }

  /// The file.
  std::vector<uint8_t> build();

  // Valid after build().
  [[nodiscard]] uint64_t code() const { return code_; }  ///< vaddr of the code
  [[nodiscard]] uint64_t data() const { return data_; }  ///< vaddr of kDataBytes free for tests
  [[nodiscard]] uint64_t dynamic() const { return dynamic_at_; }
  [[nodiscard]] uint64_t at(int64_t tag) const {
    return values_.at(tag);
  }  ///< value of a dynamic entry
  [[nodiscard]] uint32_t symbol_index(const std::string& name) const;
  [[nodiscard]] uint64_t header(
      uint32_t type) const;  ///< file offset of the first such program header

 private:
  uint64_t put(const void* bytes, size_t count, size_t align);
  uint32_t add_string(const std::string& text);
  void put_symbols();
  void put_gnu_hash();
  void put_sysv_hash();
  void put_versions();
  void put_relocations();
  void put_segments();
  void entry(int64_t tag, uint64_t value);

  std::vector<SymbolSpec> symbols_;
  std::vector<VersionSpec> versions_;
  std::vector<uint64_t> needed_, relr_;
  std::vector<elf::Rela> rela_, plt_rela_;
  std::vector<uint8_t> note_;
  std::map<int64_t, uint64_t> overrides_, values_;
  std::vector<int64_t> removed_;
  std::string strings_ = std::string(1, '\0');
  uint64_t soname_ = 0, relro_ = 0;
  uint64_t tls_filesz_ = 0, tls_memsz_ = 0, tls_align_ = 0;
  HashTables hash_ = HashTables::kGnu;
  uint16_t type_ = elf::kTypeDyn;

  std::vector<uint8_t> file_;
  std::vector<elf::Dynamic> dynamic_;
  std::vector<elf::ProgramHeader> headers_;
  uint64_t code_ = 0, data_ = 0, dynamic_at_ = 0, note_at_ = 0;
  uint32_t first_hashed_ = 1;
};

uint32_t gnu_hash_of(const std::string& name);
uint32_t elf_hash_of(const std::string& name);

}  // namespace prelude::test
