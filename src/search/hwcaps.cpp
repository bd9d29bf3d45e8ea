#include "hwcaps.h"

#include <prelude/base/string.h>

#include "tokens.h"

namespace prelude::search {
namespace {

bool is_listed(const char* list, std::string_view name) {
  ListReader reader(list, ":");
  std::string_view element;
  while (reader.next(element))
    if (element == name) return true;
  return false;
}

}  // namespace

uint32_t HwcapList::priority_of(std::string_view name) const {
  for (size_t i = 0; i < count; ++i)
    if (names[i] == name) return static_cast<uint32_t>(i + 1);
  return 0;
}

size_t select_hwcaps(const char* prepend, const char* const* supported, const char* mask,
                     std::string_view* out) {
  size_t count = 0;
  const auto add = [&](std::string_view name) {
    if (out != nullptr) out[count] = name;
    ++count;
  };
  ListReader reader(prepend, ":");
  std::string_view element;
  while (reader.next(element))
    if (!element.empty()) add(element);
  for (; supported != nullptr && *supported != nullptr; ++supported) {
    const std::string_view name(*supported, string_length(*supported));
    if (mask == nullptr || is_listed(mask, name)) add(name);
  }
  return count;
}

}  // namespace prelude::search
