#include <arch/x86_64/vector_state.h>

// Read by save_state.inc under these names.
uint64_t prelude_xsave_area_size = 512;
uint32_t prelude_xsave_mask[2] = {0, 0};
uint32_t prelude_state_saver = 0;

namespace prelude::arch {

void use_vector_state(const VectorState& state) {
  prelude_xsave_area_size = state.bytes;
  prelude_xsave_mask[0] = static_cast<uint32_t>(state.mask);
  prelude_xsave_mask[1] = static_cast<uint32_t>(state.mask >> 32);
  prelude_state_saver = static_cast<uint32_t>(state.saver);
}

void* lazy_binding_stub(StateSaver saver) {
  switch (saver) {
    case StateSaver::kXsave:
      return reinterpret_cast<void*>(&prelude_lazy_xsave);
    case StateSaver::kXsavec:
      return reinterpret_cast<void*>(&prelude_lazy_xsavec);
    case StateSaver::kFxsave:
      break;
  }
  return reinterpret_cast<void*>(&prelude_lazy_fxsave);
}

}  // namespace prelude::arch
