// The ELF header and the program headers: each check by one damaged field.
#include <gtest/gtest.h>

#include <tests/support/elf_builder.h>
#include <tests/support/loaded_object.h>

#include <cstring>
#include <functional>

namespace prelude {
namespace {

using test::ElfBuilder;
using test::kTestHost;
using test::LoadedObject;

std::vector<uint8_t> sample() {
  ElfBuilder builder;
  builder.needed("libx.so")
      .soname("libsample.so")
      .tls(16, 32, 16)
      .relro(0x1000)
      .symbol({.name = "f"});
  return builder.build();
}

template <typename T>
void poke(std::vector<uint8_t>& file, size_t at, T value) {
  std::memcpy(file.data() + at, &value, sizeof value);
}

Error error_of(const std::vector<uint8_t>& file) {
  const LoadedObject object(file);
  return object.ok() ? Error{} : object.status().error();
}

TEST(ImageHeader, AcceptsWhatTheBuilderMakes) {
  const LoadedObject object(sample());
  ASSERT_TRUE(object.ok()) << object.status().error().subject;
  EXPECT_EQ(object.image().segment_count, 3U);
  EXPECT_EQ(object.image().low, 0U);
  EXPECT_EQ(object.image().tls_memsz, 32U);
  EXPECT_EQ(object.image().relro_size, 0x1000U);
  EXPECT_TRUE(object.image().executable(object.image().entry));
}

struct FieldCase {
  const char* name;
  size_t at, bytes;
  uint64_t value;
  Errc code;
  const char* subject;  // for kBadField
};

class HeaderField : public testing::TestWithParam<FieldCase> {};

TEST_P(HeaderField, IsRefusedByName) {
  const FieldCase& c = GetParam();
  std::vector<uint8_t> file = sample();
  std::memcpy(file.data() + c.at, &c.value, c.bytes);
  const Error error = error_of(file);
  EXPECT_EQ(error.code, c.code);
  if (c.subject != nullptr) {
    EXPECT_STREQ(error.subject, c.subject);
    EXPECT_NE(error.context, nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, HeaderField,
    testing::Values(FieldCase{"magic", 1, 1, 'e', Errc::kBadMagic, nullptr},
                    FieldCase{"class32", 4, 1, 1, Errc::kWrongClass, nullptr},
                    FieldCase{"class0", 4, 1, 0, Errc::kWrongClass, nullptr},
                    FieldCase{"big_endian", 5, 1, 2, Errc::kBadDataEncoding, nullptr},
                    FieldCase{"ident_version", 6, 1, 2, Errc::kBadIdentVersion, nullptr},
                    FieldCase{"os_abi", 7, 1, 9, Errc::kBadOsAbi, nullptr},
                    FieldCase{"abi_version", 8, 1, 1, Errc::kBadAbiVersion, nullptr},
                    FieldCase{"padding", 12, 1, 1, Errc::kBadPadding, nullptr},
                    FieldCase{"type_rel", 16, 2, 1, Errc::kBadType, nullptr},
                    FieldCase{"machine", 18, 2, 183, Errc::kWrongMachine, nullptr},
                    FieldCase{"version", 20, 4, 0, Errc::kBadVersion, nullptr},
                    FieldCase{"phoff_far", 32, 8, UINT64_MAX - 7, Errc::kCannotReadData, nullptr},
                    FieldCase{"phoff_odd", 32, 8, 65, Errc::kBadField, "e_phoff"},
                    FieldCase{"phentsize", 54, 2, 32, Errc::kBadPhentsize, nullptr},
                    FieldCase{"phnum_zero", 56, 2, 0, Errc::kNoLoadSegments, nullptr},
                    FieldCase{"phnum_many", 56, 2, 0xffff, Errc::kCannotReadData, nullptr}),
    [](const auto& tested) { return tested.param.name; });

TEST(ImageHeader, AcceptsGnuAbiVersions) {
  std::vector<uint8_t> file = sample();
  file[7] = elf::kOsAbiGnu;
  file[8] = 3;
  EXPECT_EQ(error_of(file).code, Errc::kNone);
  file[8] = 4;
  EXPECT_EQ(error_of(file).code, Errc::kBadAbiVersion);
}

TEST(ImageHeader, AnotherMachinesEncodingIsNoFault) {
  std::vector<uint8_t> file = sample();
  file[5] = 2;
  std::swap(file[18], file[19]);
  EXPECT_EQ(error_of(file).code, Errc::kWrongMachine);
  file[1] = 'e';
  EXPECT_EQ(error_of(file).code, Errc::kBadMagic);
}

TEST(ImageHeader, TruncationAtEveryByteOfTheHeadersIsAnError) {
  const std::vector<uint8_t> whole = sample();
  const size_t headers = sizeof(elf::FileHeader) + 7 * sizeof(elf::ProgramHeader);
  for (size_t size = 0; size < headers; ++size) {
    const std::vector<uint8_t> file(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_NE(error_of(file).code, Errc::kNone) << size;
  }
}

TEST(ImageHeader, TruncationAtEveryPageIsAnError) {
  const std::vector<uint8_t> whole = sample();
  for (size_t size = 0x1000; size < whole.size(); size += 0x80) {
    const std::vector<uint8_t> file(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_NE(error_of(file).code, Errc::kNone) << size;
  }
}

// ---- program headers, one at a time

class ProgramHeaders : public testing::Test {
 protected:
  static constexpr uint32_t kR = elf::kPfR, kW = elf::kPfW, kX = elf::kPfX;

  Status decode(uint64_t file_size = UINT64_MAX) {
    image = Image{};
    segments.assign(headers.size() + 1, {});
    return decode_program_headers(headers.data(), static_cast<uint16_t>(headers.size()), file_size,
                                  kTestHost, segments.data(), image);
  }
  const char* refused(uint64_t file_size = UINT64_MAX) {
    const Status status = decode(file_size);
    if (status) return "accepted";
    return status.error().code == Errc::kBadField ? status.error().subject : "other";
  }
  static elf::ProgramHeader load(uint64_t vaddr, uint64_t offset, uint64_t filesz, uint64_t memsz,
                                 uint32_t flags) {
    return {elf::kPtLoad, flags, offset, vaddr, vaddr, filesz, memsz, 0x1000};
  }

  std::vector<elf::ProgramHeader> headers{load(0, 0, 0x800, 0x800, kR),
                                          load(0x2000, 0x2000, 0x100, 0x900, kR | kW)};
  std::vector<LoadSegment> segments;
  Image image;
};

TEST_F(ProgramHeaders, GiveTheSpan) {
  ASSERT_TRUE(decode().ok());
  EXPECT_EQ(image.low, 0U);
  EXPECT_EQ(image.end, 0x2900U);
  EXPECT_EQ(image.high, 0x3000U);
  EXPECT_EQ(image.max_align, 0x1000U);
}

TEST_F(ProgramHeaders, AreSortedByAddress) {
  std::swap(headers[0], headers[1]);
  ASSERT_TRUE(decode().ok());
  EXPECT_EQ(image.segments[0].vaddr, 0U);
  EXPECT_EQ(image.segments[1].vaddr, 0x2000U);
}

TEST_F(ProgramHeaders, CodeAndConstantsAreNotTakenFromTheBytesOfData) {
  headers.push_back(load(0x3000, 0x2000, 0x80, 0x80, kR | kX));
  EXPECT_STREQ(refused(), "p_offset");
  headers[2].flags = kR;
  EXPECT_STREQ(refused(), "p_offset");
  headers[2].offset = 0x1000;
  EXPECT_STREQ(refused(), "accepted");
  headers[2].offset = 0x2000;
  headers[1].filesz = 0;  // no bytes, so none in common
  EXPECT_STREQ(refused(), "accepted");
  headers[1].filesz = 0x100;
  headers[2].filesz = 0;
  EXPECT_STREQ(refused(), "accepted");
  headers[2].filesz = 0x80;
  headers[1].flags = kR;  // the same constants twice do no harm
  EXPECT_STREQ(refused(), "accepted");
}

TEST_F(ProgramHeaders, APageIsSharedByEqualsOnly) {
  headers[1] = load(0x800, 0x800, 0x100, 0x100, kR);
  EXPECT_STREQ(refused(), "accepted");
  headers[1].flags = kR | kW;
  EXPECT_STREQ(refused(), "p_vaddr");
  headers[0].align = headers[1].align = 16;  // laid out without a thought of pages
  EXPECT_STREQ(refused(), "accepted");
}

TEST_F(ProgramHeaders, DynamicSectionIsSeenToStray) {
  headers.push_back({elf::kPtDynamic, kR | kW, 0x2010, 0x2010, 0x2010, 0x20, 0x20, 8});
  ASSERT_TRUE(decode().ok());
  EXPECT_FALSE(image.dynamic_strays);
  headers[2].vaddr = 0x2018;
  ASSERT_TRUE(decode().ok());
  EXPECT_TRUE(image.dynamic_strays);
  headers[2].vaddr = 0x10;
  ASSERT_TRUE(decode().ok());
  EXPECT_TRUE(image.dynamic_strays);
}

TEST_F(ProgramHeaders, ManySegmentsAreFoundByAddress) {
  headers.clear();
  for (uint64_t i = 300; i-- > 0;) headers.push_back(load(i * 0x1000, i * 0x1000, 0x10, 0x20, kR));
  ASSERT_TRUE(decode().ok());
  for (uint64_t i = 0; i < 300; ++i) {
    ASSERT_NE(image.file_segment(i * 0x1000 + 8, 8), nullptr);
    EXPECT_EQ(image.file_segment(i * 0x1000 + 8, 8)->vaddr, i * 0x1000);
    EXPECT_EQ(image.file_segment(i * 0x1000 + 8, 9), nullptr);
    EXPECT_NE(image.memory_segment(i * 0x1000 + 8, 0x18), nullptr);
    EXPECT_EQ(image.memory_segment(i * 0x1000 + 8, 0x19), nullptr);
  }
}

TEST_F(ProgramHeaders, BelowTheFirstSegmentIsNothing) {
  headers = {load(0x4000, 0, 0x10, 0x10, kR | kX)};
  ASSERT_TRUE(decode().ok());
  EXPECT_EQ(image.file_segment(0x3fff, 1), nullptr);
  EXPECT_EQ(image.memory_segment(0, 1), nullptr);
  EXPECT_FALSE(image.executable(0x3fff));
  EXPECT_TRUE(image.executable(0x400f));
  EXPECT_FALSE(image.executable(0x4010));
}

TEST_F(ProgramHeaders, ZerosBehindCodeAreNoCode) {
  headers = {load(0x4000, 0, 0x10, 0x800, kR | kX)};
  ASSERT_TRUE(decode().ok());
  EXPECT_TRUE(image.executable(0x400f));
  EXPECT_FALSE(image.executable(0x4010));
}

TEST_F(ProgramHeaders, UnreadableSegmentsHoldNoTables) {
  headers[0].flags = kX;
  ASSERT_TRUE(decode().ok());
  EXPECT_EQ(image.file_segment(0, 8), nullptr);
  EXPECT_EQ(image.memory_segment(0, 8), nullptr);
  EXPECT_TRUE(image.executable(0));
  headers[0].flags = kW;  // the machine reads what it may write
  ASSERT_TRUE(decode().ok());
  EXPECT_EQ(image.file_segment(0, 8), nullptr);
  EXPECT_NE(image.memory_segment(0, 8), nullptr);
}

TEST_F(ProgramHeaders, EmptyLoadsAreNoSegments) {
  headers.push_back(load(0x9000, 0x123, 0, 0, kR));
  ASSERT_TRUE(decode().ok());
  EXPECT_EQ(image.segment_count, 2U);
}

TEST_F(ProgramHeaders, SizesAndPlacesAreChecked) {
  const auto original = headers;
  const struct {
    const char* expected;
    std::function<void(elf::ProgramHeader&)> damage;
  } cases[] = {
      {"p_filesz", [](auto& h) { h.filesz = h.memsz + 1; }},
      {"p_filesz", [](auto& h) { h.memsz = 0; }},
      {"p_align", [](auto& h) { h.align = 3; }},
      {"other", [](auto& h) { h.offset += 1; }},
      {"p_vaddr + p_memsz", [](auto& h) { h.vaddr = uint64_t{1} << 47; }},
      {"p_vaddr + p_memsz", [](auto& h) { h.vaddr = UINT64_MAX & ~uint64_t{0xfff}; }},
      {"p_vaddr + p_memsz", [](auto& h) { h.memsz = UINT64_MAX; }},
      {"p_offset + p_filesz", [](auto& h) { h.offset = 0x100000; }},
      {"p_offset + p_filesz", [](auto& h) { h.filesz = h.memsz = 0x100000; }},
      {"p_vaddr", [](auto& h) { h.vaddr = 0, h.offset = 0; }},           // same bytes twice
      {"p_vaddr", [](auto& h) { h.vaddr = 0x800, h.offset = 0x1800; }},  // other bytes, same page
      {"p_vaddr",
       [](auto& h) { h.vaddr = 0x800, h.offset = 0x800, h.flags = kX; }},  // loses read permission
      {"p_vaddr",
       [](auto& h) { h.vaddr = 0x800, h.offset = 0x800; }},  // same page, more permissions
      {"accepted", [](auto& h) { h.align = 0; }},
      {"accepted", [](auto& h) { h.align = 0x200000; }},
  };
  for (const auto& c : cases) {
    headers = original;
    c.damage(headers[1]);
    EXPECT_STREQ(refused(0x4000), c.expected) << (&c - cases);
  }
}

TEST_F(ProgramHeaders, TheKernelsMappingsHaveNoFileSize) {
  headers[1].offset = 0x10000000;
  EXPECT_STREQ(refused(), "accepted");
  EXPECT_STREQ(refused(0x4000), "p_offset + p_filesz");
}

TEST_F(ProgramHeaders, TlsIsChecked) {
  const elf::ProgramHeader good{elf::kPtTls, kR, 0x2000, 0x2000, 0x2000, 0x10, 0x40, 16};
  const struct {
    const char* expected;
    std::function<void(elf::ProgramHeader&)> damage;
  } cases[] = {
      {"accepted", [](auto&) {}},
      {"accepted", [](auto& h) { h.align = 0; }},
      {"accepted",
       [](auto& h) { h.filesz = 0, h.vaddr = h.offset = 0x77777; }},  // only zeros: anywhere
      {"PT_TLS p_filesz", [](auto& h) { h.filesz = h.memsz + 1; }},
      {"PT_TLS p_align", [](auto& h) { h.align = 24; }},
      {"PT_TLS p_align", [](auto& h) { h.align = uint64_t{1} << 32; }},
      {"PT_TLS p_memsz", [](auto& h) { h.memsz = uint64_t{1} << 40; }},
      {"PT_TLS p_vaddr", [](auto& h) { h.vaddr = 0x5000; }},
      {"PT_TLS p_vaddr", [](auto& h) { h.vaddr += 1; }},
      {"PT_TLS p_vaddr", [](auto& h) { h.filesz = h.memsz = 0x101; }},
  };
  for (const auto& c : cases) {
    headers.resize(2);
    headers.push_back(good);
    c.damage(headers[2]);
    EXPECT_STREQ(refused(), c.expected) << (&c - cases);
  }
}

TEST_F(ProgramHeaders, RelroStaysInsideAndOffCode) {
  headers[0].flags = kR | kX;
  headers.push_back({elf::kPtGnuRelro, kR, 0x2000, 0x2000, 0x2000, 0x1000, 0x1000, 1});
  EXPECT_STREQ(refused(), "accepted");
  headers[2].vaddr = 0x3000;
  EXPECT_STREQ(refused(), "PT_GNU_RELRO p_vaddr");
  headers[2].vaddr = UINT64_MAX - 0x10;
  EXPECT_STREQ(refused(), "PT_GNU_RELRO p_vaddr");
  headers[2].vaddr = 0;
  EXPECT_STREQ(refused(), "PT_GNU_RELRO p_vaddr");
  headers[2].memsz = 0;
  EXPECT_STREQ(refused(), "accepted");
}

TEST_F(ProgramHeaders, UnwindingTableStaysInside) {
  headers.push_back({elf::kPtGnuEhFrame, kR, 0x40, 0x40, 0x40, 8, 8, 4});
  headers.push_back({elf::kPtDynamic, kR, 0x2000, 0x2000, 0x2000, 0x40, 0x40, 8});
  EXPECT_STREQ(refused(), "accepted");
  headers[2].vaddr = 0x7000;
  EXPECT_STREQ(refused(), "PT_GNU_EH_FRAME p_vaddr");
  headers[2].vaddr = UINT64_MAX - 7;
  EXPECT_STREQ(refused(), "PT_GNU_EH_FRAME p_vaddr");
  headers[3].filesz = 0;  // debug data apart from its object
  EXPECT_STREQ(refused(), "accepted");
}

TEST_F(ProgramHeaders, OtherHeadersAreNoted) {
  headers.push_back({elf::kPtInterp, kR, 0x10, 0x10, 0x10, 0x1c, 0x1c, 1});
  headers.push_back({elf::kPtGnuEhFrame, kR, 0x40, 0x40, 0x40, 8, 8, 4});
  headers.push_back({elf::kPtGnuProperty, kR, 0x60, 0x60, 0x60, 0x20, 0x20, 8});
  headers.push_back({elf::kPtGnuStack, kR | kW | kX, 0, 0, 0, 0, 0, 16});
  ASSERT_TRUE(decode().ok());
  EXPECT_EQ(image.interp_size, 0x1cU);
  EXPECT_EQ(image.eh_frame_vaddr, 0x40U);
  EXPECT_EQ(image.property_size, 0x20U);
  EXPECT_TRUE(image.has_stack_header);
  EXPECT_EQ(image.stack_flags, kR | kW | kX);
}

}  // namespace
}  // namespace prelude
