#include <prelude/base/align.h>
#include <prelude/base/heap.h>
#include <prelude/base/string.h>

#include <atomic>

namespace prelude {
namespace {

constexpr size_t kGrain = 16;
constexpr size_t kPage = 4096;
constexpr int kTopBit = sizeof(size_t) * 8 - 1;
constexpr size_t kLargestClass = 32768;
constexpr size_t kFirstChunk = size_t{128} * 1024;
constexpr size_t kLargestChunk = size_t{1} << 20;
// Large blocks that came back wait for a request of their size: for the kernel to take and give
// pages costs more than to clear them. So many, none larger:
constexpr int kMostKept = 4;
constexpr size_t kLargestKept = size_t{1} << 20;
// How far allocate looks along a free list for a block of unusual alignment.
constexpr int kAlignedTries = 8;

bool aligned(const void* at, size_t align) {
  return (reinterpret_cast<uintptr_t>(at) & (align - 1)) == 0;
}

size_t pages(size_t bytes) { return static_cast<size_t>(round_up(bytes, kPage)); }

// The one store that makes a change valid; what it depends on must be in memory before it.
template <typename T>
void commit(T& place, T value) {
  std::atomic_ref<T>(place).store(value, std::memory_order_release);
}

}  // namespace

void Heap::start(void* first, size_t first_bytes, PageSource source, PageSink sink) {
  char* begin = static_cast<char*>(first);
  limit_ = nullptr;
  cursor_ = begin;
  limit_ = begin + first_bytes;
  source_ = source;
  sink_ = sink;
  chunk_ = kFirstChunk;
}

// 16, 32, 48, 64, then four classes for each power of two: 80, 96, 112, 128, 160, ... 28672, 32768.
size_t Heap::class_of(size_t bytes) {
  if (bytes <= 4 * kGrain) return bytes == 0 ? 0 : (bytes - 1) / kGrain;
  const auto top = static_cast<size_t>(kTopBit - __builtin_clzl(bytes - 1));  // 2^top < bytes
  const size_t quarter = (bytes - 1) >> (top - 2) & 3;
  return 4 * (top - 6) + quarter + 4;
}

size_t Heap::class_bytes(size_t index) {
  if (index < 4) return kGrain * (index + 1);
  const size_t power = size_t{64} << ((index - 4) / 4);  // NOLINT: index < kClasses
  return power + power / 4 * (index % 4 + 1);
}

[[gnu::always_inline]] inline void* Heap::take(uint64_t wanted, size_t align, bool& used) {
  if (wanted > SIZE_MAX / 2) return nullptr;
  const auto bytes = static_cast<size_t>(wanted);
  if (align < kGrain) align = kGrain;
  if (bytes > kLargestClass) return take_large(pages(bytes), used);

  const size_t index = class_of(bytes);
  FreeBlock** link = &free_[index];
  for (int tries = 0; *link != nullptr && tries < kAlignedTries; ++tries) {
    FreeBlock* block = *link;
    if (aligned(block, align)) {
      commit(*link, block->next);
      used = true;
      return block;
    }
    link = &block->next;
  }
  return bump(class_bytes(index), align);
}

void* Heap::allocate(uint64_t bytes, uint64_t align) {
  bool used = false;
  void* const block = take(bytes, static_cast<size_t>(align), used);
  if (used) fill_zero(block, bytes < sizeof(FreeBlock) ? sizeof(FreeBlock) : bytes);
  return block;
}

void* Heap::allocate_unfilled(uint64_t bytes, size_t align) {
  bool used = false;
  return take(bytes, align, used);
}

void* Heap::allocate_for_ever(uint64_t bytes, uint64_t align) {
  if (bytes > kLargestClass) return allocate(bytes, align);
  return bump(static_cast<size_t>(round_up(bytes, kGrain)),
              align < kGrain ? kGrain : static_cast<size_t>(align));
}

void Heap::release(void* block, size_t bytes, size_t /*align*/) {
  if (block == nullptr) return;
  if (bytes > kLargestClass) return release_large(block, pages(bytes));
  FreeBlock*& head = free_[class_of(bytes)];
  auto* freed = new (block) FreeBlock{head};
  commit(head, freed);
}

void* Heap::take_large(size_t bytes, bool& used) {
  for (LargeBlock** link = &kept_; *link != nullptr; link = &(*link)->next) {
    LargeBlock* block = *link;
    if (block->bytes != bytes) continue;
    commit(*link, block->next);
    used = true;
    return block;
  }
  return source_ == nullptr ? nullptr : source_(bytes);
}

void Heap::release_large(void* block, size_t bytes) {
  if (bytes <= kLargestKept) {
    auto* kept = new (block) LargeBlock{kept_, bytes};
    commit(kept_, kept);
    LargeBlock** last = &kept_;
    for (int i = 0; i < kMostKept && *last != nullptr; ++i) last = &(*last)->next;
    if (*last == nullptr) return;
    // The one that has waited longest goes.
    block = *last;
    bytes = (*last)->bytes;
    commit(*last, static_cast<LargeBlock*>(nullptr));
  }
  if (sink_ != nullptr) sink_(block, bytes);
}

void* Heap::bump(size_t bytes, size_t align) {
  for (;;) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(cursor_);
    const auto gap = static_cast<size_t>(round_up(at, align) - at);
    // While a chunk is being replaced limit_ is null, so compare before subtracting.
    const size_t room = limit_ > cursor_ ? static_cast<size_t>(limit_ - cursor_) : 0;
    if (room >= gap && room - gap >= bytes) {
      char* block = cursor_ + gap;
      commit(cursor_, block + bytes);
      return block;
    }
    void* chunk = source_ == nullptr ? nullptr : source_(chunk_);
    if (chunk == nullptr) return nullptr;
    commit(limit_, static_cast<char*>(nullptr));
    keep_rest(cursor_, room);
    commit(cursor_, static_cast<char*>(chunk));
    commit(limit_, static_cast<char*>(chunk) + chunk_);
    if (chunk_ < kLargestChunk) chunk_ *= 2;
  }
}

// What is left of a chunk waits on the free lists, in pieces as large as they fit.
void Heap::keep_rest(char* rest, size_t bytes) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(rest);
  const auto skip = static_cast<size_t>(round_up(at, kGrain) - at);
  if (bytes <= skip) return;
  rest += skip;
  bytes -= skip;
  while (bytes >= kGrain) {
    size_t index = class_of(bytes < kLargestClass ? bytes : kLargestClass);
    if (class_bytes(index) > bytes) --index;
    const size_t piece = class_bytes(index);
    release(rest, piece);
    rest += piece;
    bytes -= piece;
  }
}

char* Heap::copy_string(const char* text, size_t size) {
  auto* copy = static_cast<char*>(allocate_unfilled(size + 1, 1));
  if (copy == nullptr) return nullptr;
  copy_bytes(copy, text, size);
  copy[size] = 0;
  return copy;
}

void Heap::release_string(const char* text) {
  if (text != nullptr) release(const_cast<char*>(text), string_length(text) + 1);
}

}  // namespace prelude
