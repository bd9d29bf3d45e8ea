// The mapping plan: its steps, and that they give every page what its segment says.
#include <gtest/gtest.h>

#include <prelude/image/image.h>
#include <tests/support/loaded_object.h>

#include <map>

namespace prelude {
namespace {

constexpr uint64_t kPage = 0x1000;
constexpr uint32_t kR = elf::kPfR, kW = elf::kPfW, kX = elf::kPfX;

elf::ProgramHeader load(uint64_t vaddr, uint64_t offset, uint64_t filesz, uint64_t memsz,
                        uint32_t flags) {
  return {elf::kPtLoad, flags, offset, vaddr, vaddr, filesz, memsz, kPage};
}

struct Plan {
  explicit Plan(const std::vector<elf::ProgramHeader>& headers) : segments(headers.size()) {
    EXPECT_TRUE(decode_program_headers(headers.data(), static_cast<uint16_t>(headers.size()),
                                       UINT64_MAX, test::kTestHost, segments.data(), image)
                    .ok());
    steps.resize(1 + 4 * size_t{image.segment_count});
    steps.resize(plan_mapping(image, kPage, steps.data()));
  }

  // What a byte shows in the end: the file offset it comes from, or zero, or nothing.
  struct Seen {
    MapStep::Kind kind = MapStep::Kind::kNone;
    uint64_t offset = 0;
    uint32_t flags = 0;
  };
  [[nodiscard]] Seen at(uint64_t vaddr) const {
    Seen seen;
    for (const MapStep& step : steps) {
      if (vaddr - step.vaddr >= step.bytes) continue;
      const uint32_t flags = step.kind == MapStep::Kind::kZero ? seen.flags : step.flags;
      seen = {step.kind, step.kind == MapStep::Kind::kFile ? step.offset + (vaddr - step.vaddr) : 0,
              flags};
    }
    return seen;
  }

  Image image;
  std::vector<LoadSegment> segments;
  std::vector<MapStep> steps;
};

void expect_right(const Plan& plan) {
  for (uint32_t i = 0; i < plan.image.segment_count; ++i) {
    const LoadSegment& s = plan.image.segments[i];
    for (uint64_t at = s.vaddr; at < s.vaddr + s.memsz; at += 0x80) {
      const auto seen = plan.at(at);
      EXPECT_EQ(seen.flags, s.flags) << std::hex << at;
      if (at < s.vaddr + s.filesz) {
        EXPECT_EQ(seen.kind, MapStep::Kind::kFile) << std::hex << at;
        EXPECT_EQ(seen.offset, s.offset + (at - s.vaddr)) << std::hex << at;
      } else {
        EXPECT_NE(seen.kind, MapStep::Kind::kFile) << std::hex << at;
        EXPECT_NE(seen.kind, MapStep::Kind::kNone) << std::hex << at;
      }
    }
  }
}

TEST(MapPlan, OneSegmentIsOneStep) {
  const Plan plan({load(0, 0, 0x1234, 0x1234, kR | kX)});
  EXPECT_EQ(plan.steps.size(), 1U);
  expect_right(plan);
}

TEST(MapPlan, UsualLibrary) {
  const Plan plan({load(0, 0, 0x1400, 0x1400, kR), load(0x2000, 0x2000, 0x1800, 0x1800, kR | kX),
                   load(0x4000, 0x4000, 0x300, 0x300, kR),
                   load(0x5d00, 0x4d00, 0x400, 0x2b00, kR | kW)});
  expect_right(plan);
  EXPECT_EQ(plan.steps[0].bytes, plan.image.high - plan.image.low);
}

TEST(MapPlan, SegmentsLikeTheFirstNeedNoStep) {
  const Plan plan({load(0, 0, 0x1000, 0x1000, kR), load(0x1000, 0x1000, 0x1000, 0x1000, kR)});
  EXPECT_EQ(plan.steps.size(), 1U);
  expect_right(plan);
}

TEST(MapPlan, HolesAreClosed) {
  const Plan plan({load(0, 0, 0x100, 0x100, kR), load(0x10000, 0x1000, 0x100, 0x100, kR | kW)});
  expect_right(plan);
  EXPECT_EQ(plan.at(0x8000).kind, MapStep::Kind::kNone);
}

TEST(MapPlan, ZeroFilledPagesAndTails) {
  const Plan plan({load(0, 0, 0x100, 0x5000, kR | kW), load(0x6000, 0x1000, 0, 0x2000, kR | kW)});
  expect_right(plan);
  EXPECT_EQ(plan.at(0x200).kind, MapStep::Kind::kZero);
  EXPECT_EQ(plan.at(0x3000).kind, MapStep::Kind::kAnonymous);
}

TEST(MapPlan, FirstSegmentWithoutFileReservesOnly) {
  const Plan plan({load(0, 0, 0, 0x1000, kR | kW), load(0x2000, 0x2000, 0x100, 0x100, kR)});
  EXPECT_EQ(plan.steps[0].kind, MapStep::Kind::kNone);
  expect_right(plan);
}

TEST(MapPlan, FirstSegmentInsideAPage) {
  const Plan plan(
      {load(0x10234, 0x234, 0x100, 0x100, kR), load(0x11400, 0x1400, 0x100, 0x3000, kR | kW)});
  EXPECT_EQ(plan.image.low, 0x10000U);
  expect_right(plan);
}

}  // namespace
}  // namespace prelude
