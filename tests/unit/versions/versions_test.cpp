// Interning of version names, reading of both version sections, and what damage does to them.
#include <gtest/gtest.h>

#include <prelude/versions/versions.h>
#include <tests/support/elf_builder.h>
#include <tests/support/loaded_object.h>
#include <tests/support/test_heap.h>

#include <cstring>
#include <string>

namespace prelude {
namespace {

using test::ElfBuilder;
using test::LoadedObject;

class Versions : public testing::Test {
 protected:
  static ElfBuilder sample() {
    ElfBuilder builder;
    builder.soname("libs.so").needed("libx.so");
    builder.symbol({.name = "f", .version = 2}).symbol({.name = "g", .version = 0x8003});
    builder.version({.name = "libs.so", .index = 1, .flags = elf::kVerFlagBase});
    builder.version({.name = "V1", .index = 2}).version({.name = "V2", .index = 3});
    builder.version({.name = "X1", .index = 4, .file = "libx.so"});
    builder.version({.name = "X2", .index = 0x8005, .file = "libx.so", .flags = elf::kVerFlagWeak});
    return builder;
  }

  Result<VersionTable> read(const LoadedObject& object) {
    return read_versions(object.image(), names, heap);
  }
  // The field that is refused, after `damage` has changed the file.
  template <typename Damage>
  std::string refused(Damage damage) {
    ElfBuilder builder = sample();
    std::vector<uint8_t> file = builder.build();
    damage(file, builder);
    const LoadedObject object(file);
    if (!object.ok()) return "image";
    const auto table = read(object);
    if (table) return "accepted";
    return table.error().subject != nullptr ? table.error().subject : "record";
  }
  template <typename T>
  static T* record(std::vector<uint8_t>& file, ElfBuilder& builder, int64_t tag,
                   size_t offset = 0) {
    return reinterpret_cast<T*>(file.data() + builder.at(tag) + offset);
  }

  test::TestHeap heap;
  VersionNames names;
};

TEST_F(Versions, HashIsTheElfHash) {
  for (const char* name :
       {"", "V1", "GLIBC_2.2.5", "GLIBCXX_3.4.29", "a_rather_long_version_name_1.2.3"})
    EXPECT_EQ(version_hash(name), test::elf_hash_of(name)) << name;
  EXPECT_EQ(version_hash("GLIBC_2.2.5"), 0x09691a75U);
}

TEST_F(Versions, NamesAreInternedOnce) {
  std::string name = "V1";
  const VersionId first = names.intern(heap, name.c_str(), version_hash("V1"));
  ASSERT_NE(first, 0U);
  EXPECT_EQ(names.intern(heap, "V1", version_hash("V1")), first);
  name = "xx";  // the name was copied
  EXPECT_STREQ(names.name(first), "V1");
  EXPECT_EQ(names.find("V1", version_hash("V1")), first);
  EXPECT_EQ(names.find("V2", version_hash("V2")), 0U);
  EXPECT_EQ(names.find("V1", 1), 0U);  // the pair counts
}

TEST_F(Versions, ManyNamesStayFound) {
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "V" + std::to_string(i);
    EXPECT_EQ(names.intern(heap, name.c_str(), version_hash(name.c_str())),
              static_cast<VersionId>(i + 1));
  }
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "V" + std::to_string(i);
    EXPECT_EQ(names.find(name.c_str(), version_hash(name.c_str())), static_cast<VersionId>(i + 1));
  }
}

TEST_F(Versions, FewNamesShareAHash) {
  constexpr uint32_t kHash = 7;
  VersionId last = 0;
  uint32_t taken = 0;
  for (uint32_t i = 0; i < 1000; ++i)
    if ((last = names.intern(heap, ("V" + std::to_string(i)).c_str(), kHash)) != 0) ++taken;
  EXPECT_EQ(last, 0U);
  EXPECT_GE(taken, 8U);
  EXPECT_LE(taken, 300U);
  EXPECT_TRUE(names.crowded(kHash));
  EXPECT_NE(names.find("V0", kHash), 0U);
  EXPECT_NE(names.intern(heap, "V0", kHash + 64), 0U);
}

