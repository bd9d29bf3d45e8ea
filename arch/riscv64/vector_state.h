// The stubs that compiled code enters by other conventions than a call: lazy binding and TLS
// descriptors. Only the latter keep vector registers, where the processor has them.
#pragma once

#include <cstdint>

namespace prelude::arch {

enum class StateSaver : uint8_t { kPlain = 0, kVector = 1 };
struct VectorState {
  StateSaver saver = StateSaver::kPlain;
};
/// `features` is the kernel's AT_HWCAP: one bit for each extension named by a letter.
constexpr VectorState vector_state_of(uint64_t features) {
  constexpr uint64_t kV = uint64_t{1} << ('V' - 'A');
  return {(features & kV) != 0 ? StateSaver::kVector : StateSaver::kPlain};
}
void use_vector_state(const VectorState& state);
/// The lazy binding stub, for the words before the slots of the PLT.
void* lazy_binding_stub(StateSaver saver);

}  // namespace prelude::arch

extern "C" {
/// Supplied by dl/: the address that slot `index` of `module` stands for. Nothing has been checked.
[[gnu::visibility("hidden")]] void* prelude_lazy_bind(void* module, uint64_t index,
                                                      uint64_t return_address);
/// Supplied by dl/: `index` is {module id, offset}.
[[gnu::visibility("hidden")]] void* prelude_tls_get_addr_slow(const void* index);

// Not callable from C++: entered from a PLT or by the TLS descriptor convention.
[[gnu::visibility("hidden")]] void prelude_lazy();
[[gnu::visibility("hidden")]] void prelude_tlsdesc_static();
[[gnu::visibility("hidden")]] void prelude_tlsdesc_undefined_weak();
[[gnu::visibility("hidden")]] void prelude_tlsdesc_dynamic();

/// The exported __tls_get_addr under a name of ours.
[[gnu::visibility("hidden")]] void* prelude_tls_get_addr(const void* index);

// NOLINTNEXTLINE(bugprone-dynamic-static-initializers): a plain word, set by use_vector_state
[[gnu::visibility("hidden")]] extern uint8_t prelude_state_saver;  ///< a StateSaver
}
