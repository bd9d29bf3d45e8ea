// The stubs that compiled code enters by other conventions than a call: lazy binding and TLS
// descriptors. They keep q0 to q7 or q0 to q31; there is nothing to choose.
#pragma once

#include <cstdint>

namespace prelude::arch {

enum class StateSaver : uint32_t { kPlain };
struct VectorState {
  StateSaver saver = StateSaver::kPlain;
};
inline void use_vector_state(const VectorState&) {}
/// The lazy binding stub, for GOT[2].
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
}
