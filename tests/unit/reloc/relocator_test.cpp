// The relocation loop with a binder that answers from a table: every kind, RELR, bounds, overflow.
#include <gtest/gtest.h>

#include <prelude/reloc/apply.h>
#include <tests/support/elf_builder.h>
#include <tests/support/loaded_object.h>

#include <cstring>
#include <functional>
#include <string>

#include "fake_binder.h"

namespace prelude {
namespace {

using test::ElfBuilder;
using test::FakeBinder;
using test::LoadedObject;
using test::Places;

// x86-64 numbers (psABI 4.4.1).
enum Type : uint32_t {
  kNone = 0,
  k64 = 1,
  kPc32 = 2,
  kCopy = 5,
  kGlobDat = 6,
  kJumpSlot = 7,
  kRelative = 8,
  k32 = 10,
  kDtpMod = 16,
  kDtpOff = 17,
  kTpOff = 18,
  kSize32 = 32,
  kSize = 33,
  kTlsDesc = 36,
  kIrelative = 37
};

class Relocation : public testing::Test {
 protected:
  struct Outcome {
    bool ok;
    uint64_t word;        // at data
    std::string subject;  // of the error
    RelocCounts counts;
  };
  // One entry in DT_RELA (or DT_JMPREL) against symbol 1 or none.
  Outcome run(uint64_t offset, uint32_t type, uint32_t symbol, int64_t addend, bool plt = false,
              bool lazy = false, const std::function<void(ElfBuilder&)>& change = {}) {
    ElfBuilder builder;
    builder.symbol({.name = "s", .size = 16, .shndx = 0});
    if (plt)
      builder.rela(0, kNone, 0, 0).plt_rela(offset, type, symbol, addend);
    else
      builder.rela(offset, type, symbol, addend).plt_rela(0, kNone, 0, 0);
    if (change) change(builder);
    object = std::make_unique<LoadedObject>(builder.build());
    if (!object->ok())
      return {false, 0, "image: " + std::string(object->status().error().subject), {}};
    const Image& image = object->image();
    const WriteWindow window(image, image.text_relocations);
    Relocator<FakeBinder> relocator(image, window, binder);
    binder.error = {};
    const bool ok = relocator.run_plain(lazy) && relocator.run_indirect();
    uint64_t word = 0;
    std::memcpy(&word, object->at<char>(places.data), sizeof word);
    return {ok, word, binder.error.subject != nullptr ? binder.error.subject : "",
            relocator.counts()};
  }
  [[nodiscard]] uint64_t bias() const { return object->image().bias; }

