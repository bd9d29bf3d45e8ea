#include <arch/aarch64/traits.h>
#include <arch/i386/traits.h>
#include <arch/native.h>
#include <arch/riscv64/traits.h>

#include <elf.h>
#include <gtest/gtest.h>

namespace {

using prelude::arch::AArch64;
using prelude::arch::I386;
using prelude::arch::RelocKind;
using prelude::arch::RiscV64;
using prelude::arch::X86_64;

// The host's <elf.h> is the second opinion on the numbers.
TEST(Traits, KindsOfRelocations) {
  EXPECT_EQ(X86_64::kind_of(R_X86_64_NONE), RelocKind::kNone);
  EXPECT_EQ(X86_64::kind_of(R_X86_64_64), RelocKind::kAbsolute);
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
  EXPECT_EQ(X86_64::kind_of(R_X86_64_SIZE64), RelocKind::kSize);
}

TEST(Traits, OtherTypesAreUnknown) {
  for (const uint32_t type : {3U, 4U, 9U, 11U, 19U, 34U, 39U, 42U, 255U})
    EXPECT_EQ(X86_64::kind_of(type), RelocKind::kUnknown) << type;
}

// Bytes as assemblers make them.
TEST(Traits, CodeThatUsesAnOffset) {
  constexpr uint8_t kCompare[] = {0x48, 0x83, 0xb8, 0x68, 0x03, 0, 0, 0};  // cmpq $0, 872(%rax)
  EXPECT_TRUE(X86_64::uses_offset(kCompare, sizeof kCompare, 872));
  EXPECT_FALSE(X86_64::uses_offset(kCompare, sizeof kCompare, 880));
  EXPECT_FALSE(X86_64::uses_offset(kCompare, 6, 872));
  constexpr uint8_t kLdr[] = {0x1f, 0x20, 0x03, 0xd5,
                              0x01, 0xb4, 0x41, 0xf9};  // nop; ldr x1, [x0, #872]
  EXPECT_TRUE(AArch64::uses_offset(kLdr, sizeof kLdr, 872));
  EXPECT_FALSE(AArch64::uses_offset(kLdr, sizeof kLdr, 864));
  EXPECT_FALSE(AArch64::uses_offset(kLdr, 4, 872));
  constexpr uint8_t kLd[] = {0x01, 0x00, 0x83, 0x37, 0x85, 0x36};  // c.nop; ld a5, 872(a0)
  EXPECT_TRUE(RiscV64::uses_offset(kLd, sizeof kLd, 872));
  EXPECT_FALSE(RiscV64::uses_offset(kLd, sizeof kLd, 871));
  EXPECT_FALSE(RiscV64::uses_offset(kLd, 5, 872));
}

static_assert(prelude::arch::Machine<AArch64>);

TEST(TraitsOfAArch64, KindsOfRelocations) {
  EXPECT_EQ(AArch64::kMachine, EM_AARCH64);
  EXPECT_EQ(AArch64::kRelativeType, uint32_t{R_AARCH64_RELATIVE});
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_NONE), RelocKind::kNone);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_ABS64), RelocKind::kAbsolute);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_COPY), RelocKind::kCopy);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_GLOB_DAT), RelocKind::kGlobData);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_JUMP_SLOT), RelocKind::kJumpSlot);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_RELATIVE), RelocKind::kRelative);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_TLS_DTPMOD), RelocKind::kTlsModule);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_TLS_DTPREL), RelocKind::kTlsOffset);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_TLS_TPREL), RelocKind::kTlsStatic);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_TLSDESC), RelocKind::kTlsDescriptor);
  EXPECT_EQ(AArch64::kind_of(R_AARCH64_IRELATIVE), RelocKind::kIndirect);
}

// Relocations of object files, of the 32-bit ABI and of other machines.
TEST(TraitsOfAArch64, OtherTypesAreUnknown) {
  for (const uint32_t type : {1U, 6U, 8U, 182U, 188U, 258U, 259U, 283U, 1023U, 1033U})
    EXPECT_EQ(AArch64::kind_of(type), RelocKind::kUnknown) << type;
}

// VARIANT_PCS is bit 7 of st_other, beside the visibility.
TEST(TraitsOfAArch64, VariantCallsAreBoundAtOnce) {
  EXPECT_TRUE(AArch64::binds_at_once(0x80));
  EXPECT_TRUE(AArch64::binds_at_once(0x80 | STV_PROTECTED));
  EXPECT_FALSE(AArch64::binds_at_once(0));
  EXPECT_FALSE(AArch64::binds_at_once(STV_PROTECTED));
}

static_assert(prelude::arch::Machine<RiscV64>);

