// Changes of fuzz inputs by a fixed random sequence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace prelude::fuzz {

using Input = std::vector<uint8_t>;

/// xorshift64: the same numbers in every run.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 | 1) {}
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  /// 0 .. limit - 1.
  size_t below(size_t limit) { return static_cast<size_t>(next() % limit); }

 private:
  uint64_t state_;
};

/// One to eight changes: bits, bytes, words of the kind that break parsers, values that the last
/// run compared (see feedback.h), moved blocks, blocks of `other`, another length up to `longest`.
void mutate(Input& input, const Input& other, size_t longest, Random& random);

}  // namespace prelude::fuzz