  Places places;
  FakeBinder binder;
  std::unique_ptr<LoadedObject> object;
};

TEST_F(Relocation, ValuesAreThoseOfThePsAbi) {
  binder.answers[1] = {.value = 0x12345678, .size = 16};
  const uint64_t relative = run(places.data, kRelative, 0, 0x55).word;
  EXPECT_EQ(relative, bias() + 0x55);
  EXPECT_EQ(run(places.data, k64, 1, 8).word, 0x12345680U);
  EXPECT_EQ(run(places.data, kGlobDat, 1, 8).word, 0x12345678U);
  EXPECT_EQ(run(places.data, kJumpSlot, 1, 8).word, 0x12345678U);
  EXPECT_EQ(run(places.data, k32, 1, -8).word, 0x12345670U);
  EXPECT_EQ(run(places.data, kSize, 1, 1).word, 17U);
  EXPECT_EQ(run(places.data, kSize32, 1, 2).word, 18U);
  EXPECT_EQ(run(places.data, kDtpMod, 1, 0).word, 7U);
  EXPECT_EQ(run(places.data, kDtpOff, 1, 4).word, 0x1234567cU);
  EXPECT_EQ(run(places.data, kTpOff, 1, 4).word, 0x1234567cU - 64);
  EXPECT_EQ(run(places.data, kTlsDesc, 1, 4).word, 11U);
  EXPECT_EQ(run(places.data, kNone, 1, 4).word, 0U);
}

TEST_F(Relocation, PackedStructuresHaveWordsAtOddAddresses) {
  binder.answers[1] = {.value = 0x1122334455667788};
  for (const uint32_t type : {k64, kGlobDat, kJumpSlot, k32, kTpOff})
    EXPECT_TRUE(run(places.data + 3, type, 1, 0).ok);
  run(places.data + 3, k64, 1, 0);
  EXPECT_EQ(*object->at<uint8_t>(places.data + 3), 0x88);
  EXPECT_EQ(*object->at<uint8_t>(places.data + 10), 0x11);
  EXPECT_EQ(run(places.data + 3, kTlsDesc, 1, 0).subject, "r_offset of a TLS descriptor");
  binder.lazy_works = true;
  EXPECT_TRUE(run(places.data + 3, kJumpSlot, 1, 0, true, true).ok);
  EXPECT_EQ(*object->at<uint8_t>(places.data + 3), 0x88);  // bound at once
}

TEST_F(Relocation, DistancesAreSigned) {
  run(places.data, kNone, 0, 0);
  binder.answers[1] = {.value = 0};
  const auto outcome = run(places.data, kPc32, 1, 0, false, false);
  EXPECT_TRUE(outcome.ok);  // out of reach: said, and the low half stored, as glibc does
  EXPECT_EQ(binder.log.back(), "overflow R_X86_64_PC32");
  EXPECT_EQ(outcome.word, static_cast<uint32_t>(0 - (bias() + places.data)));
}

TEST_F(Relocation, NarrowValuesOverflowWithAWord) {
  binder.answers[1] = {.value = 0x1'0000'0000, .size = 0x1'0000'0000};
  EXPECT_EQ(run(places.data, k32, 1, 5).word, 5U);
  EXPECT_EQ(binder.log.back(), "overflow R_X86_64_32");
  EXPECT_EQ(run(places.data, kSize32, 1, 6).word, 6U);
  EXPECT_EQ(binder.log.back(), "overflow R_X86_64_SIZE32");
}

TEST_F(Relocation, UndefinedWeakReferencesAreZero) {
  binder.answers[1] = {.undefined = true};
  for (const uint32_t type : {k64, kGlobDat, kJumpSlot, kDtpMod, kDtpOff, kTpOff, kCopy}) {
    EXPECT_EQ(run(places.data, type, 1, 0).word, 0U) << type;
    EXPECT_TRUE(binder.log.empty());
  }
}

TEST_F(Relocation, CopiesAreLeftToTheBinder) {
  binder.answers[1] = {.value = 1};
  EXPECT_TRUE(run(places.data, kCopy, 1, 0).ok);
  EXPECT_EQ(binder.log, std::vector<std::string>{"copy"});
}

TEST_F(Relocation, UnknownTypesAreErrors) {
  for (const uint32_t type : {3U, 9U, 40U, 250U, 0xffffffffU}) {
    EXPECT_FALSE(run(places.data, type, 0, 0).ok);
    EXPECT_EQ(binder.error.code, Errc::kUnknownRelocation);
    EXPECT_EQ(binder.error.value, type);
    EXPECT_FALSE(run(places.data, type, 0, 0, true).ok);
    EXPECT_EQ(binder.error.code, Errc::kUnknownPltRelocation);
  }
}

TEST_F(Relocation, ThePltHoldsWhatCodeJumpsThrough) {
  binder.answers[1] = {.value = 1};
  for (const uint32_t type : {kJumpSlot, kTlsDesc, kGlobDat, k64, kNone})
    EXPECT_TRUE(run(places.data, type, 1, 0, true).ok);
  for (const uint32_t type : {kTpOff, kDtpMod, kCopy, kSize}) {
    EXPECT_FALSE(run(places.data, type, 1, 0, true).ok);
    EXPECT_EQ(binder.error.code, Errc::kUnknownPltRelocation);
  }
}

TEST_F(Relocation, BinderErrorsEndTheLoop) {
  EXPECT_FALSE(run(places.data, k64, 1, 0).ok);
  EXPECT_EQ(binder.error.code, Errc::kUndefinedSymbol);
  binder.answers[1] = {.value = 1};
  binder.memory = false;
  EXPECT_FALSE(run(places.data, kDtpMod, 1, 0).ok);
  EXPECT_FALSE(run(places.data, kTpOff, 1, 0).ok);
}

TEST_F(Relocation, SymbolIndexesAreBounded) {
  for (const uint32_t symbol : {2U, 100U, 0x7fffffffU, 0xffffffffU}) {
    EXPECT_EQ(run(places.data, k64, symbol, 0).subject, "relocation symbol index");
    EXPECT_EQ(run(places.data, kJumpSlot, symbol, 0, true, true).subject,
              "relocation symbol index");
  }
}

TEST_F(Relocation, TargetsLieInWritableMemory) {
  binder.answers[1] = {.value = 1};
  binder.answers[0] = {.value = 1};
  const uint64_t end = places.data + ElfBuilder::kDataBytes + ElfBuilder::kBssBytes;
  for (const uint32_t type : {k64, kRelative, kGlobDat, kTlsDesc, kIrelative})
    for (const uint64_t offset : {uint64_t{0}, places.code, end, end - 4, end + 0x100000,
                                  UINT64_MAX, UINT64_MAX - 7, uint64_t{1} << 63}) {
      const auto outcome = run(offset, type, type == kRelative || type == kIrelative ? 0 : 1,
                               static_cast<int64_t>(places.code));
      EXPECT_EQ(outcome.subject, "r_offset") << type << ' ' << std::hex << offset;
    }
  EXPECT_TRUE(run(end - 8, k64, 1, 0).ok);
  EXPECT_TRUE(run(end - 4, k32, 1, 0).ok);
  EXPECT_EQ(run(end - 8, kTlsDesc, 1, 0).subject, "r_offset");
}

TEST_F(Relocation, PltSlotsAreBoundedWhenLazyToo) {
  binder.answers[1] = {.value = 1};
  EXPECT_EQ(run(places.code, kJumpSlot, 1, 0, true, true).subject, "r_offset");
}

TEST_F(Relocation, LazySlotsAreNotBound) {
  binder.lazy_works = true;
  EXPECT_TRUE(run(places.data, kJumpSlot, 1, 0, true, true)
                  .ok);  // no answer for symbol 1: it was not asked for
  EXPECT_EQ(binder.log, std::vector<std::string>{"lazy"});
  binder.lazy_works = false;
  binder.answers[1] = {.value = 9};
  EXPECT_EQ(run(places.data, kJumpSlot, 1, 0, true, true).word, 9U);
}

TEST_F(Relocation, IndirectEntriesComeLast) {
  const auto outcome = run(places.data, kIrelative, 0, static_cast<int64_t>(places.code));
  EXPECT_TRUE(outcome.ok);
  EXPECT_EQ(binder.log, std::vector<std::string>{"resolver"});
  EXPECT_EQ(outcome.word, bias() + places.code + 1);
  EXPECT_TRUE(run(places.data, kIrelative, 0, static_cast<int64_t>(places.code), true).ok);
}

// Code has lost its write permission again by then.
TEST_F(Relocation, IndirectEntriesInTextAreStoredByTheBinder) {
  const auto text = [](ElfBuilder& builder) { builder.set(elf::kDtTextRel, 0); };
  EXPECT_TRUE(
      run(places.code + 8, kIrelative, 0, static_cast<int64_t>(places.code), false, false, text)
          .ok);
  EXPECT_EQ(binder.log,
            (std::vector<std::string>{"resolver", "store " + std::to_string(places.code + 8)}));
}

TEST_F(Relocation, ResolversLieInCode) {
  for (const int64_t where :
       {int64_t{0}, static_cast<int64_t>(places.data), int64_t{-1}, int64_t{0x7fffff0000}})
    EXPECT_EQ(run(places.data, kIrelative, 0, where).subject, "IFUNC resolver");
  EXPECT_TRUE(binder.log.empty());
  binder.memory = false;
  EXPECT_FALSE(run(places.data, kIrelative, 0, static_cast<int64_t>(places.code)).ok);
}

TEST_F(Relocation, IfuncSymbolsAreDeferredWithTheirForm) {
  binder.answers[1] = {.value = 1, .resolver = true};
  const std::string at = "defer " + std::to_string(places.data);
  run(places.data, kGlobDat, 1, 5);
  run(places.data, k64, 1, 5);
  run(places.data, k32, 1, 5);
  run(places.data, kPc32, 1, 5);
  EXPECT_EQ(binder.log,
            (std::vector<std::string>{at + " 0 0", at + " 5 0", at + " 5 1", at + " 5 2"}));
}

TEST_F(Relocation, TheCountPromisedBeforehandCoversRelativeEntriesOnly) {
  binder.answers[1] = {.value = 3};
  EXPECT_EQ(
      run(places.data, k64, 1, 0, false, false, [](ElfBuilder& b) { b.set(elf::kDtRelaCount, 1); })
          .subject,
      "DT_RELACOUNT");
  for (const uint64_t count : {1, 1000}) {  // more than there are is cut
    const auto counted = run(places.data, kRelative, 0, 1, false, false,
                             [=](ElfBuilder& b) { b.set(elf::kDtRelaCount, count); });
    EXPECT_EQ(counted.counts.relative, 1U);
    EXPECT_EQ(counted.word, bias() + 1);
  }
  EXPECT_EQ(run(places.code, kRelative, 0, 1, false, false,
                [](ElfBuilder& b) { b.set(elf::kDtRelaCount, 1); })
                .subject,
            "r_offset");
}

TEST_F(Relocation, TextIsWritableOnDemandButTablesNever) {
  auto text = [](ElfBuilder& b) { b.set(elf::kDtTextRel, 0); };
  EXPECT_TRUE(run(places.code, kRelative, 0, 1, false, false, text).ok);
  // What code reads or jumps through is never among the text, nor are the program headers.
  for (const uint32_t type : {kCopy, kGlobDat, kJumpSlot, kDtpMod, kTlsDesc})
    EXPECT_EQ(run(places.code, type, 1, 0, false, false, text).subject, "r_offset") << type;
  EXPECT_EQ(run(sizeof(elf::FileHeader) + 8, kRelative, 0, 1, false, false, text).subject,
            "r_offset");
  ElfBuilder probe;
  Places::Relocation(probe);
  probe.set(elf::kDtTextRel, 0);
  (void)probe.build();
  for (const int64_t tag :
       {int64_t{elf::kDtSymTab}, int64_t{elf::kDtStrTab}, int64_t{elf::kDtGnuHash},
        int64_t{elf::kDtRela}, int64_t{elf::kDtJmpRel}})
    EXPECT_EQ(run(probe.at(tag), kRelative, 0, 1, false, false, text).subject, "r_offset") << tag;
  EXPECT_EQ(run(probe.at(elf::kDtSymTab) - 7, kRelative, 0, 1, false, false, text).subject,
            "r_offset");
}

// ---- DT_RELR

class PackedRelocation : public testing::Test {
 protected:
  bool run(const std::vector<uint64_t>& words) {
    ElfBuilder builder;
    for (const uint64_t word : words) builder.relr(word);
    object = std::make_unique<LoadedObject>(builder.build());
    EXPECT_TRUE(object->ok());
    const WriteWindow window(object->image(), false);
    Relocator<FakeBinder> relocator(object->image(), window, binder);
    const bool ok = relocator.run_plain(false);
    relative = relocator.counts().relative;
    return ok;
  }
  bool moved(uint64_t vaddr) { return *object->at<uint64_t>(vaddr) == object->image().bias; }

