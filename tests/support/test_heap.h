// A loader heap over the host's memory, freed with the test.
#pragma once

#include <prelude/base/heap.h>

#include <cstdlib>
#include <vector>

namespace prelude::test {

class TestHeap : public Heap {
 public:
  TestHeap() { start(nullptr, 0, take, give); }
  ~TestHeap() {
    for (void* block : blocks()) std::free(block);
    blocks().clear();
  }

 private:
  static std::vector<void*>& blocks() {
    static std::vector<void*> all;
    return all;
  }
  static void* take(size_t bytes) {
    void* block = std::calloc(1, bytes);
    blocks().push_back(block);
    return block;
  }
  static void give(void* block, size_t) {
    std::erase(blocks(), block);
    std::free(block);
  }
};

/// Has no memory.
class EmptyHeap : public Heap {
 public:
  EmptyHeap() {
    start(
        nullptr, 0, [](size_t) -> void* { return nullptr; }, [](void*, size_t) {});
  }
};

}  // namespace prelude::test
