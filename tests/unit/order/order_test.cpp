// The order of initialisers: dependencies behind dependents, cycles cut, weak edges only as a tie-breaker.
#include <gtest/gtest.h>

#include <prelude/order/order.h>
#include <tests/support/test_heap.h>

#include <vector>

namespace prelude {
namespace {

struct Graph {
  explicit Graph(uint32_t count) : direct(count), weak(count) {}
  std::vector<std::vector<uint32_t>> direct, weak;

  static uint32_t neighbour(void* context, uint32_t node, uint32_t k, bool is_weak) {
    const Graph& self = *static_cast<Graph*>(context);
    const auto& edges = is_weak ? self.weak[node] : self.direct[node];
    return k < edges.size() ? edges[k] : UINT32_MAX;
  }
  std::vector<uint32_t> sorted(bool pin_first = false, bool use_weak = false) {
    test::TestHeap heap;
    const auto count = static_cast<uint32_t>(direct.size());
    std::vector<uint32_t> order(count);
    EXPECT_TRUE(sort_by_dependency({count, this, neighbour}, pin_first, use_weak, order.data(), heap));
    return order;
  }
};

std::vector<uint32_t> positions(const std::vector<uint32_t>& order) {
  std::vector<uint32_t> at(order.size());
  for (uint32_t i = 0; i < order.size(); ++i) at[order[i]] = i;
  return at;
}

TEST(Order, WithoutEdgesTheListKeepsItsOrder) {
  Graph graph(4);
  EXPECT_EQ(graph.sorted(), (std::vector<uint32_t>{0, 1, 2, 3}));
}

TEST(Order, DependentsComeBeforeDependencies) {
  Graph graph(5);
  graph.direct = {{1, 2}, {3}, {3}, {4}, {}};
  const auto at = positions(graph.sorted());
  for (uint32_t node = 0; node < 5; ++node)
    for (const uint32_t needed : graph.direct[node]) EXPECT_LT(at[node], at[needed]);
}

TEST(Order, EveryNodeAppearsOnceWhateverTheGraph) {
  uint32_t seed = 1;
  for (int round = 0; round < 50; ++round) {
    Graph graph(40);
    for (int edge = 0; edge < 120; ++edge) {
      seed = seed * 1664525 + 1013904223;
      graph.direct[seed >> 16 & 31].push_back(seed >> 8 & 63);  // some name no node
      graph.weak[seed >> 20 & 31].push_back(seed >> 3 & 31);
    }
    for (const bool weak : {false, true})
      for (const bool pinned : {false, true}) {
        std::vector<int> seen(40);
        for (const uint32_t node : graph.sorted(pinned, weak)) ++seen[node];
        EXPECT_EQ(seen, std::vector<int>(40, 1));
      }
  }
}

TEST(Order, CyclesAreCut) {
  Graph graph(3);
  graph.direct = {{1}, {2}, {0}};
  EXPECT_EQ(graph.sorted().size(), 3U);
  Graph self(1);
  self.direct = {{0}};
  EXPECT_EQ(self.sorted(), std::vector<uint32_t>{0});
}

TEST(Order, FirstStaysFirstWhenPinned) {
  Graph graph(3);
  graph.direct = {{}, {0}, {}};
  EXPECT_EQ(graph.sorted(true)[0], 0U);
  const auto at = positions(graph.sorted(false));
  EXPECT_LT(at[1], at[0]);
}

TEST(Order, WeakEdgesDecideWhereDirectOnesLeaveAChoice) {
  Graph graph(3);
  graph.weak = {{}, {}, {1}};  // 2 uses 1
  const auto at = positions(graph.sorted(false, true));
  EXPECT_LT(at[2], at[1]);
}

TEST(Order, DirectEdgesWinOverWeakOnes) {
  Graph graph(2);
  graph.direct = {{1}, {}};
  graph.weak = {{}, {0}};
  const auto at = positions(graph.sorted(false, true));
  EXPECT_LT(at[0], at[1]);
}

TEST(Order, DeepGraphsNeedNoStack) {
  constexpr uint32_t kDeep = 200000;
  Graph graph(kDeep);
  for (uint32_t i = 0; i + 1 < kDeep; ++i) graph.direct[i] = {i + 1};
  const auto order = graph.sorted();
  for (uint32_t i = 0; i < kDeep; ++i) ASSERT_EQ(order[i], i);
}

TEST(Order, NothingToSort) {
  Graph graph(0);
  EXPECT_TRUE(graph.sorted().empty());
}

TEST(Order, MemoryRunsOut) {
  test::EmptyHeap heap;
  Graph graph(3);
  uint32_t order[3];
  EXPECT_FALSE(sort_by_dependency({3, &graph, Graph::neighbour}, false, false, order, heap));
}

}  // namespace
}  // namespace prelude
