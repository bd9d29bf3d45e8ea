// Module ids, the static layout below the thread pointer, threads' vectors and their growth.
#include <gtest/gtest.h>

#include <prelude/tls/tls.h>
#include <tests/support/test_heap.h>
#include <tests/support/zeroed_module.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace prelude {
namespace {

const ThreadMemory kMemory{[](size_t bytes) { return std::calloc(1, bytes); },
                           [](void* at) { std::free(at); }};
const ThreadMemory kNoMemory{[](size_t) -> void* { return nullptr; }, [](void*) {}};

struct FakeModule {
  FakeModule(uint64_t memsz, uint64_t align, const char* image = "", uint64_t first_byte = 0)
      : module(test::zeroed_module()) {
    segment() = {.image = image,
                 .filesz = std::strlen(image),
                 .memsz = memsz,
                 .align = align,
                 .first_byte = first_byte};
  }
  TlsSegment& segment() { return tls_of(*module); }
  Module& operator*() { return *module; }

  test::OwnedModule module;
};

class Tls : public testing::Test {
 protected:
  Tls() { prelude_tls_generation = 0; }
  size_t add(FakeModule& module) {
    EXPECT_TRUE(registry.add(*module, *module.module->map, heap));
    return module.segment().module_id;
  }

  test::TestHeap heap;
  TlsRegistry registry;
};

TEST_F(Tls, IdsCountFromOneAndAreReused) {
  FakeModule a(8, 8), b(8, 8), c(8, 8), d(8, 8);
  EXPECT_EQ(add(a), 1U);
  EXPECT_EQ(add(b), 2U);
  EXPECT_EQ(add(c), 3U);
  registry.remove(*b);
  EXPECT_EQ(b.segment().module_id, 0U);
  EXPECT_EQ(registry.module(2), nullptr);
  EXPECT_EQ(registry.max_module_id(), 3U);
  EXPECT_EQ(add(d), 2U);
  EXPECT_EQ(registry.module(2), &*d);
  registry.remove(*c);
  EXPECT_EQ(registry.max_module_id(), 2U);
  registry.remove(*b);  // not there: nothing happens
  EXPECT_EQ(registry.max_module_id(), 2U);
}

TEST_F(Tls, HighestIdFallsPastHoles) {
  FakeModule a(8, 8), b(8, 8), c(8, 8), d(8, 8);
  add(a), add(b), add(c);
  registry.remove(*b);
  registry.remove(*c);
  EXPECT_EQ(registry.max_module_id(), 1U);
  EXPECT_EQ(add(d), 2U);
  EXPECT_EQ(add(b), 3U);  // the hole was forgotten with the ids above it
  registry.remove(*b);
  EXPECT_EQ(registry.max_module_id(), 2U);
}

TEST_F(Tls, ManyModulesNeedMoreLists) {
  std::vector<std::unique_ptr<FakeModule>> modules;
  for (size_t i = 1; i <= 200; ++i) {
    modules.push_back(std::make_unique<FakeModule>(8, 8));
    EXPECT_EQ(add(*modules.back()), i);
  }
  for (size_t i = 1; i <= 200; ++i) EXPECT_EQ(registry.module(i), &**modules[i - 1]);
  EXPECT_EQ(registry.module(100000), nullptr);
  EXPECT_EQ(registry.slot_generation(100000), 0U);
  size_t total = 0;
  for (const TlsSlotList* list = registry.slots(); list != nullptr; list = list->next)
    total += list->length;
  EXPECT_GE(total, 201U);
}

TEST_F(Tls, NoMemoryForASlot) {
  test::EmptyHeap empty;
  FakeModule a(8, 8);
  EXPECT_FALSE(registry.add(*a, *a.module->map, empty));
}

TEST_F(Tls, StaticBlocksLieBelowTheThreadPointer) {
  FakeModule a(20, 16), b(5, 1), c(100, 64, "", 8), d(4, 16, "", 15);
  uint64_t end = 0;
  for (FakeModule* m : {&a, &b, &c, &d}) {
    ASSERT_TRUE(registry.place_static(m->segment()));
    const TlsSegment& s = m->segment();
    const auto offset = static_cast<uint64_t>(s.offset);
    EXPECT_EQ((0 - offset) % s.align, s.first_byte % s.align);  // the thread pointer is aligned
    EXPECT_GE(offset, end + s.memsz);                           // below the block before
    end = offset;
  }
  EXPECT_EQ(a.segment().offset, 32);
  EXPECT_EQ(registry.static_used(), end);
  EXPECT_EQ(registry.static_align(), 64U);
}

TEST_F(Tls, AfterTheStartOnlyTheSurplusIsLeft) {
  FakeModule a(64, 64), fits(100, 16), too_big(4000, 16), too_aligned(8, 256);
  ASSERT_TRUE(registry.place_static(a.segment()));
  EXPECT_EQ(registry.reserve_static(10, 32), -74);
  registry.close_static(512, 0x900);
  EXPECT_GE(registry.static_size(), registry.static_used() + 512 + 0x900);
  EXPECT_FALSE(registry.place_static(too_big.segment()));
  EXPECT_FALSE(registry.place_static(too_aligned.segment()));
  EXPECT_EQ(too_big.segment().offset, 0);
  EXPECT_TRUE(registry.place_static(fits.segment()));
}

TEST_F(Tls, HugeSegmentsDoNotWrapAround) {
  FakeModule a(uint64_t{1} << 39, uint64_t{1} << 31), b(uint64_t{1} << 39, 8);
  ASSERT_TRUE(registry.place_static(a.segment()));
  ASSERT_TRUE(registry.place_static(b.segment()));
  EXPECT_GT(b.segment().offset, a.segment().offset);
}

class Threads : public Tls {
 protected:
  Threads() : block(4096) {}
  char* tp() { return block.data() + 2048; }
  DtvEntry* vector() {
    DtvEntry* dtv = registry.make_dtv(kMemory);
    return registry.initialise_thread(tp(), dtv, kMemory);
  }
  void end(DtvEntry* dtv) { registry.release_thread(dtv, nullptr, kMemory); }

