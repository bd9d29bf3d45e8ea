// Reverse post-order with an explicit stack: dependency graphs are input, so no recursion over
// them.
#include <prelude/order/order.h>

#include <prelude/base/string.h>

namespace prelude {
namespace {

struct Frame {
  uint32_t node, next;
  bool weak;
};

struct Walk {
  const OrderGraph& graph;
  bool use_weak;
  bool saw_weak = false;
  uint8_t* visited;
  Frame* stack;
  uint32_t* order;
  uint32_t head;  // order[head..] is filled

  // The next unvisited neighbour of the frame, or UINT32_MAX.
  uint32_t advance(Frame& frame) {
    for (;;) {
      const uint32_t next = graph.dependency(graph.context, frame.node, frame.next, frame.weak);
      if (next == UINT32_MAX) {
        if (frame.weak || !use_weak) return UINT32_MAX;
        frame.weak = true;
        frame.next = 0;
        continue;
      }
      ++frame.next;
      if (frame.weak) saw_weak = true;
      if (next < graph.count && visited[next] == 0) return next;
    }
  }

  void visit(uint32_t root) {
    if (visited[root] != 0) return;
    uint32_t depth = 0;
    visited[root] = 1;
    stack[depth++] = {root, 0, false};
    while (depth != 0) {
      const uint32_t next = advance(stack[depth - 1]);
      if (next != UINT32_MAX) {
        visited[next] = 1;
        stack[depth++] = {next, 0, false};
        continue;
      }
      order[--head] = stack[--depth].node;
    }
  }
};

// The node is in the list: every node is placed exactly once.
void move_to_front(uint32_t* order, uint32_t node) {
  uint32_t at = 0;
  while (order[at] != node) ++at;
  for (; at > 0; --at) order[at] = order[at - 1];
  order[0] = node;
}

}  // namespace

bool sort_by_dependency(const OrderGraph& graph, bool pin_first, bool use_weak, uint32_t* order,
                        Heap& heap) {
  const uint32_t count = graph.count;
  if (count == 0) return true;
  auto* visited = heap.make_array<uint8_t>(count);
  auto* stack = heap.make_unfilled<Frame>(count);
  auto* first = heap.make_unfilled<uint32_t>(count);
  const bool enough = visited != nullptr && stack != nullptr && first != nullptr;
  if (enough) {
    Walk walk{graph, use_weak, false, visited, stack, order, count};
    for (uint32_t i = count; i-- > 0;) walk.visit(i);
    if (walk.saw_weak) {
      // Relocation dependencies may contradict direct ones: sort again by the direct ones alone,
      // with the first result as the list to walk, so that they decide only where the others leave
      // a choice.
      copy_bytes(first, order, count * sizeof(uint32_t));
      fill_zero(visited, count);
      walk.use_weak = false;
      walk.head = count;
      for (uint32_t i = count; i-- > 0;) walk.visit(first[i]);
    } else if (pin_first) {
      move_to_front(order, 0);
    }
  }
  heap.release_array(visited, count);
  heap.release_array(stack, count);
  heap.release_array(first, count);
  return enough;
}

}  // namespace prelude
