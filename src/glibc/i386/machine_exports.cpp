// What glibc's loader exports on this machine alone.
#include "glibc/shared_state.h"

// NOLINTBEGIN(readability-identifier-naming): names of the ABI
extern "C" {

PRELUDE_EXPORT const void* _dl_x86_get_cpu_features(uint32_t) {
  return _rtld_global_ro + prelude::glibc::state().layout->rtld_global_ro.dl_cpu_features;
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
