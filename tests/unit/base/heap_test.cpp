#include <prelude/base/heap.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <vector>

namespace {

using prelude::Heap;

constexpr size_t kWords = 20;

int pages_asked;
int pages_returned;
bool refuse;
std::set<void*> pages_out;

void* give_pages(size_t bytes) {
  if (refuse) return nullptr;
  EXPECT_EQ(bytes % 4096, 0U);
  ++pages_asked;
  void* pages = std::aligned_alloc(4096, bytes);
  std::memset(pages, 0, bytes);
  pages_out.insert(pages);
  return pages;
}

void take_pages(void* start, size_t) {
  ++pages_returned;
  EXPECT_EQ(pages_out.erase(start), 1U);
  std::free(start);
}

bool all_zero(const void* block, size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(block);
  for (size_t i = 0; i < bytes; ++i)
    if (at[i] != 0) return false;
  return true;
}

class HeapTest : public testing::Test {
 protected:
  void SetUp() override {
    pages_asked = pages_returned = 0;
    refuse = false;
    heap_.start(first_, sizeof(first_), give_pages, take_pages);
  }
  void TearDown() override {
    for (void* pages : pages_out) std::free(pages);
    pages_out.clear();
  }
  bool in_first(const void* block) const {
    const auto* at = static_cast<const char*>(block);
    return at >= first_ && at < first_ + sizeof(first_);
  }
  alignas(16) char first_[1024] = {};
  Heap heap_;
};

TEST_F(HeapTest, UsesTheFirstMemoryBeforeAnyPage) {
  EXPECT_TRUE(in_first(heap_.allocate(100)));
  EXPECT_EQ(pages_asked, 0);
}

TEST_F(HeapTest, GrowsWhenTheFirstMemoryIsUsedUp) {
  EXPECT_FALSE(in_first(heap_.allocate(4000)));
  EXPECT_EQ(pages_asked, 1);
  EXPECT_TRUE(in_first(heap_.allocate(1000))) << "the rest of the old memory is not lost";
}

TEST_F(HeapTest, ReleasedBlockServesTheNextRequestZeroed) {
  void* block = heap_.allocate(60);
  std::memset(block, 0xff, 60);
  heap_.release(block, 60);
  void* again = heap_.allocate(50);  // same class
  EXPECT_EQ(again, block);
  EXPECT_TRUE(all_zero(again, 50));
}

TEST_F(HeapTest, UnfilledArrayTakesTheSameBlocks) {
  auto* first = heap_.make_array<uint64_t>(kWords);
  ASSERT_NE(first, nullptr);
  for (size_t i = 0; i < kWords; ++i) first[i] = i;
  heap_.release_array(first, kWords);
  auto* second = heap_.make_unfilled<uint64_t>(kWords);
  EXPECT_EQ(second, first);
  EXPECT_EQ(second[kWords - 1], kWords - 1);
  heap_.release_array(second, kWords);
  EXPECT_TRUE(all_zero(heap_.make_array<uint64_t>(kWords), kWords * sizeof(uint64_t)));
}

TEST_F(HeapTest, TinyBlockIsZeroedPastTheFreeListLink) {
  for (int i = 0; i < 2; ++i) heap_.release(heap_.allocate(1), 1);
  void* a = heap_.allocate(1);
  heap_.release(a, 1);
  EXPECT_TRUE(all_zero(heap_.allocate(1), 1));
}

TEST_F(HeapTest, RespectsAlignment) {
  for (size_t align = 16; align <= 4096; align *= 2) {
    void* block = heap_.allocate(24, align);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % align, 0U) << align;
    heap_.release(block, 24, align);
    EXPECT_EQ(heap_.allocate(24, align), block) << align;
  }
}

TEST_F(HeapTest, AlignedRequestSkipsUnalignedFreeBlocks) {
  void* odd = static_cast<char*>(heap_.allocate(16, 32)) + 16;
  heap_.release(heap_.allocate(16), 16);
  heap_.release(odd, 16);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(heap_.allocate(16, 64)) % 64, 0U);
}

