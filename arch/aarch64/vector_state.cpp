#include <arch/aarch64/vector_state.h>

namespace prelude::arch {

void* lazy_binding_stub(StateSaver) { return reinterpret_cast<void*>(&prelude_lazy); }

}  // namespace prelude::arch
