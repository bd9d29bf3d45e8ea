#include "src/search/tokens.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "src/search/hwcaps.h"

namespace prelude::search {
namespace {

constexpr const char* kSystem[] = {"/lib/x86_64-linux-gnu", "/usr/lib", nullptr};

TokenValues values(const char* origin, bool secure = false) {
  return {origin, "lib/x86_64-linux-gnu", "haswell", kSystem, secure};
}

std::string expand(const std::string& text, const TokenValues& with) {
  const Expansion sized = expand_tokens(text, with, nullptr);
  if (!sized.allowed) return "(refused)";
  std::string out(sized.size, '?');
  const Expansion done = expand_tokens(text, with, out.data());
  if (!done.allowed) return "(refused)";
  EXPECT_EQ(done.size, sized.size);
  return out;
}
std::string expand(const std::string& text) { return expand(text, values("/opt/app")); }
std::string expand_secure(const std::string& text, const char* origin) {
  return expand(text, values(origin, true));
}

TEST(Tokens, AllForms) {
  EXPECT_EQ(expand("$ORIGIN/../$LIB/${PLATFORM}"), "/opt/app/../lib/x86_64-linux-gnu/haswell");
  EXPECT_EQ(expand("${ORIGIN}"), "/opt/app");
  EXPECT_EQ(expand("/a/${LIB}x"), "/a/lib/x86_64-linux-gnux");
  EXPECT_EQ(expand("plain"), "plain");
  EXPECT_EQ(expand(""), "");
}

TEST(Tokens, NameIsAsLongAsPossible) {  // measured, glibc 2.36
  EXPECT_EQ(expand("$ORIGINx"), "$ORIGINx");
  EXPECT_EQ(expand("$LIB_foo"), "$LIB_foo");
  EXPECT_EQ(expand("$ORIGIN2"), "$ORIGIN2");
  EXPECT_EQ(expand("$ORIGIN-2"), "/opt/app-2");
  EXPECT_EQ(expand("/c/$ORIGIN}"), "/c//opt/app}");
}

TEST(Tokens, WhatIsNoTokenStays) {
  EXPECT_EQ(expand("$NOPE/$"), "$NOPE/$");
  EXPECT_EQ(expand("/b/${ORIGIN"), "/b/${ORIGIN");
  EXPECT_EQ(expand("${}${ORIGIN x}"), "${}${ORIGIN x}");
  EXPECT_EQ(expand("/e/$$LIB"), "/e/$lib/x86_64-linux-gnu");
  EXPECT_EQ(expand("$origin"), "$origin");
}

TEST(Tokens, UnknownValueRefuses) {
  EXPECT_EQ(expand("/x/$ORIGIN", values(nullptr)), "(refused)");
  TokenValues no_platform = values("/o");
  no_platform.platform = nullptr;
  EXPECT_EQ(expand("$PLATFORM", no_platform), "(refused)");
  EXPECT_EQ(expand("$LIB", values(nullptr)), "lib/x86_64-linux-gnu");
}

TEST(Tokens, SecureOriginComesFirst) {
  EXPECT_EQ(expand_secure("$ORIGIN", "/usr/lib/app"), "/usr/lib/app");
  EXPECT_EQ(expand_secure("${ORIGIN}/x", "/usr/lib/app"), "/usr/lib/app/x");
  EXPECT_EQ(expand_secure("/usr/lib/$ORIGIN", "/usr/lib"), "(refused)");
  EXPECT_EQ(expand_secure("$ORIGIN-x", "/usr/lib/app"), "(refused)");
  EXPECT_EQ(expand_secure("$ORIGIN/$ORIGIN", "/usr/lib"), "(refused)");
}

TEST(Tokens, SecureOriginLeadsIntoSystemDirectories) {
  EXPECT_EQ(expand_secure("$ORIGIN", "/home/user"), "(refused)");
  EXPECT_EQ(expand_secure("$ORIGIN/../lib", "/usr/bin"), "/usr/bin/../lib");
  EXPECT_EQ(expand_secure("$ORIGIN/../../tmp", "/usr/lib"), "(refused)");
  EXPECT_EQ(expand_secure("$ORIGIN/lib", "/usr"), "/usr/lib");
  EXPECT_EQ(expand_secure("$ORIGIN", "/usr/library"), "(refused)");
}

TEST(Tokens, SecureWithoutOriginIsNotJudged) {
  EXPECT_EQ(expand_secure("/opt/$LIB", nullptr), "/opt/lib/x86_64-linux-gnu");
}

TEST(LiesIn, ResolvesDots) {
  EXPECT_TRUE(lies_in("/usr/lib", "/usr/lib"));
  EXPECT_TRUE(lies_in("/usr/lib/", "/usr/lib"));
  EXPECT_TRUE(lies_in("//usr/./lib//x/..", "/usr/lib"));
  EXPECT_TRUE(lies_in("/../../usr/lib/x", "/usr/lib"));
  EXPECT_TRUE(lies_in("/a/../../usr/lib", "/usr/lib"));
  EXPECT_FALSE(lies_in("/usr/lib/..", "/usr/lib"));
  EXPECT_FALSE(lies_in("/usr/lib/../lib64", "/usr/lib"));
  EXPECT_FALSE(lies_in("/usr/lib/a/../../../tmp", "/usr/lib"));
  EXPECT_FALSE(lies_in("/usr", "/usr/lib"));
  EXPECT_FALSE(lies_in("/x/usr/lib", "/usr/lib"));
  EXPECT_FALSE(lies_in("usr/lib", "/usr/lib"));
  EXPECT_FALSE(lies_in("", "/usr/lib"));
}

std::vector<std::string> elements(const char* list, std::string_view separators) {
  std::vector<std::string> out;
  std::string_view element;
  for (ListReader reader(list, separators); reader.next(element);) out.emplace_back(element);
  return out;
}

TEST(ListReader, SplitsAndKeepsEmptyElements) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(elements("/a:/b;c", ":;"), (Texts{"/a", "/b", "c"}));
  EXPECT_EQ(elements("/a:/b;c", ":"), (Texts{"/a", "/b;c"}));
  EXPECT_EQ(elements(":", ":;"), (Texts{"", ""}));
  EXPECT_EQ(elements("a::b:", ":"), (Texts{"a", "", "b", ""}));
  EXPECT_EQ(elements("", ":"), Texts{""});
  EXPECT_EQ(elements(nullptr, ":"), Texts{});
}

TEST(ListReader, TrailingSlashes) {
  EXPECT_EQ(without_trailing_slashes("/a//"), "/a");
  EXPECT_EQ(without_trailing_slashes("//"), "/");
  EXPECT_EQ(without_trailing_slashes("/"), "/");
  EXPECT_EQ(without_trailing_slashes(""), "");
}

std::vector<std::string> selected(const char* prepend, const char* mask) {
  static constexpr const char* kSupported[] = {"x86-64-v3", "x86-64-v2", nullptr};
  std::string_view names[16];
  const size_t count = select_hwcaps(prepend, kSupported, mask, nullptr);
  EXPECT_EQ(select_hwcaps(prepend, kSupported, mask, names), count);
  return {names, names + count};
}

TEST(Hwcaps, PrependAndMask) {  // measured with `ld.so --help`, glibc 2.36
  using Texts = std::vector<std::string>;
  EXPECT_EQ(selected(nullptr, nullptr), (Texts{"x86-64-v3", "x86-64-v2"}));
  EXPECT_EQ(selected("a:b::x86-64-v2:a:foo/bar", nullptr),
            (Texts{"a", "b", "x86-64-v2", "a", "foo/bar", "x86-64-v3", "x86-64-v2"}));
  EXPECT_EQ(selected(nullptr, "x86-64-v2"), Texts{"x86-64-v2"});
  EXPECT_EQ(selected(nullptr, ""), Texts{});
  EXPECT_EQ(selected("", ":"), Texts{});
  EXPECT_EQ(selected("a", "a:x86-64-v4"), Texts{"a"});
}

TEST(Hwcaps, PriorityIsThePlace) {
  const std::string_view names[] = {"a", "b", "a"};
  const HwcapList list{names, 3};
  EXPECT_EQ(list.priority_of("a"), 1U);
  EXPECT_EQ(list.priority_of("b"), 2U);
  EXPECT_EQ(list.priority_of("c"), 0U);
}

}  // namespace
}  // namespace prelude::search
