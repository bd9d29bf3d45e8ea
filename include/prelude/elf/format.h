// ELF structures and constants as the gABI, the GNU extensions and the psABIs define them.
// Data only: no reading, no checking. What differs between the classes of 32 and 64 bits is a
// member of Elf32 and Elf64, which decoders take as a parameter; the rest of the loader knows the
// structures of the class that it is built for, by their plain names.
#pragma once

#include <cstdint>
#include <type_traits>

namespace prelude::elf {

inline constexpr uint8_t kIdentClass = 4, kIdentData = 5, kIdentVersion = 6, kIdentOsAbi = 7,
                         kIdentAbiVersion = 8, kIdentPad = 9;
inline constexpr uint8_t kClass32 = 1, kClass64 = 2;
inline constexpr uint8_t kDataLittle = 1;
inline constexpr uint8_t kOsAbiSysv = 0, kOsAbiGnu = 3;
inline constexpr uint16_t kTypeExec = 2, kTypeDyn = 3;

inline constexpr uint32_t kPtLoad = 1, kPtDynamic = 2, kPtInterp = 3, kPtNote = 4, kPtPhdr = 6,
                          kPtTls = 7, kPtGnuEhFrame = 0x6474e550, kPtGnuStack = 0x6474e551,
                          kPtGnuRelro = 0x6474e552, kPtGnuProperty = 0x6474e553;
inline constexpr uint32_t kPfX = 1, kPfW = 2, kPfR = 4;

enum Tag : int64_t {
  kDtNull = 0,
  kDtNeeded = 1,
  kDtPltRelSz = 2,
  kDtPltGot = 3,
  kDtHash = 4,
  kDtStrTab = 5,
  kDtSymTab = 6,
  kDtRela = 7,
  kDtRelaSz = 8,
  kDtRelaEnt = 9,
  kDtStrSz = 10,
  kDtSymEnt = 11,
  kDtInit = 12,
  kDtFini = 13,
  kDtSoname = 14,
  kDtRpath = 15,
  kDtSymbolic = 16,
  kDtRel = 17,
  kDtRelSz = 18,
  kDtRelEnt = 19,
  kDtPltRel = 20,
  kDtDebug = 21,
  kDtTextRel = 22,
  kDtJmpRel = 23,
  kDtBindNow = 24,
  kDtInitArray = 25,
  kDtFiniArray = 26,
  kDtInitArraySz = 27,
  kDtFiniArraySz = 28,
  kDtRunpath = 29,
  kDtFlags = 30,
  kDtPreinitArray = 32,
  kDtPreinitArraySz = 33,
  kDtSymTabShndx = 34,
  kDtRelrSz = 35,
  kDtRelr = 36,
  kDtRelrEnt = 37,
  kDtGnuHash = 0x6ffffef5,
  kDtTlsDescPlt = 0x6ffffef6,
  kDtTlsDescGot = 0x6ffffef7,
  kDtDepAudit = 0x6ffffefb,
  kDtAudit = 0x6ffffefc,
  kDtVerSym = 0x6ffffff0,
  kDtRelaCount = 0x6ffffff9,
  kDtRelCount = 0x6ffffffa,
  kDtFlags1 = 0x6ffffffb,
  kDtVerDef = 0x6ffffffc,
  kDtVerDefNum = 0x6ffffffd,
  kDtVerNeed = 0x6ffffffe,
  kDtVerNeedNum = 0x6fffffff,
  kDtAuxiliary = 0x7ffffffd,
  kDtFilter = 0x7fffffff,
};

inline constexpr uint64_t kDfOrigin = 1, kDfSymbolic = 2, kDfTextRel = 4, kDfBindNow = 8,
                          kDfStaticTls = 16;
inline constexpr uint64_t kDf1Now = 1, kDf1Global = 2, kDf1NoDelete = 8, kDf1InitFirst = 0x20,
                          kDf1NoOpen = 0x40, kDf1Origin = 0x80, kDf1NoDefLib = 0x800,
                          kDf1Pie = 0x08000000;

inline constexpr uint8_t kStbLocal = 0, kStbGlobal = 1, kStbWeak = 2, kStbGnuUnique = 10;
inline constexpr uint8_t kSttNoType = 0, kSttObject = 1, kSttFunc = 2, kSttSection = 3,
                         kSttFile = 4, kSttCommon = 5, kSttTls = 6, kSttGnuIfunc = 10;
inline constexpr uint8_t kStvDefault = 0, kStvInternal = 1, kStvHidden = 2, kStvProtected = 3;
inline constexpr uint16_t kShnUndef = 0, kShnAbs = 0xfff1, kShnCommon = 0xfff2;

// Symbol versions: LSB "Symbol Versioning".
struct VerDef {
  uint16_t version, flags, index, aux_count;
  uint32_t hash, aux, next;
};
struct VerDefAux {
  uint32_t name, next;
};
struct VerNeed {
  uint16_t version, aux_count;
  uint32_t file, aux, next;
};
struct VerNeedAux {
  uint32_t hash;
  uint16_t flags, other;
  uint32_t name, next;
};
static_assert(sizeof(VerDef) == 20 && sizeof(VerDefAux) == 8);
static_assert(sizeof(VerNeed) == 16 && sizeof(VerNeedAux) == 16);
inline constexpr uint16_t kVerFlagBase = 1, kVerFlagWeak = 2;
inline constexpr uint16_t kVerIndexHidden = 0x8000;

struct NoteHeader {
  uint32_t name_size, desc_size, type;
};
inline constexpr uint32_t kNoteGnuAbiTag = 1, kNoteGnuBuildId = 3, kNoteGnuProperty = 5;
// GNU_PROPERTY_1_NEEDED and its bit 0, INDIRECT_EXTERN_ACCESS.
inline constexpr uint32_t kPropertyNeeded1 = 0xb0008000, kNeeded1IndirectExternAccess = 1;

enum Aux : uint64_t {
  kAtNull = 0,
  kAtPhdr = 3,
  kAtPhent = 4,
  kAtPhnum = 5,
  kAtPageSize = 6,
  kAtBase = 7,
  kAtFlags = 8,
  kAtEntry = 9,
  kAtUid = 11,
  kAtEuid = 12,
  kAtGid = 13,
  kAtEgid = 14,
  kAtPlatform = 15,
  kAtHwcap = 16,
  kAtClockTick = 17,
  kAtSecure = 23,
  kAtRandom = 25,
  kAtHwcap2 = 26,
  kAtHwcap3 = 29,
  kAtHwcap4 = 30,
  kAtRseqFeatureSize = 27,
  kAtRseqAlign = 28,
  kAtExecFn = 31,
  kAtSysinfoEhdr = 33,
  kAtMinSigStackSize = 51,
};

// ---- what differs between the classes ----

template <typename Word>
struct BasicFileHeader {  // gABI ch. 4
  uint8_t ident[16];
  uint16_t type, machine;
  uint32_t version;
  Word entry, phoff, shoff;
  uint32_t flags;
  uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

template <typename Word>
struct BasicDynamic {  // gABI ch. 5
  std::make_signed_t<Word> tag;
  Word value;
};

template <typename Word>
struct BasicAuxEntry {
  Word type, value;
};

struct Elf64 {
  using Word = uint64_t;  ///< an address or a size
  static constexpr uint8_t kClass = kClass64;
  /// Relocations carry their addends (DT_RELA).
  static constexpr bool kHasAddends = true;

