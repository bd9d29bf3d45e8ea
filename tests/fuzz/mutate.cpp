#include "mutate.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "feedback.h"

namespace prelude::fuzz {
namespace {

constexpr uint64_t kNasty[] = {0,
                               1,
                               2,
                               7,
                               0x7f,
                               0x80,
                               0xff,
                               0x7fff,
                               0xffff,
                               0x7fffffff,
                               0x80000000,
                               0xffffffff,
                               0x7fffffffffffffff,
                               0x8000000000000000,
                               ~uint64_t{0},
                               ~uint64_t{0xfff}};

void write_word(Input& input, size_t at, uint64_t value, size_t width) {
  std::memcpy(&input[at], &value, std::min(width, input.size() - at));
}

uint64_t read_word(const Input& input, size_t at, size_t width) {
  uint64_t value = 0;
  std::memcpy(&value, &input[at], std::min(width, input.size() - at));
  return value;
}

void word(Input& input, Random& random) {
  const size_t width = size_t{1} << random.below(4);
  const size_t at = random.below(input.size()) / width * width;
  uint64_t value = kNasty[random.below(std::size(kNasty))];
  switch (random.below(3)) {
    case 0:
      break;
    case 1:  // a little more or less
      value = read_word(input, at, width) + random.below(33) - 16;
      break;
    default:  // another word of the input: an offset of something else
      value = read_word(input, random.below(input.size()) / width * width, width);
  }
  write_word(input, at, value, width);
}

// The program compared a value with another: where the input has the one, put the other or its
// neighbour.
void compared(Input& input, Random& random) {
  const std::vector<Comparison>& seen = comparisons();
  if (seen.empty()) return;
  Comparison pair = seen[random.below(seen.size())];
  if (random.below(2) == 0) std::swap(pair.left, pair.right);
  if (pair.bytes > input.size()) return;
  const size_t places = input.size() - pair.bytes + 1, first = random.below(places);
  for (size_t i = 0; i < places; ++i) {
    const size_t at = (first + i) % places;
    if (std::memcmp(&input[at], &pair.left, pair.bytes) != 0) continue;
    write_word(input, at, pair.right + random.below(3) - 1, pair.bytes);
    return;
  }
}

void block(Input& input, const Input& from, Random& random) {
  if (from.empty()) return;
  const size_t source = random.below(from.size()), target = random.below(input.size());
  const size_t most = std::min({from.size() - source, input.size() - target, size_t{64}});
  const Input part(from.begin() + static_cast<std::ptrdiff_t>(source),
                   from.begin() + static_cast<std::ptrdiff_t>(source + 1 + random.below(most)));
  std::copy(part.begin(), part.end(), input.begin() + static_cast<std::ptrdiff_t>(target));
}

void length(Input& input, const Input& other, size_t longest, Random& random) {
  const auto at = input.begin() + static_cast<std::ptrdiff_t>(random.below(input.size()));
  switch (random.below(4)) {
    case 0:
      input.erase(at, input.end());
      break;
    case 1:
      input.erase(at,
                  std::min(at + static_cast<std::ptrdiff_t>(1 + random.below(16)), input.end()));
      break;
    default:
      if (!other.empty() && input.size() + 16 <= longest) {
        const size_t start = random.below(other.size());
        const size_t bytes = std::min(other.size() - start, 1 + random.below(16));
        input.insert(at, other.begin() + static_cast<std::ptrdiff_t>(start),
                     other.begin() + static_cast<std::ptrdiff_t>(start + bytes));
      }
  }
}

}  // namespace

void mutate(Input& input, const Input& other, size_t longest, Random& random) {
  for (size_t change = 1 + random.below(8); change-- > 0 && !input.empty();) {
    const size_t at = random.below(input.size());
    switch (random.below(8)) {
      case 0:
        input[at] ^= static_cast<uint8_t>(1U << random.below(8));
        break;
      case 1:
        input[at] = static_cast<uint8_t>(random.next());
        break;
      case 2:
      case 3:
        word(input, random);
        break;
      case 4:
      case 5:
        compared(input, random);
        break;
      case 6:
        block(input, random.below(2) == 0 ? input : other, random);
        break;
      default:  // files with offsets bear this badly, lists of words well
        if (input.size() < 2048 || random.below(8) == 0) length(input, other, longest, random);
    }
  }
}

}  // namespace prelude::fuzz
