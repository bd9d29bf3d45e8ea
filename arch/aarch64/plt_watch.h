// A stub for PLT entries whose every call is reported (rtld-audit(7), la_pltenter and la_pltexit):
// it shows the arguments, calls the function, shows the result. What is shown are the structures
// La_aarch64_regs and La_aarch64_retval of <link.h>; functions of another convention are bound at
// once and not seen.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

inline constexpr const char* kCallEnterFunction = "la_aarch64_gnu_pltenter";
/// Auditors of older versions of the interface are refused: 2 brought what is below.
inline constexpr uint32_t kOldestAuditVersion = 2;
inline constexpr const char* kCallLeaveFunction = "la_aarch64_gnu_pltexit";

struct alignas(16) VectorRegister {
  uint64_t words[2];
};

/// Arguments of a call as an auditor sees and may change them.
struct CallArguments {
  uint64_t x[9];
  VectorRegister v[8];
  uint64_t sp, lr;  ///< as at the call
  void* variant_pcs;
};
static_assert(sizeof(CallArguments) == 240 && offsetof(CallArguments, v) == 80);
static_assert(offsetof(CallArguments, sp) == 208 && offsetof(CallArguments, variant_pcs) == 224);

/// The result of a call.
struct CallResult {
  uint64_t x[8];
  VectorRegister v[8];
  void* variant_pcs;
};
static_assert(sizeof(CallResult) == 208 && offsetof(CallResult, variant_pcs) == 192);

/// There is one view of each register: nothing to settle.
template <size_t>
struct VectorsBefore {};
inline VectorsBefore<8> note_vectors(const CallArguments&) { return {}; }
inline VectorsBefore<2> note_vectors(const CallResult&) { return {}; }
inline void settle_vectors(CallArguments&, const VectorsBefore<8>&) {}
inline void settle_vectors(CallResult&, const VectorsBefore<2>&) {}

}  // namespace prelude::arch

extern "C" {
/// Supplied by audit/: reports the call and gives the address to call. `frame_bytes` receives how
/// much of the caller's stack belongs to the arguments, if the return is to be reported too; it
/// stays negative otherwise.
[[gnu::visibility("hidden")]] void* prelude_call_enter(void* module, uint64_t index,
                                                       prelude::arch::CallArguments* arguments,
                                                       int64_t* frame_bytes);
/// Supplied by audit/: reports the return.
[[gnu::visibility("hidden")]] void prelude_call_leave(void* module, uint64_t index,
                                                      const prelude::arch::CallArguments* arguments,
                                                      prelude::arch::CallResult* result);
// Not callable from C++: entered from a PLT.
[[gnu::visibility("hidden")]] void prelude_watched_call();
}
