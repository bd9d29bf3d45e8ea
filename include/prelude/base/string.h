// Byte and C-string helpers that need no libc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prelude {

inline void copy_bytes(void* to, const void* from, uint64_t bytes) {
  __builtin_memcpy(to, from, static_cast<size_t>(bytes));
}
inline void fill_zero(void* to, uint64_t bytes) {
  __builtin_memset(to, 0, static_cast<size_t>(bytes));
}

inline size_t string_length(const char* text) { return __builtin_strlen(text); }

inline bool equal(const char* a, const char* b) {
  while (*a == *b) {
    if (*a == 0) return true;
    ++a;
    ++b;
  }
  return false;
}
inline bool equal(std::string_view a, std::string_view b) { return a == b; }

inline bool contains(const char* text, char wanted) {
  for (; *text != 0; ++text)
    if (*text == wanted) return true;
  return false;
}

/// The part behind the last slash.
inline const char* base_name(const char* path) {
  const char* name = path;
  for (; *path != 0; ++path)
    if (*path == '/') name = path + 1;
  return name;
}

/// A hash for our own tables, never for an ELF table.
inline uint32_t hash_bytes(std::string_view text) {
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
  uint64_t hash = text.size();
  auto mix = [&hash](uint64_t word) {
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 32;
  };
  size_t at = 0;
  for (uint64_t word; text.size() - at >= sizeof word; at += sizeof word) {
    copy_bytes(&word, text.data() + at, sizeof word);
    mix(word);
  }
  uint64_t rest = 0;
  for (; at < text.size(); ++at) rest = rest << 8 | static_cast<uint8_t>(text[at]);
  mix(rest);
  return static_cast<uint32_t>(hash);
}

}  // namespace prelude
