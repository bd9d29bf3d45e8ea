#include <prelude/link/linker.h>

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace prelude {
namespace {

constexpr uint32_t kMany = 20;

class SearchListTest : public testing::Test {
 protected:
  SearchListTest() {
    linker_->open = &open_;
    linker_->heap.start(memory_.get(), kBytes, nullptr, nullptr);
    for (Module& module : modules_) {
      module.record.module = &module;
      EXPECT_TRUE(append_to_list(*linker_, list_, module));
    }
  }
  void remove(uint32_t index) { remove_from_list(*linker_, list_, modules_[index]); }
  [[nodiscard]] std::vector<size_t> places() const {
    std::vector<size_t> found;
    for (uint32_t i = 0; i < list_.count; ++i) {
      EXPECT_EQ(list_.records[i].module, list_.modules[i]);
      found.push_back(static_cast<size_t>(list_.modules[i] - modules_.data()));
    }
    return found;
  }
  static std::vector<size_t> all_but(size_t gone) {
    std::vector<size_t> rest;
    for (size_t i = 0; i < kMany; ++i)
      if (i != gone) rest.push_back(i);
    return rest;
  }

  static constexpr size_t kBytes = 1 << 20;
  std::unique_ptr<char[]> memory_ = std::make_unique<char[]>(kBytes);
  OpenWords open_;
  std::unique_ptr<Linker> linker_ = std::make_unique<Linker>();
  std::vector<Module> modules_ = std::vector<Module>(kMany);
  SearchList list_;
};

TEST_F(SearchListTest, AModuleTakenOutLeavesTheOthersInOrder) {
  for (uint32_t gone : {0U, 7U, kMany - 1}) {
    remove(gone);
    EXPECT_EQ(places(), all_but(gone)) << gone;
    remove(gone);
    EXPECT_EQ(places(), all_but(gone)) << gone;
    while (list_.count != 0) remove_from_list(*linker_, list_, *list_.modules[0]);
    for (Module& module : modules_) ASSERT_TRUE(append_to_list(*linker_, list_, module));
  }
}

TEST_F(SearchListTest, AReaderKeepsWhatItHasBegunToRead) {
  for (uint32_t gone : {kMany - 1, 3U}) {
    const SearchList before = list_;
    const Reader reader(*linker_);
    remove(gone);
    ASSERT_TRUE(append_to_list(*linker_, list_, modules_[gone]));
    for (uint32_t i = 0; i < before.count; ++i) {
      EXPECT_EQ(before.modules[i], &modules_[i]);
      EXPECT_EQ(before.records[i].module, &modules_[i]);
    }
  }
}

TEST_F(SearchListTest, AReaderWithTheOldCountFindsTheLastTwice) {
  const uint32_t count = list_.count;
  const Reader reader(*linker_);
  remove(3);
  ASSERT_EQ(list_.count, count - 1);
  EXPECT_EQ(list_.modules[count - 1], &modules_[kMany - 1]);
  EXPECT_EQ(list_.records[count - 1].module, &modules_[kMany - 1]);
}

// As many as are closed in the opposite order of their opening.
TEST_F(SearchListTest, TakingOutTheLastCopiesNothingWhereNobodyReads) {
  Module** const modules = list_.modules;
  while (list_.count != 0) remove(list_.count - 1);
  EXPECT_EQ(list_.modules, modules);
}

}  // namespace
}  // namespace prelude
