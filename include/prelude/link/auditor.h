// Those who watch a process being linked and may change what comes of it (rtld-audit(7)), as the
// questions that the core asks. A process without auditors has none: each place that asks tests one
// pointer. Implemented in audit/.
#pragma once

#include <prelude/symbols/symbols.h>

#include <cstdint>

namespace prelude {

struct Linker;
struct Module;
struct Namespace;
/// What the auditors keep of a module; known to audit/ alone.
struct AuditRecord;

/// Where a name or a path comes from (LA_SER_* of <link.h>).
enum class NameSource : uint32_t {
  kOriginal = 1,
  kLibraryPath = 2,
  kRunpath = 4,  ///< DT_RPATH, too
  kCache = 8,
  kDefault = 0x40,
};

/// What happens to a namespace (LA_ACT_*).
enum class Activity : uint32_t { kConsistent = 0, kAdd = 1, kDelete = 2 };

/// Where releases of a libc differ in what auditors and debuggers are told, and when.
struct AuditRules {
  bool complete_when_relocated = false;  ///< opened objects: told when relocated, not when mapped
  bool removal_before_close = false;     ///< told before the first object is closed, not after all
  bool loader_in_each_space = false;     ///< told of the loader in every namespace, not once
  bool debugger_first = false;   ///< told of completeness when the debugger is, not before it
  bool stops_unchanged = false;  ///< debuggers stop for requests that add nothing, too
};

/// What somebody wants to know of the calls that a module makes through its PLT.
enum class PltWatch : uint8_t {
  kNone,
  kBindings,  ///< where each entry leads to
  kCalls,     ///< every call
};

class Auditor {
 public:
  /// The name or path to be used in place of `name`, or `name` itself; null = there is no such
  /// file.
  virtual const char* look_for(Linker& linker, const Module& requester, const char* name,
                               NameSource source) = 0;
  /// The module is in its namespace's list.
  virtual void opened(Linker& linker, Module& module) = 0;
  /// The module's finalisers have run, or its request has failed.
  virtual void closed(Linker& linker, Module& module) = 0;
  /// The module's memory is about to go.
  virtual void forget(Linker& linker, Module& module) = 0;
  virtual void activity(Linker& linker, Namespace& space, Activity what) = 0;
  /// Asked before a module is relocated. Out of memory counts as kNone.
  virtual PltWatch watch(Linker& linker, Module& module) = 0;
  /// The module's PLT slots hold their final addresses. May change them.
  virtual void slots_bound(Linker& linker, Module& module) = 0;
  /// Entry `index` of the module's PLT is bound at its first call. Gives the address to call.
  virtual uint64_t call_bound(Linker& linker, Module& module, uint64_t index,
                              const Definition& found, uint64_t address) = 0;
  /// A symbol was looked up by its name, as dlsym does. Gives the address to hand out.
  virtual uint64_t found_by_name(Module& referrer, const Definition& found, uint64_t address) = 0;
  /// A reference of the loader's own has been bound.
  virtual uint64_t bound_at_once(Module& referrer, const Definition& found, uint64_t address) = 0;
  /// The program's initialisers are next.
  virtual void program_starts(Module& program) = 0;
  [[nodiscard]] virtual uint32_t count() const = 0;

 protected:
  ~Auditor() = default;
};

}  // namespace prelude
