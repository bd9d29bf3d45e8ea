// A stub for PLT entries whose every call is reported (rtld-audit(7), la_pltenter and la_pltexit):
// it shows the arguments, calls the function, shows the result. What is shown are the structures
// La_x86_64_regs and La_x86_64_retval of <link.h>.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prelude::arch {

inline constexpr const char* kCallEnterFunction = "la_x86_64_gnu_pltenter";
/// Auditors of older versions of the interface are refused.
inline constexpr uint32_t kOldestAuditVersion = 1;
inline constexpr const char* kCallLeaveFunction = "la_x86_64_gnu_pltexit";

/// 16 bytes of a vector register; the other 48 follow where the processor has them.
struct VectorLow {
  uint64_t words[2];
};
struct VectorWhole {
  uint64_t words[8];
};

/// Arguments of a call as an auditor sees and may change them.
struct CallArguments {
  uint64_t rdx, r8, r9, rcx, rsi, rdi, rbp, rsp;  ///< rsp: address of the return address
  VectorLow low[8];
  VectorWhole whole[8];
  uint64_t unused[8];
};
static_assert(sizeof(CallArguments) == 768);
static_assert(offsetof(CallArguments, low) == 64 && offsetof(CallArguments, whole) == 192);

/// The result of a call.
struct CallResult {
  uint64_t rax, rdx;
  VectorLow low[2];
  uint64_t st[2][2];  ///< x87 registers, ten bytes each; what the function left empty is zero
  VectorWhole whole[2];
  uint64_t unused[4];
};
static_assert(sizeof(CallResult) == 240);
static_assert(offsetof(CallResult, st) == 48 && offsetof(CallResult, whole) == 80);

/// The low parts of vector registers before auditors could change them.
template <size_t kCount>
struct VectorsBefore {
  VectorLow low[kCount];
};
/// An auditor changes either view of a register, or both alike. A changed low part that the whole
/// register does not have counts, with zeros above it; else the whole register does.
VectorsBefore<8> note_vectors(const CallArguments& arguments);
VectorsBefore<2> note_vectors(const CallResult& result);
void settle_vectors(CallArguments& arguments, const VectorsBefore<8>& before);
void settle_vectors(CallResult& result, const VectorsBefore<2>& before);

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