TEST_F(HeapTest, VeryBigBlocksComeFromPagesAndGoBack) {
  constexpr size_t kBytes = size_t{2} << 20;
  void* block = heap_.allocate(kBytes);
  EXPECT_EQ(pages_asked, 1);
  EXPECT_TRUE(all_zero(block, kBytes));
  heap_.release(block, kBytes);
  EXPECT_EQ(pages_returned, 1);
}

TEST_F(HeapTest, ReleasedBigBlockServesTheNextRequestOfItsSizeZeroed) {
  void* block = heap_.allocate(100000);
  std::memset(block, 0xff, 100000);
  heap_.release(block, 100000);
  EXPECT_EQ(pages_returned, 0);
  EXPECT_NE(heap_.allocate(60000), block);
  void* again = heap_.allocate(100000);
  EXPECT_EQ(again, block);
  EXPECT_TRUE(all_zero(again, 100000));
  EXPECT_NE(heap_.allocate(100000), block) << "it waited once";
}

TEST_F(HeapTest, FewBigBlocksWaitAndTheOldestGoes) {
  void* blocks[6];
  for (void*& block : blocks) block = heap_.allocate(100000);
  for (void* block : blocks) heap_.release(block, 100000);
  EXPECT_EQ(pages_returned, 2);
  EXPECT_EQ(pages_out.count(blocks[0]), 0U);
  EXPECT_EQ(heap_.allocate(100000), blocks[5]);
}

TEST_F(HeapTest, OutOfMemoryIsNull) {
  refuse = true;
  EXPECT_EQ(heap_.allocate(100000), nullptr);
  EXPECT_EQ(heap_.allocate(5000), nullptr);
  EXPECT_NE(heap_.allocate(500), nullptr) << "what is left still serves";
  refuse = false;
  EXPECT_NE(heap_.allocate(5000), nullptr) << "a refusal leaves the heap usable";
}

TEST_F(HeapTest, OverflowingSizesAreRefused) {
  EXPECT_EQ(heap_.allocate(SIZE_MAX), nullptr);
  EXPECT_EQ(heap_.allocate(SIZE_MAX - 4096), nullptr);
  EXPECT_EQ(heap_.make_array<uint64_t>(SIZE_MAX / 4), nullptr);
}

TEST_F(HeapTest, ReleaseOfNullDoesNothing) { heap_.release(nullptr, 16); }

TEST_F(HeapTest, CopyStringEndsWithNul) {
  char* copy = heap_.copy_string("libfoo.so.1 and more", 11);
  EXPECT_STREQ(copy, "libfoo.so.1");
}

TEST_F(HeapTest, MakeConstructs) {
  struct Point {
    int x = 3, y = 4;
  };
  EXPECT_EQ(heap_.make<Point>()->y, 4);
}

// Every block of every size keeps its own contents while others come and go.
TEST_F(HeapTest, BlocksNeverOverlap) {
  struct Block {
    unsigned char* at;
    size_t bytes, align;
    unsigned char mark;
  };
  std::mt19937 random(1);
  std::vector<Block> live;
  for (int round = 0; round < 20000; ++round) {
    if (live.size() > 200 || (!live.empty() && random() % 3 == 0)) {
      const size_t victim = random() % live.size();
      const Block block = live[victim];
      for (size_t i = 0; i < block.bytes; ++i) ASSERT_EQ(block.at[i], block.mark);
      heap_.release(block.at, block.bytes, block.align);
      live[victim] = live.back();
      live.pop_back();
      continue;
    }
    const size_t bytes = random() % (size_t{1} << (random() % 17)) + 1;
    const size_t align = size_t{1} << (random() % 8);
    auto* at = static_cast<unsigned char*>(heap_.allocate(bytes, align));
    ASSERT_NE(at, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(at) % align, 0U);
    ASSERT_TRUE(all_zero(at, bytes));
    const auto mark = static_cast<unsigned char>(random() % 255 + 1);
    std::memset(at, mark, bytes);
    live.push_back({at, bytes, align, mark});
  }
}

}  // namespace
