// How the assembly stubs (lazy binding, TLS descriptors) keep vector registers: which instruction,
// which components, how many bytes. use_vector_state stores the choice where the stubs read it,
// once, before the first stub can run; until then they use fxsave.
#pragma once

#include <cstdint>

namespace prelude::arch {

enum class StateSaver : uint32_t { kFxsave = 0, kXsave = 1, kXsavec = 2 };

struct VectorState {
  StateSaver saver = StateSaver::kFxsave;
  uint64_t mask = 0;     ///< state components to keep (Intel SDM vol. 1, 13.1)
  uint64_t bytes = 512;  ///< size of the save area, a multiple of 64
};

void use_vector_state(const VectorState& state);
/// The lazy binding stub that goes with `saver`, for GOT[2].
void* lazy_binding_stub(StateSaver saver);

}  // namespace prelude::arch

extern "C" {
/// Supplied by dl/ or link/: the address that slot `index` of `module` stands for. Nothing has been
/// checked: all three are words of the caller's stack.
[[gnu::visibility("hidden")]] void* prelude_lazy_bind(void* module, uint64_t index,
                                                      uint64_t return_address);
/// Supplied by tls/: `index` is {module id, offset}.
[[gnu::visibility("hidden")]] void* prelude_tls_get_addr_slow(const void* index);

// Not callable from C++: entered from a PLT or by the TLS descriptor convention.
[[gnu::visibility("hidden")]] void prelude_lazy_fxsave();
[[gnu::visibility("hidden")]] void prelude_lazy_xsave();
[[gnu::visibility("hidden")]] void prelude_lazy_xsavec();
[[gnu::visibility("hidden")]] void prelude_tlsdesc_static();
[[gnu::visibility("hidden")]] void prelude_tlsdesc_undefined_weak();
[[gnu::visibility("hidden")]] void prelude_tlsdesc_dynamic();

/// The exported __tls_get_addr under a name of ours.
[[gnu::visibility("hidden")]] void* prelude_tls_get_addr(const void* index);

// NOLINTBEGIN(bugprone-dynamic-static-initializers): plain words, set by use_vector_state.
[[gnu::visibility("hidden")]] extern uint64_t prelude_xsave_area_size;  ///< bytes, 64-aligned
[[gnu::visibility("hidden")]] extern uint32_t prelude_xsave_mask[2];    ///< low, high word
[[gnu::visibility("hidden")]] extern uint32_t prelude_state_saver;      ///< a StateSaver
// NOLINTEND(bugprone-dynamic-static-initializers)
}
