#include "src/glibc/tunables.h"

#include <prelude/glibc/personality.h>

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace prelude::glibc {
namespace {

class Environment {
 public:
  explicit Environment(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {  // exact blocks, so that a sanitizer sees overruns
      auto block = std::make_unique<char[]>(line.size() + 1);
      std::memcpy(block.get(), line.c_str(), line.size() + 1);
      pointers_.push_back(block.get());
      blocks_.push_back(std::move(block));
    }
    pointers_.push_back(nullptr);
  }
  char** envp() { return pointers_.data(); }

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::vector<char*> pointers_;
};

struct Parsed {
  Parsed(int minor, const std::vector<std::string>& lines, bool secure = false)
      : environment(lines) {
    tunables.start(*find_layout(minor), environment.envp(), secure);
  }
  [[nodiscard]] uint64_t number(const char* name) const { return tunables.number(id(name)); }
  [[nodiscard]] unsigned id(const std::string& name) const {
    for (unsigned i = 0; i < tunables.table().count; ++i)
      if (tunables.table().name(i) == name) return i;
    ADD_FAILURE() << name;
    return 0;
  }
  [[nodiscard]] std::string warning(size_t index) const {
    char buffer[512];
    Writer out(buffer, sizeof buffer);
    tunables.print_warning(index, out);
    return std::string(out.text());
  }
  Environment environment;
  Tunables tunables;
};

constexpr const char* kCheck = "glibc.malloc.check";
constexpr const char* kTopPad = "glibc.malloc.top_pad";
constexpr int kReleases[] = {36, 39, 41, 43, 44};

TEST(TunableTable, HasTheNumbersOfTheRelease) {
  EXPECT_EQ(find_tunable_table(36).count, 37);
  EXPECT_EQ(find_tunable_table(41).count, 43);
  EXPECT_EQ(find_tunable_table(43).count, 37);
  EXPECT_EQ(find_tunable_table(44).count, 36);
  EXPECT_EQ(find_tunable_table(45).count, 0);
  EXPECT_EQ(find_tunable_table(36).name(36), kCheck);
  EXPECT_EQ(find_tunable_table(36).alias(36), "MALLOC_CHECK_");
  EXPECT_EQ(find_tunable_table(43).name(35), "glibc.rtld.nns");
  EXPECT_EQ(find_tunable_table(43).ids.rtld_nns, 35);
  EXPECT_EQ(find_tunable_table(36).ids.rtld_execstack, kAbsent);
}

TEST(Tunables, KeepDefaultsWithoutEnvironment) {
  for (const int minor : kReleases) {
    const Parsed parsed(minor, {"HOME=/", "MALLOC_FOO=1", "GLIBC_TUNABLE=glibc.malloc.check=1"});
    EXPECT_EQ(parsed.number(kTopPad), minor == 36 ? 0U : 131072U);
    EXPECT_EQ(parsed.number("glibc.rtld.nns"), 4U);
    EXPECT_FALSE(parsed.tunables.is_initialized(parsed.id(kTopPad)));
    EXPECT_EQ(parsed.tunables.warning_count(), 0U);
  }
}

TEST(Tunables, AcceptNoEnvironmentAtAll) {
  Tunables tunables;
  tunables.start(*find_layout(43), nullptr, false);
  EXPECT_EQ(tunables.number(tunables.ids().rtld_nns), 4U);
}

TEST(Tunables, ReadDecimalHexAndOctal) {
  for (const int minor : kReleases) {
    const Parsed parsed(minor, {"GLIBC_TUNABLES=glibc.malloc.check=2:glibc.malloc.top_pad=0x1F:"
                                "glibc.malloc.mxfast=010"});
    EXPECT_EQ(parsed.number(kCheck), 2U);
    EXPECT_EQ(parsed.number(kTopPad), 0x1fU);
    EXPECT_EQ(parsed.number("glibc.malloc.mxfast"), 8U);
  }
}

TEST(Tunables, TakeTheLastOfDuplicates) {
  for (const int minor : kReleases) {
    const Parsed parsed(minor, {"GLIBC_TUNABLES=glibc.malloc.check=1:glibc.malloc.check=3"});
    EXPECT_EQ(parsed.number(kCheck), 3U);
  }
}

TEST(Tunables, IgnoreNumbersOutOfRange) {
  for (const int minor : kReleases) {
    const Parsed parsed(minor, {"GLIBC_TUNABLES=glibc.malloc.check=4:glibc.rtld.nns=0"});
    EXPECT_FALSE(parsed.tunables.is_initialized(parsed.id(kCheck)));
    EXPECT_EQ(parsed.number("glibc.rtld.nns"), 4U);
    EXPECT_EQ(parsed.tunables.warning_count(), 0U);
  }
}

TEST(Tunables, ReadAliasesAfterTheirNames) {
  for (const int minor : kReleases) {
    EXPECT_EQ(Parsed(minor, {"MALLOC_CHECK_=1"}).number(kCheck), 1U);
    const std::string both = "GLIBC_TUNABLES=glibc.malloc.check=2";
    EXPECT_EQ(Parsed(minor, {"MALLOC_CHECK_=1", both}).number(kCheck), 2U);
    EXPECT_EQ(Parsed(minor, {both, "MALLOC_CHECK_=1"}).number(kCheck), 2U);
  }
}

TEST(Tunables, RepeatedAliasDependsOnTheRelease) {
  const std::vector<std::string> lines = {"MALLOC_CHECK_=1", "MALLOC_CHECK_=2"};
  EXPECT_EQ(Parsed(36, lines).number(kCheck), 1U);
  EXPECT_EQ(Parsed(43, lines).number(kCheck), 2U);
}

TEST(Tunables, SecureModeIgnoresEverything) {
  for (const int minor : kReleases) {
    const Parsed parsed(minor, {"GLIBC_TUNABLES=glibc.malloc.check=2:x", "MALLOC_TOP_PAD_=5"},
                        true);
    EXPECT_EQ(parsed.number(kCheck), 0U);
    EXPECT_FALSE(parsed.tunables.is_initialized(parsed.id(kTopPad)));
    EXPECT_EQ(parsed.tunables.warning_count(), 0U);
  }
}

TEST(Tunables, MalformedPartIsSkippedByTheOldRelease) {
  const Parsed parsed(36, {"GLIBC_TUNABLES=:x:glibc.malloc.check=1junk:glibc.malloc.top_pad"});
  EXPECT_EQ(parsed.number(kCheck), 1U);
  EXPECT_FALSE(parsed.tunables.is_initialized(parsed.id(kTopPad)));
  EXPECT_EQ(parsed.tunables.warning_count(), 0U);
}

TEST(Tunables, MalformedPartVoidsAllInStrictReleases) {
  for (const char* text : {"glibc.malloc.check=1:x", "glibc.malloc.check=1:", "x", "a=b=c"}) {
    const Parsed parsed(43, {std::string("GLIBC_TUNABLES=") + text});
    EXPECT_FALSE(parsed.tunables.is_initialized(parsed.id(kCheck))) << text;
    ASSERT_EQ(parsed.tunables.warning_count(), 1U);
    EXPECT_EQ(parsed.warning(0),
              "WARNING: ld.so: invalid GLIBC_TUNABLES `" + std::string(text) + "': ignored.\n");
  }
}

TEST(Tunables, StrictReleasesNameTheBadValue) {
  const Parsed parsed(41, {"GLIBC_TUNABLES=glibc.malloc.check=3abc:glibc.malloc.top_pad=7"});
  EXPECT_EQ(parsed.number(kTopPad), 7U);
  ASSERT_EQ(parsed.tunables.warning_count(), 1U);
  EXPECT_EQ(parsed.warning(0),
            "WARNING: ld.so: invalid GLIBC_TUNABLES value `3abc' for option "
            "`glibc.malloc.check': ignored.\n");
}

TEST(Tunables, SecureModeOnRequestDropsTheOthers) {
  const std::vector<std::string> lines = {
      "GLIBC_TUNABLES=glibc.malloc.check=1:glibc.rtld.enable_secure=1", "MALLOC_TOP_PAD_=5"};
  const Parsed parsed(43, lines);
  EXPECT_TRUE(parsed.tunables.asks_for_secure_mode());
  EXPECT_FALSE(parsed.tunables.is_initialized(parsed.id(kCheck)));
  EXPECT_FALSE(parsed.tunables.is_initialized(parsed.id(kTopPad)));
  EXPECT_FALSE(Parsed(36, lines).tunables.asks_for_secure_mode());
}

struct Guarded {
  uint64_t before = 0x1111111111111111, value = 0x2222222222222222, after = 0x3333333333333333;
};

TEST(TunablesGet, StoresByType) {
  const Parsed parsed(43, {"GLIBC_TUNABLES=glibc.malloc.check=1:glibc.malloc.top_pad=0x123456789"});
  Guarded out;
  parsed.tunables.get(parsed.id(kCheck), &out.value, nullptr);
  EXPECT_EQ(out.value, 0x2222222200000001U);
  parsed.tunables.get(parsed.id(kTopPad), &out.value, nullptr);
  EXPECT_EQ(out.value, 0x123456789U);
  EXPECT_EQ(out.before, 0x1111111111111111U);
  EXPECT_EQ(out.after, 0x3333333333333333U);
}

uint64_t seen_number;
std::string seen_text;
int calls;

TEST(TunablesGet, CallsBackOnlyForWhatTheUserSet) {
  const Parsed parsed(41, {"MALLOC_TOP_PAD_=99"});
  const auto callback = [](void* value) {
    ++calls;
    seen_number = *static_cast<uint64_t*>(value);
  };
  calls = 0;
  uint64_t out = 0;
  parsed.tunables.get(parsed.id(kTopPad), &out, callback);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(seen_number, 99U);
  parsed.tunables.get(parsed.id("glibc.malloc.mxfast"), &out, callback);
  EXPECT_EQ(calls, 1);
  parsed.tunables.get(4711, &out, callback);
  EXPECT_EQ(calls, 1);
}

TEST(TunablesGet, GivesStringsInTheFormOfTheRelease) {
  struct Pair {
    const char* text;
    size_t length;
  };
  const std::vector<std::string> lines = {"GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2"};
  const Parsed old_form(36, lines);
  const char* text = nullptr;
  old_form.tunables.get(old_form.tunables.ids().cpu_hwcaps, &text,
                        [](void* value) { seen_text = *static_cast<const char**>(value); });
  EXPECT_STREQ(text, "-AVX2");
  EXPECT_EQ(seen_text, "-AVX2");
  const Parsed pairs(43, lines);
  const Pair* pair = nullptr;
  pairs.tunables.get(pairs.tunables.ids().cpu_hwcaps, &pair, [](void* value) {
    const auto* given = static_cast<const Pair*>(value);
    seen_text.assign(given->text, given->length);
  });
  ASSERT_NE(pair, nullptr);
  EXPECT_EQ(std::string(pair->text, pair->length), "-AVX2");
  EXPECT_EQ(seen_text, "-AVX2");
  pairs.tunables.get(pairs.id("glibc.cpu.x86_ibt"), &pair, nullptr);
  EXPECT_EQ(pair->text, nullptr);
  EXPECT_EQ(pair->length, 0U);
}

TEST(TunableNumber, ReadsAsGlibcDoes) {
  EXPECT_EQ(parse_tunable_number(" \t+12").value, 12U);
  EXPECT_EQ(parse_tunable_number("-1").value, ~0UL);
  EXPECT_EQ(parse_tunable_number("0xfFg").value, 255U);
  EXPECT_EQ(parse_tunable_number("0xfFg").length, 4U);
  EXPECT_EQ(parse_tunable_number("089").value, 0U);
  EXPECT_EQ(parse_tunable_number("18446744073709551616").value, ~0UL);
  EXPECT_EQ(parse_tunable_number("0x").length, 2U);
  for (const char* text : {"", "-", "x", " "}) EXPECT_EQ(parse_tunable_number(text).value, 0U);
}

TEST(TunablesGarbage, EveryLengthIsHarmless) {
  for (const int minor : kReleases) {
    for (size_t length = 1; length <= 70000; length += length < 300 ? 1 : 6971) {
      for (const char* pattern : {"=", ":", "a", "glibc.malloc.check=1:", "glibc.cpu.hwcaps=",
                                  "glibc.malloc.mxfast=glibc.malloc.mxfast="}) {
        std::string text = "GLIBC_TUNABLES=";
        while (text.size() < length + 15) text += pattern;
        text.resize(length + 15);
        const Parsed parsed(minor, {text});
        ASSERT_LE(parsed.number(kCheck), 3U);
      }
    }
  }
}

TEST(TunablesGarbage, RandomBytesAreHarmless) {
  std::mt19937 random(1);
  const std::string alphabet = "=:,-0x9 glibc.malloc_check\x80\xff";
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> lines;
    for (const char* name : {"GLIBC_TUNABLES=", "MALLOC_CHECK_=", "MALLOC_ARENA_MAX=", "M", "="}) {
      std::string line = name;
      for (size_t i = random() % 60; i != 0; --i) line += alphabet[random() % alphabet.size()];
      lines.push_back(line);
    }
    const Parsed parsed(kReleases[round % 3], lines);
    ASSERT_LE(parsed.number(kCheck), 3U);
    for (size_t i = 0; i < parsed.tunables.warning_count(); ++i)
      ASSERT_FALSE(parsed.warning(i).empty());
  }
}

TEST(LowAddresses, AreAsTheNewestReleaseReadsThem) {
  const auto asks = [](const std::vector<std::string>& lines) {
    Environment environment(lines);
    return wants_low_addresses(environment.envp());
  };
  const std::string variable = "GLIBC_TUNABLES=", name = "glibc.cpu.prefer_map_32bit_exec=";
  EXPECT_TRUE(asks({variable + name + "1"}));
  EXPECT_TRUE(asks({"LD_PREFER_MAP_32BIT_EXEC=1"}));
  EXPECT_TRUE(asks({variable + name + "2", "LD_PREFER_MAP_32BIT_EXEC=0x1"}));
  EXPECT_FALSE(asks({variable + name + "0", "LD_PREFER_MAP_32BIT_EXEC=1"}));
  EXPECT_FALSE(asks({variable + name + "1=1"}));
  EXPECT_FALSE(asks({variable + "glibc.rtld.enable_secure=1:" + name + "1"}));
  EXPECT_FALSE(asks({}));
}

TEST(TunablesList, PrintsTheFormatOfTheRealLoader) {
  const Parsed parsed(36, {"GLIBC_TUNABLES=glibc.malloc.perturb=7:glibc.cpu.hwcaps=-AVX"});
  char buffer[8192];
  Writer out(buffer, sizeof buffer);
  const TunableListing computed = {parsed.tunables.ids().cpu_x86_data_cache_size, 0x8000, 0, ~0UL};
  parsed.tunables.list(out, &computed, 1);
  const std::string text(out.text());
  for (const char* line :
       {"glibc.rtld.nns: 0x4 (min: 0x1, max: 0x10)\n",
        "glibc.malloc.perturb: 7 (min: 0, max: 255)\n", "glibc.cpu.x86_shstk:\n",
        "glibc.cpu.hwcaps: -AVX\n",
        "glibc.cpu.x86_data_cache_size: 0x8000 (min: 0x0, max: 0xffffffffffffffff)\n",
        "glibc.elision.tries: 3 (min: 0, max: 2147483647)\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
}

}  // namespace
}  // namespace prelude::glibc