  using FileHeader = BasicFileHeader<Word>;
  using Dynamic = BasicDynamic<Word>;
  using AuxEntry = BasicAuxEntry<Word>;
  struct ProgramHeader {  // gABI ch. 5
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
  };
  struct Symbol {  // gABI ch. 4 "Symbol Table"
    uint32_t name;
    uint8_t info, other;
    uint16_t shndx;
    uint64_t value, size;

    [[nodiscard]] uint8_t binding() const { return info >> 4; }
    [[nodiscard]] uint8_t type() const { return info & 15; }
    [[nodiscard]] uint8_t visibility() const { return other & 3; }
  };
  struct Relocation {
    uint64_t offset, info;
    int64_t addend;

    static constexpr uint64_t make_info(uint32_t symbol, uint32_t type) {
      return uint64_t{symbol} << 32 | type;
    }
    [[nodiscard]] uint32_t symbol() const { return static_cast<uint32_t>(info >> 32); }
    [[nodiscard]] uint32_t type() const { return static_cast<uint32_t>(info); }
  };
};
static_assert(sizeof(Elf64::FileHeader) == 64 && sizeof(Elf64::ProgramHeader) == 56);
static_assert(sizeof(Elf64::Dynamic) == 16 && sizeof(Elf64::Symbol) == 24);
static_assert(sizeof(Elf64::Relocation) == 24);

/// The machines of 32 bits that are served have the addends of their relocations in place (DT_REL).
struct Elf32 {
  using Word = uint32_t;
  static constexpr uint8_t kClass = kClass32;
  static constexpr bool kHasAddends = false;

  using FileHeader = BasicFileHeader<Word>;
  using Dynamic = BasicDynamic<Word>;
  using AuxEntry = BasicAuxEntry<Word>;
  struct ProgramHeader {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
  };
  struct Symbol {
    uint32_t name, value, size;
    uint8_t info, other;
    uint16_t shndx;

    [[nodiscard]] uint8_t binding() const { return info >> 4; }
    [[nodiscard]] uint8_t type() const { return info & 15; }
    [[nodiscard]] uint8_t visibility() const { return other & 3; }
  };
  struct Relocation {
    uint32_t offset, info;

    static constexpr uint32_t make_info(uint32_t symbol, uint32_t type) {
      return symbol << 8 | (type & 0xff);
    }
    [[nodiscard]] uint32_t symbol() const { return info >> 8; }
    [[nodiscard]] uint32_t type() const { return info & 0xff; }
  };
};
static_assert(sizeof(Elf32::FileHeader) == 52 && sizeof(Elf32::ProgramHeader) == 32);
static_assert(sizeof(Elf32::Dynamic) == 8 && sizeof(Elf32::Symbol) == 16);
static_assert(sizeof(Elf32::Relocation) == 8);

// ---- the class of this build: pointers have the size of its words ----

using Native = std::conditional_t<sizeof(void*) == sizeof(Elf64::Word), Elf64, Elf32>;
using Word = Native::Word;
using FileHeader = Native::FileHeader;
using ProgramHeader = Native::ProgramHeader;
using Dynamic = Native::Dynamic;
using Symbol = Native::Symbol;
using Relocation = Native::Relocation;
using AuxEntry = Native::AuxEntry;

}  // namespace prelude::elf