  uint64_t data = [] {
    ElfBuilder builder;
    builder.relr(0);
    (void)builder.build();
    return builder.data();
  }();
  FakeBinder binder;
  std::unique_ptr<LoadedObject> object;
  uint64_t relative = 0;
};

TEST_F(PackedRelocation, AddressesAndBitmaps) {
  ASSERT_TRUE(run({data, 0b1011, (uint64_t{1} << 63) | 1}));
  EXPECT_EQ(relative, 4U);
  EXPECT_TRUE(moved(data));
  EXPECT_TRUE(moved(data + 8));  // bit 1
  EXPECT_FALSE(moved(data + 16));
  EXPECT_TRUE(moved(data + 24));  // bit 3
  EXPECT_TRUE(moved(data + 8 + 63 * 8 + 62 * 8));
}

TEST_F(PackedRelocation, OnlyMarkedWordsNeedRoom) {
  ASSERT_TRUE(run({data}));
  const LoadSegment* segment = object->image().memory_segment(data, 8);
  ASSERT_NE(segment, nullptr);
  const uint64_t end = (segment->vaddr + segment->memsz) & ~uint64_t{7};
  ASSERT_TRUE(run({end - 24, 0b101}));
  EXPECT_TRUE(moved(end - 24));
  EXPECT_FALSE(moved(end - 16));
  EXPECT_TRUE(moved(end - 8));
  EXPECT_FALSE(run({end - 24, 0b1001}));
  EXPECT_STREQ(binder.error.subject, "r_offset");
}

TEST_F(PackedRelocation, BitmapFirstIsAnError) {
  EXPECT_FALSE(run({3}));
  EXPECT_STREQ(binder.error.subject, "DT_RELR first entry");
}

TEST_F(PackedRelocation, EverySlotIsBounded) {
  for (const uint64_t wild : {uint64_t{0}, uint64_t{0x1000000}, UINT64_MAX - 1, UINT64_MAX - 7}) {
    EXPECT_FALSE(run({wild}));
    EXPECT_STREQ(binder.error.subject, "r_offset");
  }
  EXPECT_FALSE(run(
      {data, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}));
  EXPECT_STREQ(binder.error.subject, "r_offset");
}

}  // namespace
}  // namespace prelude
