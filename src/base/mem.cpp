// The functions that compilers call unasked, and the few that standard headers need; freestanding
// build only, with -fno-builtin so that no loop here becomes a call to itself. They run before
// self-relocation too, so: no tables, no pointers in data. They stay in .symtab under their own
// names because memory checkers look for them there.
#include <cstddef>
#include <cstdint>

#define PRELUDE_RUNTIME extern "C" __attribute__((visibility("hidden"), used))
#define PRELUDE_TRAP extern "C" __attribute__((visibility("hidden"), used, noreturn))

namespace {

template <typename T>
struct [[gnu::packed, gnu::may_alias]] Loose {
  T value;
};
using Vector = uint64_t __attribute__((vector_size(16)));
using AlignedWord = uint64_t __attribute__((may_alias));

template <typename T>
inline T load(const void* at) {
  return static_cast<const Loose<T>*>(at)->value;
}
template <typename T>
inline void store(void* at, T value) {
  static_cast<Loose<T>*>(at)->value = value;
}

// Sizes from sizeof(T) to twice that: two pieces that may overlap. Both are read before one is
// written, so it serves memmove too.
template <typename T>
inline void copy_ends(char* to, const char* from, size_t bytes) {
  const T first = load<T>(from);
  const T last = load<T>(from + bytes - sizeof(T));
  store<T>(to, first);
  store<T>(to + bytes - sizeof(T), last);
}

inline void copy_small(char* to, const char* from, size_t bytes) {
  if (bytes >= 16) return copy_ends<Vector>(to, from, bytes);
  if (bytes >= 8) return copy_ends<uint64_t>(to, from, bytes);
  if (bytes >= 4) return copy_ends<uint32_t>(to, from, bytes);
  if (bytes >= 2) return copy_ends<uint16_t>(to, from, bytes);
  if (bytes == 1) *to = *from;
}

constexpr size_t kSmall = 32;
constexpr size_t kBlock = 64;

struct Block {
  Vector part[4];
};
inline Block load_block(const char* from) {
  return {{load<Vector>(from), load<Vector>(from + 16), load<Vector>(from + 32),
           load<Vector>(from + 48)}};
}
inline void store_block(char* to, const Block& block) {
  for (size_t i = 0; i < 4; ++i) store<Vector>(to + 16 * i, block.part[i]);
}

inline void copy_up(char* to, const char* from, size_t bytes) {
  const Vector last = load<Vector>(from + bytes - 16);
  char* const end = to + bytes;
  for (; bytes > kBlock; bytes -= kBlock, to += kBlock, from += kBlock)
    store_block(to, load_block(from));
  for (; bytes > 16; bytes -= 16, to += 16, from += 16) store<Vector>(to, load<Vector>(from));
  store<Vector>(end - 16, last);
}

inline void copy_down(char* to, const char* from, size_t bytes) {
  const Vector first = load<Vector>(from);
  for (; bytes > kBlock; bytes -= kBlock)
    store_block(to + bytes - kBlock, load_block(from + bytes - kBlock));
  for (; bytes > 16; bytes -= 16) store<Vector>(to + bytes - 16, load<Vector>(from + bytes - 16));
  store<Vector>(to, first);
}

constexpr uint64_t kOnes = 0x0101010101010101;
constexpr uint64_t kHighs = kOnes << 7;
// Not zero exactly when a byte of `word` is zero; the lowest set bit belongs to the first such
// byte.
constexpr uint64_t zero_bytes(uint64_t word) { return (word - kOnes) & ~word & kHighs; }
constexpr size_t first_byte(uint64_t marks) {
  return static_cast<size_t>(__builtin_ctzll(marks)) / 8;
}

// Reads whole aligned words: they may hold bytes behind the text, but never of a page that the text
// does not touch.
[[gnu::no_sanitize_address]] inline size_t length(const char* text) {
  const uintptr_t phase = reinterpret_cast<uintptr_t>(text) & 7;
  const char* at = text - phase;
  // What lies before the text is made to look like text.
  uint64_t word = *reinterpret_cast<const AlignedWord*>(at) | ((uint64_t{1} << 8 * phase) - 1);
  for (; zero_bytes(word) == 0; word = *reinterpret_cast<const AlignedWord*>(at)) at += 8;
  return static_cast<size_t>(at - text) + first_byte(zero_bytes(word));
}

inline int difference(const void* a, const void* b, size_t at) {
  return static_cast<const unsigned char*>(a)[at] - static_cast<const unsigned char*>(b)[at];
}

}  // namespace

