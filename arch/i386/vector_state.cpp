#include <arch/i386/vector_state.h>

// Read by save_state.inc under this name.
constinit prelude::arch::VectorState prelude_vector_state;

namespace prelude::arch {

void use_vector_state(const VectorState& state) { prelude_vector_state = state; }

void* lazy_binding_stub(StateSaver) { return reinterpret_cast<void*>(&prelude_lazy); }

}  // namespace prelude::arch
