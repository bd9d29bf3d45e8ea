// The old order. Compat: glibc 2.36 with glibc.rtld.dynamic_sort=1, tests/system/order_test.py.
#include <prelude/base/string.h>
#include <prelude/order/order.h>

namespace prelude {
namespace {

class Mover {
 public:
  Mover(const OrderGraph& graph, bool use_weak, uint32_t* order, uint32_t* visits, uint32_t count)
      : graph_(graph), use_weak_(use_weak), order_(order), visits_(visits), count_(count) {}

  void run() {
    uint32_t at = 0;
    while (at < count_) {
      ++visits_[at];
      const uint32_t to = stays(order_[at]) ? at : last_dependent(at);
      if (to != at) {
        rotate(order_, at, to);
        // Who comes to this place more often than there are places left goes round in a cycle.
        if (visits_[at + 1] <= count_ - at) {
          rotate(visits_, at, to);
          continue;
        }
      }
      ++at;
      fill_zero(visits_ + at, (count_ - at) * sizeof *visits_);
    }
  }

 private:
  [[nodiscard]] bool stays(uint32_t node) const {
    return graph_.stays != nullptr && graph_.stays(graph_.context, node);
  }

  [[nodiscard]] bool names(uint32_t user, uint32_t used, bool weak) const {
    for (uint32_t k = 0;; ++k) {
      const uint32_t next = graph_.dependency(graph_.context, user, k, weak);
      if (next == UINT32_MAX) return false;
      if (next == used) return true;
    }
  }

  // A relocation dependency counts unless a direct one says the opposite.
  [[nodiscard]] bool needs(uint32_t user, uint32_t used) const {
    if (names(user, used, false)) return true;
    return use_weak_ && names(user, used, true) && !names(used, user, false);
  }

  [[nodiscard]] uint32_t last_dependent(uint32_t at) const {
    uint32_t behind = count_ - 1;
    while (behind > at && !needs(order_[behind], order_[at])) --behind;
    return behind;
  }

  static void rotate(uint32_t* list, uint32_t from, uint32_t to) {
    const uint32_t moved = list[from];
    for (uint32_t i = from; i < to; ++i) list[i] = list[i + 1];
    list[to] = moved;
  }

  const OrderGraph& graph_;
  bool use_weak_;
  uint32_t* order_;
  uint32_t* visits_;
  uint32_t count_;
};

}  // namespace

bool sort_by_moving(const OrderGraph& graph, bool pin_first, bool use_weak, uint32_t* order,
                    Heap& heap) {
  const uint32_t count = graph.count, skip = pin_first && count != 0 ? 1 : 0;
  for (uint32_t i = 0; i < count; ++i) order[i] = i;
  if (count - skip < 2) return true;
  auto* visits = heap.make_array<uint32_t>(count);
  if (visits == nullptr) return false;
  Mover(graph, use_weak, order + skip, visits, count - skip).run();
  heap.release_array(visits, count);
  return true;
}

}  // namespace prelude
