// Reading machine code as bytes, for the traits of machines.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

/// The four bytes at `code` as a number, lowest first.
constexpr uint32_t word_in_code(const uint8_t* code) {
  return uint32_t{code[0]} | uint32_t{code[1]} << 8 | uint32_t{code[2]} << 16 |
         uint32_t{code[3]} << 24;
}

/// Whether some four bytes of the code are this number, as displacements of 32 bits are.
constexpr bool word_stands_in(const uint8_t* code, size_t bytes, uint32_t word) {
  for (size_t at = 0; at + 4 <= bytes; ++at)
    if (word_in_code(code + at) == word) return true;
  return false;
}

}  // namespace prelude::arch
