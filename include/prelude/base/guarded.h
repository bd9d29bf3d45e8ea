// Pointers that lead to code and lie in memory that stays writable: stored mixed with a word nobody
// outside the process knows, so that overwriting one gives no jump to a chosen place.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

/// For objects that are written during start-up and closed when it ends, with the loader's other
/// constant data. Tests on the host write to theirs at any time.
#if __STDC_HOSTED__
#define PRELUDE_CLOSED_AFTER_START
#define PRELUDE_STAYS_OPEN
#else
#define PRELUDE_CLOSED_AFTER_START [[gnu::section(".data.rel.ro")]]
/// For zeroed objects that others write to, or that are written to outside of any change. All the
/// rest is read-only between changes where the process is hardened (link/arena.h).
#define PRELUDE_STAYS_OPEN [[gnu::section(".bss.open")]]
#endif

namespace prelude {

/// The word that stored pointers are mixed with: eight bytes of AT_RANDOM, those that C libraries
/// use for the same. Set once, before the first pointer is stored. Closed after start.
extern uint64_t pointer_key;

/// A stored pointer (to a function, or to an object with virtual ones). Null is kept as zero, and
/// is told without the key.
template <typename Pointer>
class Guarded {
 public:
  constexpr Guarded() = default;
  constexpr Guarded(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): stands for Pointer
  template <std::convertible_to<Pointer> From>
  Guarded(From from)  // NOLINT(google-explicit-constructor)
      : mixed_(mix(static_cast<Pointer>(from))) {}

  [[nodiscard]] Pointer get() const { return mixed_ == 0 ? nullptr : unmixed(); }
  operator Pointer() const { return get(); }  // NOLINT(google-explicit-constructor)
  /// Not of a null pointer.
  Pointer operator->() const { return unmixed(); }
  template <typename... Arguments>
  decltype(auto) operator()(Arguments&&... arguments) const {
    return unmixed()(static_cast<Arguments&&>(arguments)...);
  }
  friend constexpr bool operator==(const Guarded& at, std::nullptr_t) { return at.mixed_ == 0; }

 private:
  static constexpr int kTurn = 17;
  [[nodiscard]] Pointer unmixed() const {
    return reinterpret_cast<Pointer>(
        static_cast<uintptr_t>(std::rotr(mixed_, kTurn) ^ pointer_key));
  }
  static uint64_t mix(Pointer pointer) {
    return pointer == nullptr
               ? 0
               : std::rotl(reinterpret_cast<uintptr_t>(pointer) ^ pointer_key, kTurn);
  }

  uint64_t mixed_ = 0;
};

/// Stands beside words that say what will be called: a change of them is noticed, as the fitting
/// seal cannot be made without the key.
template <std::convertible_to<uint64_t>... Words>
uint64_t seal_of(Words... words) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;  // spreads a change over the upper bits
  uint64_t seal = pointer_key;
  ((seal = std::rotl((seal ^ static_cast<uint64_t>(words)) * (kOdd ^ (pointer_key << 1)), 29)),
   ...);
  return seal;
}

}  // namespace prelude
