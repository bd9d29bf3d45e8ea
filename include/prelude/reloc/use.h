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

}  // namespace prelude
