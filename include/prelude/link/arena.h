// The memory that decides what the process does: the linker, its modules, lists and tables. In
// hardened processes it can be written to only while a change is under way.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude {

/// What an Arena notes while its memory is closed. Lies elsewhere.
struct ArenaState {
  uint32_t depth = 0;  ///< changes begun and not ended
  bool open = true;    ///< as far as a handler that interrupts begin() or end() may count on it
};

class Arena {
 public:
  constexpr Arena() = default;

  /// Whole pages that belong to it from now on. Ranges beyond what it can keep in mind are never
  /// closed.
  void add(uintptr_t start, size_t bytes);
  void remove(uintptr_t start, size_t bytes);

  /// From here on it is closed between changes. False (the kernel has no room for the mappings): it
  /// stays open. The state must outlive it.
  [[nodiscard]] bool start_closing(ArenaState& state);

  /// Nest. For one thread at a time, and for handlers that interrupt it. False where the kernel
  /// does not open it.
  [[nodiscard]] bool begin();
  void end();
  /// Open for good: the process is about to end. False like begin().
  [[nodiscard]] bool give_up();
  /// In the child of a fork: changes that are not the calling thread's are not under way here.
  void forget_changes();

 private:
  struct Range {
    uintptr_t start, end;
  };
  static constexpr size_t kMost = 64;

  [[nodiscard]] bool protect(bool writable) const;

  Range ranges_[kMost] = {};
  size_t count_ = 0;
  ArenaState* state_ = nullptr;
};

}  // namespace prelude
