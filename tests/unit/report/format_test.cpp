// The judge is the C library's own snprintf.
#include <gtest/gtest.h>
#include <prelude/report/format.h>

#include <climits>
#include <cstdio>

#include "text_of.h"

namespace prelude::report {
namespace {

std::string ours(const char* format, ...) __attribute__((format(printf, 1, 2)));
std::string ours(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = text_of([&](Writer& out) { format_text(out, format, arguments); });
  va_end(arguments);
  return text;
}
std::string loose(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = text_of([&](Writer& out) { format_text(out, format, arguments); });
  va_end(arguments);
  return text;
}

template <typename... Values>
std::string judge(const char* format, Values... values) {
  char buffer[512];
  snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

#define EXPECT_SAME(...) EXPECT_EQ(ours(__VA_ARGS__), judge(__VA_ARGS__))

TEST(Format, AsSnprintf) {
  EXPECT_SAME("%s|%5s|%-5s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "abc");
  EXPECT_SAME("%d %i %u %x", -5, INT_MIN, UINT_MAX, 0xabcdU);
  EXPECT_SAME("%ld %lu %lx %zd %zu %zx %td", LONG_MIN, ULONG_MAX, 0xfeUL, ssize_t{-1}, size_t{1},
              size_t{255}, ptrdiff_t{-7});
  EXPECT_SAME("%5d|%05d|%-5d|%05d", 42, 42, 42, -42);
  EXPECT_SAME("0x%0*lx %*u", 16, 0x7f00UL, 10, 14U);
  EXPECT_SAME("%c%% %p", 'z', reinterpret_cast<void*>(0x10));
}

TEST(Format, LoaderOnlyForms) {
  EXPECT_EQ(loose("%Zd %0*Zx", size_t{12}, 8, size_t{0xab}), "12 000000ab");
  EXPECT_EQ(loose("%s", static_cast<const char*>(nullptr)), "(null)");
}

TEST(Format, UnknownAndTruncatedDirectivesAreCopied) {
  EXPECT_EQ(loose("a%q|"), "a%q|");
  EXPECT_EQ(loose("end%"), "end%");
  EXPECT_EQ(loose("end%08l"), "end%08l");
  EXPECT_LE(loose("%99999999999999999999d", 1).size(), 4096U);
}

}  // namespace
}  // namespace prelude::report