TEST_F(Versions, MemoryRunsOut) {
  test::EmptyHeap empty;
  EXPECT_EQ(names.intern(empty, "V1", version_hash("V1")), 0U);
  ElfBuilder builder = sample();
  const LoadedObject object(builder.build());
  const auto table = read_versions(object.image(), names, empty);
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().code, Errc::kOutOfMemory);
}

TEST_F(Versions, BothSectionsFillTheTable) {
  ElfBuilder builder = sample();
  const LoadedObject object(builder.build());
  ASSERT_TRUE(object.ok());
  const auto table = read(object);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->count, 6U);
  EXPECT_EQ(table->id(1), 0U);  // the base definition is no version
  EXPECT_STREQ(names.name(table->id(2)), "V1");
  EXPECT_STREQ(names.name(table->id(4)), "X1");
  EXPECT_TRUE(table->defines(table->id(3)));
  EXPECT_FALSE(table->defines(table->id(4)));
  EXPECT_NE(table->entry(5) & VersionTable::kHidden, 0U);
  EXPECT_EQ(table->entry(6), 0U);
  EXPECT_EQ(table->entry(0x7fff), 0U);
}

TEST_F(Versions, WithoutSectionsTheTableIsEmpty) {
  ElfBuilder builder;
  const LoadedObject object(builder.build());
  const auto table = read(object);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->count, 0U);
  EXPECT_EQ(table->entry(0), 0U);
}

TEST_F(Versions, CallbacksSeeEveryRecordAndMayStop) {
  ElfBuilder builder = sample();
  const LoadedObject object(builder.build());
  const auto table = read(object);
  ASSERT_TRUE(table.ok());
  struct Seen {
    std::string text;
    bool go_on;
  };
  auto need = [](void* context, const VersionNeed& n) {
    auto& seen = *static_cast<Seen*>(context);
    seen.text += std::string(n.file) + "/" + n.version + (n.weak ? "?" : "") + " ";
    return seen.go_on;
  };
  auto def = [](void* context, const char* name, uint32_t, uint16_t flags) {
    auto& seen = *static_cast<Seen*>(context);
    seen.text += std::string(name) + ((flags & elf::kVerFlagBase) != 0 ? "=" : "") + " ";
    return seen.go_on;
  };
  Seen all{"", true}, one{"", false};
  for_each_version_need(object.image(), *table, need, &all);
  for_each_version_def(object.image(), def, &all);
  EXPECT_EQ(all.text, "libx.so/X1 libx.so/X2? libs.so= V1 V2 ");
  for_each_version_need(object.image(), *table, need, &one);
  for_each_version_def(object.image(), def, &one);
  EXPECT_EQ(one.text, "libx.so/X1 libs.so= ");
}

TEST_F(Versions, DamagedDefinitionsAreRefusedByField) {
  auto def = [](auto change) {
    return [change](std::vector<uint8_t>& file, ElfBuilder& b) {
      change(*record<elf::VerDef>(file, b, elf::kDtVerDef));
    };
  };
  EXPECT_EQ(refused(def([](elf::VerDef& d) { d.version = 2; })), "record");
  EXPECT_EQ(refused(def([](elf::VerDef& d) { d.aux = 0x7fffffff; })), "vd_aux");
  EXPECT_EQ(refused(def([](elf::VerDef& d) { d.aux = 1; })), "vd_aux");
  EXPECT_EQ(refused(def([](elf::VerDef& d) { d.next = 0xfffffffc; })), "vd_next");
  EXPECT_EQ(refused(def([](elf::VerDef& d) { d.next = 2; })), "vd_next");
  EXPECT_EQ(refused([](std::vector<uint8_t>& file, ElfBuilder& b) {
              record<elf::VerDefAux>(file, b, elf::kDtVerDef, sizeof(elf::VerDef))->name =
                  0x7fffffff;
            }),
            "vda_name");
}

