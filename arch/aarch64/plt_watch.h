// A stub for PLT entries whose every call is reported (rtld-audit(7), la_pltenter and la_pltexit).
// What is shown are the structures La_aarch64_regs and La_aarch64_retval of <link.h>. Calls are not
// watched on this machine yet: the stub binds like the other one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

inline constexpr const char* kCallEnterFunction = "la_aarch64_gnu_pltenter";
inline constexpr const char* kCallLeaveFunction = "la_aarch64_gnu_pltexit";

struct VectorRegister {
  uint64_t words[2];
};

/// Arguments of a call as an auditor sees and may change them.
struct CallArguments {
  uint64_t x[9];
  uint64_t padding;
  VectorRegister v[8];
  uint64_t sp, lr;
  void* variant_pcs;
};

/// The result of a call.
struct CallResult {
  uint64_t x[8];
  VectorRegister v[8];
  void* variant_pcs;
};

/// There is one view of each register: nothing to settle.
template <size_t>
struct VectorsBefore {};
inline VectorsBefore<8> note_vectors(const CallArguments&) { return {}; }
inline VectorsBefore<2> note_vectors(const CallResult&) { return {}; }
inline void settle_vectors(CallArguments&, const VectorsBefore<8>&) {}
inline void settle_vectors(CallResult&, const VectorsBefore<2>&) {}

}  // namespace prelude::arch

extern "C" {
// Not callable from C++: entered from a PLT.
[[gnu::visibility("hidden")]] void prelude_watched_call();
}
