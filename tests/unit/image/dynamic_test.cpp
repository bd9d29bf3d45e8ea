// The dynamic section and every table it names: sound ones, damaged ones, and truncation
// everywhere.
#include <gtest/gtest.h>

#include <tests/support/elf_builder.h>
#include <tests/support/loaded_object.h>

#include <cstring>

namespace prelude {
namespace {

using test::ElfBuilder;
using test::HashTables;
using test::LoadedObject;

constexpr uint64_t kWild = 0x7fffff0000;

ElfBuilder sample() {
  ElfBuilder builder;
  builder.needed("libx.so").soname("libsample.so").hash(HashTables::kBoth);
  builder.symbol({.name = "used", .shndx = 0, .version = 3});
  builder.symbol({.name = "f", .version = 2}).symbol({.name = "g"});
  builder.version({.name = "libsample.so", .index = 1, .flags = elf::kVerFlagBase});
  builder.version({.name = "V1", .index = 2})
      .version({.name = "X1", .index = 3, .file = "libx.so"});
  builder.rela(0, 8, 0, 0).plt_rela(0, 7, 1, 0).relr(0);
  return builder;
}

const char* refused(ElfBuilder& builder) {
  const LoadedObject object(builder.build());
  if (object.ok()) return "accepted";
  const Error& error = object.status().error();
  if (error.code != Errc::kBadField) return "other";
  EXPECT_NE(error.context, nullptr);
  return error.subject;
}

TEST(Dynamic, ReadsWhatTheBuilderMakes) {
  ElfBuilder builder = sample();
  const LoadedObject object(builder.build());
  ASSERT_TRUE(object.ok()) << object.status().error().subject;
  const Image& image = object.image();
  EXPECT_STREQ(image.soname, "libsample.so");
  EXPECT_EQ(image.symbol_limit, 4U);
  EXPECT_EQ(image.gnu_hash.bucket_count, 3U);
  EXPECT_EQ(image.gnu_hash.first_symbol, 2U);
  EXPECT_EQ(image.sysv_hash.chain_count, 4U);
  EXPECT_EQ(image.relocation_count, 1U);
  EXPECT_EQ(image.plt_relocation_count, 1U);
  EXPECT_EQ(image.relr_count, 1U);
  EXPECT_EQ(image.metadata_count, 0U);
  std::string needed;
  for_each_dynamic(image, elf::kDtNeeded, [&](uint64_t offset) {
    needed = image.string(offset);
    return true;
  });
  EXPECT_EQ(needed, "libx.so");
}

struct TagCase {
  int64_t tag;
  const char* subject;
};

TEST(Dynamic, AddressesOutsideTheFileAreRefusedByName) {
  const TagCase cases[] = {{elf::kDtStrTab, "DT_STRTAB"},    {elf::kDtSymTab, "DT_SYMTAB"},
                           {elf::kDtGnuHash, "DT_GNU_HASH"}, {elf::kDtHash, "DT_HASH"},
                           {elf::kDtVerSym, "DT_VERSYM"},    {elf::kDtVerDef, "DT_VERDEF"},
                           {elf::kDtVerNeed, "DT_VERNEED"},  {elf::kDtRela, "DT_RELA"},
                           {elf::kDtJmpRel, "DT_JMPREL"},    {elf::kDtRelr, "DT_RELR"}};
  for (const TagCase& c : cases)
    for (const uint64_t value : {kWild, UINT64_MAX, UINT64_MAX - 7, uint64_t{1} << 63}) {
      ElfBuilder builder = sample();
      builder.set(c.tag, value);
      EXPECT_STREQ(refused(builder), c.subject) << std::hex << value;
    }
}

TEST(Dynamic, MisalignedTablesAreRefused) {
  for (const TagCase& c :
       {TagCase{elf::kDtSymTab, "DT_SYMTAB"}, TagCase{elf::kDtGnuHash, "DT_GNU_HASH"},
        TagCase{elf::kDtHash, "DT_HASH"}, TagCase{elf::kDtVerSym, "DT_VERSYM"},
        TagCase{elf::kDtVerDef, "DT_VERDEF"}, TagCase{elf::kDtRela, "DT_RELA"},
        TagCase{elf::kDtRelr, "DT_RELR"}}) {
    ElfBuilder probe = sample();
    (void)probe.build();
    ElfBuilder builder = sample();
    builder.set(c.tag, probe.at(c.tag) + 1);
    EXPECT_STREQ(refused(builder), c.subject);
  }
}

TEST(Dynamic, SizesBeyondTheSegmentAreRefused) {
  for (const TagCase& c :
       {TagCase{elf::kDtStrSz, "DT_STRSZ"}, TagCase{elf::kDtRelaSz, "DT_RELASZ"},
        TagCase{elf::kDtPltRelSz, "DT_PLTRELSZ"}, TagCase{elf::kDtRelrSz, "DT_RELRSZ"}}) {
    for (const uint64_t value : {uint64_t{24} << 20, uint64_t{24} << 40}) {
      ElfBuilder builder = sample();
      builder.set(c.tag, value);
      EXPECT_STREQ(refused(builder), c.subject);
    }
  }
}

TEST(Dynamic, SizesOfEntriesAreFixed) {
  for (const TagCase& c :
       {TagCase{elf::kDtSymEnt, "DT_SYMENT"}, TagCase{elf::kDtRelaEnt, "DT_RELAENT"},
        TagCase{elf::kDtRelrEnt, "DT_RELRENT"}, TagCase{elf::kDtPltRel, "DT_PLTREL"},
        TagCase{elf::kDtRelaSz, "DT_RELASZ"}, TagCase{elf::kDtRelrSz, "DT_RELRSZ"}}) {
    ElfBuilder builder = sample();
    builder.set(c.tag, 25);
    EXPECT_STREQ(refused(builder), c.subject);
  }
}

TEST(Dynamic, FunctionsMustLieInCode) {
  ElfBuilder probe = sample();
  (void)probe.build();
  for (const TagCase& c : {TagCase{elf::kDtInit, "DT_INIT"}, TagCase{elf::kDtFini, "DT_FINI"}}) {
    for (const uint64_t value : {kWild, probe.data(), uint64_t{1}}) {
      ElfBuilder builder = sample();
      builder.set(c.tag, value);
      EXPECT_STREQ(refused(builder), c.subject);
    }
    ElfBuilder builder = sample();
    builder.set(c.tag, probe.code());
    EXPECT_STREQ(refused(builder), "accepted");
  }
}

TEST(Dynamic, FunctionArraysLieInsideAndApart) {
  ElfBuilder probe = sample();
  probe.set(elf::kDtInitArray, 8)
      .set(elf::kDtInitArraySz, 8)
      .set(elf::kDtFiniArray, 8)
      .set(elf::kDtFiniArraySz, 8);
  (void)probe.build();
  const uint64_t data = probe.data();
  const struct {
    uint64_t init, init_bytes, fini, fini_bytes;
    const char* expected;
  } cases[] = {
      {data, 16, data + 16, 16, "accepted"},
      {data, 24, data + 16, 16, "function array"},
      {data, 0, data + 16, 16, "accepted"},
      {data + 4, 16, data + 32, 16, "DT_INIT_ARRAY"},
      {kWild, 16, data + 32, 16, "DT_INIT_ARRAY"},
      {data, uint64_t{1} << 62, data + 32, 16, "DT_INIT_ARRAY"},
      {data, 16, data + 32, UINT64_MAX & ~uint64_t{7}, "DT_FINI_ARRAY"},
      {data, 7, data + 16, 16, "DT_INIT_ARRAYSZ"},
      {data, 16, data + 16, 17, "DT_FINI_ARRAYSZ"},
      {probe.dynamic(), 16, data, 16, "function array"},
  };
  for (const auto& c : cases) {
    ElfBuilder builder = sample();
    builder.set(elf::kDtInitArray, c.init).set(elf::kDtInitArraySz, c.init_bytes);
    builder.set(elf::kDtFiniArray, c.fini).set(elf::kDtFiniArraySz, c.fini_bytes);
    EXPECT_STREQ(refused(builder), c.expected) << (&c - cases);
  }
}

TEST(Dynamic, AddressesAndSizesComeTogether) {
  const struct {
    int64_t address, size;
    const char *address_name, *size_name;
  } pairs[] = {
      {elf::kDtRela, elf::kDtRelaSz, "DT_RELA", "DT_RELASZ"},
      {elf::kDtJmpRel, elf::kDtPltRelSz, "DT_JMPREL", "DT_PLTRELSZ"},
      {elf::kDtRelr, elf::kDtRelrSz, "DT_RELR", "DT_RELRSZ"},
      {elf::kDtInitArray, elf::kDtInitArraySz, "DT_INIT_ARRAY", "DT_INIT_ARRAYSZ"},
      {elf::kDtFiniArray, elf::kDtFiniArraySz, "DT_FINI_ARRAY", "DT_FINI_ARRAYSZ"},
      {elf::kDtPreinitArray, elf::kDtPreinitArraySz, "DT_PREINIT_ARRAY", "DT_PREINIT_ARRAYSZ"}};
  for (const auto& pair : pairs) {
    ElfBuilder lonely_size = sample();
    lonely_size.remove(pair.address).set(pair.size, 24);
    EXPECT_STREQ(refused(lonely_size), pair.address_name);
    ElfBuilder lonely_address = sample();
    lonely_address.set(pair.address, 0x100).remove(pair.size);
    EXPECT_STREQ(refused(lonely_address), pair.size_name);
    ElfBuilder nothing = sample();
    nothing.remove(pair.address).set(pair.size, 0);
    EXPECT_STREQ(refused(nothing), "accepted");
    ElfBuilder empty = sample();
    empty.set(pair.address, kWild).set(pair.size, 0);
    EXPECT_STREQ(refused(empty), "accepted");
  }
}

TEST(Dynamic, AStrayingSectionMustLookLikeOne) {
  ElfBuilder builder = sample();
  std::vector<uint8_t> file = builder.build();
  auto* header =
      reinterpret_cast<elf::ProgramHeader*>(file.data() + builder.header(elf::kPtDynamic));
  header->offset += 16;  // nobody needs it
  EXPECT_TRUE(LoadedObject(file).ok());
  header->offset -= 16;
  header->vaddr += header->filesz - sizeof(elf::Dynamic);  // DT_NULL alone
  header->filesz = header->memsz = sizeof(elf::Dynamic);
  EXPECT_STREQ(LoadedObject(file).status().error().subject, "PT_DYNAMIC p_vaddr");
  header->offset += header->vaddr - builder.dynamic();
  EXPECT_TRUE(LoadedObject(file).ok());
}

TEST(Dynamic, NamesLieInsideTheStringTable) {
  for (const TagCase& c : {TagCase{elf::kDtNeeded, "DT_NEEDED"}, TagCase{elf::kDtRpath, "DT_RPATH"},
                           TagCase{elf::kDtRunpath, "DT_RUNPATH"}}) {
    ElfBuilder builder = sample();
    builder.set(c.tag, 0x10000);
    EXPECT_STREQ(refused(builder), c.subject);
  }
  ElfBuilder builder = sample();
  builder.set(elf::kDtSoname, 0x10000);  // a name nobody needs
  const LoadedObject object(builder.build());
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object.image().soname, nullptr);
}

TEST(Dynamic, RunpathHidesRpath) {
  ElfBuilder builder = sample();
  uint64_t rpath = 0, runpath = 0;
  builder.string("/a", &rpath).string("/b", &runpath);
  builder.set(elf::kDtRpath, rpath);
  ElfBuilder both = builder;
  both.set(elf::kDtRunpath, runpath);
  const LoadedObject alone(builder.build()), together(both.build());
  ASSERT_TRUE(alone.ok() && together.ok());
  EXPECT_STREQ(alone.image().rpath, "/a");
  EXPECT_EQ(together.image().rpath, nullptr);
  EXPECT_STREQ(together.image().runpath, "/b");
}

TEST(Dynamic, FlagsAreRead) {
  ElfBuilder builder = sample();
  builder.set(elf::kDtFlags, elf::kDfBindNow | elf::kDfTextRel | elf::kDfSymbolic)
      .set(elf::kDtAuxiliary, 1);
  const LoadedObject object(builder.build());
  ASSERT_TRUE(object.ok());
  EXPECT_TRUE(object.image().bind_now && object.image().text_relocations &&
              object.image().symbolic);
  EXPECT_TRUE(object.image().has_filters);
  ElfBuilder now = sample();
  now.set(elf::kDtFlags1, elf::kDf1Now);
  EXPECT_TRUE(LoadedObject(now.build()).image().bind_now);
}

TEST(Dynamic, TextRelocationsMakeTheTablesMetadata) {
  ElfBuilder builder = sample();
  builder.set(elf::kDtTextRel, 0);
  const LoadedObject object(builder.build());
  ASSERT_TRUE(object.ok());
  const Image& image = object.image();
  ASSERT_GT(image.metadata_count, 5U);
  bool found = false;
  for (uint32_t i = 0; i < image.metadata_count; ++i)
    found = found || (image.metadata[i].low == builder.at(elf::kDtSymTab) &&
                      image.metadata[i].high == image.metadata[i].low + 4 * sizeof(elf::Symbol));
  EXPECT_TRUE(found);
}

TEST(Dynamic, WithoutSymbolsIndexZeroStillExists) {
  ElfBuilder builder;
  builder.hash(HashTables::kNone).remove(elf::kDtSymTab).remove(elf::kDtSymEnt);
  const LoadedObject object(builder.build());
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object.image().symbol_limit, 0U);
  EXPECT_EQ(object.image().symbols[0].value, 0U);
}

