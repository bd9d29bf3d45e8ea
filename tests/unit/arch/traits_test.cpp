#include <arch/native.h>

#include <elf.h>
#include <gtest/gtest.h>

namespace {

using prelude::arch::RelocKind;
using prelude::arch::X86_64;

// The host's <elf.h> is the second opinion on the numbers.
TEST(Traits, KindsOfRelocations) {
  EXPECT_EQ(X86_64::kind_of(R_X86_64_NONE), RelocKind::kNone);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_64), RelocKind::kAbsolute64);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_32), RelocKind::kAbsolute32);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_PC32), RelocKind::kPcRelative32);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_COPY), RelocKind::kCopy);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_GLOB_DAT), RelocKind::kGlobData);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_JUMP_SLOT), RelocKind::kJumpSlot);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_RELATIVE), RelocKind::kRelative);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_RELATIVE64), RelocKind::kRelative);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_IRELATIVE), RelocKind::kIndirect);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_DTPMOD64), RelocKind::kTlsModule);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_DTPOFF64), RelocKind::kTlsOffset);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_TPOFF64), RelocKind::kTlsStatic);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_TLSDESC), RelocKind::kTlsDescriptor);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_SIZE32), RelocKind::kSize32);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_SIZE64), RelocKind::kSize64);
}

TEST(Traits, OtherTypesAreUnknown) {
  for (const uint32_t type : {3U, 4U, 9U, 11U, 19U, 34U, 39U, 42U, 255U})
    EXPECT_EQ(X86_64::kind_of(type), RelocKind::kUnknown) << type;
}

TEST(Traits, ThreadPointerPointsToItself) {
  std::byte* pointer = prelude::arch::thread_pointer();
  EXPECT_EQ(prelude::arch::read_tcb(pointer, X86_64::kTcbSelf),
            reinterpret_cast<uint64_t>(pointer));
}

TEST(Traits, CyclesGoForward) {
  const uint64_t first = prelude::arch::cycles();
  EXPECT_GE(prelude::arch::cycles(), first);
}

}  // namespace