PRELUDE_RUNTIME void* memcpy(void* to, const void* from, size_t bytes) {
  auto* out = static_cast<char*>(to);
  const auto* in = static_cast<const char*>(from);
  if (bytes <= kSmall)
    copy_small(out, in, bytes);
  else
    copy_up(out, in, bytes);
  return to;
}

PRELUDE_RUNTIME void* memmove(void* to, const void* from, size_t bytes) {
  auto* out = static_cast<char*>(to);
  const auto* in = static_cast<const char*>(from);
  if (bytes <= kSmall)
    copy_small(out, in, bytes);
  else if (out <= in)
    copy_up(out, in, bytes);
  else
    copy_down(out, in, bytes);
  return to;
}

PRELUDE_RUNTIME void* mempcpy(void* to, const void* from, size_t bytes) {
  return static_cast<char*>(memcpy(to, from, bytes)) + bytes;
}

PRELUDE_RUNTIME void* memset(void* to, int value, size_t bytes) {
  auto* out = static_cast<char*>(to);
  const uint64_t word = static_cast<unsigned char>(value) * kOnes;
  if (bytes < 16) {
    if (bytes >= 8) {
      store<uint64_t>(out, word);
      store<uint64_t>(out + bytes - 8, word);
    } else {
      for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(value);
    }
    return to;
  }
  const Vector wide = {word, word};
  char* const last = out + bytes - 16;
  for (; last - out >= 48; out += kBlock) store_block(out, {{wide, wide, wide, wide}});
  for (; out < last; out += 16) store<Vector>(out, wide);
  store<Vector>(last, wide);
  return to;
}

PRELUDE_RUNTIME int memcmp(const void* a, const void* b, size_t bytes) {
  const auto* left = static_cast<const char*>(a);
  const auto* right = static_cast<const char*>(b);
  size_t at = 0;
  for (; bytes - at >= 8; at += 8) {
    const uint64_t changed = load<uint64_t>(left + at) ^ load<uint64_t>(right + at);
    if (changed != 0) return difference(a, b, at + first_byte(changed));
  }
  for (; at < bytes; ++at)
    if (left[at] != right[at]) return difference(a, b, at);
  return 0;
}

PRELUDE_RUNTIME void* memchr(const void* start, int value, size_t bytes) {
  auto* at = static_cast<unsigned char*>(const_cast<void*>(start));
  const auto wanted = static_cast<unsigned char>(value);
  for (; bytes >= 8; bytes -= 8, at += 8)
    if (const uint64_t marks = zero_bytes(load<uint64_t>(at) ^ (wanted * kOnes)); marks != 0)
      return at + first_byte(marks);
  for (; bytes != 0; --bytes, ++at)
    if (*at == wanted) return at;
  return nullptr;
}

PRELUDE_RUNTIME size_t strlen(const char* text) { return length(text); }

PRELUDE_RUNTIME int strcmp(const char* a, const char* b) {
  while (*a != 0 && *a == *b) {
    ++a;
    ++b;
  }
  return difference(a, b, 0);
}

PRELUDE_RUNTIME char* index(const char* text, int wanted) {
  for (;; ++text) {
    if (*text == static_cast<char>(wanted)) return const_cast<char*>(text);
    if (*text == 0) return nullptr;
  }
}

PRELUDE_RUNTIME char* stpcpy(char* to, const char* from) {
  const size_t bytes = length(from);
  memcpy(to, from, bytes + 1);
  return to + bytes;
}

// Reached only by a defect of ours.
// NOLINTNEXTLINE(readability-identifier-naming): the C++ ABI's name
PRELUDE_TRAP void __cxa_pure_virtual() { __builtin_trap(); }
// std::__throw_out_of_range_fmt and std::__glibcxx_assert_fail of libstdc++'s headers.
PRELUDE_TRAP void prelude_throw_out_of_range(const char*,
                                             ...) asm("_ZSt24__throw_out_of_range_fmtPKcz");
void prelude_throw_out_of_range(const char* /*format*/, ...) { __builtin_trap(); }
PRELUDE_TRAP void prelude_assert_fail(const char*, int, const char*,
                                      const char*) asm("_ZSt21__glibcxx_assert_failPKciS0_S0_");
void prelude_assert_fail(const char*, int, const char*, const char*) { __builtin_trap(); }