TEST(Dynamic, StringsAreNeededWithNamesOnly) {
  ElfBuilder builder = sample();
  builder.remove(elf::kDtStrTab);
  EXPECT_STREQ(refused(builder), "DT_STRTAB");
  ElfBuilder bare;
  bare.hash(HashTables::kNone).remove(elf::kDtSymTab).remove(elf::kDtSymEnt).remove(elf::kDtStrTab);
  EXPECT_STREQ(refused(bare), "accepted");
}

TEST(Dynamic, TheLastStringEndsBeforeTheTableDoes) {
  ElfBuilder builder = sample();
  std::vector<uint8_t> file = builder.build();
  const uint64_t at = builder.at(elf::kDtStrTab), size = builder.at(elf::kDtStrSz);
  std::memset(file.data() + at, 'A', size);
  const LoadedObject object(file);
  ASSERT_FALSE(object.ok());  // DT_NEEDED names nothing any more
  EXPECT_STREQ(object.status().error().subject, "DT_NEEDED");
  EXPECT_EQ(object.image().strings_size, 0U);
}

TEST(Dynamic, SectionMustEndAndLieInTheFile) {
  ElfBuilder builder = sample();
  const std::vector<uint8_t> whole = builder.build();
  auto header_of = [&](std::vector<uint8_t>& file) {
    return reinterpret_cast<elf::ProgramHeader*>(file.data() + builder.header(elf::kPtDynamic));
  };
  std::vector<uint8_t> file = whole;
  header_of(file)->vaddr += 4;
  EXPECT_STREQ(LoadedObject(file).status().error().subject, "PT_DYNAMIC p_vaddr");
  file = whole;
  header_of(file)->vaddr = kWild & ~uint64_t{7};
  EXPECT_STREQ(LoadedObject(file).status().error().subject, "PT_DYNAMIC p_vaddr");
  file = whole;
  header_of(file)->filesz -= sizeof(elf::Dynamic);
  EXPECT_STREQ(LoadedObject(file).status().error().subject, "PT_DYNAMIC p_filesz");
  file = whole;
  header_of(file)->filesz = header_of(file)->memsz = 0;
  EXPECT_EQ(LoadedObject(file).status().error().code, Errc::kNoDynamic);
}

