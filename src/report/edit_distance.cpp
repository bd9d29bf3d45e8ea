// Optimal string alignment (Damerau-Levenshtein with neighbours), only the diagonal band that can
// stay within the limit.
#include <prelude/base/string.h>
#include <prelude/report/hints.h>

#include <algorithm>
#include <array>

namespace prelude::report {
namespace {

constexpr size_t kLongest = 255;
using Row = std::array<uint16_t, kLongest + 2>;

}  // namespace

uint32_t edit_distance(std::string_view a, std::string_view b, uint32_t limit) {
  if (a.size() > kLongest) a = {a.data(), kLongest};
  if (b.size() > kLongest) b = {b.data(), kLongest};
  limit = std::min<uint32_t>(limit, kLongest);
  const size_t difference = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (difference > limit) return limit + 1;

  const auto beyond = static_cast<uint16_t>(limit + 1);
  Row rows[3];
  Row *before = &rows[0], *above = &rows[1], *current = &rows[2];
  above->fill(beyond);
  before->fill(beyond);
  for (size_t j = 0; j <= b.size() && j <= limit; ++j) (*above)[j] = static_cast<uint16_t>(j);

  for (size_t i = 1; i <= a.size(); ++i) {
    const size_t first = i > limit ? i - limit : 1;
    const size_t last = std::min(b.size(), i + limit);
    (*current)[first - 1] = first == 1 && i <= limit ? static_cast<uint16_t>(i) : beyond;
    uint16_t smallest = (*current)[first - 1];
    for (size_t j = first; j <= last; ++j) {
      const bool same = a[i - 1] == b[j - 1];
      auto cost = static_cast<uint16_t>((*above)[j - 1] + (same ? 0 : 1));
      cost = std::min<uint16_t>(cost, static_cast<uint16_t>((*above)[j] + 1));
      cost = std::min<uint16_t>(cost, static_cast<uint16_t>((*current)[j - 1] + 1));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost = std::min<uint16_t>(cost, static_cast<uint16_t>((*before)[j - 2] + 1));
      (*current)[j] = std::min(cost, beyond);
      smallest = std::min(smallest, (*current)[j]);
    }
    (*current)[last + 1] = beyond;
    if (smallest > limit) return limit + 1;
    Row* spare = before;
    before = above;
    above = current;
    current = spare;
  }
  return std::min<uint32_t>((*above)[b.size()], limit + 1);
}

}  // namespace prelude::report
