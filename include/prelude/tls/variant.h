// The two variants of "ELF Handling for Thread-Local Storage" 3: static blocks lie above the thread
// pointer (I), behind words that belong to the machine, or below it (II). What they have in common
// is a number for each block, which C libraries and debuggers know as l_tls_offset: the distance of
// its first byte from the thread pointer, counted upwards or downwards.
#pragma once

#include <prelude/base/align.h>

#include <arch/machine.h>

#include <cstdint>

namespace prelude {

/// What of a block decides where it may lie.
struct TlsShape {
  uint64_t memsz, align;
  uint64_t first_byte;  ///< what its address is beyond a multiple of the alignment
};

template <arch::Machine Machine>
struct TlsVariant {
  static constexpr bool kBelow = Machine::kTlsBelowThreadPointer;
  static constexpr int64_t kNotPlaced = Machine::kTlsNotPlaced;
  static constexpr int64_t kForcedDynamic = kNotPlaced - 1;

  static constexpr bool is_placed(int64_t offset) {
    return kBelow ? offset > 0 : offset != kNotPlaced && offset != kForcedDynamic;
  }
  /// The block's distance above the thread pointer; is its own inverse.
  static constexpr int64_t displacement(int64_t offset) { return kBelow ? -offset : offset; }

  struct Place {
    int64_t offset;
    uint64_t used;  ///< bytes of the static area, this block included
  };
  /// The first place behind `used` bytes. The first byte keeps its phase.
  static constexpr Place next_place(uint64_t used, const TlsShape& shape) {
    if constexpr (kBelow) {
      const uint64_t first = (0 - shape.first_byte) & (shape.align - 1);
      const uint64_t end = round_up(used + shape.memsz - first, shape.align) + first;
      return {static_cast<int64_t>(end), end};
    } else {
      const uint64_t phase = shape.first_byte & (shape.align - 1);
      const uint64_t at = round_up(used < phase ? 0 : used - phase, shape.align) + phase;
      return {static_cast<int64_t>(at), at + shape.memsz};
    }
  }
};

}  // namespace prelude
