#include <prelude/link/arena.h>

#include <prelude/sys/sys.h>

namespace prelude {

bool Arena::protect(bool writable) const {
  const int prot = sys::kProtRead | (writable ? sys::kProtWrite : 0);
  for (size_t i = 0; i < count_; ++i) {
    const Range& range = ranges_[i];
    if (!sys::protect(reinterpret_cast<void*>(range.start), range.end - range.start, prot))
      return false;
  }
  return true;
}

// Neighbours are one range: the kernel makes one mapping of them.
void Arena::add(uintptr_t start, size_t bytes) {
  for (size_t i = 0; i < count_; ++i) {
    if (ranges_[i].end != start && ranges_[i].start != start + bytes) continue;
    if (ranges_[i].end == start)
      ranges_[i].end += bytes;
    else
      ranges_[i].start = start;
    return;
  }
  if (count_ < kMost) ranges_[count_++] = {start, start + bytes};
}

void Arena::remove(uintptr_t start, size_t bytes) {
  const uintptr_t end = start + bytes;
  for (size_t i = 0; i < count_; ++i) {
    Range& range = ranges_[i];
    if (end <= range.start || start >= range.end) continue;
    const Range behind{end, range.end};
    range.end = start;
    if (range.start == range.end) range = ranges_[--count_];
    // What lies behind counts as new.
    if (behind.start < behind.end) add(behind.start, behind.end - behind.start);
    return;
  }
}

bool Arena::start_closing(ArenaState& state) {
  state_ = &state;  // while it can be written
  state = {};
  if (protect(false)) {
    state.open = false;
    return true;
  }
  (void)protect(true);
  return false;
}

// In an order that lets a handler come in between: it may find the depth higher than the pages are
// open, never the other way round.
bool Arena::begin() {
  ArenaState& state = *state_;
  ++state.depth;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (state.open) return true;
  if (!protect(true)) return false;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  state.open = true;
  return true;
}

void Arena::end() {
  ArenaState& state = *state_;
  if (--state.depth != 0) return;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  state.open = false;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  (void)protect(false);
}

bool Arena::give_up() { return begin(); }

void Arena::forget_changes() {
  if (state_->depth == 0) return;
  state_->depth = 1;
  end();
}

}  // namespace prelude
