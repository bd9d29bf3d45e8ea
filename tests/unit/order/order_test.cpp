#include <prelude/order/order.h>
#include <tests/support/test_heap.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace prelude {
namespace {

struct Graph {
  std::vector<std::vector<uint32_t>> direct, weak;
};

uint32_t edge(void* context, uint32_t node, uint32_t k, bool weak) {
  const auto& graph = *static_cast<Graph*>(context);
  const auto& all = weak ? graph.weak : graph.direct;
  if (node >= all.size() || k >= all[node].size()) return UINT32_MAX;
  return all[node][k];
}

// The order as letters, node 0 being `a`.
std::string sorted(Graph graph, bool pin_first = false, bool use_weak = false,
                   decltype(&sort_by_dependency) sort = sort_by_dependency) {
  const auto count = static_cast<uint32_t>(graph.direct.size());
  test::TestHeap heap;
  std::vector<uint32_t> order(count);
  const OrderGraph view{count, &graph, edge};
  EXPECT_TRUE(sort(view, pin_first, use_weak, order.data(), heap));
  std::string text;
  for (const uint32_t node : order) text += static_cast<char>('a' + node);
  return text;
}

TEST(Order, DependentsComeBeforeTheirDependencies) {
  EXPECT_EQ(sorted({{{1}, {2}, {}}, {}}), "abc");
  EXPECT_EQ(sorted({{{}, {0}, {1}}, {}}), "cba");
  EXPECT_EQ(sorted({{{1, 2}, {3}, {3}, {}}, {}}), "abcd");
}

TEST(Order, SiblingsKeepTheOrderOfTheList) {
  EXPECT_EQ(sorted({{{}, {}, {}}, {}}), "abc");
  EXPECT_EQ(sorted({{{3, 2, 1}, {}, {}, {}}, {}}), "abcd");
}

// The case of ld.so's documentation: z needs x, x and y need each other, main needs z, y.
TEST(Order, CyclesAreCutWhereTheWalkFromTheEndMeetsThem) {
  EXPECT_EQ(sorted({{{1, 2}, {3}, {3}, {2}}, {}}), "abdc");
}

TEST(Order, ThePinnedFirstStaysFirst) {
  EXPECT_EQ(sorted({{{1}, {0}}, {}}), "ba");
  EXPECT_EQ(sorted({{{1}, {0}}, {}}, true), "ab");
}

TEST(Order, RelocationDependenciesDecideOnlyWhatDirectOnesLeaveOpen) {
  EXPECT_EQ(sorted({{{}, {}}, {{}, {0}}}), "ab");
  EXPECT_EQ(sorted({{{}, {}}, {{}, {0}}}, false, true), "ba");
  EXPECT_EQ(sorted({{{1}, {}}, {{}, {0}}}, false, true), "ab");
}

TEST(Order, SelfDependenciesAndUnknownNodesAreNothing) {
  EXPECT_EQ(sorted({{{0, 7}, {1}}, {}}), "ab");
  EXPECT_EQ(sorted({{}, {}}), "");
}

// As deep as a hostile chain of libraries may be: an explicit stack, no recursion.
TEST(Order, DepthIsNoProblem) {
  constexpr uint32_t kCount = 20000;
  Graph graph;
  for (uint32_t i = 0; i < kCount; ++i) graph.direct.push_back({(i + 1) % kCount});
  test::TestHeap heap;
  std::vector<uint32_t> order(kCount);
  const OrderGraph view{kCount, &graph, edge};
  ASSERT_TRUE(sort_by_dependency(view, true, false, order.data(), heap));
  EXPECT_EQ(order[0], 0U);
  EXPECT_EQ(order[1], kCount - 1);
}

std::string moved(const Graph& graph, bool pin_first = false, bool use_weak = false) {
  return sorted(graph, pin_first, use_weak, sort_by_moving);
}

TEST(OldOrder, DependentsComeBeforeTheirDependencies) {
  EXPECT_EQ(moved({{{1}, {2}, {}}, {}}), "abc");
  EXPECT_EQ(moved({{{}, {0}, {1}}, {}}), "cba");
  EXPECT_EQ(moved({{{1, 2}, {3}, {3}, {}}, {}}), "abcd");
  EXPECT_EQ(moved({{{}}, {}}), "a");
  EXPECT_EQ(moved({{}, {}}), "");
}

// As above: main needs z, y; the default order initialises y first, this one x (glibc 2.36).
TEST(OldOrder, CyclesEndByCounting) {
  EXPECT_EQ(moved({{{1, 2}, {3}, {3}, {2}}, {}}, true), "abcd");
}

TEST(OldOrder, WeakDependenciesCountUnlessContradicted) {
  EXPECT_EQ(moved({{{}, {}}, {{}, {0}}}, false, true), "ba");
  EXPECT_EQ(moved({{{1}, {}}, {{}, {0}}}, false, true), "ab");
  EXPECT_EQ(moved({{{}, {}}, {{}, {0}}}, false, false), "ab");
}

}  // namespace
}  // namespace prelude
