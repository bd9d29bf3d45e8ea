#include <arch/x86_64/plt_watch.h>

#include <gtest/gtest.h>

namespace prelude::arch {
namespace {

CallArguments some_arguments() {
  CallArguments arguments{};
  for (uint64_t i = 0; i < 8; ++i) {
    arguments.low[i] = {{i, i + 1}};
    arguments.whole[i] = {{i, i + 1, i + 2, i + 3, i + 4, i + 5, i + 6, i + 7}};
  }
  return arguments;
}

TEST(PltWatch, UntouchedRegistersStay) {
  CallArguments arguments = some_arguments();
  settle_vectors(arguments, note_vectors(arguments));
  for (uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(arguments.low[i].words[1], i + 1);
    EXPECT_EQ(arguments.whole[i].words[7], i + 7);
  }
}

TEST(PltWatch, AChangedLowPartClearsTheRest) {
  CallArguments arguments = some_arguments();
  const VectorsBefore<8> before = note_vectors(arguments);
  arguments.low[3].words[1] = 99;
  settle_vectors(arguments, before);
  EXPECT_EQ(arguments.whole[3].words[0], 3U);
  EXPECT_EQ(arguments.whole[3].words[1], 99U);
  for (size_t i = 2; i < 8; ++i) EXPECT_EQ(arguments.whole[3].words[i], 0U);
  EXPECT_EQ(arguments.whole[4].words[7], 11U);
}

TEST(PltWatch, AChangedWholeShowsInTheLowPart) {
  CallArguments arguments = some_arguments();
  const VectorsBefore<8> before = note_vectors(arguments);
  arguments.whole[5].words[0] = 70;
  arguments.whole[5].words[6] = 76;
  settle_vectors(arguments, before);
  EXPECT_EQ(arguments.low[5].words[0], 70U);
  EXPECT_EQ(arguments.low[5].words[1], 6U);
  EXPECT_EQ(arguments.whole[5].words[6], 76U);
}

TEST(PltWatch, BothViewsChangedAlikeKeepTheWhole) {
  CallArguments arguments = some_arguments();
  const VectorsBefore<8> before = note_vectors(arguments);
  arguments.low[2] = {{50, 51}};
  arguments.whole[2] = {{50, 51, 52, 53, 54, 55, 56, 57}};
  settle_vectors(arguments, before);
  EXPECT_EQ(arguments.low[2].words[1], 51U);
  EXPECT_EQ(arguments.whole[2].words[2], 52U);
  EXPECT_EQ(arguments.whole[2].words[7], 57U);
}

TEST(PltWatch, ResultsToo) {
  CallResult result{};
  result.low[1] = {{1, 2}};
  result.whole[1] = {{1, 2, 3, 4, 5, 6, 7, 8}};
  const VectorsBefore<2> before = note_vectors(result);
  result.low[1].words[0] = 9;
  result.whole[0].words[3] = 4;
  settle_vectors(result, before);
  EXPECT_EQ(result.whole[1].words[0], 9U);
  EXPECT_EQ(result.whole[1].words[2], 0U);
  EXPECT_EQ(result.whole[0].words[3], 4U);
}

}  // namespace
}  // namespace prelude::arch
