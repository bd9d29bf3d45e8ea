#include <arch/riscv64/instructions.h>
#include <arch/riscv64/vector_state.h>

uint64_t prelude_hardware_word = 0;
// Read by tlsdesc.S under this name.
uint8_t prelude_state_saver = 0;

namespace prelude::arch {

void use_vector_state(const VectorState& state) {
  prelude_state_saver = static_cast<uint8_t>(state.saver);
}

void* lazy_binding_stub(StateSaver) { return reinterpret_cast<void*>(&prelude_lazy); }

}  // namespace prelude::arch