TEST(Dynamic, DebugSlotIsWhereTheEntryIs) {
  ElfBuilder builder = sample();
  builder.set(elf::kDtDebug, 0);
  LoadedObject object(builder.build());
  ASSERT_TRUE(object.ok());
  ASSERT_NE(object.image().debug_slot, 0U);
  EXPECT_EQ(object.at<int64_t>(object.image().debug_slot - 8)[0], elf::kDtDebug);
}

TEST(Dynamic, RelSectionsAreRefused) {
  ElfBuilder builder = sample();
  builder.set(elf::kDtRel, 0).set(elf::kDtRelSz, 16);
  EXPECT_STREQ(refused(builder), "DT_RELSZ");
}

TEST(Dynamic, PltTableInsideTheOtherIsAppliedOnce) {
  ElfBuilder builder = sample();
  ElfBuilder probe = sample();
  (void)probe.build();
  builder.set(elf::kDtRelaSz, 48).set(elf::kDtJmpRel, probe.at(elf::kDtRela) + 24);
  const LoadedObject object(builder.build());
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object.image().relocation_count, 1U);
  EXPECT_EQ(object.image().plt_relocation_count, 1U);
}

TEST(Dynamic, PltGotMustHoldItsThreeWords) {
  ElfBuilder builder = sample();
  builder.set(elf::kDtPltGot, kWild);
  EXPECT_STREQ(refused(builder), "DT_PLTGOT");
  ElfBuilder probe = sample();
  (void)probe.build();
  ElfBuilder odd = sample();
  odd.set(elf::kDtPltGot, probe.data() + 1);
  EXPECT_STREQ(refused(odd), "DT_PLTGOT");
  ElfBuilder even = sample();
  even.set(elf::kDtPltGot, probe.data());
  EXPECT_STREQ(refused(even), "accepted");
}

