// Objects of the class of 32 bits: the same decoders with the other structures. What does not
// depend on them is tested with objects of 64 bits.
#include <gtest/gtest.h>

#include <prelude/image/image.h>
#include <tests/support/elf_builder.h>
#include <tests/support/loaded_object.h>

#include <cstring>
#include <functional>
#include <string>

namespace prelude {
namespace {

using elf::Elf32;
using Builder = test::BasicElfBuilder<Elf32>;
using Object = test::BasicLoadedObject<Elf32>;
using Bytes = std::vector<uint8_t>;

Builder rich() {
  Builder builder;
  builder.hash(test::HashTables::kBoth).soname("libc32.so").needed("liba.so");
  builder.symbol({.name = "used", .shndx = 0});
  builder.symbol({.name = "f", .value = 0x1000, .size = 8});
  builder.rela(0, 8, 0, 0).plt_rela(0, 7, 1, 0).relr(0).tls(8, 32, 16);
  return builder;
}

/// The field of the error, or nothing.
std::string refused(Builder& builder) {
  const Object object(builder.build());
  return object.ok() ? "" : object.status().error().subject;
}

TEST(Class32, FindsEveryTable) {
  Builder builder = rich();
  Object object(builder.build());
  ASSERT_TRUE(object.ok()) << object.status().error().subject;
  const BasicImage<Elf32>& image = object.image();
  EXPECT_STREQ(image.soname, "libc32.so");
  EXPECT_EQ(image.relocation_count, 1U);
  EXPECT_EQ(image.relocations[0].type(), 8U);
  EXPECT_EQ(image.plt_relocation_count, 1U);
  EXPECT_EQ(image.plt_relocations[0].symbol(), 1U);
  EXPECT_EQ(image.relr_count, 1U);
  EXPECT_EQ(image.symbol_limit, 3U);
  const Elf32::Symbol& f = image.symbols[builder.symbol_index("f")];
  EXPECT_STREQ(image.string(f.name), "f");
  EXPECT_EQ(f.value, 0x1000U);
  EXPECT_EQ(f.type(), elf::kSttFunc);
  EXPECT_EQ(image.tls_memsz, 32U);
  ASSERT_NE(image.gnu_hash.bloom, nullptr);
  EXPECT_EQ(image.gnu_hash.buckets, reinterpret_cast<const uint32_t*>(
                                        image.gnu_hash.bloom + image.gnu_hash.bloom_mask + 1));
  EXPECT_TRUE(symbols_are_walkable(image));
}

TEST(Class32, ClassesAreToldApart) {
  const Bytes narrow = Builder().build(), wide = test::ElfBuilder().build();
  const auto head = [](const Bytes& file) {
    return reinterpret_cast<const std::byte*>(file.data());
  };
  EXPECT_EQ(decode_header<elf::Elf64>(head(narrow), narrow.size(), narrow.size(), test::kTestHost)
                .error()
                .code,
            Errc::kWrongClass);
  EXPECT_EQ(
      decode_header<Elf32>(head(wide), wide.size(), wide.size(), test::kTestHost32).error().code,
      Errc::kWrongClass);
  EXPECT_TRUE(decode_header<Elf32>(head(narrow), 52, narrow.size(), test::kTestHost32).ok());
  EXPECT_EQ(decode_header<Elf32>(head(narrow), 51, narrow.size(), test::kTestHost32).error().code,
            Errc::kFileTooShort);
}

TEST(Class32, TablesOfTheOtherKindAreRefused) {
  Builder rela;
  EXPECT_EQ(refused(rela.set(elf::kDtRelaSz, 24)), "DT_RELASZ");
  Builder plt = rich();
  EXPECT_EQ(refused(plt.set(elf::kDtPltRel, elf::kDtRela)), "DT_PLTREL");
  test::ElfBuilder wide;
  wide.set(elf::kDtRelSz, 8);
  const test::LoadedObject object(wide.build());
  ASSERT_FALSE(object.ok());
  EXPECT_STREQ(object.status().error().subject, "DT_RELSZ");
}

TEST(Class32, EntriesHaveTheSizesOfTheClass) {
  const struct {
    int64_t tag;
    uint64_t value;
    const char* field;
  } cases[] = {{elf::kDtSymEnt, 24, "DT_SYMENT"},    {elf::kDtRelEnt, 12, "DT_RELENT"},
               {elf::kDtRelrEnt, 8, "DT_RELRENT"},   {elf::kDtRelSz, 12, "DT_RELSZ"},
               {elf::kDtPltRelSz, 4, "DT_PLTRELSZ"}, {elf::kDtRelrSz, 6, "DT_RELRSZ"}};
  for (const auto& damage : cases) {
    Builder builder = rich();
    EXPECT_EQ(refused(builder.set(damage.tag, damage.value)), damage.field);
  }
  Builder arrays;
  (void)arrays.build();
  const uint64_t data = arrays.data();
  Builder odd;
  odd.set(elf::kDtInitArray, data).set(elf::kDtInitArraySz, 6);
  EXPECT_EQ(refused(odd), "DT_INIT_ARRAYSZ");
  Builder even;
  even.set(elf::kDtInitArray, data).set(elf::kDtInitArraySz, 12);
  Object object(even.build());
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object.image().init_array.count, 3U);
}

TEST(Class32, NumbersNearTheEndOfTheAddressSpaceAreRefused) {
  for (const int64_t tag :
       {int64_t{elf::kDtSymTab}, int64_t{elf::kDtStrTab}, int64_t{elf::kDtGnuHash},
        int64_t{elf::kDtHash}, int64_t{elf::kDtRel}, int64_t{elf::kDtJmpRel}}) {
    Builder builder = rich();
    EXPECT_NE(refused(builder.set(tag, 0xfffffffc)), "") << tag;
  }
  for (const int64_t tag : {int64_t{elf::kDtRelSz}, int64_t{elf::kDtPltRelSz},
                            int64_t{elf::kDtRelrSz}, int64_t{elf::kDtStrSz}}) {
    Builder builder = rich();
    EXPECT_NE(refused(builder.set(tag, 0xfffffff8)), "") << tag;
  }
}

// 32-bit sums of what the headers say would wrap and look sound.
TEST(Class32, SegmentsThatWrapAreRefused) {
  const auto with = [](const std::function<void(Elf32::ProgramHeader&)>& change) {
    Builder builder;
    Bytes file = builder.build();
    Elf32::ProgramHeader header;
    uint8_t* const place = file.data() + builder.header(elf::kPtLoad);
    std::memcpy(&header, place, sizeof header);
    change(header);
    std::memcpy(place, &header, sizeof header);
    const Object object(file);
    return object.ok() ? std::string() : std::string(object.status().error().subject);
  };
  EXPECT_EQ(with([](auto& ph) { ph.vaddr = 0xfffff000; }), "p_vaddr + p_memsz");
  EXPECT_EQ(with([](auto& ph) { ph.memsz = 0xffffffff; }), "p_vaddr + p_memsz");
  EXPECT_EQ(with([](auto& ph) { ph.offset = 0xfffff000; }), "p_offset + p_filesz");
}

TEST(Class32, PropertiesArePaddedToFourBytes) {
  Builder builder;
  // Two properties of 4 bytes, without padding between.
  builder.note({4, 0, 0, 0, 24, 0, 0, 0, 5, 0,    0, 0,    'G', 'N', 'U', 0, 1, 0x80, 0, 0xc0,
                4, 0, 0, 0, 9,  0, 0, 0, 2, 0x80, 0, 0xc0, 4,   0,   0,   0, 7, 0,    0, 0});
  Object object(builder.build());
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(gnu_property(object.image(), 0xc0008002), 7U);
}

}  // namespace
}  // namespace prelude
