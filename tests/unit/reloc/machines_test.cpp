// The relocation loop with the types of every machine that has traits: nothing executes, the bytes
// that come of an object are compared with what each psABI says.
#include <arch/aarch64/traits.h>
#include <arch/i386/traits.h>
#include <arch/riscv64/traits.h>

#include <elf.h>
#include <gtest/gtest.h>

#include <prelude/reloc/apply.h>
#include <tests/support/elf_builder.h>
#include <tests/support/loaded_object.h>

#include <cstring>
#include <memory>
#include <string>

#include "fake_binder.h"

namespace prelude {
namespace {

using test::BasicElfBuilder;
using test::BasicLoadedObject;
using test::BasicPlaces;
using test::FakeBinder;

constexpr uint32_t kNoType = UINT32_MAX;

/// The numbers of <elf.h>, and what psABIs do differently.
struct Arm64 {
  using Machine = arch::AArch64;
  using Elf = elf::Elf64;
  static constexpr uint32_t kWord = R_AARCH64_ABS64, kGot = R_AARCH64_GLOB_DAT,
                            kPlt = R_AARCH64_JUMP_SLOT, kRelative = R_AARCH64_RELATIVE,
                            kCopy = R_AARCH64_COPY, kModule = R_AARCH64_TLS_DTPMOD,
                            kOffset = R_AARCH64_TLS_DTPREL, kStatic = R_AARCH64_TLS_TPREL,
                            kDescriptor = R_AARCH64_TLSDESC, kIndirect = R_AARCH64_IRELATIVE;
  static constexpr uint64_t kBlockBias = 0;
};
struct Riscv64 {
  using Machine = arch::RiscV64;
  using Elf = elf::Elf64;
  static constexpr uint32_t kWord = R_RISCV_64, kGot = kNoType, kPlt = R_RISCV_JUMP_SLOT,
                            kRelative = R_RISCV_RELATIVE, kCopy = R_RISCV_COPY,
                            kModule = R_RISCV_TLS_DTPMOD64, kOffset = R_RISCV_TLS_DTPREL64,
                            kStatic = R_RISCV_TLS_TPREL64, kDescriptor = 12,
                            kIndirect = R_RISCV_IRELATIVE;
  static constexpr uint64_t kBlockBias = 0x800;
};
/// Words of 32 bits, and addends in place.
struct I386 {
  using Machine = arch::I386;
  using Elf = elf::Elf32;
  static constexpr uint32_t kWord = R_386_32, kGot = R_386_GLOB_DAT, kPlt = R_386_JMP_SLOT,
                            kRelative = R_386_RELATIVE, kCopy = R_386_COPY,
                            kModule = R_386_TLS_DTPMOD32, kOffset = R_386_TLS_DTPOFF32,
                            kStatic = R_386_TLS_TPOFF, kDescriptor = R_386_TLS_DESC,
                            kIndirect = R_386_IRELATIVE;
  static constexpr uint64_t kBlockBias = 0;
};

template <typename Types>
class MachineRelocation : public testing::Test {
 protected:
  using Elf = typename Types::Elf;
  using Word = typename Elf::Word;
  bool run(uint32_t type, uint32_t symbol, int64_t addend, bool lazy = false, uint8_t other = 0) {
    BasicElfBuilder<Elf> builder;
    builder.symbol({.name = "s", .size = 16, .visibility = other, .shndx = 0});
    // A table for the PLT where the entry is to be bound lazily.
    builder.rela(lazy ? 0 : places.data, lazy ? 0 : type, lazy ? 0 : symbol, lazy ? 0 : addend);
    builder.plt_rela(lazy ? places.data : 0, lazy ? type : 0, lazy ? symbol : 0, lazy ? addend : 0);
    object = std::make_unique<BasicLoadedObject<Elf>>(builder.build());
    if (!object->ok()) return false;
    const BasicWriteWindow<Elf> window(object->image(), false);
    Relocator<FakeBinder, typename Types::Machine> relocator(object->image(), window, binder);
    return relocator.run_plain(lazy) && relocator.run_indirect();
  }
  Word word() { return *object->template at<Word>(places.data); }
  Word after(uint32_t type, uint32_t symbol, int64_t addend) {
    EXPECT_TRUE(run(type, symbol, addend)) << type;
    return word();
  }

