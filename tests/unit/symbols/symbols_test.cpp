// Lookup in one object and along lists: both hash tables, versions, visibility, damaged chains.
#include <gtest/gtest.h>

#include <prelude/link/module.h>
#include <prelude/symbols/symbols.h>
#include <tests/support/elf_builder.h>
#include <tests/support/loaded_object.h>
#include <tests/support/test_heap.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace prelude {
namespace {

using test::ElfBuilder;
using test::HashTables;
using test::LoadedObject;
using test::SymbolSpec;

// An object with the module that lookups need around it.
struct Loaded {
  Loaded(ElfBuilder& builder, VersionNames& names, Heap& heap,
         const std::vector<uint8_t>* file = nullptr)
      : object(file != nullptr ? *file : builder.build()),
        module(static_cast<Module*>(std::calloc(1, sizeof(Module)))) {
    if (!object.ok()) return;
    module->symbols.image = &object.image();
    if (const auto table = read_versions(object.image(), names, heap); table)
      module->symbols.versions = *table;
    record = make_record(*module, object.image());
  }
  struct Free {
    void operator()(Module* at) const { std::free(at); }
  };

  LoadedObject object;
  std::unique_ptr<Module, Free> module;
  LookupRecord record{};
};

class Symbols : public testing::TestWithParam<HashTables> {
 protected:
  ElfBuilder builder_with(std::initializer_list<SymbolSpec> specs) const {
    ElfBuilder builder;
    builder.hash(GetParam());
    for (const SymbolSpec& spec : specs) builder.symbol(spec);
    return builder;
  }
  SymbolQuery versioned(const char* name, const char* version) {
    SymbolQuery query = make_query(name);
    query.version = names.intern(heap, version, version_hash(version));
    query.versioned = true;
    return query;
  }
  static uint64_t value(const elf::Symbol* symbol) { return symbol == nullptr ? 0 : symbol->value; }
  static uint64_t find(const Loaded& loaded, const char* name) {
    SymbolQuery query = make_query(name);
    return value(find_in_object(loaded.record, query));
  }

