#include <prelude/link/module.h>
#include <prelude/link/names.h>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/test_heap.h"

namespace {

using prelude::Definition;
using prelude::FileTable;
using prelude::Module;
using prelude::NameTable;
using prelude::UniqueTable;

class NamesTest : public testing::Test {
 protected:
  static constexpr size_t kMany = 3000;  // makes both tables grow several times

  NamesTest() {
    for (size_t i = 0; i < kMany; ++i) names_.push_back("name" + std::to_string(i));
  }
  static Module* module(std::unique_ptr<Module>& owner) {
    owner = std::make_unique<Module>();
    return owner.get();
  }

  prelude::test::TestHeap heap_;
  std::vector<std::string> names_;
  std::unique_ptr<Module> first_owner_, second_owner_;
  Module* first_ = module(first_owner_);
  Module* second_ = module(second_owner_);
};

TEST_F(NamesTest, FindsEveryNameWhileTheTableGrows) {
  NameTable table;
  for (size_t i = 0; i < kMany; ++i) {
    ASSERT_TRUE(table.add(heap_, names_[i].c_str(), i % 2 == 0 ? first_ : second_));
    ASSERT_EQ(table.find(names_[i / 2].c_str()), i / 2 % 2 == 0 ? first_ : second_);
  }
  for (size_t i = 0; i < kMany; ++i)
    ASSERT_EQ(table.find(names_[i].c_str()), i % 2 == 0 ? first_ : second_) << i;
  EXPECT_EQ(table.find("name"), nullptr);
}

TEST_F(NamesTest, TheFirstBearerKeepsItsNameUntilItGoes) {
  NameTable table;
  ASSERT_TRUE(table.add(heap_, "shared", first_));
  for (const std::string& name : names_) ASSERT_TRUE(table.add(heap_, name.c_str(), first_));
  ASSERT_TRUE(table.add(heap_, "shared", second_));
  EXPECT_EQ(table.find("shared"), first_);
  first_->removed = true;  // its finalisers run
  EXPECT_EQ(table.find("shared"), second_);
  first_->removed = false;
  table.remove(heap_, "shared", first_);
  EXPECT_EQ(table.find("shared"), second_);
  EXPECT_EQ(table.find("name7"), first_);
  table.remove(heap_, "shared", second_);
  EXPECT_EQ(table.find("shared"), nullptr);
}

TEST_F(NamesTest, UniqueDefinitionsGoWithTheirModule) {
  UniqueTable table;
  for (size_t i = 0; i < kMany; ++i) {
    const Definition definition{nullptr, i % 3 == 0 ? second_ : first_};
    ASSERT_TRUE(
        table.add(heap_, prelude::gnu_hash(names_[i].c_str()), names_[i].c_str(), definition));
  }
  table.remove(heap_, second_);
  for (size_t i = 0; i < kMany; ++i) {
    const Definition* found = table.find(prelude::gnu_hash(names_[i].c_str()), names_[i].c_str());
    if (i % 3 == 0)
      ASSERT_EQ(found, nullptr) << i;
    else
      ASSERT_TRUE(found != nullptr && found->module == first_) << i;
  }
}

TEST_F(NamesTest, NamesOfOneHashAreToldApart) {
  UniqueTable table;
  ASSERT_TRUE(table.add(heap_, 5, "one", {nullptr, first_}));
  ASSERT_TRUE(table.add(heap_, 5, "two", {nullptr, second_}));
  EXPECT_EQ(table.find(5, "two")->module, second_);
  EXPECT_EQ(table.find(5, "three"), nullptr);
  EXPECT_EQ(table.find(6, "two"), nullptr);
}

TEST_F(NamesTest, FilesAreFoundInTheOrderInWhichTheyCame) {
  constexpr uint64_t kDevice = 5, kOther = 6;
  FileTable table;
  std::vector<Module> modules(kMany);
  for (size_t i = 0; i < kMany; ++i) {
    modules[i].device = i % 3 == 0 ? kOther : kDevice;
    modules[i].inode = i / 2;  // two by two, sometimes of one device; two without a file
    table.add(modules[i]);
  }
  EXPECT_EQ(table.find(kDevice, 0), nullptr);
  EXPECT_EQ(table.find(kDevice, kMany), nullptr);
  for (size_t i = 2; i < kMany; i += 2) {
    const bool both = modules[i].device == modules[i + 1].device;
    EXPECT_EQ(table.find(modules[i].device, i / 2), &modules[i]);
    EXPECT_EQ(table.find(modules[i].device, i / 2, &modules[i]), both ? &modules[i + 1] : nullptr);
    if (!both) {
      EXPECT_EQ(table.find(modules[i + 1].device, i / 2), &modules[i + 1]);
    }
  }
}

TEST_F(NamesTest, AFileIsForgottenWithItsModule) {
  constexpr uint64_t kInode = 7;
  FileTable table;
  for (Module* each : {first_, second_}) {
    each->inode = kInode;
    table.add(*each);
  }
  Module stranger{};
  stranger.inode = kInode;
  table.remove(stranger);
  table.remove(*first_);
  EXPECT_EQ(table.find(0, kInode), second_);
  table.add(*first_);
  EXPECT_EQ(table.find(0, kInode, second_), first_);
  table.remove(*second_);
  table.remove(*first_);
  EXPECT_EQ(table.find(0, kInode), nullptr);
}

}  // namespace