// ---- hash tables, word by word

class HashWords : public testing::Test {
 protected:
  const char* with(int64_t tag, size_t word, uint32_t value) {
    ElfBuilder builder = sample();
    std::vector<uint8_t> file = builder.build();
    std::memcpy(file.data() + builder.at(tag) + word * 4, &value, 4);
    const LoadedObject object(file);
    return object.ok() ? "accepted" : object.status().error().subject;
  }
};

TEST_F(HashWords, GnuCountsAreChecked) {
  EXPECT_STREQ(with(elf::kDtGnuHash, 0, 0), "DT_GNU_HASH bucket count");
  EXPECT_STREQ(with(elf::kDtGnuHash, 0, 0x7fffffff), "DT_GNU_HASH bucket count");
  EXPECT_STREQ(with(elf::kDtGnuHash, 1, 0x7fffffff), "DT_GNU_HASH symbol offset");
  EXPECT_STREQ(with(elf::kDtGnuHash, 2, 0), "DT_GNU_HASH bloom size");
  EXPECT_STREQ(with(elf::kDtGnuHash, 2, 3), "DT_GNU_HASH bloom size");
  EXPECT_STREQ(with(elf::kDtGnuHash, 2, 0x40000000), "DT_GNU_HASH bloom size");
  EXPECT_STREQ(with(elf::kDtGnuHash, 3, 0xffffffff), "accepted");
}

