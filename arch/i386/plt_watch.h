// A stub for PLT entries whose every call is reported (rtld-audit(7), la_pltenter and la_pltexit).
// What is shown are the structures La_i86_regs and La_i86_retval of <link.h>. Calls are not watched
// on this machine yet: the stub binds like the other one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

/// Auditors of older versions of the interface are refused.
inline constexpr uint32_t kOldestAuditVersion = 1;

inline constexpr const char* kCallEnterFunction = "la_i86_gnu_pltenter";
inline constexpr const char* kCallLeaveFunction = "la_i86_gnu_pltexit";

/// Arguments of a call as an auditor sees and may change them.
struct CallArguments {
  uint32_t edx, ecx, eax, ebp, esp;
};

/// The result of a call.
struct CallResult {
  uint32_t eax, edx;
  uint8_t st[2][12];
  uint64_t bounds[2];
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
[[gnu::visibility("hidden")]] void prelude_lazy();
}
inline void (*const prelude_watched_call)() = prelude_lazy;
