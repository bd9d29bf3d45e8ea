#include <prelude/base/guarded.h>

#include <gtest/gtest.h>

#include <cstring>

namespace {

using prelude::Guarded;
using prelude::seal_of;

int twice(int number) { return 2 * number; }

struct Base {
  virtual int id() { return 1; }

 protected:
  ~Base() = default;
};
struct Derived final : Base {
  int id() override { return 2; }
};

template <typename T>
uint64_t stored(const T& guarded) {
  static_assert(sizeof guarded == sizeof(uint64_t));
  uint64_t word = 0;
  memcpy(&word, &guarded, sizeof word);
  return word;
}

class Guard : public testing::Test {
 protected:
  void SetUp() override { prelude::pointer_key = 0x0123456789abcdef; }
  void TearDown() override { prelude::pointer_key = 0; }
};
using Seal = Guard;

TEST_F(Guard, CallsWhatItWasGiven) {
  Guarded<int (*)(int)> function = twice;
  EXPECT_EQ(function(21), 42);
  EXPECT_TRUE(function != nullptr);
  EXPECT_EQ(function.get(), &twice);
  Derived object;
  const Guarded<Base*> guarded = &object;
  EXPECT_EQ(guarded->id(), 2);
  EXPECT_EQ((*guarded).id(), 2);
}

TEST_F(Guard, NullIsZeroWithoutAKey) {
  constexpr Guarded<int (*)(int)> kNothing;
  EXPECT_EQ(stored(kNothing), 0U);
  EXPECT_TRUE(kNothing == nullptr);
  EXPECT_EQ(kNothing.get(), nullptr);
  Guarded<int (*)(int)> function = twice;
  function = nullptr;
  EXPECT_EQ(stored(function), 0U);
}

TEST_F(Guard, WhatIsStoredIsNoPointerAndDependsOnTheKey) {
  const uint64_t key = prelude::pointer_key;
  const Guarded<int (*)(int)> function = twice;
  const uint64_t first = stored(function);
  EXPECT_NE(first, reinterpret_cast<uint64_t>(&twice));
  prelude::pointer_key = key ^ 1;
  const Guarded<int (*)(int)> other = twice;
  EXPECT_NE(stored(other), first);
  EXPECT_NE(function.get(), &twice) << "read with the wrong key";
  prelude::pointer_key = key;
  EXPECT_EQ(function.get(), &twice);
}

TEST_F(Seal, ChangesWithEachWordTheirOrderAndTheKey) {
  const uint64_t seal = seal_of(1U, 2U, 3U);
  EXPECT_EQ(seal, seal_of(1U, 2U, 3U));
  EXPECT_NE(seal, seal_of(1U, 3U, 2U));
  for (unsigned bit = 0; bit < 64; ++bit)
    EXPECT_NE(seal, seal_of(1U, 2U ^ (uint64_t{1} << bit), 3U)) << bit;
  const uint64_t key = prelude::pointer_key;
  prelude::pointer_key = key ^ (uint64_t{1} << 63);
  EXPECT_NE(seal, seal_of(1U, 2U, 3U));
  prelude::pointer_key = key;
}

}  // namespace
