// Facts about x86-64 as data, and the few instructions shared code needs inline.
// Sources: psABI x86-64 1.0 (4.4 relocations, 3.4 registers), ELF Handling for TLS 3.4.6.
#pragma once

#include <arch/code.h>
#include <arch/reloc_kind.h>

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

struct X86_64 {  // NOLINT(readability-identifier-naming): the machine's own name
  static constexpr uint16_t kMachine = 62;
  static constexpr uint8_t kElfClass = 2;
  static constexpr uint64_t kPageSize = 4096;
  static constexpr uint64_t kLargestPageSize = 4096;    ///< of any kernel
  static constexpr bool kTlsBelowThreadPointer = true;  ///< TLS variant II
  static constexpr uint64_t kTlsFirstOffset = 0;        ///< of the first block, before alignment
  static constexpr int64_t kTlsNotPlaced = 0;           ///< no offset of a block
  static constexpr bool kUsesRela = true;

  static constexpr const char* kName = "x86_64";
  static constexpr const char* kPlatform = "x86_64";
  /// Before the warning of a copy of another size.
  static constexpr const char* kSizeRemarkIndent = "";
  static constexpr const char* kLibToken = "lib/x86_64-linux-gnu";
  static constexpr const char* kMultiarch = "x86_64-linux-gnu";
  static constexpr const char* kLoaderPath = "/lib64/ld-linux-x86-64.so.2";
  static constexpr const char* kLoaderSoname = "ld-linux-x86-64.so.2";
  /// As the vdso calls itself.
  static constexpr const char* kVdsoName = "linux-vdso.so.1";
  /// GNU property with the ISA levels an object needs (psABI x86-64, "Program Property").
  static constexpr uint32_t kIsaNeededProperty = 0xc0008002;
  /// Flags of an entry of ld.so.cache that is for this machine.
  static constexpr uint32_t kCacheFlags = 0x0303;
  /// Searched last, in this order.
  static constexpr const char* kSystemDirectories[] = {
      "/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/"};

  // Words of the thread block that compiled code and libc read at fixed places.
  static constexpr size_t kTcbSelf = 0x00;
  static constexpr size_t kTcbDtv = 0x08;
  static constexpr size_t kTcbHeaderSelf = 0x10;
  static constexpr size_t kTcbStackGuard = 0x28;
  static constexpr size_t kTcbPointerGuard = 0x30;

  /// The relative relocation that linkers use; there may be others.
  static constexpr uint32_t kRelativeType = 8;
  /// Whether GLOB_DAT and JUMP_SLOT have an addend.
  static constexpr bool kAddsToSlots = false;
  /// Whether DT_INIT and DT_FINI count.
  static constexpr bool kCallsInitAndFini = true;
  /// The program's symbol for the value of a register that code of it counts on; null: there is
  /// none.
  static constexpr const char* kGlobalPointer = nullptr;
  /// Words of DT_PLTGOT: what PLT0 hands on, and where it jumps.
  static constexpr size_t kGotModule = 1, kGotStub = 2;
  /// Linkers put the address of the dynamic section into the first of them. With other words the
  /// PLT would jump to nowhere.
  static constexpr bool begins_plt_words(uint64_t first, uint64_t dynamic) {
    return first == dynamic;
  }
  /// Subtracted from offsets in a module's TLS block, bytes.
  static constexpr uint64_t kTlsOffsetBias = 0;
  /// Whether st_other says that a function must not be bound lazily.
  static constexpr bool binds_at_once(uint8_t symbol_other) { return (void)symbol_other, false; }

  /// Whether code may use a member at `offset`: a displacement of 32 bits.
  static constexpr bool uses_offset(const uint8_t* code, size_t bytes, uint32_t offset) {
    return word_stands_in(code, bytes, offset);
  }

  /// The type of a relocation that may overflow, as users know it.
  static constexpr const char* name_of(RelocKind kind) {
    switch (kind) {
      case RelocKind::kAbsolute32:
        return "R_X86_64_32";
      case RelocKind::kPcRelative32:
        return "R_X86_64_PC32";
      case RelocKind::kSize32:
        return "R_X86_64_SIZE32";
      default:
        return "";
    }
  }

  static constexpr RelocKind kind_of(uint32_t type) {
    switch (type) {
      case 0:
        return RelocKind::kNone;  // R_X86_64_NONE
      case 1:
        return RelocKind::kAbsolute;  // R_X86_64_64
      case 2:
        return RelocKind::kPcRelative32;  // R_X86_64_PC32
      case 5:
        return RelocKind::kCopy;  // R_X86_64_COPY
      case 6:
        return RelocKind::kGlobData;  // R_X86_64_GLOB_DAT
      case 7:
        return RelocKind::kJumpSlot;  // R_X86_64_JUMP_SLOT
      case 8:                         // R_X86_64_RELATIVE
      case 38:                        // R_X86_64_RELATIVE64
        return RelocKind::kRelative;
      case 10:
        return RelocKind::kAbsolute32;  // R_X86_64_32
      case 16:
        return RelocKind::kTlsModule;  // R_X86_64_DTPMOD64
      case 17:
        return RelocKind::kTlsOffset;  // R_X86_64_DTPOFF64
      case 18:
        return RelocKind::kTlsStatic;  // R_X86_64_TPOFF64
      case 32:
        return RelocKind::kSize32;  // R_X86_64_SIZE32
      case 33:
        return RelocKind::kSize;  // R_X86_64_SIZE64
      case 36:
        return RelocKind::kTlsDescriptor;  // R_X86_64_TLSDESC
      case 37:
        return RelocKind::kIndirect;  // R_X86_64_IRELATIVE
      default:
        return RelocKind::kUnknown;
    }
  }
};

inline std::byte* thread_pointer() {
  std::byte* result;
  asm("movq %%fs:0, %0" : "=r"(result));
  return result;
}

/// Time-stamp counter; unordered with the instructions around it.
inline uint64_t cycles() { return __builtin_ia32_rdtsc(); }

/// A word of a thread block, by one of the kTcb offsets.
inline uint64_t read_tcb(const void* block, size_t offset) {
  return *reinterpret_cast<const uint64_t*>(static_cast<const std::byte*>(block) + offset);
}
inline void write_tcb(void* block, size_t offset, uint64_t value) {
  *reinterpret_cast<uint64_t*>(static_cast<std::byte*>(block) + offset) = value;
}

/// Writes a byte back as it is, so that a copy-on-write page is copied now.
inline void write_fault(void* at) {
  asm volatile("lock orb $0, (%0)" : : "r"(at) : "memory", "cc");
}

/// There is no such register (kGlobalPointer).
inline void set_global_pointer(uint64_t) {}

/// Resolvers of IFUNCs are told nothing.
inline void tell_resolvers(uint64_t, uint64_t) {}
inline uint64_t call_resolver(uint64_t address) {
  return reinterpret_cast<uint64_t (*)()>(address)();
}

/// A hint for spinning waits.
inline void pause() { __builtin_ia32_pause(); }

}  // namespace prelude::arch
