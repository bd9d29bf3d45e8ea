#include <prelude/report/hints.h>

#include <gtest/gtest.h>
#include <algorithm>

#include <vector>

#include "text_of.h"

namespace prelude::report {
namespace {

struct Names {
  std::vector<std::string> list;
  size_t at = 0;

  NameSource source() {
    at = 0;
    return {[](void* context, std::string_view& name) {
              auto& self = *static_cast<Names*>(context);
              if (self.at == self.list.size()) return false;
              name = self.list[self.at++];
              return true;
            },
            this};
  }
};

std::string library_hints(const MissingLibrary& missing) {
  return text_of([&](Writer& out) { write_missing_library_hints(out, missing); });
}
std::string nearest_library(const char* wanted, std::vector<std::string> names) {
  Names source{std::move(names)};
  return library_hints({.name = wanted, .names = source.source()});
}

TEST(Hints, OffInSecureModeAndWhenAskedFor) {
  Options options;
  EXPECT_TRUE(hints_enabled(options));
  options.hints = false;
  EXPECT_FALSE(hints_enabled(options));
  options.hints = true;
  options.secure = true;
  EXPECT_FALSE(hints_enabled(options));
}

TEST(Hints, MissingLibrary) {
  const char* const chain[] = {"/l/libfoo.so", "/l/libbar.so", "./prog"};
  const TriedPath tried[] = {{.path = "/l/libz.so.9", .source = "RUNPATH from file /l/libfoo.so"},
                             {.path = "/etc/ld.so.cache", .refusal = Refusal::kNotInCache},
                             {.path = "/lib/libz.so.9", .refusal = Refusal::kWrongClass}};
  Names names{{"libx.so.1", "libz.so.1"}};
  EXPECT_EQ(library_hints({.name = "libz.so.9",
                           .chain = chain,
                           .tried = tried,
                           .tried_left_out = 3,
                           .names = names.source()}),
            "  needed by /l/libfoo.so, needed by /l/libbar.so, needed by ./prog\n"
            "  tried /lib/libz.so.9: wrong ELF class (32-bit against 64-bit)\n"
            "  tried /l/libz.so.9 (RUNPATH from file /l/libfoo.so): no such file\n"
            "  tried /etc/ld.so.cache: no entry\n"
            "  ... and 3 more places\n"
            "  did you mean libz.so.1?\n");
}

TEST(Hints, NearestName) {
  EXPECT_EQ(nearest_library("libicuuc.so.70", {"libicudc.so.70", "libicuuc.so.72"}),
            "  did you mean libicuuc.so.72?\n");
  EXPECT_EQ(nearest_library("libssll.so.3", {"libfoo.so.1", "libssl.so.3"}),
            "  did you mean libssl.so.3?\n");
  EXPECT_EQ(nearest_library("libqqqq.so.3", {"libfoo.so.1", "libssl.so.3"}), "");
  EXPECT_EQ(nearest_library("", {"a"}), "");
  EXPECT_EQ(nearest_library("liba.so", {}), "");
}

TEST(Hints, LongListsAreCut) {
  const std::vector<const char*> chain(100, "./x");
  const std::vector<TriedPath> tried(100, {.path = "/p"});
  const std::string text = library_hints({.name = "liba.so", .chain = chain, .tried = tried});
  EXPECT_NE(text.find(", ..., needed by ./x\n"), std::string::npos);
  EXPECT_NE(text.find("  ... and 88 more places\n"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 14);
}

TEST(Hints, WorkIsBoundedForEndlessSources) {
  struct Endless {
    uint64_t calls = 0;
  } endless;
  const NameSource source{[](void* context, std::string_view& name) {
                            ++static_cast<Endless*>(context)->calls;
                            name = "libabcdefghij.so.1";
                            return true;
                          },
                          &endless};
  library_hints({.name = "libqrstuvwxyz.so.1", .names = source});
  EXPECT_LE(endless.calls, 65536U);
}

TEST(Hints, MissingSymbol) {
  const char* const scope[] = {"./prog", "/l/liba.so"};
  Names names{{"foo_initialise", "foo_init"}};
  EXPECT_EQ(text_of([&](Writer& out) {
              write_missing_symbol_hints(
                  out, {.name = "foo_inti", .scope = scope, .names = names.source()});
            }),
            "  searched in ./prog, /l/liba.so\n  did you mean foo_init?\n");
  EXPECT_EQ(
      text_of([&](Writer& out) {
        write_missing_symbol_hints(
            out,
            {.name = "f", .version = "V1", .provider = "/l/liba.so", .provider_versions = "V2 V3"});
      }),
      "  /l/liba.so has it in version V2 V3\n");
}

TEST(Hints, MissingVersion) {
  Names names{{"V2", "V3"}};
  EXPECT_EQ(text_of([&](Writer& out) {
              write_missing_version_hints(
                  out, {.version = "V1", .provider = "/l/a.so", .names = names.source()});
            }),
            "  /l/a.so defines V2 V3\n");
}

TEST(EditDistance, Known) {
  EXPECT_EQ(edit_distance("kitten", "sitting", 9), 3U);
  EXPECT_EQ(edit_distance("abc", "abc", 3), 0U);
  EXPECT_EQ(edit_distance("abc", "acb", 3), 1U);
  EXPECT_EQ(edit_distance("", "abc", 3), 3U);
  EXPECT_EQ(edit_distance("abc", "", 3), 3U);
  EXPECT_EQ(edit_distance("abc", "xyz", 2), 3U);
  EXPECT_EQ(edit_distance("abcdef", "a", 2), 3U);
}

uint32_t simple_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<uint32_t>> d(a.size() + 1, std::vector<uint32_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<uint32_t>(i + j);
        continue;
      }
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

TEST(EditDistance, BandAgreesWithTheWholeTable) {
  uint32_t seed = 1;
  const auto random = [&](uint32_t bound) {
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 16) % bound;
  };
  for (int round = 0; round < 3000; ++round) {
    std::string a, b;
    for (uint32_t i = random(9); i != 0; --i) a += static_cast<char>('a' + random(3));
    for (uint32_t i = random(9); i != 0; --i) b += static_cast<char>('a' + random(3));
    const uint32_t limit = random(10);
    EXPECT_EQ(edit_distance(a, b, limit), std::min(simple_distance(a, b), limit + 1))
        << a << " " << b << " " << limit;
  }
}

}  // namespace
}  // namespace prelude::report
