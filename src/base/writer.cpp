#include <prelude/base/string.h>
#include <prelude/base/writer.h>

namespace prelude {
namespace {

constexpr char kDigits[] = "0123456789abcdef";
constexpr size_t kMaxDigits = 20;  // of 2^64 - 1

struct Utf8Form {
  uint8_t first_mask, first_bits;
  uint8_t length;
  uint32_t smallest;
};
constexpr Utf8Form kUtf8Forms[] = {
    {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};

uint8_t byte_at(std::string_view text, size_t i) { return static_cast<uint8_t>(text[i]); }

// Whether all eight bytes are printable ASCII: none is 0x80 or more, below 0x20, or 0x7f.
bool all_plain(const char* bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  uint64_t word;
  copy_bytes(&word, bytes, sizeof word);
  return ((word | (word - 0x20 * kOnes) | (word + kOnes)) & 0x80 * kOnes) == 0;
}

// The end of a run of printable ASCII characters.
size_t skip_plain(std::string_view text, size_t at, size_t limit) {
  while (limit - at >= 8 && all_plain(text.data() + at)) at += 8;
  while (at < limit && static_cast<uint8_t>(byte_at(text, at) - 0x20U) < 0x7f - 0x20) ++at;
  return at;
}

// Bytes of the printable character that begins at `at` (RFC 3629, section 4); 0 when there is none.
size_t printable_length(std::string_view text, size_t at) {
  const uint8_t first = byte_at(text, at);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  for (const Utf8Form& form : kUtf8Forms) {
    if ((first & form.first_mask) != form.first_bits) continue;
    if (text.size() - at < form.length) return 0;
    uint32_t code = first & static_cast<uint8_t>(~form.first_mask);
    for (size_t i = 1; i < form.length; ++i) {
      const uint8_t next = byte_at(text, at + i);
      if ((next & 0xc0) != 0x80) return 0;
      code = code << 6 | (next & 0x3fU);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    const bool control = code < 0xa0;  // U+0080 to U+009F
    if (code < form.smallest || code > 0x10ffff || surrogate || control) return 0;
    return form.length;
  }
  return 0;
}

}  // namespace

Writer& Writer::put(char c) {
  if (used_ == capacity_) {
    if (sink_ == nullptr || capacity_ == 0) {
      truncated_ = true;
      return *this;
    }
    flush();
  }
  buffer_[used_++] = c;
  return *this;
}

Writer& Writer::put(std::string_view text) {
  while (!text.empty()) {
    if (used_ == capacity_ && sink_ != nullptr) flush();
    const size_t room = capacity_ - used_;
    if (room == 0) {
      truncated_ = true;
      break;
    }
    const size_t part = text.size() < room ? text.size() : room;
    copy_bytes(buffer_ + used_, text.data(), part);
    used_ += part;
    text.remove_prefix(part);
  }
  return *this;
}

Writer& Writer::put(const char* text) {
  return put(text == nullptr ? std::string_view("(null)") : std::string_view(text));
}

Writer& Writer::decimal(uint64_t value, size_t width, char pad) {
  char digits[kMaxDigits];
  size_t at = kMaxDigits;
  do {
    digits[--at] = kDigits[value % 10];
    value /= 10;
  } while (value != 0);
  for (size_t i = kMaxDigits - at; i < width; ++i) put(pad);
  return put(std::string_view(digits + at, kMaxDigits - at));
}

Writer& Writer::signed_decimal(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  if (value >= 0) return decimal(bits);
  put('-');
  return decimal(~bits + 1);  // right for the smallest value too
}

Writer& Writer::hex(uint64_t value, size_t digits, char pad) {
  char text[kMaxDigits];
  size_t at = kMaxDigits;
  do {
    text[--at] = kDigits[value & 15];
    value >>= 4;
  } while (value != 0);
  for (size_t i = kMaxDigits - at; i < digits; ++i) put(pad);
  return put(std::string_view(text + at, kMaxDigits - at));
}

Writer& Writer::escaped(std::string_view text, size_t limit) {
  size_t plain = 0, at = 0;  // text[plain..at) is printable and not written yet
  const size_t end = text.size() < limit ? text.size() : limit;
  while ((at = skip_plain(text, at, end)) < end) {
    const size_t length = printable_length(text, at);
    const size_t step = length == 0 ? 1 : length;
    if (at + step > limit) break;
    at += step;
    if (length != 0) continue;
    put(std::string_view(text.data() + plain, at - 1 - plain))
        .put("\\x")
        .hex(byte_at(text, at - 1), 2);
    plain = at;
  }
  return put(std::string_view(text.data() + plain, at - plain));
}

void Writer::flush() {
  if (sink_ == nullptr) return;
  if (used_ != 0) sink_(context_, buffer_, used_);
  used_ = 0;
}

const char* Writer::c_str() {
  if (capacity_ == 0) return "";
  if (used_ == capacity_) {
    --used_;
    truncated_ = true;
  }
  buffer_[used_] = 0;
  return buffer_;
}

}  // namespace prelude