TEST_F(HashWords, SysvCountsAreChecked) {
  EXPECT_STREQ(with(elf::kDtHash, 0, 0), "DT_HASH bucket count");
  EXPECT_STREQ(with(elf::kDtHash, 0, 0xffffffff), "DT_HASH table size");
  EXPECT_STREQ(with(elf::kDtHash, 1, 0xffffffff), "DT_HASH table size");
  EXPECT_STREQ(with(elf::kDtHash, 1, 2), "accepted");
}

bool walkable(ElfBuilder& builder, int64_t table, uint64_t word, uint32_t value) {
  std::vector<uint8_t> file = builder.build();
  std::memcpy(file.data() + builder.at(table) + 4 * word, &value, sizeof value);
  const LoadedObject object(file);
  EXPECT_TRUE(object.ok()) << object.status().error().subject;
  return object.ok() && symbols_are_walkable(object.image());
}

TEST(Dynamic, AWalkOverAllSymbolsStaysInsideTheHashTable) {
  ElfBuilder gnu = sample();
  gnu.hash(HashTables::kGnu);
  gnu.build();
  const uint64_t table = gnu.at(elf::kDtGnuHash);
  uint32_t bloom = 0, buckets = 0;
  const std::vector<uint8_t> file = gnu.build();
  std::memcpy(&buckets, file.data() + table, 4);
  std::memcpy(&bloom, file.data() + table + 8, 4);
  const uint64_t bucket = 4 + 2 * uint64_t{bloom}, chain = bucket + buckets;
  EXPECT_TRUE(walkable(gnu, elf::kDtGnuHash, 3, 6));
  for (uint64_t i = 0; i < buckets; ++i) {
    EXPECT_FALSE(walkable(gnu, elf::kDtGnuHash, bucket + i, 1)) << "below the first symbol";
    EXPECT_FALSE(walkable(gnu, elf::kDtGnuHash, bucket + i, 1000)) << "above the last";
  }
  EXPECT_FALSE(walkable(gnu, elf::kDtGnuHash, chain + 1, 0)) << "without end";

  ElfBuilder sysv = sample();
  sysv.hash(HashTables::kSysv);
  EXPECT_TRUE(walkable(sysv, elf::kDtHash, 1, 4));
  ElfBuilder none = sample();
  none.hash(HashTables::kNone);
  EXPECT_FALSE(walkable(none, elf::kDtStrTab, 0, 0)) << "other tables lie before the strings";
}

