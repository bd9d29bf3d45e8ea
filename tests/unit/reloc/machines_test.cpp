// The relocation loop with the types of every machine that has traits: nothing executes, the bytes
// that come of an object are compared with what each psABI says.
#include <arch/aarch64/traits.h>
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

using test::ElfBuilder;
using test::FakeBinder;
using test::LoadedObject;
using test::Places;

constexpr uint32_t kNoType = UINT32_MAX;

/// The numbers of <elf.h>, and what psABIs do differently.
struct Arm64 {
  using Machine = arch::AArch64;
  static constexpr uint32_t kWord = R_AARCH64_ABS64, kGot = R_AARCH64_GLOB_DAT,
                            kPlt = R_AARCH64_JUMP_SLOT, kRelative = R_AARCH64_RELATIVE,
                            kCopy = R_AARCH64_COPY, kModule = R_AARCH64_TLS_DTPMOD,
                            kOffset = R_AARCH64_TLS_DTPREL, kStatic = R_AARCH64_TLS_TPREL,
                            kDescriptor = R_AARCH64_TLSDESC, kIndirect = R_AARCH64_IRELATIVE;
  static constexpr uint64_t kBlockBias = 0;
};
struct Riscv64 {
  using Machine = arch::RiscV64;
  static constexpr uint32_t kWord = R_RISCV_64, kGot = kNoType, kPlt = R_RISCV_JUMP_SLOT,
                            kRelative = R_RISCV_RELATIVE, kCopy = R_RISCV_COPY,
                            kModule = R_RISCV_TLS_DTPMOD64, kOffset = R_RISCV_TLS_DTPREL64,
                            kStatic = R_RISCV_TLS_TPREL64, kDescriptor = kNoType,
                            kIndirect = R_RISCV_IRELATIVE;
  static constexpr uint64_t kBlockBias = 0x800;
};

template <typename Types>
class MachineRelocation : public testing::Test {
 protected:
  bool run(uint32_t type, uint32_t symbol, int64_t addend, bool lazy = false, uint8_t other = 0) {
    ElfBuilder builder;
    builder.symbol({.name = "s", .size = 16, .visibility = other, .shndx = 0});
    // A table for the PLT where the entry is to be bound lazily.
    builder.rela(lazy ? 0 : places.data, lazy ? 0 : type, lazy ? 0 : symbol, lazy ? 0 : addend);
    builder.plt_rela(lazy ? places.data : 0, lazy ? type : 0, lazy ? symbol : 0, lazy ? addend : 0);
    object = std::make_unique<LoadedObject>(builder.build());
    if (!object->ok()) return false;
    const WriteWindow window(object->image(), false);
    Relocator<FakeBinder, typename Types::Machine> relocator(object->image(), window, binder);
    return relocator.run_plain(lazy) && relocator.run_indirect();
  }
  uint64_t word() { return *object->template at<uint64_t>(places.data); }
  uint64_t after(uint32_t type, uint32_t symbol, int64_t addend) {
    EXPECT_TRUE(run(type, symbol, addend)) << type;
    return word();
  }

  Places places;
  FakeBinder binder;
  std::unique_ptr<LoadedObject> object;
};

using Machines = testing::Types<Arm64, Riscv64>;
TYPED_TEST_SUITE(MachineRelocation, Machines);

TYPED_TEST(MachineRelocation, WordsAreSymbolPlusAddend) {
  this->binder.answers[1] = {.value = 0x12345678, .size = 16};
  for (const uint32_t type : {TypeParam::kWord, TypeParam::kGot, TypeParam::kPlt}) {
    if (type == kNoType) continue;
    EXPECT_EQ(this->after(type, 1, 8), 0x12345680U) << type;
  }
  const uint64_t relative = this->after(TypeParam::kRelative, 0, 0x55);
  EXPECT_EQ(relative, this->object->image().bias + 0x55);
  EXPECT_EQ(this->after(0, 1, 4), 0U);
}

TYPED_TEST(MachineRelocation, ThreadLocalWords) {
  this->binder.answers[1] = {.value = 0x1000, .size = 16};
  EXPECT_EQ(this->after(TypeParam::kModule, 1, 0), 7U);
  EXPECT_EQ(this->after(TypeParam::kOffset, 1, 4), 0x1004U - TypeParam::kBlockBias);
  EXPECT_EQ(this->after(TypeParam::kStatic, 1, 4), 0x1004U - 64);  // the binder's block: tp - 64
  if (TypeParam::kDescriptor != kNoType) {
    EXPECT_EQ(this->after(TypeParam::kDescriptor, 1, 4), 11U);
  }
}

TYPED_TEST(MachineRelocation, CopiesAndResolvers) {
  this->binder.answers[1] = {.value = 1, .size = 16};
  EXPECT_TRUE(this->run(TypeParam::kCopy, 1, 0));
  EXPECT_EQ(this->binder.log.back(), "copy");
  const uint64_t result =
      this->after(TypeParam::kIndirect, 0, static_cast<int64_t>(this->places.code));
  EXPECT_EQ(result, this->object->image().bias + this->places.code + 1);
}

TYPED_TEST(MachineRelocation, CallsOfOtherRegistersAreBoundAtOnce) {
  this->binder.answers[1] = {.value = 0x40};
  this->binder.lazy_works = true;
  ASSERT_TRUE(this->run(TypeParam::kPlt, 1, 0, true));
  EXPECT_EQ(this->binder.log.back(), "lazy");
  EXPECT_EQ(this->word(), 0U);
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

}  // namespace
}  // namespace prelude
