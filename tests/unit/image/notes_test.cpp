// GNU notes: properties and build-id; damaged notes count as absent.
#include <gtest/gtest.h>

#include <tests/support/elf_builder.h>
#include <tests/support/loaded_object.h>

#include <cstring>

namespace prelude {
namespace {

using test::ElfBuilder;
using test::LoadedObject;

constexpr uint32_t kNeeded = 0xc0008002;

std::vector<uint8_t> words(const std::vector<uint32_t>& values) {
  std::vector<uint8_t> bytes(values.size() * 4);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}
constexpr uint32_t kGnu = 'G' | 'N' << 8 | 'U' << 16;

std::vector<uint32_t> property_note() {
  return {4, 16, elf::kNoteGnuProperty, kGnu, kNeeded, 4, 5, 0};
}
std::vector<uint32_t> build_id_note() {
  return {4, 8, elf::kNoteGnuBuildId, kGnu, 0x04030201, 0x08070605};
}

struct Notes {
  explicit Notes(const std::vector<uint32_t>& content)
      : object([&] {
          ElfBuilder builder;
          return builder.note(words(content)).build();
        }()) {}
  LoadedObject object;
};

TEST(Notes, PropertyIsFoundInNotes) {
  Notes notes(property_note());
  ASSERT_TRUE(notes.object.ok());
  EXPECT_EQ(gnu_property(notes.object.image(), kNeeded), 5U);
  EXPECT_EQ(gnu_property(notes.object.image(), kNeeded - 1), 0U);
}

TEST(Notes, PropertyHeaderIsPreferred) {
  ElfBuilder builder;
  std::vector<uint8_t> file = builder.note(words(property_note())).build();
  auto* header = reinterpret_cast<elf::ProgramHeader*>(file.data() + builder.header(elf::kPtNote));
  header->type = elf::kPtGnuProperty;
  EXPECT_EQ(gnu_property(LoadedObject(file).image(), kNeeded), 5U);
  header->vaddr = 0x70000000;
  EXPECT_EQ(gnu_property(LoadedObject(file).image(), kNeeded), 0U);
}

TEST(Notes, BuildIdBehindAnotherNote) {
  std::vector<uint32_t> both = property_note();
  for (const uint32_t word : build_id_note()) both.push_back(word);
  Notes notes(both);
  uint32_t bytes = 0;
  const uint8_t* id = build_id(notes.object.image(), bytes);
  ASSERT_NE(id, nullptr);
  EXPECT_EQ(bytes, 8U);
  EXPECT_EQ(id[0], 1);
  EXPECT_EQ(id[7], 8);
}

TEST(Notes, DamagedSizesAreNoNotes) {
  const uint32_t nasty[] = {0, 1, 3, 5, 17, 0x1000, 0x7fffffff, 0xfffffff0, 0xffffffff};
  for (size_t word = 0; word < 8; ++word)
    for (const uint32_t value : nasty) {
      std::vector<uint32_t> content = property_note();
      content[word] = value;
      Notes notes(content);
      ASSERT_TRUE(notes.object.ok());
      const uint32_t found = gnu_property(notes.object.image(), kNeeded);
      EXPECT_TRUE(found == 0 || found == 5 || (word == 6 && found == value))
          << word << ' ' << value;
      uint32_t bytes = 0;
      if (word != 2) {
        EXPECT_EQ(build_id(notes.object.image(), bytes), nullptr);
      }
    }
}

TEST(Notes, PropertiesBehindOthersAreFound) {
  Notes notes({4, 32, elf::kNoteGnuProperty, kGnu, 0xc0000002, 4, 3, 0, kNeeded, 4, 7, 0});
  EXPECT_EQ(gnu_property(notes.object.image(), kNeeded), 7U);
  EXPECT_EQ(gnu_property(notes.object.image(), 0xc0000002), 3U);
}

TEST(Notes, EveryTruncationIsSurvived) {
  const std::vector<uint8_t> whole = words(property_note());
  for (size_t size = 1; size < whole.size(); ++size) {
    ElfBuilder builder;
    builder.note(std::vector<uint8_t>(whole.begin(), whole.begin() + static_cast<long>(size)));
    const LoadedObject object(builder.build());
    ASSERT_TRUE(object.ok());
    EXPECT_EQ(gnu_property(object.image(), kNeeded), 0U) << size;
  }
}

}  // namespace
}  // namespace prelude
