#include "tokens.h"

#include <prelude/base/string.h>

namespace prelude::search {
namespace {

using std::string_view_literals::operator""sv;

constexpr bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view behind(std::string_view text, size_t start) {
  return {text.data() + start, text.size() - start};
}

struct Token {
  enum class Kind : uint8_t { kNone, kOrigin, kLib, kPlatform } kind = Kind::kNone;
  size_t size = 0;  // with dollar sign and braces
};

Token::Kind kind_of(std::string_view name) {
  if (name == "ORIGIN"sv) return Token::Kind::kOrigin;
  if (name == "LIB"sv) return Token::Kind::kLib;
  if (name == "PLATFORM"sv) return Token::Kind::kPlatform;
  return Token::Kind::kNone;
}

/// `text` begins with a dollar sign. The name is as long as possible (gABI ch. 5 "Substitution
/// Sequences"): $LIBX is no token, ${LIB}X holds one.
Token token_at(std::string_view text) {
  const bool braced = text.size() > 1 && text[1] == '{';
  const size_t start = braced ? 2 : 1;
  size_t end = start;
  while (end < text.size() && is_name_character(text[end])) ++end;
  if (braced && (end == text.size() || text[end] != '}')) return {};
  const Token::Kind kind = kind_of({text.data() + start, end - start});
  if (kind == Token::Kind::kNone) return {};
  return {kind, braced ? end + 1 : end};
}

const char* value_of(Token::Kind kind, const TokenValues& values) {
  switch (kind) {
    case Token::Kind::kOrigin:
      return values.origin;
    case Token::Kind::kLib:
      return values.lib;
    case Token::Kind::kPlatform:
      return values.platform;
    case Token::Kind::kNone:
      break;
  }
  return nullptr;
}

bool lies_in_any(std::string_view path, const char* const* directories) {
  for (; *directories != nullptr; ++directories)
    if (lies_in(path, {*directories, string_length(*directories)})) return true;
  return false;
}

/// The components of a path that remain once `.` and `..` are resolved, last one first.
class ReverseComponents {
 public:
  explicit ReverseComponents(std::string_view path) : left_(path) {}

  bool next(std::string_view& component) {
    while (take(component)) {
      if (component.empty() || component == "."sv) continue;
      if (component == ".."sv) {
        ++dropped_;
      } else if (dropped_ > 0) {
        --dropped_;
      } else {
        return true;
      }
    }
    return false;
  }

 private:
  bool take(std::string_view& component) {
    if (left_.empty()) return false;
    size_t start = left_.size();
    while (start > 0 && left_[start - 1] != '/') --start;
    component = behind(left_, start);
    left_ = {left_.data(), start > 0 ? start - 1 : 0};
    return true;
  }

  std::string_view left_;
  size_t dropped_ = 0;
};

size_t depth_of(std::string_view path) {
  ReverseComponents components(path);
  std::string_view component;
  size_t depth = 0;
  while (components.next(component)) ++depth;
  return depth;
}

}  // namespace

bool has_token(const char* text) { return contains(text, '$'); }

bool lies_in(std::string_view path, std::string_view directory) {
  if (path.empty() || path[0] != '/') return false;
  const size_t wanted = depth_of(directory);
  size_t depth = depth_of(path);
  ReverseComponents ours(path);
  ReverseComponents theirs(directory);
  std::string_view our, their;
  for (; depth > wanted; --depth) ours.next(our);
  while (theirs.next(their))
    if (!ours.next(our) || our != their) return false;
  return true;
}

Expansion expand_tokens(std::string_view text, const TokenValues& values, char* out) {
  constexpr Expansion kRefused{false, 0};
  size_t size = 0;
  bool names_origin = false;
  for (size_t i = 0; i < text.size();) {
    const Token token = text[i] == '$' ? token_at(behind(text, i)) : Token{};
    if (token.kind == Token::Kind::kNone) {
      if (out != nullptr) out[size] = text[i];
      ++size;
      ++i;
      continue;
    }
    if (token.kind == Token::Kind::kOrigin) {
      names_origin = true;
      const size_t end = token.size + i;
      if (values.secure && (i != 0 || (end < text.size() && text[end] != '/'))) return kRefused;
    }
    const char* value = value_of(token.kind, values);
    if (value == nullptr) return kRefused;
    const size_t value_size = string_length(value);
    if (out != nullptr) copy_bytes(out + size, value, value_size);
    size += value_size;
    i += token.size;
  }
  // A hard link in a directory of the attacker's choice would otherwise steer $ORIGIN.
  if (out != nullptr && values.secure && names_origin &&
      !lies_in_any({out, size}, values.system_directories))
    return kRefused;
  return {true, size};
}

bool ListReader::separates(char c) const {
  for (const char separator : separators_)
    if (c == separator) return true;
  return false;
}

bool ListReader::next(std::string_view& element) {
  if (at_ == nullptr) return false;
  const char* start = at_;
  while (*at_ != 0 && !separates(*at_)) ++at_;
  element = {start, static_cast<size_t>(at_ - start)};
  at_ = *at_ != 0 ? at_ + 1 : nullptr;
  return true;
}

std::string_view without_trailing_slashes(std::string_view path) {
  size_t size = path.size();
  while (size > 1 && path[size - 1] == '/') --size;
  return {path.data(), size};
}

}  // namespace prelude::search
