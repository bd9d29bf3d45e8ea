// Facts about aarch64 as data. Sources: "ELF for the Arm 64-bit Architecture" (relocations,
// VARIANT_PCS), AAPCS64, ELF Handling for TLS (variant I).
#pragma once

#include <arch/code.h>
#include <arch/reloc_kind.h>

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

struct AArch64 {
  static constexpr uint16_t kMachine = 183;
  static constexpr uint8_t kElfClass = 2;
  static constexpr uint64_t kPageSize =
      4096;  ///< where AT_PAGESZ says nothing: 16 and 64 KiB exist
  static constexpr uint64_t kLargestPageSize = 65536;
  static constexpr bool kTlsBelowThreadPointer = false;  ///< TLS variant I
  static constexpr uint64_t kTlsFirstOffset = 16;        ///< behind the two words of the TCB
  static constexpr int64_t kTlsNotPlaced = 0;
  static constexpr bool kUsesRela = true;

  static constexpr const char* kName = "aarch64";
  static constexpr const char* kPlatform = "aarch64";
  /// Before the warning of a copy of another size.
  static constexpr const char* kSizeRemarkIndent = "";
  static constexpr const char* kLibToken = "lib/aarch64-linux-gnu";
  static constexpr const char* kMultiarch = "aarch64-linux-gnu";
  static constexpr const char* kLoaderPath = "/lib/ld-linux-aarch64.so.1";
  static constexpr const char* kLoaderSoname = "ld-linux-aarch64.so.1";
  /// As the vdso calls itself.
  static constexpr const char* kVdsoName = "linux-vdso.so.1";
  /// No property names a needed level of the instruction set: 0 is the number of none.
  static constexpr uint32_t kIsaNeededProperty = 0;
  static constexpr uint32_t kCacheFlags = 0x0a03;
  static constexpr const char* kSystemDirectories[] = {
      "/lib/aarch64-linux-gnu/", "/usr/lib/aarch64-linux-gnu/", "/lib/", "/usr/lib/"};

  static constexpr size_t kNoTcbWord = SIZE_MAX;
  static constexpr size_t kTcbSelf = kNoTcbWord;
  static constexpr size_t kTcbDtv = 0x00;
  static constexpr size_t kTcbHeaderSelf = kNoTcbWord;
  static constexpr size_t kTcbStackGuard = kNoTcbWord;  ///< __stack_chk_guard instead
  static constexpr size_t kTcbPointerGuard = kNoTcbWord;

  static constexpr uint32_t kRelativeType = 1027;
  static constexpr bool kAddsToSlots = true;
  static constexpr bool kCallsInitAndFini = true;
  /// The program's symbol for the value of a register that code of it counts on; null: there is
  /// none.
  static constexpr const char* kGlobalPointer = nullptr;
  /// Words of DT_PLTGOT: what PLT0 hands on, and where it jumps.
  static constexpr size_t kGotModule = 1, kGotStub = 2;
  /// What linkers put into the first of them: GNU ld and lld nothing, others the address of the
  /// dynamic section.
  static constexpr bool begins_plt_words(uint64_t first, uint64_t dynamic) {
    return first == 0 || first == dynamic;
  }
  static constexpr uint64_t kTlsOffsetBias = 0;

  /// STO_AARCH64_VARIANT_PCS: such a function may take arguments in registers that the lazy binding
  /// stub does not keep.
  static constexpr bool binds_at_once(uint8_t symbol_other) { return (symbol_other & 0x80) != 0; }

  /// Whether code may use a word at `offset`: LDR (immediate), 64 bits, unsigned offset.
  static constexpr bool uses_offset(const uint8_t* code, size_t bytes, uint32_t offset) {
    for (size_t at = 0; at + 4 <= bytes; at += 4) {
      const uint32_t word = word_in_code(code + at);
      if ((word & 0xffc00000) == 0xf9400000 && (word >> 10 & 0xfff) * 8 == offset) return true;
    }
    return false;
  }

  /// No type of 32 bits is applied at run time.
  static constexpr const char* name_of(RelocKind kind) { return (void)kind, ""; }

  static constexpr RelocKind kind_of(uint32_t type) {
    switch (type) {
      case 0:    // R_AARCH64_NONE
      case 256:  // its withdrawn number
        return RelocKind::kNone;
      case 257:
        return RelocKind::kAbsolute;  // R_AARCH64_ABS64
      case 1024:
        return RelocKind::kCopy;  // R_AARCH64_COPY
      case 1025:
        return RelocKind::kGlobData;  // R_AARCH64_GLOB_DAT
      case 1026:
        return RelocKind::kJumpSlot;  // R_AARCH64_JUMP_SLOT
      case 1027:
        return RelocKind::kRelative;  // R_AARCH64_RELATIVE
      case 1028:
        return RelocKind::kTlsModule;  // R_AARCH64_TLS_DTPMOD
      case 1029:
        return RelocKind::kTlsOffset;  // R_AARCH64_TLS_DTPREL
      case 1030:
        return RelocKind::kTlsStatic;  // R_AARCH64_TLS_TPREL
      case 1031:
        return RelocKind::kTlsDescriptor;  // R_AARCH64_TLSDESC
      case 1032:
        return RelocKind::kIndirect;  // R_AARCH64_IRELATIVE
      default:
        return RelocKind::kUnknown;
    }
  }
};

}  // namespace prelude::arch
