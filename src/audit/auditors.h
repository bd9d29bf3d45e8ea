// The functions of the auditors, and what is kept of each module for them.
#pragma once

#include <prelude/link/linker.h>

#include <arch/stubs.h>

#include <cstdint>

namespace prelude {

namespace audit {

/// No process has more namespaces with glibc.
inline constexpr uint32_t kMostAuditors = 16;

// Flags of <link.h>.
inline constexpr uint32_t kBindTo = 1, kBindFrom = 2;
inline constexpr uint32_t kNoEnter = 1, kNoLeave = 2, kByName = 8, kAltered = 16;

/// The functions of one auditor; null where it has none.
struct Functions {
  void (*activity)(uintptr_t* cookie, uint32_t what);
  const char* (*search)(const char* name, uintptr_t* cookie, uint32_t source);
  uint32_t (*open)(LinkMap* map, long space, uintptr_t* cookie);
  void (*preinit)(uintptr_t* cookie);
  uintptr_t (*bind)(elf::Symbol* symbol, uint32_t index, uintptr_t* from, uintptr_t* to,
                    uint32_t* flags, const char* name);
  uintptr_t (*enter)(elf::Symbol* symbol, uint32_t index, uintptr_t* from, uintptr_t* to,
                     arch::CallArguments* arguments, uint32_t* flags, const char* name,
                     long* frame_bytes);
  uint32_t (*leave)(elf::Symbol* symbol, uint32_t index, uintptr_t* from, uintptr_t* to,
                    const arch::CallArguments* arguments, arch::CallResult* result,
                    const char* name);
  uint32_t (*close)(uintptr_t* cookie);
};

/// What became of a PLT entry.
struct PltCall {
  Definition found;
  uint64_t address;
  uint32_t flags;     ///< as the last la_symbind64 left them
  uint32_t silent;    ///< kNoEnter and kNoLeave, two bits for each auditor
  uint32_t complete;  ///< the other members are final
};

/// Words of each auditor for one module.
struct State {
  uintptr_t cookie;
  uint32_t bind_flags;
};

}  // namespace audit

struct AuditRecord {
  audit::State states[audit::kMostAuditors];
  audit::PltCall* calls;  ///< one for each entry of the PLT's relocations; null = not watched
  uint64_t call_count;
  bool interesting;  ///< some auditor wants its bindings
};

namespace audit {

class Auditors final : public Auditor {
 public:
  const char* look_for(Linker& linker, const Module& requester, const char* name,
                       NameSource source) override;
  void opened(Linker& linker, Module& module) override;
  void closed(Linker& linker, Module& module) override;
  void forget(Linker& linker, Module& module) override;
  void activity(Linker& linker, Namespace& space, Activity what) override;
  PltWatch watch(Linker& linker, Module& module) override;
  void slots_bound(Linker& linker, Module& module) override;
  uint64_t call_bound(Linker& linker, Module& module, uint64_t index, const Definition& found,
                      uint64_t address) override;
  uint64_t found_by_name(Module& referrer, const Definition& found, uint64_t address) override;
  uint64_t bound_at_once(Module& referrer, const Definition& found, uint64_t address) override;
  void program_starts(Module& program) override;
  [[nodiscard]] uint32_t count() const override;
};

/// Adds an auditor; false when there are too many.
[[nodiscard]] bool add(const Functions& functions);
const Functions& functions_of(uint32_t auditor);
uint32_t auditor_count();

/// A definition as auditors see it: st_value is the address.
struct Shown {
  elf::Symbol symbol;
  uint32_t index;
  const char* name;

  Shown(const Definition& found, uint64_t address);
};

/// The record of a module, made now if it has none; null when out of memory.
AuditRecord* record_of(Linker& linker, Module& module);

}  // namespace audit
}  // namespace prelude
