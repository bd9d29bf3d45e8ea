// Static TLS that comes after start: the surplus, then areas that every thread gets at one
// distance.
#include <gtest/gtest.h>

#include <sys/mman.h>

#include <prelude/tls/tls.h>
#include <tests/support/test_heap.h>
#include <tests/support/zeroed_module.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

namespace prelude {
namespace {

// What the fake kernel has mapped, and what it is to say.
std::map<uint64_t, uint64_t> mapped;
int occupied_times = 0, memory_left = 1000;
bool really = false;

MapOutcome map(uint64_t address, uint64_t bytes) {
  if (memory_left == 0) return MapOutcome::kNoMemory;
  --memory_left;
  if (occupied_times > 0 && occupied_times-- > 0) return MapOutcome::kOccupied;
  EXPECT_EQ(address % 4096, 0U);
  if (really) {
    void* at = reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr)
    void* got = mmap(at, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got != at) return MapOutcome::kOccupied;
  }
  EXPECT_TRUE(mapped.emplace(address, bytes).second) << "mapped twice";
  return MapOutcome::kMapped;
}

void unmap(uint64_t address, uint64_t bytes) {
  EXPECT_EQ(mapped[address], bytes);
  mapped.erase(address);
  if (really) munmap(reinterpret_cast<void*>(address), bytes);  // NOLINT
}

using test::OwnedModule;

class Areas : public testing::Test {
 protected:
  Areas() {
    mapped.clear();
    occupied_times = 0;
    memory_left = 1000;
    really = false;
    prelude_tls_generation = 0;
    registry.set_mapper({map, unmap});
    registry.close_static(64, 2304);
  }
  OwnedModule module(uint64_t memsz, uint64_t align = 8, const char* image = "") {
    OwnedModule made = test::zeroed_module();
    tls_of(*made) = {.image = image, .filesz = std::strlen(image), .memsz = memsz, .align = align};
    EXPECT_TRUE(registry.add(*made, *made->map, heap));
    return made;
  }
  bool place(const OwnedModule& made) { return registry.place_late(tls_of(*made), heap); }
  // A thread pointer far up, so that areas have room below it.
  static char* block(int number) {
    return reinterpret_cast<char*>((uint64_t{0x7f} << 40) + (uint64_t{1} << 20) * number);
  }
  bool enter(int number) {
    return registry.enter_thread(threads[number], block(number), &dtv[number][1]);
  }

