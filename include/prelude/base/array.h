// A growable array of trivially copyable elements on a Heap. Growth is visible: push says when
// memory is out. Never shrinks; the owner calls release().
#pragma once

#include <prelude/base/heap.h>
#include <prelude/base/string.h>

#include <cstddef>
#include <type_traits>

namespace prelude {

template <typename T>
class Array {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  constexpr Array() = default;

  [[nodiscard]] bool reserve(Heap& heap, size_t wanted) {
    if (wanted <= capacity_) return true;
    size_t capacity = capacity_ == 0 ? 8 : capacity_ * 2;
    if (capacity < wanted) capacity = wanted;
    T* grown = heap.make_array<T>(capacity);
    if (grown == nullptr) return false;
    if (size_ != 0) copy_bytes(grown, data_, size_ * sizeof(T));
    if (data_ != nullptr) heap.release_array(data_, capacity_);
    data_ = grown;
    capacity_ = capacity;
    return true;
  }
  [[nodiscard]] bool push(Heap& heap, const T& value) {
    if (size_ == capacity_ && !reserve(heap, size_ + 1)) return false;
    data_[size_++] = value;
    return true;
  }
  void release(Heap& heap) {
    if (data_ != nullptr) heap.release_array(data_, capacity_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }
  void clear() { size_ = 0; }
  void pop() { --size_; }
  void remove_at(size_t index) {
    for (size_t i = index + 1; i < size_; ++i) data_[i - 1] = data_[i];
    --size_;
  }

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t capacity() const { return capacity_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace prelude
