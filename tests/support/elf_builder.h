// Builds small ELF objects in memory for tests: what a linker would write, plus whatever damage a
// test asks for. File offsets equal addresses. Three segments: tables (R), code (R+X), data (R+W)
// with a zero-filled tail. The class is a parameter; ElfBuilder makes objects for x86-64.
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

/// The machine whose objects tests of a class are about.
template <typename Elf>
inline constexpr uint16_t kMachineOf = Elf::kClass == elf::kClass64 ? 62 : 3;

template <typename Elf>
class BasicElfBuilder {
 public:
  using Word = typename Elf::Word;

  static constexpr uint64_t kPage = 0x1000;
  static constexpr uint64_t kCodeBytes = 0x400, kDynamicBytes = 0x400, kDataBytes = 0x400,
                            kBssBytes = 0x800;

  BasicElfBuilder() = default;

  // What goes in. Symbols keep their order except that GNU hash tables need the defined ones last
  // and sorted by bucket: name them in symbol_index() after build().
  BasicElfBuilder& symbol(SymbolSpec spec) {
    symbols_.push_back(std::move(spec));
    return *this;
  }
  BasicElfBuilder& version(VersionSpec spec) {
    versions_.push_back(std::move(spec));
    return *this;
  }
  BasicElfBuilder& needed(const std::string& name);
  BasicElfBuilder& soname(const std::string& name);
  BasicElfBuilder& hash(HashTables tables) {
    hash_ = tables;
    return *this;
  }
  /// Where the class has no field for addends, they are put in place.
  BasicElfBuilder& rela(uint64_t offset, uint32_t type, uint32_t symbol, int64_t addend);
  BasicElfBuilder& plt_rela(uint64_t offset, uint32_t type, uint32_t symbol, int64_t addend);
  BasicElfBuilder& relr(uint64_t word) {
    relr_.push_back(static_cast<Word>(word));
    return *this;
  }
  BasicElfBuilder& tls(uint64_t filesz, uint64_t memsz, uint64_t align);
  BasicElfBuilder& relro(uint64_t bytes) {
    relro_ = bytes;
    return *this;
  }
  /// A whole PT_NOTE segment's bytes.
  BasicElfBuilder& note(std::vector<uint8_t> bytes) {
    note_ = std::move(bytes);
    return *this;
  }
  /// A further dynamic entry, or a value in the place of the one build() would write.
  BasicElfBuilder& set(int64_t tag, uint64_t value) {
    overrides_[tag] = value;
    return *this;
  }
  BasicElfBuilder& remove(int64_t tag) {
    removed_.push_back(tag);
    return *this;
  }
  BasicElfBuilder& string(const std::string& text, uint64_t* offset);
  BasicElfBuilder& type(uint16_t value) {
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
  void add_header(uint32_t type, uint32_t flags, uint64_t at, uint64_t filesz, uint64_t memsz,
                  uint64_t align);
  void entry(int64_t tag, uint64_t value);

  std::vector<SymbolSpec> symbols_;
  std::vector<VersionSpec> versions_;
  struct RelocationSpec {
    uint64_t offset;
    uint32_t type, symbol;
    int64_t addend;
  };
  uint64_t put_table(const std::vector<RelocationSpec>& specs);
  void put_addends(const std::vector<RelocationSpec>& specs);

  std::vector<uint64_t> needed_;
  std::vector<Word> relr_;
  std::vector<RelocationSpec> rela_, plt_rela_;
  std::vector<uint8_t> note_;
  std::map<int64_t, uint64_t> overrides_, values_;
  std::vector<int64_t> removed_;
  std::string strings_ = std::string(1, '\0');
  uint64_t soname_ = 0, relro_ = 0;
  uint64_t tls_filesz_ = 0, tls_memsz_ = 0, tls_align_ = 0;
  HashTables hash_ = HashTables::kGnu;
  uint16_t type_ = elf::kTypeDyn;

  std::vector<uint8_t> file_;
  std::vector<typename Elf::Dynamic> dynamic_;
  std::vector<typename Elf::ProgramHeader> headers_;
  uint64_t code_ = 0, data_ = 0, dynamic_at_ = 0, note_at_ = 0;
  uint32_t first_hashed_ = 1;
};

using ElfBuilder = BasicElfBuilder<elf::Elf64>;

uint32_t gnu_hash_of(const std::string& name);
uint32_t elf_hash_of(const std::string& name);

}  // namespace prelude::test