  test::TestHeap heap;
  TlsRegistry registry;
  TlsThread threads[4] = {};
  DtvEntry dtv[4][2] = {};
};

TEST_F(Areas, TheSurplusComesFirst) {
  const OwnedModule small = module(32), large = module(4096);
  ASSERT_TRUE(place(small));
  EXPECT_LE(tls_of(*small).offset, 64);
  EXPECT_EQ(registry.areas().size(), 0U);
  ASSERT_TRUE(place(large));
  ASSERT_EQ(registry.areas().size(), 1U);
  EXPECT_GT(tls_of(*large).offset, int64_t{1} << 40);
}

TEST_F(Areas, SmallModulesShareOne) {
  const OwnedModule a = module(1000), b = module(1000, 64), c = module(40000);
  ASSERT_TRUE(place(a) && place(b));
  ASSERT_EQ(registry.areas().size(), 1U);
  EXPECT_EQ(tls_of(*b).offset % 64, 0);
  EXPECT_LE(tls_of(*b).offset + 1000, tls_of(*a).offset);
  ASSERT_TRUE(place(c));
  EXPECT_EQ(registry.areas().size(), 2U);
}

TEST_F(Areas, AlignmentAndSizeHaveLimits) {
  const OwnedModule aligned = module(8, 4096), huge = module(uint64_t{17} << 30);
  EXPECT_FALSE(place(aligned));
  EXPECT_FALSE(place(huge));
  EXPECT_EQ(registry.areas().size(), 0U);
}

TEST_F(Areas, EveryThreadGetsItsOwnMapping) {
  ASSERT_TRUE(enter(0) && enter(1));
  const OwnedModule a = module(4096);
  ASSERT_TRUE(place(a));
  EXPECT_EQ(mapped.size(), 2U);
  ASSERT_TRUE(enter(2));  // a new thread has the old areas
  EXPECT_EQ(mapped.size(), 3U);
  EXPECT_EQ(TlsRegistry::thread_of(&dtv[2][1]), &threads[2]);
  registry.leave_thread(threads[1]);  // from the middle, the front and the end
  registry.leave_thread(threads[2]);
  registry.leave_thread(threads[0]);
  EXPECT_TRUE(mapped.empty());
}

TEST_F(Areas, OptionalBlocksShareASmallPartOfTheSurplus) {
  TlsRegistry other;
  other.close_static(1664, 2304);
  TlsSegment first{.memsz = 400, .align = 8}, second{.memsz = 200, .align = 8};
  TlsSegment third{.memsz = 112, .align = 8}, needed{.memsz = 800, .align = 8};
  EXPECT_TRUE(other.place_optional(first));
  EXPECT_EQ(first.offset, 400);
  EXPECT_FALSE(other.place_optional(second)) << "more than 512 bytes together";
  EXPECT_EQ(second.offset, 0);
  EXPECT_TRUE(other.place_optional(third));
  EXPECT_EQ(third.offset, 512);
  EXPECT_TRUE(other.place_late(needed, heap)) << "the rest is for those who must be there";
  EXPECT_EQ(needed.offset, 1312);
}

TEST_F(Areas, OptionalRoomComesBackWithTheLastTenant) {
  TlsRegistry other;
  other.close_static(1664, 2304);
  const OwnedModule a = module(400), b = module(400);
  ASSERT_TRUE(other.add(*a, *a->map, heap) && other.place_optional(tls_of(*a)));
  EXPECT_FALSE(other.place_optional(tls_of(*b)));
  other.remove(*a);
  EXPECT_TRUE(other.place_optional(tls_of(*b)));
}

TEST_F(Areas, OptionalBlocksAlignedBeyondThreadPointersStayOut) {
  TlsSegment wide{.memsz = 8, .align = 4096};
  EXPECT_FALSE(registry.place_optional(wide));
}

TEST_F(Areas, OccupiedPlacesArePassedOver) {
  ASSERT_TRUE(enter(0) && enter(1));
  occupied_times = 3;
  const OwnedModule a = module(4096);
  ASSERT_TRUE(place(a));
  EXPECT_EQ(mapped.size(), 2U);
  EXPECT_GT(registry.areas()[0].distance, uint64_t{16} << 40);
}

TEST_F(Areas, WithoutMemoryNothingIsLeftBehind) {
  ASSERT_TRUE(enter(0) && enter(1));
  const OwnedModule a = module(4096), b = module(4096);
  memory_left = 1;
  EXPECT_FALSE(place(a));
  EXPECT_TRUE(mapped.empty());
  EXPECT_EQ(registry.areas().size(), 0U);
  memory_left = 100;
  ASSERT_TRUE(place(b));
  memory_left = 0;
  EXPECT_FALSE(enter(2));
  EXPECT_EQ(mapped.size(), 2U);
}

TEST_F(Areas, NoAreasWithoutAMapperOrBelowTheFirstDistance) {
  registry.set_mapper({});
  ASSERT_TRUE(enter(0));
  const OwnedModule a = module(4096);
  EXPECT_FALSE(place(a));
  registry.set_mapper({map, unmap});
  registry.leave_thread(threads[0]);
  ASSERT_TRUE(
      registry.enter_thread(threads[1], reinterpret_cast<char*>(uint64_t{1} << 30), &dtv[1][1]));
  const OwnedModule b = module(4096);
  EXPECT_FALSE(place(b));  // no distance fits under so low a thread pointer
}

TEST_F(Areas, AThreadCatchesUpWithWhatCameMeanwhile) {
  const OwnedModule a = module(4096);
  ASSERT_TRUE(place(a));
  ASSERT_TRUE(enter(0));
  threads[0].areas = 0;  // as a stack that lay idle
  mapped.clear();
  ASSERT_TRUE(registry.catch_up(threads[0]));
  EXPECT_EQ(mapped.size(), 1U);
  threads[0].areas = 0;
  memory_left = 0;
  const OwnedModule b = module(40000);
  EXPECT_FALSE(place(b));
}

TEST_F(Areas, RoomIsUsedAgainWhenTheLastTenantHasGone) {
  const OwnedModule a = module(4096), b = module(4096), c = module(4096);
  ASSERT_TRUE(place(a) && place(b));
  const int64_t first = tls_of(*a).offset;
  registry.remove(*a);
  registry.remove(*b);
  EXPECT_TRUE(registry.areas()[0].recycled);
  ASSERT_TRUE(place(c));
  EXPECT_EQ(tls_of(*c).offset, first);
  const OwnedModule d = module(48), e = module(48);
  ASSERT_TRUE(place(d));
  EXPECT_LE(tls_of(*d).offset, 64);
  registry.remove(*d);
  ASSERT_TRUE(place(e));
  EXPECT_LE(tls_of(*e).offset, 64);
}

TEST_F(Areas, BytesAreWrittenInEveryThread) {
  really = true;
  ASSERT_TRUE(enter(0) && enter(1));
  const OwnedModule a = module(64, 8, "initial"), b = module(64, 8, "second");
  ASSERT_TRUE(place(a));  // the surplus is memory of the thread: only areas are looked at here
  const OwnedModule c = module(4096, 8, "far");
  ASSERT_TRUE(place(c));
  registry.fill_everywhere(tls_of(*c));
  for (int i = 0; i < 2; ++i) EXPECT_STREQ(block(i) - tls_of(*c).offset, "far");
  std::memset(block(0) - tls_of(*c).offset, 7, 4096);
  registry.remove(*c);
  const OwnedModule d = module(4096, 8, "new");
  ASSERT_TRUE(place(d));
  registry.fill_everywhere(tls_of(*d));  // what was used before is cleared
  EXPECT_STREQ(block(0) - tls_of(*d).offset, "new");
  EXPECT_EQ(*(block(0) - tls_of(*d).offset + 100), 0);
  registry.leave_thread(threads[0]);
  registry.leave_thread(threads[1]);
  EXPECT_TRUE(mapped.empty());
}

TEST_F(Areas, AForkKeepsTheThreadThatForked) {
  ASSERT_TRUE(enter(0) && enter(1) && enter(2));
  const OwnedModule a = module(4096);
  ASSERT_TRUE(place(a));
  registry.keep_threads([](const TlsThread& thread) { return thread.block == block(1); });
  EXPECT_EQ(mapped.size(), 1U);
  registry.leave_thread(threads[1]);
  EXPECT_TRUE(mapped.empty());
}

}  // namespace
}  // namespace prelude
