// What a run of a fuzz target went through: with -fsanitize-coverage=trace-pc,trace-cmp (GCC), the
// compiler has every block and every comparison call the functions of feedback.cpp. Without it
// nothing is ever new.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace prelude::fuzz {

/// Two values of one comparison that differed.
struct Comparison {
  uint64_t left, right;
  uint8_t bytes;
};

/// From here on blocks and comparisons count.
void start_feedback();
/// Ends it; true if a block followed another for the first time, or more often than ever.
bool stop_feedback();
/// Comparisons of the last run, a sample.
const std::vector<Comparison>& comparisons();
/// Blocks and their successors known by now.
size_t known_edges();

}  // namespace prelude::fuzz
