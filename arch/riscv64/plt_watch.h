// Calls through PLT entries that are reported to auditors (rtld-audit(7), la_pltenter and
// la_pltexit). Compat: on this machine glibc reports none either, though <link.h> has the
// structures La_riscv_regs and La_riscv_retval; the stub binds like the other one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

inline constexpr const char* kCallEnterFunction = "la_riscv_gnu_pltenter";
inline constexpr const char* kCallLeaveFunction = "la_riscv_gnu_pltexit";
/// Auditors of older versions of the interface are refused.
inline constexpr uint32_t kOldestAuditVersion = 1;

/// Arguments of a call as an auditor sees and may change them.
struct CallArguments {
  uint64_t a[8];
  double fa[8];
  uint64_t ra, sp;
};

/// The result of a call.
struct CallResult {
  uint64_t a0, a1;
  double fa0, fa1;
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
