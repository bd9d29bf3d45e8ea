// Why a symbol is looked up: it decides which definitions count.
#pragma once

#include <arch/reloc_kind.h>

#include <cstdint>

namespace prelude {

enum class Use : uint8_t {
  kData,  ///< an address; the program's PLT entry may stand for a function
  kCall,  ///< PLT slot
  kCopy,  ///< source of a copy relocation: never the program itself
  kTls,
};

/// How the result of an IFUNC resolver enters its slot.
enum class ResultForm : uint8_t {
  kWord,
  kLow32,         ///< 32 bits, unsigned
  kPcRelative32,  ///< 32 bits, signed distance from the slot
};

/// How a relocation of this kind uses its symbol.
constexpr Use use_of(arch::RelocKind kind) {
  switch (kind) {
    case arch::RelocKind::kJumpSlot:
      return Use::kCall;
    case arch::RelocKind::kCopy:
      return Use::kCopy;
    case arch::RelocKind::kTlsModule:
    case arch::RelocKind::kTlsOffset:
    case arch::RelocKind::kTlsStatic:
    case arch::RelocKind::kTlsDistance:
    case arch::RelocKind::kTlsDescriptor:
      return Use::kTls;
    default:
      return Use::kData;
  }
}

}  // namespace prelude
