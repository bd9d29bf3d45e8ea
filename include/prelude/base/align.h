// Rounding to multiples of a power of two.
#pragma once

#include <cstdint>

namespace prelude {

constexpr uint64_t round_down(uint64_t value, uint64_t to) { return value & ~(to - 1); }
constexpr uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) & ~(to - 1); }

}  // namespace prelude
