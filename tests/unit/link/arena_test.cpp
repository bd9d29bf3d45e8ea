// Ranges, and when they are open: real pages, asked whether the kernel writes to them.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <prelude/link/arena.h>

#include <set>

#include "tests/fakes/sys_fake.h"

namespace {

using prelude::Arena;
using prelude::ArenaState;
namespace fake = prelude::sys::fake;

constexpr size_t kPage = 4096, kPages = 256;
constexpr prelude::sys::Errno kNoMemory{12};

class ArenaTest : public testing::Test {
 protected:
  void SetUp() override {
    fake::reset();
    memory_ = static_cast<char*>(
        mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory_, MAP_FAILED);
    zero_ = open("/dev/zero", O_RDONLY);
    ASSERT_GE(zero_, 0);
  }
  void TearDown() override {
    close(zero_);
    munmap(memory_, kPages * kPage);
  }
  uintptr_t at(size_t page) const { return reinterpret_cast<uintptr_t>(memory_) + page * kPage; }
  void add(size_t page, size_t count) { arena_.add(at(page), count * kPage); }
  void remove(size_t page, size_t count) { arena_.remove(at(page), count * kPage); }
  // Pages that cannot be written to.
  std::set<size_t> closed() const {
    std::set<size_t> result;
    for (size_t page = 0; page < kPages; ++page)
      if (read(zero_, memory_ + page * kPage, 1) != 1) result.insert(page);
    return result;
  }
  static int calls() { return fake::count("protect"); }

  Arena arena_;
  ArenaState state_;
  char* memory_ = nullptr;
  int zero_ = -1;
};

using Pages = std::set<size_t>;

TEST_F(ArenaTest, NeighboursAreOneRange) {
  add(10, 2);
  add(12, 1);
  add(9, 1);
  add(20, 1);
  ASSERT_TRUE(arena_.start_closing(state_));
  EXPECT_EQ(closed(), (Pages{9, 10, 11, 12, 20}));
  EXPECT_EQ(calls(), 2);
}

TEST_F(ArenaTest, WhatIsTakenAwayIsNeverTouchedAgain) {
  add(10, 5);
  remove(11, 1);  // in the middle
  remove(14, 1);  // at the end
  add(20, 1);
  remove(20, 1);  // all of it
  remove(30, 1);  // none of its
  ASSERT_TRUE(arena_.start_closing(state_));
  EXPECT_EQ(closed(), (Pages{10, 12, 13}));
}

TEST_F(ArenaTest, OpensOnceForNestedChanges) {
  add(10, 1);
  ASSERT_TRUE(arena_.start_closing(state_));
  ASSERT_TRUE(arena_.begin());
  ASSERT_TRUE(arena_.begin());
  EXPECT_EQ(closed(), Pages{});
  arena_.end();
  EXPECT_EQ(closed(), Pages{});
  EXPECT_EQ(calls(), 2);
  arena_.end();
  EXPECT_EQ(closed(), Pages{10});
}

TEST_F(ArenaTest, WhatComesInAChangeIsClosedAtItsEnd) {
  add(10, 1);
  ASSERT_TRUE(arena_.start_closing(state_));
  ASSERT_TRUE(arena_.begin());
  add(40, 2);
  remove(10, 1);
  arena_.end();
  EXPECT_EQ(closed(), (Pages{40, 41}));
}

// A handler that comes when the depth has grown and the pages are still closed opens them itself.
TEST_F(ArenaTest, AHandlerOpensWhatTheInterruptedHasNot) {
  add(10, 1);
  ASSERT_TRUE(arena_.start_closing(state_));
  state_.depth = 1;
  ASSERT_TRUE(arena_.begin());
  EXPECT_EQ(closed(), Pages{});
  arena_.end();
  EXPECT_EQ(closed(), Pages{}) << "the interrupted change is not over";
}

TEST_F(ArenaTest, AChildForgetsChangesOfOthers) {
  add(10, 1);
  ASSERT_TRUE(arena_.start_closing(state_));
  ASSERT_TRUE(arena_.begin());
  ASSERT_TRUE(arena_.begin());
  arena_.forget_changes();
  EXPECT_EQ(closed(), Pages{10});
  const int before = calls();
  arena_.forget_changes();
  EXPECT_EQ(calls(), before);
  ASSERT_TRUE(arena_.begin());
  EXPECT_EQ(closed(), Pages{});
}

TEST_F(ArenaTest, StaysOpenWhereTheKernelDoesNotCloseAll) {
  add(10, 1);
  add(20, 1);
  fake::fail("protect", kNoMemory, 1);
  EXPECT_FALSE(arena_.start_closing(state_));
  EXPECT_EQ(closed(), Pages{});
}

TEST_F(ArenaTest, SaysSoWhenTheKernelDoesNotOpenIt) {
  add(10, 1);
  ASSERT_TRUE(arena_.start_closing(state_));
  fake::fail("protect", kNoMemory);
  EXPECT_FALSE(arena_.begin());
  EXPECT_TRUE(arena_.give_up());
  EXPECT_EQ(closed(), Pages{});
}

TEST_F(ArenaTest, RangesBeyondItsRoomStayOpen) {
  for (size_t i = 0; i < 100; ++i) add(2 * i, 1);
  ASSERT_TRUE(arena_.start_closing(state_));
  EXPECT_EQ(closed().size(), 64U);
}

}  // namespace