  std::vector<char> block;
};

TEST_F(Threads, StaticBlocksAreFilled) {
  FakeModule a(8, 8, "abc"), b(8, 8);
  add(a), add(b);
  ASSERT_TRUE(registry.place_static(a.segment()));
  std::memset(block.data(), 'x', block.size());
  registry.publish_generation();
  DtvEntry* dtv = vector();
  ASSERT_NE(dtv, nullptr);
  EXPECT_EQ(dtv[0].value, 1U);
  EXPECT_EQ(std::memcmp(tp() - a.segment().offset, "abc\0\0\0\0\0", 8), 0);
  EXPECT_EQ(dtv[1].value, reinterpret_cast<uint64_t>(tp() - a.segment().offset));
  EXPECT_EQ(dtv[2].value, kTlsUnallocated);
  end(dtv);
}

TEST_F(Threads, VectorsForgetReusedSlots) {
  FakeModule first(16, 16, "first"), second(16, 16, "second");
  add(first);
  registry.publish_generation();
  DtvEntry* dtv = vector();
  void* to_free = nullptr;
  char* at = make_tls_block(first.segment(), kMemory, to_free);
  ASSERT_NE(at, nullptr);
  EXPECT_EQ(reinterpret_cast<uint64_t>(at) % 16, 0U);
  dtv[1].value = reinterpret_cast<uint64_t>(at);
  block_to_free(dtv, 1) = to_free;
  registry.remove(*first);
  EXPECT_EQ(add(second), 1U);
  registry.publish_generation();
  EXPECT_EQ(registry.entries_wanted(dtv, 1), 0U);
  void* chain = registry.refresh(dtv, 1);
  EXPECT_EQ(chain, to_free);
  EXPECT_EQ(dtv[1].value, kTlsUnallocated);
  EXPECT_EQ(registry.refresh(dtv, 1), nullptr);  // up to date
  std::free(chain);
  end(dtv);
}

TEST_F(Threads, AnyRefreshReachesThePresent) {
  FakeModule first(16, 16, "first"), second(16, 16, "second");
  add(first);
  registry.publish_generation();
  DtvEntry* dtv = vector();
  add(second);
  registry.publish_generation();
  EXPECT_EQ(registry.refresh(dtv, 1), nullptr);
  EXPECT_EQ(dtv[0].value, prelude_tls_generation);
  end(dtv);
}

TEST_F(Threads, DroppedBlocksAreTold) {
  FakeModule first(16, 16, "first");
  add(first);
  registry.publish_generation();
  DtvEntry* dtv = vector();
  void* to_free = nullptr;
  dtv[1].value = reinterpret_cast<uint64_t>(make_tls_block(first.segment(), kMemory, to_free));
  block_to_free(dtv, 1) = to_free;
  registry.remove(*first);
  registry.publish_generation();
  EXPECT_EQ(registry.generation_for(1), prelude_tls_generation);
  std::vector<std::pair<size_t, const void*>> told;
  const auto listener = [](const void* context, size_t id, const void* gone) {
    auto* list = static_cast<const decltype(told)* const*>(context);
    const_cast<decltype(told)*>(*list)->emplace_back(id, gone);
  };
  auto* list = &told;
  void* chain = registry.refresh(dtv, 1, listener, &list);
  EXPECT_EQ(chain, to_free);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0], (std::pair<size_t, const void*>{1, to_free}));
  std::free(chain);
  end(dtv);
}

