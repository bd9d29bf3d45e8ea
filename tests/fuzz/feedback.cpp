// Functions that the compiler calls must not be made to call themselves.
#include "feedback.h"

#include <array>

#if defined(__clang__)
#define UNTRACED __attribute__((no_sanitize("coverage")))
#else
#define UNTRACED __attribute__((no_sanitize_coverage))
#endif

namespace prelude::fuzz {
namespace {

constexpr size_t kSlots = size_t{1} << 16, kMostComparisons = 512;

bool recording = false;
uintptr_t before = 0;
std::array<uint8_t, kSlots> counts, known;  // known: highest class of count seen
size_t edges = 0, seen_comparisons = 0;
std::vector<Comparison> sample;

// 1, 2, 3, 4-7, 8-15, ... : how often matters roughly.
UNTRACED uint8_t class_of(uint8_t count) {
  if (count < 4) return count;
  return static_cast<uint8_t>(33 - __builtin_clz(count));
}

UNTRACED void note_block(uintptr_t at) {
  if (!recording) return;
  // Relative to this function: the same wherever the program lies.
  const uintptr_t place = at - reinterpret_cast<uintptr_t>(&note_block);
  uint8_t& count = counts[(place ^ before) % kSlots];
  if (count != 255) ++count;
  before = place >> 1;
}

UNTRACED void note_comparison(uint64_t left, uint64_t right, uint8_t bytes) {
  if (!recording || left == right) return;
  // All of the first, then each with falling probability.
  const size_t slot = seen_comparisons++;
  if (sample.size() < kMostComparisons)
    sample.push_back({left, right, bytes});
  else if (slot % 7 == 0)
    sample[(slot / 7) % kMostComparisons] = {left, right, bytes};
}

}  // namespace

UNTRACED void start_feedback() {
  counts.fill(0);
  sample.clear();
  sample.reserve(kMostComparisons);
  seen_comparisons = 0;
  before = 0;
  recording = true;
}

UNTRACED bool stop_feedback() {
  recording = false;
  bool fresh = false;
  for (size_t i = 0; i < kSlots; ++i) {
    const uint8_t level = class_of(counts[i]);
    if (level <= known[i]) continue;
    edges += known[i] == 0 ? 1 : 0;
    known[i] = level;
    fresh = true;
  }
  return fresh;
}

const std::vector<Comparison>& comparisons() { return sample; }
size_t known_edges() { return edges; }

}  // namespace prelude::fuzz

// NOLINTBEGIN(readability-identifier-naming): names of the compilers' interface
extern "C" {
UNTRACED void __sanitizer_cov_trace_pc() {
  prelude::fuzz::note_block(reinterpret_cast<uintptr_t>(__builtin_return_address(0)));
}
UNTRACED void __sanitizer_cov_trace_cmp1(uint8_t, uint8_t) {}
UNTRACED void __sanitizer_cov_trace_cmp2(uint16_t a, uint16_t b) {
  prelude::fuzz::note_comparison(a, b, 2);
}
UNTRACED void __sanitizer_cov_trace_cmp4(uint32_t a, uint32_t b) {
  prelude::fuzz::note_comparison(a, b, 4);
}
UNTRACED void __sanitizer_cov_trace_cmp8(uint64_t a, uint64_t b) {
  prelude::fuzz::note_comparison(a, b, 8);
}
UNTRACED void __sanitizer_cov_trace_const_cmp1(uint8_t, uint8_t) {}
UNTRACED void __sanitizer_cov_trace_const_cmp2(uint16_t a, uint16_t b) {
  prelude::fuzz::note_comparison(a, b, 2);
}
UNTRACED void __sanitizer_cov_trace_const_cmp4(uint32_t a, uint32_t b) {
  prelude::fuzz::note_comparison(a, b, 4);
}
UNTRACED void __sanitizer_cov_trace_const_cmp8(uint64_t a, uint64_t b) {
  prelude::fuzz::note_comparison(a, b, 8);
}
UNTRACED void __sanitizer_cov_trace_cmpf(float, float) {}
UNTRACED void __sanitizer_cov_trace_cmpd(double, double) {}
UNTRACED void __sanitizer_cov_trace_switch(uint64_t value, uint64_t* cases) {
  // cases: their number, their width in bits, then the values.
  if (cases[0] == 0) return;
  const auto bytes = static_cast<uint8_t>(cases[1] / 8);
  if (bytes > 1)
    for (uint64_t i = 0; i < cases[0] && i < 64; ++i)
      prelude::fuzz::note_comparison(value, cases[2 + i], bytes);
}
}
// NOLINTEND(readability-identifier-naming)