TEST(TraitsOfRiscV64, KindsOfRelocations) {
  EXPECT_EQ(RiscV64::kMachine, EM_RISCV);
  EXPECT_EQ(RiscV64::kRelativeType, uint32_t{R_RISCV_RELATIVE});
  EXPECT_EQ(RiscV64::kind_of(R_RISCV_NONE), RelocKind::kNone);
  EXPECT_EQ(RiscV64::kind_of(R_RISCV_64), RelocKind::kAbsolute);
  EXPECT_EQ(RiscV64::kind_of(R_RISCV_COPY), RelocKind::kCopy);
  EXPECT_EQ(RiscV64::kind_of(R_RISCV_JUMP_SLOT), RelocKind::kJumpSlot);
  EXPECT_EQ(RiscV64::kind_of(R_RISCV_RELATIVE), RelocKind::kRelative);
  EXPECT_EQ(RiscV64::kind_of(R_RISCV_TLS_DTPMOD64), RelocKind::kTlsModule);
  EXPECT_EQ(RiscV64::kind_of(R_RISCV_TLS_DTPREL64), RelocKind::kTlsOffset);
  EXPECT_EQ(RiscV64::kind_of(R_RISCV_TLS_TPREL64), RelocKind::kTlsStatic);
  EXPECT_EQ(RiscV64::kind_of(12), RelocKind::kTlsDescriptor);  // not in every <elf.h>
  EXPECT_EQ(RiscV64::kind_of(R_RISCV_IRELATIVE), RelocKind::kIndirect);
}

// Those of object files and of 32-bit objects.
TEST(TraitsOfRiscV64, OtherTypesAreUnknown) {
  for (const uint32_t type : {1U, 6U, 8U, 10U, 16U, 18U, 35U, 51U, 57U, 59U})
    EXPECT_EQ(RiscV64::kind_of(type), RelocKind::kUnknown) << type;
}

TEST(TraitsOfRiscV64, WordsBeforeTheSlotsOfAPlt) {
  constexpr uint64_t kDynamic = 0x1234;
  EXPECT_TRUE(RiscV64::begins_plt_words(0, kDynamic));
  EXPECT_TRUE(RiscV64::begins_plt_words(UINT64_MAX, kDynamic));
  EXPECT_FALSE(RiscV64::begins_plt_words(kDynamic, kDynamic)) << "that is .got";
  EXPECT_FALSE(RiscV64::begins_plt_words(1, kDynamic));
  EXPECT_TRUE(X86_64::begins_plt_words(kDynamic, kDynamic));
  EXPECT_FALSE(X86_64::begins_plt_words(0, kDynamic));
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

static_assert(prelude::arch::Machine<I386>);

TEST(TraitsOfI386, KindsOfRelocations) {
  EXPECT_EQ(I386::kMachine, EM_386);
  EXPECT_EQ(I386::kElfClass, ELFCLASS32);
  EXPECT_EQ(I386::kRelativeType, uint32_t{R_386_RELATIVE});
  EXPECT_EQ(I386::kind_of(R_386_NONE), RelocKind::kNone);
  EXPECT_EQ(I386::kind_of(R_386_32), RelocKind::kAbsolute);
  EXPECT_EQ(I386::kind_of(R_386_PC32), RelocKind::kPcRelative32);
  EXPECT_EQ(I386::kind_of(R_386_COPY), RelocKind::kCopy);
  EXPECT_EQ(I386::kind_of(R_386_GLOB_DAT), RelocKind::kGlobData);
  EXPECT_EQ(I386::kind_of(R_386_JMP_SLOT), RelocKind::kJumpSlot);
  EXPECT_EQ(I386::kind_of(R_386_RELATIVE), RelocKind::kRelative);
  EXPECT_EQ(I386::kind_of(R_386_TLS_TPOFF), RelocKind::kTlsStatic);
  EXPECT_EQ(I386::kind_of(R_386_TLS_TPOFF32), RelocKind::kTlsDistance);
  EXPECT_EQ(I386::kind_of(R_386_TLS_DTPMOD32), RelocKind::kTlsModule);
  EXPECT_EQ(I386::kind_of(R_386_TLS_DTPOFF32), RelocKind::kTlsOffset);
  EXPECT_EQ(I386::kind_of(R_386_TLS_DESC), RelocKind::kTlsDescriptor);
  EXPECT_EQ(I386::kind_of(R_386_SIZE32), RelocKind::kSize);
  EXPECT_EQ(I386::kind_of(R_386_IRELATIVE), RelocKind::kIndirect);
}

// Relocations of object files and of other machines.
TEST(TraitsOfI386, OtherTypesAreUnknown) {
  for (const uint32_t type : {3U, 4U, 9U, 10U, 11U, 13U, 15U, 20U, 34U, 39U, 40U, 43U, 255U})
    EXPECT_EQ(I386::kind_of(type), RelocKind::kUnknown) << type;
}

}  // namespace
