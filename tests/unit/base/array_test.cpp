#include <prelude/base/array.h>

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace {

using prelude::Array;
using prelude::Heap;

class ArrayTest : public testing::Test {
 protected:
  void SetUp() override { heap_.start(first_, sizeof(first_), nullptr, nullptr); }
  alignas(16) char first_[4096] = {};
  Heap heap_;
};

TEST_F(ArrayTest, KeepsElementsWhileGrowing) {
  Array<int> numbers;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(numbers.push(heap_, i));
  ASSERT_EQ(numbers.size(), 100U);
  EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0), 4950);
  EXPECT_EQ(numbers.back(), 99);
}

TEST_F(ArrayTest, SaysWhenMemoryIsOutAndKeepsItsElements) {
  Array<int> numbers;
  int pushed = 0;
  while (numbers.push(heap_, pushed)) ++pushed;
  EXPECT_GT(pushed, 100);
  EXPECT_EQ(numbers.size(), static_cast<size_t>(pushed));
  EXPECT_EQ(numbers[numbers.size() - 1], pushed - 1);
}

TEST_F(ArrayTest, ReserveMakesPushSafe) {
  Array<int> numbers;
  ASSERT_TRUE(numbers.reserve(heap_, 20));
  const int* before = numbers.data();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(numbers.push(heap_, i));
  EXPECT_EQ(numbers.data(), before);
}

TEST_F(ArrayTest, RemoveAtKeepsTheOrder) {
  Array<int> numbers;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(numbers.push(heap_, i));
  numbers.remove_at(1);
  EXPECT_EQ(std::vector<int>(numbers.begin(), numbers.end()), (std::vector<int>{0, 2, 3}));
}

TEST_F(ArrayTest, ReleaseGivesTheMemoryBack) {
  Array<int> numbers;
  ASSERT_TRUE(numbers.push(heap_, 1));
  const int* before = numbers.data();
  numbers.release(heap_);
  EXPECT_TRUE(numbers.empty());
  ASSERT_TRUE(numbers.push(heap_, 2));
  EXPECT_EQ(numbers.data(), before);
}

}  // namespace