TEST_F(Threads, StartUpBeginsAtAGeneration) {
  FakeModule first(16, 16, "first");
  add(first);
  registry.begin_at(2);
  registry.publish_generation();
  EXPECT_EQ(prelude_tls_generation, 2U);
  EXPECT_EQ(registry.slot_generation(1), 2U);
  DtvEntry* dtv = vector();
  EXPECT_EQ(dtv[0].value, 2U);  // nothing to catch up with
  end(dtv);
}

TEST_F(Threads, LongerVectorsKeepTheEntries) {
  FakeModule a(8, 8);
  add(a);
  registry.publish_generation();
  DtvEntry* dtv = vector();
  dtv[1].value = 0x1234;
  std::vector<std::unique_ptr<FakeModule>> more;
  for (int i = 0; i < 100; ++i)
    more.push_back(std::make_unique<FakeModule>(8, 8)), add(*more.back());
  registry.publish_generation();
  const size_t wanted = registry.entries_wanted(dtv, 101);
  EXPECT_GE(wanted, 101U);
  EXPECT_EQ(registry.entries_wanted(dtv, 2), wanted);  // they all have one generation
  DtvEntry* longer = registry.make_dtv(kMemory, wanted);
  ASSERT_NE(longer, nullptr);
  TlsRegistry::move_dtv(longer, dtv);
  EXPECT_EQ(longer[1].value, 0x1234U);
  EXPECT_EQ(longer[90].value, kTlsUnallocated);
  end(dtv);
  end(longer);
}

TEST_F(Threads, MemoryRunsOut) {
  FakeModule a(8, 8);
  add(a);
  void* to_free = nullptr;
  EXPECT_EQ(registry.make_dtv(kNoMemory), nullptr);
  EXPECT_EQ(make_tls_block(a.segment(), kNoMemory, to_free), nullptr);
  registry.release_thread(nullptr, nullptr, kMemory);
}

TEST_F(Threads, SmallVectorsOfEarlierThreadsGrowAtTheirStart) {
  DtvEntry* dtv = registry.make_dtv(kMemory);
  DtvEntry* const small = dtv;
  std::vector<std::unique_ptr<FakeModule>> modules;
  for (int i = 0; i < 50; ++i)
    modules.push_back(std::make_unique<FakeModule>(8, 8)), add(*modules.back());
  registry.publish_generation();
  EXPECT_EQ(registry.initialise_thread(tp(), dtv, kNoMemory), nullptr);
  dtv = registry.initialise_thread(tp(), dtv, kMemory);
  ASSERT_NE(dtv, nullptr);
  EXPECT_NE(dtv, small);
  EXPECT_GE(dtv[-1].value, 50U);
  end(dtv);
}

}  // namespace
}  // namespace prelude
