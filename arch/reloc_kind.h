// What a relocation asks for, in words shared by all machines. Each machine's traits translate its
// own numbers to these; reloc/ knows only the kinds.
#pragma once

#include <cstdint>

namespace prelude::arch {

enum class RelocKind : uint8_t {
  kNone,
  kAbsolute,       ///< S + A, a word of the machine
  kAbsolute32,     ///< S + A, zero-extended 32 bits
  kPcRelative32,   ///< S + A - P
  kCopy,           ///< bytes of the symbol
  kGlobData,       ///< S, on some machines + A
  kJumpSlot,       ///< the same, may be filled lazily
  kRelative,       ///< B + A
  kIndirect,       ///< result of the function at B + A
  kTlsModule,      ///< module id
  kTlsOffset,      ///< offset in the module's block, less what __tls_get_addr adds
  kTlsStatic,      ///< offset from the thread pointer
  kTlsDescriptor,  ///< two words: function and argument
  kSize32,         ///< Z + A
  kSize,           ///< Z + A, a word of the machine
  kTlsDistance,    ///< kTlsStatic, counted downwards
  kUnknown,
};

}  // namespace prelude::arch
