// mem.cpp itself, under other names beside the host's functions, compared with them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#define memcpy ours_memcpy
#define memmove ours_memmove
#define mempcpy ours_mempcpy
#define memset ours_memset
#define memcmp ours_memcmp
#define memchr ours_memchr
#define strlen ours_strlen
#define strcmp ours_strcmp
#define index ours_index
#define stpcpy ours_stpcpy
#define abort ours_abort
#define __cxa_pure_virtual ours_pure_virtual
#include "src/base/mem.cpp"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strcmp

namespace {

constexpr size_t kLongest = 300;
using Bytes = std::vector<unsigned char>;

Bytes pattern(size_t bytes) {
  Bytes result(bytes);
  for (size_t i = 0; i < bytes; ++i) result[i] = static_cast<unsigned char>(i * 37 + 11);
  return result;
}

int sign(int value) { return (value > 0) - (value < 0); }

TEST(Mem, CopyEverySizeAndPosition) {
  for (size_t bytes = 0; bytes < kLongest; ++bytes) {
    const Bytes from = pattern(bytes + 1);
    for (size_t at = 0; at < 3; ++at) {
      Bytes expected(bytes + 4, 0xee);
      Bytes found = expected;
      std::memcpy(expected.data() + at, from.data(), bytes);
      EXPECT_EQ(ours_memcpy(found.data() + at, from.data(), bytes), found.data() + at);
      ASSERT_EQ(found, expected) << bytes;
    }
  }
}

TEST(Mem, MoveOverlappingBothWays) {
  for (size_t bytes = 0; bytes < kLongest; ++bytes)
    for (const size_t distance : {1U, 7U, 16U, 63U, 100U})
      for (const bool up : {false, true}) {
        Bytes expected = pattern(bytes + distance);
        Bytes found = expected;
        const size_t to = up ? distance : 0;
        const size_t from = up ? 0 : distance;
        std::memmove(expected.data() + to, expected.data() + from, bytes);
        ours_memmove(found.data() + to, found.data() + from, bytes);
        ASSERT_EQ(found, expected) << bytes << " by " << distance;
      }
}

TEST(Mem, SetEverySize) {
  for (size_t bytes = 0; bytes < kLongest; ++bytes) {
    Bytes expected(bytes + 2, 0xee);
    Bytes found = expected;
    std::memset(expected.data() + 1, 0x1a5, bytes);
    ours_memset(found.data() + 1, 0x1a5, bytes);
    ASSERT_EQ(found, expected) << bytes;
  }
}

TEST(Mem, CompareFindsTheFirstDifference) {
  for (size_t bytes = 1; bytes < 80; ++bytes)
    for (size_t at = 0; at < bytes; ++at) {
      const Bytes a = pattern(bytes);
      Bytes b = a;
      b[at] ^= 0x80;
      b[bytes - 1] ^= 0x01;
      ASSERT_EQ(sign(ours_memcmp(a.data(), b.data(), bytes)),
                sign(std::memcmp(a.data(), b.data(), bytes)));
    }
  EXPECT_EQ(ours_memcmp("abc", "abd", 2), 0);
}

TEST(Mem, FindByteEverywhere) {
  for (size_t bytes = 0; bytes < 40; ++bytes)
    for (size_t at = 0; at <= bytes; ++at) {
      Bytes text(bytes + 1, 0x80);
      if (at < bytes) text[at] = 0x7f;
      if (at + 1 < bytes) text[at + 1] = 0x7f;
      const void* expected = at < bytes ? &text[at] : nullptr;
      ASSERT_EQ(ours_memchr(text.data(), 0x7f, bytes), expected);
    }
}

TEST(Mem, StringLengthAtEveryAlignment) {
  for (size_t start = 0; start < 9; ++start)
    for (size_t length = 0; length < 40; ++length) {
      Bytes text(start + length, 0x80);
      text.push_back(0);
      ASSERT_EQ(ours_strlen(reinterpret_cast<char*>(text.data()) + start), length);
    }
}

TEST(Mem, StringFunctions) {
  EXPECT_EQ(ours_strcmp("abc", "abc"), 0);
  EXPECT_LT(ours_strcmp("ab", "abc"), 0);
  EXPECT_GT(ours_strcmp("\xff", "a"), 0);
  const char* text = "a/b";
  EXPECT_EQ(ours_index(text, '/'), text + 1);
  EXPECT_EQ(ours_index(text, 0), text + 3);
  EXPECT_EQ(ours_index(text, 'x'), nullptr);
  char copy[8];
  EXPECT_EQ(ours_stpcpy(copy, "hello"), copy + 5);
  EXPECT_STREQ(copy, "hello");
  EXPECT_EQ(ours_mempcpy(copy, "xy", 2), copy + 2);
}

}  // namespace
