// How the assembly stubs (lazy binding, TLS descriptors) keep vector registers. use_vector_state
// stores the choice where the stubs read it, once, before the first stub can run.
#pragma once

#include <cstdint>

namespace prelude::arch {

/// Values are known to save_state.inc.
enum class StateSaver : uint32_t { kNone = 0, kFxsave = 1, kXsave = 2 };

struct VectorState {
  StateSaver saver = StateSaver::kNone;
  uint32_t mask = 0;   ///< state components to keep (Intel SDM vol. 1, 13.1)
  uint32_t bytes = 0;  ///< size of the save area, a multiple of 64
};

void use_vector_state(const VectorState& state);
/// The lazy binding stub, for GOT[2].
void* lazy_binding_stub(StateSaver saver);

}  // namespace prelude::arch

extern "C" {
/// Supplied by dl/: the address that slot `index` of `module` stands for. Nothing has been checked:
/// all three are words of the caller's stack.
[[gnu::visibility("hidden")]] void* prelude_lazy_bind(void* module, uintptr_t index,
                                                      uintptr_t return_address);
/// Supplied by dl/: `index` is {module id, offset}.
[[gnu::visibility("hidden")]] void* prelude_tls_get_addr_slow(const void* index);

// Not callable from C++: entered from a PLT or by the TLS descriptor convention.
[[gnu::visibility("hidden")]] void prelude_lazy();
[[gnu::visibility("hidden")]] void prelude_tlsdesc_static();
[[gnu::visibility("hidden")]] void prelude_tlsdesc_undefined_weak();
[[gnu::visibility("hidden")]] void prelude_tlsdesc_dynamic();

/// The exported __tls_get_addr under a name of ours.
[[gnu::visibility("hidden")]] void* prelude_tls_get_addr(const void* index);

// NOLINTBEGIN(bugprone-dynamic-static-initializers): plain words, set by use_vector_state.
[[gnu::visibility("hidden")]] extern prelude::arch::VectorState prelude_vector_state;
// NOLINTEND(bugprone-dynamic-static-initializers)
}
static_assert(sizeof(prelude::arch::VectorState) == 12);
