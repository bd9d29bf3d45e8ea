// Why a symbol is looked up: it decides which definitions count.
#pragma once

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

}  // namespace prelude
