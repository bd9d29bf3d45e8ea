#include <prelude/base/writer.h>

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace {

using prelude::Writer;

struct Text {
  char buffer[256];
  Writer writer{buffer, sizeof(buffer)};
  std::string str() const { return std::string(writer.text()); }
};

TEST(Writer, PutsTextAndCharacters) {
  Text t;
  t.writer.put("a").put('b').put(std::string_view("cd"));
  EXPECT_EQ(t.str(), "abcd");
}

TEST(Writer, NullTextIsNamed) {
  Text t;
  t.writer.put(static_cast<const char*>(nullptr));
  EXPECT_EQ(t.str(), "(null)");
}

TEST(Writer, Decimal) {
  Text t;
  t.writer.decimal(0)
      .put(' ')
      .decimal(UINT64_MAX)
      .put(' ')
      .decimal(7, 3)
      .put(' ')
      .decimal(42, 4, '0');
  EXPECT_EQ(t.str(), "0 18446744073709551615   7 0042");
}

TEST(Writer, SignedDecimal) {
  Text t;
  t.writer.signed_decimal(-1).put(' ').signed_decimal(5).put(' ').signed_decimal(INT64_MIN);
  EXPECT_EQ(t.str(), "-1 5 -9223372036854775808");
}

TEST(Writer, Hex) {
  Text t;
  t.writer.hex(0).put(' ').hex(0xbeef, 8).put(' ').hex(UINT64_MAX).put(' ').hex(1, 4, ' ');
  EXPECT_EQ(t.str(), "0 0000beef ffffffffffffffff    1");
}

TEST(Writer, FullBufferWithoutSinkIsCut) {
  char buffer[4];
  Writer writer(buffer, sizeof(buffer));
  writer.put("abcdef").put('g');
  EXPECT_EQ(writer.text(), "abcd");
  EXPECT_TRUE(writer.truncated());
  writer.clear();
  EXPECT_FALSE(writer.truncated());
}

TEST(Writer, ExactFitIsNotCut) {
  char buffer[4];
  Writer writer(buffer, sizeof(buffer));
  writer.put("abcd");
  EXPECT_FALSE(writer.truncated());
}

TEST(Writer, NoBufferAtAll) {
  Writer writer(nullptr, 0);
  writer.put('a').put("b");
  EXPECT_TRUE(writer.truncated());
  EXPECT_STREQ(writer.c_str(), "");
}

TEST(Writer, FullBufferGoesToTheSink) {
  char buffer[4];
  std::string seen;
  const auto sink = [](void* context, const char* text, size_t bytes) {
    static_cast<std::string*>(context)->append(text, bytes);
  };
  Writer writer(buffer, sizeof(buffer), sink, &seen);
  writer.put("abcdefghij").put('k');
  writer.flush();
  EXPECT_EQ(seen, "abcdefghijk");
  EXPECT_FALSE(writer.truncated());
  writer.flush();
  EXPECT_EQ(seen, "abcdefghijk") << "nothing is written twice";
}

TEST(Writer, CStringCutsTheLastByteOfAFullBuffer) {
  char buffer[4];
  Writer writer(buffer, sizeof(buffer));
  writer.put("abcd");
  EXPECT_STREQ(writer.c_str(), "abc");
  EXPECT_TRUE(writer.truncated());
}

TEST(Writer, EscapesControlCharacters) {
  Text t;
  t.writer.escaped("a\n\x1b[31m\x7f");
  EXPECT_EQ(t.str(), "a\\x0a\\x1b[31m\\x7f");
}

TEST(Writer, KeepsValidUtf8) {
  Text t;
  t.writer.escaped("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(t.str(), "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
}

TEST(Writer, EscapesWhatIsNoUtf8) {
  const std::pair<const char*, const char*> cases[] = {
      {"\xff", "\\xff"},
      {"\x80", "\\x80"},
      {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong
      {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},           // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // beyond U+10FFFF
      {"\xe2\x82", "\\xe2\\x82"},                    // cut short
      {"\xc2\x9b", "\\xc2\\x9b"},                    // a C1 control: CSI
  };
  for (const auto& [input, expected] : cases) {
    Text t;
    t.writer.escaped(input);
    EXPECT_EQ(t.str(), expected);
  }
}

TEST(Writer, EscapedStopsAtTheLimitBetweenCharacters) {
  Text t;
  t.writer.escaped("ab\xe2\x82\xac", 4);
  EXPECT_EQ(t.str(), "ab");
}

}  // namespace
