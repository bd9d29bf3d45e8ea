// Facts about riscv64 (lp64d) as data. Sources: RISC-V ELF psABI 1.0 (relocations, variant calling
// conventions, thread-local storage).
#pragma once

#include <arch/code.h>
#include <arch/reloc_kind.h>

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

struct RiscV64 {
  static constexpr uint16_t kMachine = 243;
  static constexpr uint8_t kElfClass = 2;
  static constexpr uint64_t kPageSize = 4096;
  static constexpr uint64_t kLargestPageSize = 4096;
  static constexpr bool kTlsBelowThreadPointer = false;  ///< TLS variant I
  static constexpr uint64_t kTlsFirstOffset = 0;
  static constexpr int64_t kTlsNotPlaced = -1;  ///< 0 is where the first block lies
  static constexpr bool kUsesRela = true;

  static constexpr const char* kName = "riscv64";
  static constexpr const char* kPlatform = "";
  /// Before the warning of a copy of another size. Compat: glibc's text for the machine has two
  /// blanks.
  static constexpr const char* kSizeRemarkIndent = "  ";
  static constexpr const char* kLibToken = "lib/riscv64-linux-gnu";
  static constexpr const char* kMultiarch = "riscv64-linux-gnu";
  static constexpr const char* kLoaderPath = "/lib/ld-linux-riscv64-lp64d.so.1";
  static constexpr const char* kLoaderSoname = "ld-linux-riscv64-lp64d.so.1";
  /// As the vdso calls itself.
  static constexpr const char* kVdsoName = "linux-vdso.so.1";
  static constexpr uint32_t kIsaNeededProperty = 0;
  static constexpr uint32_t kCacheFlags = 0x1003;
  static constexpr const char* kSystemDirectories[] = {
      "/lib/riscv64-linux-gnu/", "/usr/lib/riscv64-linux-gnu/", "/lib/", "/usr/lib/"};

  static constexpr size_t kNoTcbWord = SIZE_MAX;
  static constexpr size_t kTcbSelf = kNoTcbWord;
  static constexpr size_t kTcbDtv = size_t{0} - 16;  ///< tp points behind the two words
  static constexpr size_t kTcbHeaderSelf = kNoTcbWord;
  static constexpr size_t kTcbStackGuard = kNoTcbWord;
  static constexpr size_t kTcbPointerGuard = kNoTcbWord;

  static constexpr uint32_t kRelativeType = 3;
  static constexpr bool kAddsToSlots = true;
  /// Compat: DT_INIT and DT_FINI are not looked at (glibc 2.41, tests/machine/core_test.py).
  static constexpr bool kCallsInitAndFini = false;
  /// Code of a program that is linked to addresses finds its data by gp; so do resolvers, which run
  /// before its start code can set the register.
  static constexpr const char* kGlobalPointer = "__global_pointer$";
  /// Words of DT_PLTGOT: what PLT0 hands on, and where it jumps.
  static constexpr size_t kGotModule = 1, kGotStub = 0;
  /// What linkers put into the first of them: GNU ld no address at all, lld nothing.
  static constexpr bool begins_plt_words(uint64_t first, uint64_t dynamic) {
    return (void)dynamic, first + 1 <= 1;
  }
  static constexpr uint64_t kTlsOffsetBias = 0x800;  ///< TLS_DTV_OFFSET
  /// STO_RISCV_VARIANT_CC.
  static constexpr bool binds_at_once(uint8_t symbol_other) { return (symbol_other & 0x80) != 0; }

  /// Whether code may use a word at `offset`: LD, not compressed, since such reach 248 bytes only.
  static constexpr bool uses_offset(const uint8_t* code, size_t bytes, uint32_t offset) {
    for (size_t at = 0; at + 4 <= bytes; at += 2) {
      const uint32_t word = word_in_code(code + at);
      if ((word & 0x707f) == 0x3003 && word >> 20 == offset) return true;
    }
    return false;
  }

  static constexpr const char* name_of(RelocKind kind) { return (void)kind, ""; }

  static constexpr RelocKind kind_of(uint32_t type) {
    switch (type) {
      case 0:
        return RelocKind::kNone;  // R_RISCV_NONE
      case 2:
        return RelocKind::kAbsolute;  // R_RISCV_64
      case 3:
        return RelocKind::kRelative;  // R_RISCV_RELATIVE
      case 4:
        return RelocKind::kCopy;  // R_RISCV_COPY
      case 5:
        return RelocKind::kJumpSlot;  // R_RISCV_JUMP_SLOT
      case 7:
        return RelocKind::kTlsModule;  // R_RISCV_TLS_DTPMOD64
      case 9:
        return RelocKind::kTlsOffset;  // R_RISCV_TLS_DTPREL64
      case 11:
        return RelocKind::kTlsStatic;  // R_RISCV_TLS_TPREL64
      case 12:
        return RelocKind::kTlsDescriptor;  // R_RISCV_TLSDESC
      case 58:
        return RelocKind::kIndirect;  // R_RISCV_IRELATIVE
      default:
        return RelocKind::kUnknown;
    }
  }
};

}  // namespace prelude::arch