TEST_F(Versions, DamagedNeedsAreRefusedByField) {
  auto need = [](auto change) {
    return [change](std::vector<uint8_t>& file, ElfBuilder& b) {
      change(*record<elf::VerNeed>(file, b, elf::kDtVerNeed));
    };
  };
  auto aux = [](auto change) {
    return [change](std::vector<uint8_t>& file, ElfBuilder& b) {
      change(*record<elf::VerNeedAux>(file, b, elf::kDtVerNeed, sizeof(elf::VerNeed)));
    };
  };
  EXPECT_EQ(refused(need([](elf::VerNeed& n) { n.version = 0; })), "record");
  EXPECT_EQ(refused(need([](elf::VerNeed& n) { n.file = 0xffffffff; })), "vn_file");
  EXPECT_EQ(refused(need([](elf::VerNeed& n) { n.next = 0xfffffff0; })), "vn_next");
  EXPECT_EQ(refused(need([](elf::VerNeed& n) { n.aux = 0xfffffff0; })), "vna_next");
  EXPECT_EQ(refused(aux([](elf::VerNeedAux& a) { a.name = 0x7fffffff; })), "vna_name");
  EXPECT_EQ(refused(aux([](elf::VerNeedAux& a) { a.next = 3; })), "vna_next");
}

TEST_F(Versions, SharedRecordsDoNotMultiplyTheWork) {
  // A thousand files that all begin at the start of one long list of versions.
  constexpr uint32_t kMany = 1000;
  std::vector<std::byte> records((size_t{kMany} * 2 + 1) * 16);
  auto* needs = reinterpret_cast<elf::VerNeed*>(records.data());
  auto* versions = reinterpret_cast<elf::VerNeedAux*>(records.data() + size_t{kMany} * 16);
  for (uint32_t i = 0; i < kMany; ++i) {
    needs[i] = {1, 1, 0, (kMany - i) * 16, i + 1 == kMany ? 0 : 16U};
    versions[i] = {0, 0, 2, 0, i + 1 == kMany ? 0 : 16U};
  }
  Image image;
  image.verneed = records.data();
  image.verneed_room = records.size();
  image.strings = "";
  image.strings_size = 1;
  const auto table = read_versions(image, names, heap);
  ASSERT_FALSE(table.ok());
  EXPECT_STREQ(table.error().subject, "vna_next");
}

// A section full of definitions, one behind the other, with names "0", "1", ...
class ManyDefinitions : public Versions {
 protected:
  std::string refused_field(uint32_t count, uint32_t (*hash_of)(const char*)) {
    struct Record {
      elf::VerDef def;
      elf::VerDefAux aux;
    };
    std::vector<Record> records(count);
    std::string text(1, '\0');
    for (uint32_t i = 0; i < count; ++i) {
      const std::string name = std::to_string(i);
      records[i] = {{1, 0, 2, 1, hash_of(name.c_str()), sizeof(elf::VerDef),
                     i + 1 == count ? 0 : uint32_t{sizeof(Record)}},
                    {static_cast<uint32_t>(text.size()), 0}};
      text.append(name.c_str(), name.size() + 1);
    }
    Image image;
    image.verdef = reinterpret_cast<const std::byte*>(records.data());
    image.verdef_room = records.size() * sizeof(Record);
    image.strings = text.data();
    image.strings_size = text.size();
    const auto table = read(image);
    return table ? "accepted" : table.error().subject;
  }
  Result<VersionTable> read(const Image& image) { return read_versions(image, names, heap); }
};

TEST_F(ManyDefinitions, NoMoreThanSymbolsCanName) {
  EXPECT_EQ(refused_field(0x7fff, version_hash), "accepted");
  EXPECT_EQ(refused_field(0x8001, version_hash), "vd_next");
}

TEST_F(ManyDefinitions, NamesOfOneHashAreRefused) {
  EXPECT_EQ(refused_field(1000, [](const char*) { return 9U; }), "version hash");
}

TEST_F(Versions, EveryDamagedByteIsSurvived) {
  ElfBuilder builder = sample();
  const std::vector<uint8_t> whole = builder.build();
  for (const int64_t tag : {int64_t{elf::kDtVerDef}, int64_t{elf::kDtVerNeed}})
    for (size_t at = 0; at < 84; ++at)
      for (int value = 0; value < 256; value += 5) {
        std::vector<uint8_t> file = whole;
        file[builder.at(tag) + at] = static_cast<uint8_t>(value);
        const LoadedObject object(file);
        ASSERT_TRUE(object.ok());
        if (const auto table = read(object); table)
          heap.release_array(table->entries, table->count);
      }
}

}  // namespace
}  // namespace prelude
