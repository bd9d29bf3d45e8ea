// Dynamic string tokens ($ORIGIN, $LIB, $PLATFORM) and path lists as text. Pure: no heap, no
// kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prelude::search {

struct TokenValues {
  const char* origin;  ///< null = unknown: an element that names it is dropped
  const char* lib;
  const char* platform;  ///< null = unknown
  const char* const*
      system_directories;  ///< null-terminated; where $ORIGIN may lead in secure mode
  bool secure;
};

bool has_token(const char* text);

struct Expansion {
  bool allowed;
  size_t size;
};

/// Replaces the tokens of `text`. `out` null: only the size is wanted, and the secure-mode check of
/// the result is left out. Not allowed: a known token without value; in secure mode $ORIGIN
/// anywhere but as first component, or a result that does not lie in a system directory once
/// normalised.
Expansion expand_tokens(std::string_view text, const TokenValues& values, char* out);

/// Whether `path`, absolute and with `.` and `..` resolved as text, lies in or under `directory`.
bool lies_in(std::string_view path, std::string_view directory);

/// Reads a list element by element; also empty ones. "" has one empty element.
class ListReader {
 public:
  constexpr ListReader(const char* list, std::string_view separators)
      : at_(list), separators_(separators) {}
  bool next(std::string_view& element);

 private:
  [[nodiscard]] bool separates(char c) const;

  const char* at_;  // null at the end
  std::string_view separators_;
};

/// Drops slashes at the end, but for a path that is only slashes: of that one remains.
std::string_view without_trailing_slashes(std::string_view path);

}  // namespace prelude::search