TEST(Dynamic, EmptyGnuHashTableIsFine) {
  ElfBuilder builder;
  std::vector<uint8_t> file = builder.build();  // no symbols: the filter is zero
  const uint32_t none = 0;
  std::memcpy(file.data() + builder.at(elf::kDtGnuHash), &none, 4);
  const LoadedObject object(file);
  EXPECT_TRUE(object.ok());
  EXPECT_EQ(object.image().gnu_hash.bloom, nullptr);
}

// ---- everything, everywhere

TEST(Dynamic, EveryTruncationIsAnError) {
  ElfBuilder builder = sample();
  const std::vector<uint8_t> whole = builder.build();
  for (size_t size = 0; size < whole.size(); size += size < 0x1000 ? 1 : 64) {
    const LoadedObject object(
        std::vector<uint8_t>(whole.begin(), whole.begin() + static_cast<long>(size)));
    EXPECT_FALSE(object.ok()) << size;
  }
}

TEST(Dynamic, EveryDamagedByteIsSurvived) {
  ElfBuilder builder = sample();
  const std::vector<uint8_t> whole = builder.build();
  for (size_t at = 0; at < whole.size(); ++at) {
    if (at >= 0x1000 && at < builder.dynamic()) continue;  // code and padding
    if (at >= builder.data()) break;
    for (const uint8_t value : {uint8_t{0}, uint8_t{1}, uint8_t{0x7f}, uint8_t{0xff}}) {
      std::vector<uint8_t> file = whole;
      file[at] = value;
      const LoadedObject object(file);
      if (!object.ok() && object.status().error().code == Errc::kBadField) {
        EXPECT_NE(object.status().error().subject, nullptr);
        EXPECT_NE(object.status().error().context, nullptr);
      }
    }
  }
}

}  // namespace
}  // namespace prelude
