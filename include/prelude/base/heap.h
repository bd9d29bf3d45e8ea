// The loader's own allocator: size classes with free lists over chunks from a page source.
// One writer at a time (the loader's lock). Every change commits by one store, so a child forked
// in the middle of an operation finds usable lists (at worst one block is lost).
#pragma once

#include <prelude/base/guarded.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace prelude {

class Heap {
 public:
  /// Gives at least `bytes` (a multiple of the page size) of zeroed memory, or null.
  using PageSource = void* (*)(size_t bytes);
  using PageSink = void (*)(void* start, size_t bytes);

  constexpr Heap() = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  /// `first` is used before any page is asked for; it must be zeroed and outlive the heap.
  void start(void* first, size_t first_bytes, PageSource source, PageSink sink);

  /// Zeroed memory aligned to `align` (a power of two, at most 4096); null when out of memory.
  [[nodiscard]] void* allocate(uint64_t bytes, uint64_t align = 16);
  /// The same for what is never released: nothing is lost to size classes.
  [[nodiscard]] void* allocate_for_ever(uint64_t bytes, uint64_t align = 16);
  /// `bytes` and `align` as given to allocate. Null is fine.
  void release(void* block, size_t bytes, size_t align = 16);

  template <typename T>
  [[nodiscard]] T* make() {
    void* at = allocate(sizeof(T), alignof(T));
    return at == nullptr ? nullptr : new (at) T;
  }
  /// `count` zeroed elements; null when out of memory or the size overflows.
  template <typename T>
  [[nodiscard]] T* make_array(uint64_t count) {
    if (count > SIZE_MAX / 2 / sizeof(T)) return nullptr;
    return static_cast<T*>(allocate(count * sizeof(T), alignof(T)));
  }
  /// The same with any contents, for who writes all of it that is ever read.
  template <typename T>
  [[nodiscard]] T* make_unfilled(uint64_t count) {
    if (count > SIZE_MAX / 2 / sizeof(T)) return nullptr;
    return static_cast<T*>(allocate_unfilled(count * sizeof(T), alignof(T)));
  }
  template <typename T>
  void release_array(T* block, uint64_t count) {
    release(const_cast<std::remove_const_t<T>*>(block), static_cast<size_t>(count) * sizeof(T),
            alignof(T));
  }
  /// A NUL-terminated copy; null when out of memory.
  [[nodiscard]] char* copy_string(const char* text, size_t size);
  /// Of a string that fills its block, as copies do. Null is fine.
  void release_string(const char* text);

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  struct LargeBlock {
    LargeBlock* next;
    size_t bytes;
  };
  static constexpr size_t kClasses = 40;  // 16 to 64 by 16, then four a doubling, up to 32 KiB

  static size_t class_of(size_t bytes);
  static size_t class_bytes(size_t index);
  void* allocate_unfilled(uint64_t bytes, size_t align);
  // `used` tells whether the block may hold anything but zeros.
  void* take(uint64_t bytes, size_t align, bool& used);
  void* take_large(size_t bytes, bool& used);
  void* bump(size_t bytes, size_t align);
  void release_large(void* block, size_t bytes);
  void keep_rest(char* rest, size_t bytes);

  char* cursor_ = nullptr;
  char* limit_ = nullptr;
  Guarded<PageSource> source_;
  Guarded<PageSink> sink_;
  FreeBlock* free_[kClasses] = {};
  LargeBlock* kept_ = nullptr;
  size_t chunk_ = 0;  ///< bytes of the next one
};

}  // namespace prelude