  test::TestHeap heap;
  VersionNames names;
};

INSTANTIATE_TEST_SUITE_P(Tables, Symbols,
                         testing::Values(HashTables::kGnu, HashTables::kSysv, HashTables::kBoth));

TEST_P(Symbols, EveryDefinitionIsFound) {
  ElfBuilder builder;
  builder.hash(GetParam());
  for (uint64_t i = 0; i < 200; ++i)
    builder.symbol({.name = "sym" + std::to_string(i), .value = 0x1000 + i});
  builder.symbol({.name = "undefined", .shndx = 0});
  const Loaded loaded(builder, names, heap);
  ASSERT_TRUE(loaded.object.ok());
  for (uint64_t i = 0; i < 200; ++i)
    EXPECT_EQ(find(loaded, ("sym" + std::to_string(i)).c_str()), 0x1000 + i);
  EXPECT_EQ(find(loaded, "undefined"), 0U);
  EXPECT_EQ(find(loaded, "sym200"), 0U);
  EXPECT_EQ(find(loaded, "sym"), 0U);
  EXPECT_EQ(find(loaded, ""), 0U);
}

TEST_P(Symbols, TypesBindingsAndVisibilityDecide) {
  ElfBuilder builder =
      builder_with({{.name = "weak", .value = 1, .binding = elf::kStbWeak},
                    {.name = "unique", .value = 2, .binding = elf::kStbGnuUnique},
                    {.name = "local", .value = 3, .binding = elf::kStbLocal},
                    {.name = "hidden", .value = 4, .visibility = elf::kStvHidden},
                    {.name = "internal", .value = 5, .visibility = elf::kStvInternal},
                    {.name = "protected", .value = 6, .visibility = elf::kStvProtected},
                    {.name = "section", .value = 7, .type = elf::kSttSection},
                    {.name = "odd", .value = 8, .type = 13},
                    {.name = "zero", .value = 0},
                    {.name = "object", .value = 9, .type = elf::kSttObject}});
  const Loaded loaded(builder, names, heap);
  EXPECT_EQ(find(loaded, "weak"), 1U);
  EXPECT_EQ(find(loaded, "unique"), 2U);
  EXPECT_EQ(find(loaded, "protected"), 6U);
  EXPECT_EQ(find(loaded, "object"), 9U);
  for (const char* name : {"local", "hidden", "internal", "section", "odd", "zero"})
    EXPECT_EQ(find(loaded, name), 0U);
}

TEST_P(Symbols, ZeroIsAValueForTlsAndAbsolute) {
  ElfBuilder builder =
      builder_with({{.name = "tls", .type = elf::kSttTls},
                    {.name = "absolute", .type = elf::kSttObject, .shndx = elf::kShnAbs}});
  const Loaded loaded(builder, names, heap);
  SymbolQuery tls = make_query("tls"), absolute = make_query("absolute");
  EXPECT_NE(find_in_object(loaded.record, tls), nullptr);
  EXPECT_NE(find_in_object(loaded.record, absolute), nullptr);
}

TEST(SymbolsOfPrograms, PltEntriesStandForFunctions) {
  test::TestHeap heap;
  VersionNames names;
  for (const uint16_t type : {elf::kTypeExec, elf::kTypeDyn}) {
    ElfBuilder builder;
    builder.type(type).hash(HashTables::kSysv).symbol({.name = "f", .value = 0x40, .shndx = 0});
    const Loaded loaded(builder, names, heap);
    SymbolQuery data = make_query("f"), call = make_query("f");
    call.function_call = true;
    EXPECT_EQ(find_in_object(loaded.record, data) != nullptr, type == elf::kTypeExec);
    EXPECT_EQ(find_in_object(loaded.record, call), nullptr);
  }
}

TEST_P(Symbols, VersionsDecide) {
  ElfBuilder builder = builder_with({{.name = "f", .value = 1, .version = 0x8002},
                                     {.name = "f", .value = 2, .version = 3},
                                     {.name = "only", .value = 3, .version = 0x8002},
                                     {.name = "plain", .value = 4, .version = 1}});
  builder.version({.name = "libs.so", .index = 1, .flags = elf::kVerFlagBase});
  builder.version({.name = "V1", .index = 2}).version({.name = "V2", .index = 3});
  const Loaded loaded(builder, names, heap);
  ASSERT_TRUE(loaded.object.ok());
  auto find_version = [&](const char* name, const char* version) {
    SymbolQuery query = versioned(name, version);
    return value(find_in_object(loaded.record, query));
  };
  EXPECT_EQ(find_version("f", "V1"), 1U);
  EXPECT_EQ(find_version("f", "V2"), 2U);
  EXPECT_EQ(find_version("f", "V3"), 0U);
  EXPECT_EQ(find_version("only", "V2"), 0U);
  EXPECT_EQ(find_version("plain", "V1"), 4U);  // an unversioned definition serves any reference
  // Unversioned references: the base definition or the oldest version, as old programs expect.
  EXPECT_EQ(find(loaded, "f"), 1U);
  SymbolQuery newest = make_query("f");
  newest.newest = true;
  EXPECT_EQ(value(find_in_object(loaded.record, newest)), 2U);
  SymbolQuery hidden = versioned("plain", "V1");
  hidden.version_hidden = true;
  EXPECT_EQ(find_in_object(loaded.record, hidden), nullptr);
}

TEST_P(Symbols, AmbiguousNewVersionsAreNoAnswer) {
  ElfBuilder builder = builder_with({{.name = "one", .value = 1, .version = 3},
                                     {.name = "two", .value = 2, .version = 3},
                                     {.name = "two", .value = 3, .version = 4}});
  builder.version({.name = "libs.so", .index = 1, .flags = elf::kVerFlagBase});
  builder.version({.name = "V2", .index = 3}).version({.name = "V3", .index = 4});
  const Loaded loaded(builder, names, heap);
  EXPECT_EQ(find(loaded, "one"), 1U);
  EXPECT_EQ(find(loaded, "two"), 0U);
}

TEST_P(Symbols, ListsAreSearchedInOrder) {
  ElfBuilder first = builder_with({{.name = "a", .value = 1}}),
             second = builder_with({{.name = "a", .value = 2}, {.name = "b", .value = 3}});
  const Loaded one(first, names, heap), two(second, names, heap);
  Module* modules[] = {one.module.get(), two.module.get()};
  LookupRecord records[] = {one.record, two.record};
  const SearchList list{modules, 2, 2, records};
  SymbolQuery a = make_query("a"), b = make_query("b"), c = make_query("c");
  EXPECT_EQ(value(find_in_list(list, a, 0, nullptr).symbol), 1U);
  EXPECT_EQ(find_in_list(list, a, 0, nullptr).module, modules[0]);
  EXPECT_EQ(value(find_in_list(list, a, 1, nullptr).symbol), 2U);
  EXPECT_EQ(value(find_in_list(list, a, 0, modules[0]).symbol), 2U);
  EXPECT_EQ(find_in_list(list, b, 0, nullptr).module, modules[1]);
  EXPECT_EQ(find_in_list(list, c, 0, nullptr).symbol, nullptr);
  EXPECT_EQ(find_in_list(list, a, 2, nullptr).symbol, nullptr);
}

// Longer than the walk looks ahead.
TEST_P(Symbols, EveryPlaceOfALongListIsSearchedAndListsOneAfterTheOther) {
  constexpr uint32_t kObjects = 10;
  ElfBuilder other = builder_with({{.name = "a", .value = 1}}),
             wanted = builder_with({{.name = "b", .value = 2}});
  const Loaded with_a(other, names, heap), with_b(wanted, names, heap);
  Module* modules[kObjects];
  LookupRecord records[kObjects];
  const SearchList list{modules, kObjects, kObjects, records};
  for (uint32_t place = 0; place < kObjects; ++place) {
    for (uint32_t i = 0; i < kObjects; ++i) {
      modules[i] = i == place ? with_b.module.get() : with_a.module.get();
      records[i] = i == place ? with_b.record : with_a.record;
    }
    SymbolQuery b = make_query("b");
    EXPECT_EQ(value(find_in_list(list, b, 0, nullptr).symbol), 2U) << place;
    EXPECT_EQ(find_in_list(list, b, place + 1, nullptr).symbol, nullptr) << place;
  }
  SearchList only_a{modules, 1, 1, records}, all = list;
  SearchList* const both[] = {&only_a, &all, nullptr};
  SearchList* const none[] = {nullptr};
  SymbolQuery b = make_query("b");
  EXPECT_EQ(find_in_lists(both, b, nullptr).module, with_b.module.get());
  EXPECT_EQ(find_in_lists(both, b, with_b.module.get()).symbol, nullptr);
  EXPECT_EQ(find_in_lists(none, b, nullptr).symbol, nullptr);
}

TEST(SymbolsDamaged, NamesOutsideTheStringTableMatchNothing) {
  test::TestHeap heap;
  VersionNames names;
  ElfBuilder builder;
  builder.hash(HashTables::kBoth).symbol({.name = "f", .value = 1});
  std::vector<uint8_t> file = builder.build();
  for (const uint32_t name :
       {static_cast<uint32_t>(builder.at(elf::kDtStrSz)) - 1, 0x10000U, UINT32_MAX}) {
    std::memcpy(file.data() + builder.at(elf::kDtSymTab) + sizeof(elf::Symbol), &name, 4);
    const Loaded loaded(builder, names, heap, &file);
    ASSERT_TRUE(loaded.object.ok());
    SymbolQuery query = make_query("f");
    EXPECT_EQ(find_in_object(loaded.record, query), nullptr);
  }
}

TEST(SymbolsDamaged, EveryDamagedHashWordEnds) {
  test::TestHeap heap;
  VersionNames names;
  for (const HashTables kind : {HashTables::kGnu, HashTables::kSysv}) {
    ElfBuilder builder;
    builder.hash(kind);
    for (uint64_t i = 0; i < 20; ++i)
      builder.symbol({.name = "sym" + std::to_string(i), .value = 0x1000 + i});
    const std::vector<uint8_t> whole = builder.build();
    const int64_t tag = kind == HashTables::kGnu ? int64_t{elf::kDtGnuHash} : int64_t{elf::kDtHash};
    for (size_t word = 0; word < 28; ++word)
      for (const uint32_t value : {0U, 1U, 2U, 19U, 20U, 21U, 22U, 0x7fffffffU, 0xffffffffU}) {
        std::vector<uint8_t> file = whole;
        std::memcpy(file.data() + builder.at(tag) + word * 4, &value, 4);
        const Loaded loaded(builder, names, heap, &file);
        if (!loaded.object.ok()) continue;
        for (const char* name : {"sym0", "sym7", "sym19", "none", ""}) {
          SymbolQuery query = make_query(name);
          const elf::Symbol* found = find_in_object(loaded.record, query);
          if (found != nullptr) {
            EXPECT_STREQ(loaded.object.image().string(found->name), name);
          }
        }
      }
  }
}

TEST(SymbolsDamaged, RingsInSysvChainsEnd) {
  test::TestHeap heap;
  VersionNames names;
  ElfBuilder builder;
  builder.hash(HashTables::kSysv)
      .symbol({.name = "a", .value = 1})
      .symbol({.name = "b", .value = 2});
  std::vector<uint8_t> file = builder.build();
  const uint32_t words[] = {3, 3, 1, 1, 1, 0, 2, 1};  // 1 -> 2 -> 1
  std::memcpy(file.data() + builder.at(elf::kDtHash), words, sizeof words);
  const Loaded loaded(builder, names, heap, &file);
  ASSERT_TRUE(loaded.object.ok());
  SymbolQuery b = make_query("b"), none = make_query("none");
  EXPECT_NE(find_in_object(loaded.record, b), nullptr);
  EXPECT_EQ(find_in_object(loaded.record, none), nullptr);
}

TEST(SymbolsDamaged, WithoutAnyTableNothingIsFound) {
  test::TestHeap heap;
  VersionNames names;
  ElfBuilder builder;
  builder.hash(HashTables::kNone).symbol({.name = "a", .value = 1});
  const Loaded loaded(builder, names, heap);
  SymbolQuery query = make_query("a");
  EXPECT_EQ(find_in_object(loaded.record, query), nullptr);
}

TEST(SymbolHashes, AreTheKnownFunctions) {
  for (const char* name : {"", "printf", "exit", "syscall", "flapenguin.me"}) {
    EXPECT_EQ(gnu_hash(name), test::gnu_hash_of(name));
    const SymbolQuery query = make_query(name);
    EXPECT_EQ(query.gnu_hash, test::gnu_hash_of(name));
    EXPECT_EQ(query.length, std::strlen(name));
  }
  EXPECT_EQ(gnu_hash("printf"), 0x156b2bb8U);
  EXPECT_EQ(gnu_hash("flapenguin.me"), 0x8ae9f18eU);
}

TEST(SymbolHashes, OfTableNamesAtEveryPlaceAndLength) {
  alignas(8) char table[64];
  for (size_t start = 0; start < 8; ++start)
    for (size_t length = 0; length < 40; ++length) {
      std::memset(table, 0, sizeof table);
      for (size_t i = 0; i < length; ++i)
        table[start + i] = static_cast<char>(1 + (start * 31 + i * 97 + length * 7) % 255);
      const SymbolQuery query = make_query_in_table(table + start);
      EXPECT_EQ(query.length, length);
      EXPECT_EQ(query.gnu_hash, gnu_hash(table + start)) << start << ' ' << length;
      EXPECT_EQ(query.name, table + start);
    }
}

}  // namespace
}  // namespace prelude
