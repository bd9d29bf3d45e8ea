// Facts about i386 as data. Sources: System V ABI, Intel386 supplement, version 1.1 ("Relocation
// Types", "Thread-Local Storage"); ELF Handling for TLS 3.4.2, 4.2.
#pragma once

#include <arch/code.h>
#include <arch/reloc_kind.h>

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

struct I386 {
  static constexpr uint16_t kMachine = 3;
  static constexpr uint8_t kElfClass = 1;
  static constexpr uint64_t kPageSize = 4096;
  static constexpr uint64_t kLargestPageSize = 4096;
  static constexpr bool kTlsBelowThreadPointer = true;  ///< TLS variant II
  static constexpr uint64_t kTlsFirstOffset = 0;
  static constexpr int64_t kTlsNotPlaced = 0;
  static constexpr bool kUsesRela = false;

  static constexpr const char* kName = "i386";
  static constexpr const char* kPlatform = "i686";
  /// Before the warning of a copy of another size.
  static constexpr const char* kSizeRemarkIndent = "";
  static constexpr const char* kLibToken = "lib/i386-linux-gnu";
  static constexpr const char* kMultiarch = "i386-linux-gnu";
  static constexpr const char* kLoaderPath = "/lib/ld-linux.so.2";
  static constexpr const char* kLoaderSoname = "ld-linux.so.2";
  /// As the vdso calls itself.
  static constexpr const char* kVdsoName = "linux-gate.so.1";
  /// No property names a needed level of the instruction set: 0 is the number of none.
  static constexpr uint32_t kIsaNeededProperty = 0;
  static constexpr uint32_t kCacheFlags = 0x0003;
  static constexpr const char* kSystemDirectories[] = {
      "/lib/i386-linux-gnu/", "/usr/lib/i386-linux-gnu/", "/lib/", "/usr/lib/"};

  // Words of the thread block that compiled code and libc read at fixed places.
  static constexpr size_t kTcbSelf = 0x00;
  static constexpr size_t kTcbDtv = 0x04;
  static constexpr size_t kTcbHeaderSelf = 0x08;
  static constexpr size_t kTcbStackGuard = 0x14;
  static constexpr size_t kTcbPointerGuard = 0x18;

  static constexpr uint32_t kRelativeType = 8;
  static constexpr bool kAddsToSlots = false;
  /// The program's symbol for the value of a register that code of it counts on; null: there is
  /// none.
  static constexpr const char* kGlobalPointer = nullptr;
  static constexpr bool kCallsInitAndFini = true;
  /// Words of DT_PLTGOT: what PLT0 hands on, and where it jumps.
  static constexpr size_t kGotModule = 1, kGotStub = 2;
  /// Linkers put the address of the dynamic section into the first of them. With other words the
  /// PLT would jump to nowhere.
  static constexpr bool begins_plt_words(uint64_t first, uint64_t dynamic) {
    return first == dynamic;
  }
  static constexpr uint64_t kTlsOffsetBias = 0;
  static constexpr bool binds_at_once(uint8_t symbol_other) { return (void)symbol_other, false; }

  /// Whether code may use a member at `offset`: a displacement of 32 bits.
  static constexpr bool uses_offset(const uint8_t* code, size_t bytes, uint32_t offset) {
    return word_stands_in(code, bytes, offset);
  }

  /// Nothing overflows where all numbers have 32 bits.
  static constexpr const char* name_of(RelocKind kind) { return (void)kind, ""; }

  static constexpr RelocKind kind_of(uint32_t type) {
    switch (type) {
      case 0:
        return RelocKind::kNone;  // R_386_NONE
      case 1:
        return RelocKind::kAbsolute;  // R_386_32
      case 2:
        return RelocKind::kPcRelative32;  // R_386_PC32
      case 5:
        return RelocKind::kCopy;  // R_386_COPY
      case 6:
        return RelocKind::kGlobData;  // R_386_GLOB_DAT
      case 7:
        return RelocKind::kJumpSlot;  // R_386_JMP_SLOT
      case 8:
        return RelocKind::kRelative;  // R_386_RELATIVE
      case 14:
        return RelocKind::kTlsStatic;  // R_386_TLS_TPOFF
      case 35:
        return RelocKind::kTlsModule;  // R_386_TLS_DTPMOD32
      case 36:
        return RelocKind::kTlsOffset;  // R_386_TLS_DTPOFF32
      case 37:
        return RelocKind::kTlsDistance;  // R_386_TLS_TPOFF32
      case 38:
        return RelocKind::kSize;  // R_386_SIZE32
      case 41:
        return RelocKind::kTlsDescriptor;  // R_386_TLS_DESC
      case 42:
        return RelocKind::kIndirect;  // R_386_IRELATIVE
      default:
        return RelocKind::kUnknown;
    }
  }
};

}  // namespace prelude::arch
