#include "src/search/cache.h"

#include <gtest/gtest.h>

#include <memory>

#include "cache_builder.h"

namespace prelude::search {
namespace {

constexpr std::string_view kCaps[] = {"x86-64-v3", "x86-64-v2"};
constexpr CacheQuery kQuery{kX86Flags, 2, {kCaps, 2}};

/// Looks up in an exact heap copy, so that the sanitizer sees every byte read too far.
std::string look_up(const std::string& file, const char* name, const CacheQuery& query = kQuery) {
  auto bytes = std::make_unique<char[]>(file.size());
  memcpy(bytes.get(), file.data(), file.size());
  const auto view = CacheView::decode(bytes.get(), file.size());
  if (!view) return "(bad)";
  const char* path = view->find(name, query);
  return path != nullptr ? path : "(none)";
}

CacheBuilder three_libraries() {
  CacheBuilder builder;
  builder.add("libb.so.9", "/lib/libb.so.9")
      .add("libb.so.10", "/lib/libb.so.10")
      .add("liba.so", "/usr/lib/liba.so");
  return builder;
}

CacheBuilder with_hwcaps() {
  CacheBuilder builder = three_libraries();
  builder.hwcaps({"x86-64-v2", "x86-64-v3", "x86-64-v4", "zz"})
      .add("libh.so", "/lib/glibc-hwcaps/x86-64-v2/libh.so", kNamedHwcap)
      .add("libh.so", "/lib/glibc-hwcaps/x86-64-v3/libh.so", kNamedHwcap | 1)
      .add("libh.so", "/lib/glibc-hwcaps/x86-64-v4/libh.so", kNamedHwcap | 2)
      .add("libh.so", "/lib/glibc-hwcaps/zz/libh.so", kNamedHwcap | 3)
      .add("libh.so", "/lib/libh.so");
  return builder;
}

TEST(CompareNames, DigitsCompareAsNumbers) {
  EXPECT_GT(compare_names("libfoo.so.10", "libfoo.so.9"), 0);
  EXPECT_LT(compare_names("libfoo.so.9", "libfoo.so.10"), 0);
  EXPECT_EQ(compare_names("libfoo.so.9", "libfoo.so.9"), 0);
  EXPECT_EQ(compare_names("libfoo.so.09", "libfoo.so.9"), 0);
}

TEST(CompareNames, DigitsComeBehindOtherCharacters) {
  EXPECT_GT(compare_names("lib1", "libz"), 0);
  EXPECT_LT(compare_names("libz", "lib1"), 0);
  EXPECT_GT(compare_names("lib1", "lib"), 0);
  EXPECT_LT(compare_names("lib", "lib1"), 0);
  EXPECT_LT(compare_names("", "a"), 0);
}

TEST(CompareNames, LongNumbersWrap) {
  EXPECT_GT(compare_names("l20220624", "l20220623"), 0);
  EXPECT_EQ(compare_names("l4294967297", "l1"), 0);
  EXPECT_LT(compare_names("l2147483648", "l0"), 0);
}

TEST(CacheView, FindsEveryName) {
  const std::string file = three_libraries().build();
  EXPECT_EQ(look_up(file, "liba.so"), "/usr/lib/liba.so");
  EXPECT_EQ(look_up(file, "libb.so.9"), "/lib/libb.so.9");
  EXPECT_EQ(look_up(file, "libb.so.10"), "/lib/libb.so.10");
  EXPECT_EQ(look_up(file, "libb.so.1"), "(none)");
  EXPECT_EQ(look_up(file, "libb.so.11"), "(none)");
  EXPECT_EQ(look_up(file, ""), "(none)");
}

TEST(CacheView, FindsEveryNameOfMany) {
  for (int count = 0; count < 40; ++count) {
    CacheBuilder builder;
    for (int i = 0; i < count; ++i) {
      const std::string name = "lib" + std::to_string(i * 7 % 41) + ".so." + std::to_string(i);
      builder.add(name, "/" + name);
    }
    const std::string file = builder.build();
    for (int i = 0; i < count; ++i) {
      const std::string name = "lib" + std::to_string(i * 7 % 41) + ".so." + std::to_string(i);
      ASSERT_EQ(look_up(file, name.c_str()), "/" + name);
    }
    EXPECT_EQ(look_up(file, "libx.so"), "(none)");
  }
}

TEST(CacheView, NamesThatCompareEqualAreTwoNames) {
  const std::string file =
      CacheBuilder().add("libc.so.06", "/lib/06").add("libc.so.6", "/lib/6").build();
  EXPECT_EQ(look_up(file, "libc.so.6"), "/lib/6");
  EXPECT_EQ(look_up(file, "libc.so.06"), "/lib/06");
  EXPECT_EQ(look_up(file, "libc.so.006"), "(none)");
}

TEST(CacheView, SkipsOtherMachines) {
  const std::string file = CacheBuilder()
                               .add("liba.so", "/lib32/liba.so", 0, 0x0003)
                               .add("liba.so", "/libx32/liba.so", 0, 0x0803)
                               .add("liba.so", "/lib/liba.so")
                               .add("libonly32.so", "/lib32/libonly32.so", 0, 0x0003)
                               .build();
  EXPECT_EQ(look_up(file, "liba.so"), "/lib/liba.so");
  EXPECT_EQ(look_up(file, "libonly32.so"), "(none)");
}

TEST(CacheView, ExactFlagsBeatAnyMachine) {
  const std::string file =
      CacheBuilder().add("liba.so", "/any", 0, 1).add("liba.so", "/exact").build();
  EXPECT_EQ(look_up(file, "liba.so"), "/exact");
  EXPECT_EQ(look_up(CacheBuilder().add("liba.so", "/any", 0, 1).build(), "liba.so"), "/any");
}

TEST(CacheView, FirstOfTwoPlainEntriesCounts) {
  const std::string file =
      CacheBuilder().add("liba.so", "/first").add("liba.so", "/second").build();
  EXPECT_EQ(look_up(file, "liba.so"), "/first");
}

TEST(CacheView, BestSubdirectoryCounts) {
  const std::string file = with_hwcaps().build();
  EXPECT_EQ(look_up(file, "libh.so"), "/lib/glibc-hwcaps/x86-64-v3/libh.so");
  const std::string_view only_v2[] = {"x86-64-v2"};
  EXPECT_EQ(look_up(file, "libh.so", {kX86Flags, 2, {only_v2, 1}}),
            "/lib/glibc-hwcaps/x86-64-v2/libh.so");
  const std::string_view prepended[] = {"zz", "x86-64-v3"};
  EXPECT_EQ(look_up(file, "libh.so", {kX86Flags, 2, {prepended, 2}}),
            "/lib/glibc-hwcaps/zz/libh.so");
  EXPECT_EQ(look_up(file, "libh.so", {kX86Flags, 2, {}}), "/lib/libh.so");
}

TEST(CacheView, IsaLevelMustBeWithinTheCpu) {
  const uint64_t level3 = uint64_t{3} << 32;
  const std::string file = CacheBuilder()
                               .hwcaps({"x86-64-v3"})
                               .add("liba.so", "/v3", kNamedHwcap | level3)
                               .add("liba.so", "/plain")
                               .build();
  EXPECT_EQ(look_up(file, "liba.so", {kX86Flags, 2, {kCaps, 2}}), "/plain");
  EXPECT_EQ(look_up(file, "liba.so", {kX86Flags, 3, {kCaps, 2}}), "/v3");
}

TEST(CacheView, LegacyHwcapsAreSkipped) {
  for (const uint64_t hwcap : {uint64_t{1}, uint64_t{1} << 63, kNamedHwcap | uint64_t{1} << 50,
                               kNamedHwcap | uint64_t{1} << 63}) {
    const std::string file =
        CacheBuilder().hwcaps({"x86-64-v2", "x86-64-v3"}).add("liba.so", "/legacy", hwcap).build();
    EXPECT_EQ(look_up(file, "liba.so"), "(none)") << hwcap;
  }
}

TEST(CacheView, IndexBeyondTheNamesIsSkipped) {
  const std::string file = CacheBuilder()
                               .hwcaps({"x86-64-v2"})
                               .add("liba.so", "/bad", kNamedHwcap | 1)
                               .add("liba.so", "/plain")
                               .build();
  EXPECT_EQ(look_up(file, "liba.so"), "/plain");
  const std::string without =
      CacheBuilder().add("liba.so", "/bad", kNamedHwcap).add("liba.so", "/plain").build();
  EXPECT_EQ(look_up(without, "liba.so"), "/plain");
}

TEST(CacheView, OldHeaderInFront) {
  for (const uint32_t count : {0U, 1U, 2U, 7U}) {
    const std::string file = with_hwcaps().old_header(count).build();
    EXPECT_EQ(look_up(file, "liba.so"), "/usr/lib/liba.so");
    EXPECT_EQ(look_up(file, "libh.so"), "/lib/glibc-hwcaps/x86-64-v3/libh.so");
  }
}

TEST(CacheView, OldHeaderAloneIsNoCache) {
  std::string file("ld.so-1.7.0\0", 12);
  CacheBuilder::put(file, 1);
  file.append(12, 'x');
  EXPECT_EQ(look_up(file, "liba.so"), "(bad)");
  CacheBuilder::poke(file, 12, 0xFFFFFFFF);
  EXPECT_EQ(look_up(file, "liba.so"), "(bad)");
}

TEST(CacheView, RejectsBadHeaders) {
  const std::string good = three_libraries().build();
  std::string file = good;
  file[0] = 'x';
  EXPECT_EQ(look_up(file, "liba.so"), "(bad)");
  file = good;
  CacheBuilder::poke(file, 20, 0x7FFFFFFF);
  EXPECT_EQ(look_up(file, "liba.so"), "(bad)");
  for (const char endian : {char{1}, char{3}}) {
    file = good;
    file[28] = endian;
    EXPECT_EQ(look_up(file, "liba.so"), "(bad)");
  }
  file[28] = 0;
  EXPECT_EQ(look_up(file, "liba.so"), "/usr/lib/liba.so");
}

TEST(CacheView, RejectsBadExtensions) {
  const std::string good = with_hwcaps().build();
  const uint32_t start = CacheBuilder::peek(good, 32);
  const struct {
    size_t at;
    uint32_t word;
  } cases[] = {{32, start + 1},     {32, 0xFFFFFFFC},          {start, 0},
               {start + 4, 0xFFFF}, {start + 8 + 24, 0xFFFFF}, {start + 8 + 28, 0xFFFFFFF0},
               {start + 8 + 28, 3}};
  for (const auto& item : cases) {
    std::string file = good;
    CacheBuilder::poke(file, item.at, item.word);
    EXPECT_EQ(look_up(file, "libh.so"), "(bad)") << item.at << " " << item.word;
  }
}

TEST(CacheView, BadStringOffsetsFindNothing) {
  std::string file = CacheBuilder().add("liba.so", "/lib/liba.so").build();
  std::string bad = file;
  CacheBuilder::poke(bad, 48 + 4, static_cast<uint32_t>(file.size()));
  EXPECT_EQ(look_up(bad, "liba.so"), "(none)");
  bad = file;
  CacheBuilder::poke(bad, 48 + 8, 0xFFFFFFFF);
  EXPECT_EQ(look_up(bad, "liba.so"), "(none)");
  file.pop_back();  // the last string has no end
  EXPECT_EQ(look_up(file, "liba.so"), "(none)");
}

TEST(CacheView, SurvivesTruncationAtEveryByte) {
  const std::string files[] = {with_hwcaps().build(), with_hwcaps().old_header(3).build()};
  for (const std::string& file : files)
    for (size_t size = 0; size < file.size(); ++size)
      for (const char* name : {"liba.so", "libh.so", "libb.so.10"})
        look_up(file.substr(0, size), name);
}

TEST(CacheView, SurvivesAnyWordAnywhere) {
  const std::string good = with_hwcaps().old_header(1).build();
  for (size_t at = 0; at + 4 <= good.size(); ++at) {
    for (const uint32_t word :
         {0U, 1U, 0x7FFFFFFFU, 0xFFFFFFFFU, static_cast<uint32_t>(good.size() - 1)}) {
      std::string file = good;
      CacheBuilder::poke(file, at, word);
      for (const char* name : {"liba.so", "libh.so", "libb.so.10"}) look_up(file, name);
    }
  }
}

}  // namespace
}  // namespace prelude::search
