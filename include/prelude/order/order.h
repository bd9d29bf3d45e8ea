// The order of initialisers and finalisers: depth first over dependencies, reverse post-order,
// walking the list from its end; cycles are cut where the walk meets them.
#pragma once

#include <prelude/base/heap.h>

#include <cstdint>

namespace prelude {

/// The graph as the sort sees it: node i of `count` nodes, its neighbours by callback. Nodes
/// outside the list are left out by the caller.
struct OrderGraph {
  uint32_t count;
  void* context;
  /// The k-th dependency of `node`, or UINT32_MAX behind the last. `weak` dependencies (relocation
  /// dependencies) are asked for in a second series when the first has ended.
  uint32_t (*dependency)(void* context, uint32_t node, uint32_t k, bool weak);
  /// For sort_by_moving(): true for a node that keeps its place; null = none.
  bool (*stays)(void* context, uint32_t node) = nullptr;
};

/// Writes the nodes with dependents before their dependencies: `order[0]` depends on the later
/// ones. With `pin_first` node 0 stays first. With `use_weak` relocation dependencies count where
/// they do not contradict the direct ones. False when memory is out.
bool sort_by_dependency(const OrderGraph& graph, bool pin_first, bool use_weak, uint32_t* order,
                        Heap& heap);

/// The order that glibc had before 2.35 and has with the tunable glibc.rtld.dynamic_sort=1: each
/// node moves behind the last one that needs it until none does; cycles end by counting. Takes time
/// in proportion to the cube of the count. Parameters as above.
bool sort_by_moving(const OrderGraph& graph, bool pin_first, bool use_weak, uint32_t* order,
                    Heap& heap);

}  // namespace prelude
