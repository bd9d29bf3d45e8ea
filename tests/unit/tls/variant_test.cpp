// Both variants of static TLS, whatever the machine of the test.
#include <prelude/tls/variant.h>

#include <arch/aarch64/traits.h>
#include <arch/riscv64/traits.h>
#include <arch/x86_64/traits.h>

#include <gtest/gtest.h>

namespace prelude {
namespace {

using Above = TlsVariant<arch::AArch64>;
using AboveFromZero = TlsVariant<arch::RiscV64>;
using Below = TlsVariant<arch::X86_64>;

TEST(TlsVariant, FirstBlockAboveLiesBehindTheMachinesWords) {
  const auto place = Above::next_place(arch::AArch64::kTlsFirstOffset, {24, 8, 0});
  EXPECT_EQ(place.offset, 16);
  EXPECT_EQ(place.used, 40U);
  EXPECT_EQ(Above::displacement(place.offset), 16);
}

TEST(TlsVariant, AlignmentPushesABlockAwayFromTheThreadPointer) {
  EXPECT_EQ(Above::next_place(16, {4, 64, 0}).offset, 64);
  const auto below = Below::next_place(16, {4, 64, 0});
  EXPECT_EQ(below.offset, 64);
  EXPECT_EQ(below.used, 64U);
  EXPECT_EQ(Below::displacement(below.offset), -64);
}

TEST(TlsVariant, FirstByteKeepsItsPhase) {
  for (uint64_t used : {0U, 1U, 16U, 70U}) {
    for (uint64_t first_byte : {0U, 8U, 40U}) {
      const TlsShape shape = {100, 64, first_byte};
      const auto above = Above::next_place(used, shape);
      EXPECT_EQ(static_cast<uint64_t>(above.offset) % 64, first_byte);
      EXPECT_GE(static_cast<uint64_t>(above.offset), used);
      EXPECT_LT(static_cast<uint64_t>(above.offset), used + 64);
      EXPECT_EQ(above.used, static_cast<uint64_t>(above.offset) + 100);
      const auto below = Below::next_place(used, shape);
      EXPECT_EQ((uint64_t{0} - below.used) % 64, first_byte);
      EXPECT_GE(below.used, used + 100);
      EXPECT_LT(below.used, used + 164);
    }
  }
}

TEST(TlsVariant, OffsetsOfNoPlaceAreNoPlace) {
  EXPECT_FALSE(Above::is_placed(0));
  EXPECT_FALSE(Above::is_placed(-1));
  EXPECT_TRUE(Above::is_placed(16));
  EXPECT_TRUE(Above::is_placed(-(int64_t{1} << 44)));  // far below
  EXPECT_FALSE(Below::is_placed(0));
  EXPECT_FALSE(Below::is_placed(-1));
  EXPECT_TRUE(AboveFromZero::is_placed(0));
  EXPECT_FALSE(AboveFromZero::is_placed(-1));
  EXPECT_FALSE(AboveFromZero::is_placed(-2));
}

}  // namespace
}  // namespace prelude