  BasicPlaces<Elf> places;
  FakeBinder binder;
  std::unique_ptr<BasicLoadedObject<Elf>> object;
};

using Machines = testing::Types<Arm64, Riscv64, I386>;
TYPED_TEST_SUITE(MachineRelocation, Machines);

TYPED_TEST(MachineRelocation, WordsAreSymbolPlusAddend) {
  this->binder.answers[1] = {.value = 0x12345678, .size = 16};
  for (const uint32_t type : {TypeParam::kWord, TypeParam::kGot, TypeParam::kPlt}) {
    if (type == kNoType) continue;
    // The words of i386's tables of addresses have no addends.
    const bool adds = TypeParam::Machine::kAddsToSlots || type == TypeParam::kWord;
    EXPECT_EQ(this->after(type, 1, 8), adds ? 0x12345680U : 0x12345678U) << type;
  }
  const uint64_t relative = this->after(TypeParam::kRelative, 0, 0x55);
  EXPECT_EQ(relative,
            static_cast<typename TypeParam::Elf::Word>(this->object->image().bias + 0x55));
  EXPECT_EQ(this->after(0, 1, 0), 0U);
}

TYPED_TEST(MachineRelocation, ThreadLocalWords) {
  this->binder.answers[1] = {.value = 0x1000, .size = 16};
  EXPECT_EQ(this->after(TypeParam::kModule, 1, 0), 7U);
  EXPECT_EQ(this->after(TypeParam::kOffset, 1, 4), 0x1004U - TypeParam::kBlockBias);
  EXPECT_EQ(this->after(TypeParam::kStatic, 1, 4), 0x1004U - 64);  // the binder's block: tp - 64
  EXPECT_EQ(this->after(TypeParam::kDescriptor, 1, 4), 11U);
}

TYPED_TEST(MachineRelocation, CopiesAndResolvers) {
  this->binder.answers[1] = {.value = 1, .size = 16};
  EXPECT_TRUE(this->run(TypeParam::kCopy, 1, 0));
  EXPECT_EQ(this->binder.log.back(), "copy");
  const uint64_t result =
      this->after(TypeParam::kIndirect, 0, static_cast<int64_t>(this->places.code));
  const uint64_t expected = this->object->image().bias + this->places.code + 1;
  EXPECT_EQ(result, static_cast<typename TypeParam::Elf::Word>(expected));
}

TYPED_TEST(MachineRelocation, CallsOfOtherRegistersAreBoundAtOnce) {
  this->binder.answers[1] = {.value = 0x40};
  this->binder.lazy_works = true;
  ASSERT_TRUE(this->run(TypeParam::kPlt, 1, 0, true));
  EXPECT_EQ(this->binder.log.back(), "lazy");
  EXPECT_EQ(this->word(), 0U);
  if (!TypeParam::Machine::binds_at_once(0x80)) return;  // st_other says nothing of registers
  this->binder.log.clear();
  ASSERT_TRUE(this->run(TypeParam::kPlt, 1, 0, true, 0x80));
  EXPECT_TRUE(this->binder.log.empty());
  EXPECT_EQ(this->word(), 0x40U);
}

TYPED_TEST(MachineRelocation, OtherTypesAreRefused) {
  this->binder.answers[1] = {.value = 1};
  EXPECT_FALSE(this->run(18, 1, 0));
  EXPECT_EQ(this->binder.error.code, Errc::kUnknownRelocation);
  EXPECT_EQ(this->binder.error.value, 18U);
}

// ---- class 32 and addends in place, with i386's types ----

using I386Relocation = MachineRelocation<I386>;

TEST_F(I386Relocation, AddendsInPlaceAreSigned) {
  binder.answers[1] = {.value = 0x1000, .size = 16};
  EXPECT_EQ(after(R_386_32, 1, -4), 0xffcU);
  EXPECT_EQ(after(R_386_SIZE32, 1, -4), 12U);
  EXPECT_EQ(after(R_386_TLS_DTPOFF32, 1, -4), 0xffcU);
}

TEST_F(I386Relocation, DistancesWrapWithoutOverflow) {
  binder.answers[1] = {.value = 0xfffffff0, .size = 16};
  const uint32_t distance = after(R_386_PC32, 1, -4);
  const uint64_t place = object->image().bias + places.data;
  EXPECT_EQ(distance, static_cast<uint32_t>(0xfffffff0 - 4 - place));
  EXPECT_EQ(after(R_386_32, 1, 0x20), 0x10U);
  EXPECT_TRUE(binder.log.empty());
}

// Offsets below the thread pointer are counted in both directions (ELF Handling for TLS 4.2).
TEST_F(I386Relocation, StaticOffsetsOfBothSigns) {
  binder.answers[1] = {.value = 0x10};
  EXPECT_EQ(after(R_386_TLS_TPOFF, 1, 4), static_cast<uint32_t>(0x14 - 64));
  EXPECT_EQ(after(R_386_TLS_TPOFF32, 1, 4), 64U - 0x10 + 4);
}

TEST_F(I386Relocation, DescriptorsHaveTheAddendInTheirSecondWord) {
  binder.answers[1] = {.value = 0x10};
  BasicElfBuilder<elf::Elf32> builder;
  // The second entry only puts a word where the argument of the first is.
  builder.symbol({.name = "s", .size = 16, .shndx = 0});
  builder.rela(places.data, R_386_TLS_DESC, 1, 0).rela(places.data + 4, R_386_NONE, 0, 0x30);
  BasicLoadedObject<elf::Elf32> loaded(builder.build());
  ASSERT_TRUE(loaded.ok());
  const BasicWriteWindow<elf::Elf32> window(loaded.image(), false);
  Relocator<FakeBinder, I386::Machine> relocator(loaded.image(), window, binder);
  ASSERT_TRUE(relocator.run_plain(false));
  EXPECT_EQ(*loaded.at<uint32_t>(places.data), 11U);
  EXPECT_EQ(*loaded.at<uint32_t>(places.data + 4), 0x30U);
}

TEST_F(I386Relocation, PackedRelativeWordsHave31Bits) {
  BasicElfBuilder<elf::Elf32> builder;
  builder.symbol({.name = "s", .shndx = 0});
  builder.relr(0).relr(0);
  (void)builder.build();
  const uint64_t at = builder.data();
  BasicElfBuilder<elf::Elf32> second;
  second.symbol({.name = "s", .shndx = 0}).relr(at).relr(0x80000003);
  BasicLoadedObject<elf::Elf32> loaded(second.build());
  ASSERT_TRUE(loaded.ok());
  const BasicWriteWindow<elf::Elf32> window(loaded.image(), false);
  Relocator<FakeBinder, I386::Machine> relocator(loaded.image(), window, binder);
  ASSERT_TRUE(relocator.run_plain(false));
  const auto bias = static_cast<uint32_t>(loaded.image().bias);
  for (uint64_t word = 0; word < 34; ++word)
    EXPECT_EQ(loaded.at<uint32_t>(at)[word], word == 0 || word == 1 || word == 31 ? bias : 0U)
        << word;
}

TEST_F(I386Relocation, AWordThatLeavesTheSegmentIsRefused) {
  binder.answers[1] = {.value = 1};
  const uint64_t end = places.dynamic + BasicElfBuilder<elf::Elf32>::kDynamicBytes +
                       BasicElfBuilder<elf::Elf32>::kDataBytes +
                       BasicElfBuilder<elf::Elf32>::kBssBytes;
  for (const uint32_t type : {R_386_32, R_386_RELATIVE, R_386_COPY, R_386_TLS_DESC}) {
    BasicElfBuilder<elf::Elf32> builder;
    builder.symbol({.name = "s", .size = 16, .shndx = 0});
    builder.rela(end - 3, type, type == R_386_RELATIVE ? 0 : 1, 0);
    BasicLoadedObject<elf::Elf32> loaded(builder.build());
    ASSERT_TRUE(loaded.ok());
    const BasicWriteWindow<elf::Elf32> window(loaded.image(), false);
    Relocator<FakeBinder, I386::Machine> relocator(loaded.image(), window, binder);
    binder.error = {};
    EXPECT_FALSE(relocator.run_plain(false)) << type;
    EXPECT_STREQ(binder.error.subject, "r_offset") << type;
  }
}

}  // namespace
}  // namespace prelude
