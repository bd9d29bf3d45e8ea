// Finding and loading an auditor.
#include "auditors.h"

#include <prelude/audit/audit.h>
#include <prelude/base/string.h>
#include <prelude/dl/dl.h>

namespace prelude::audit {
namespace {

// In the object itself or what it brings along; as dlsym on its handle would.
Result<uint64_t> function_named(Linker& linker, Module& module, const char* name) {
  SymbolQuery query = make_query(name);
  query.newest = true;
  const Definition found = find_symbol(linker, query, module.local_scope, nullptr);
  if (found.symbol == nullptr) {
    // Compat: traces have the line of a failed lookup, also for what an auditor may leave out.
    if (linker.tracer.wants(Topic::kErrors))
      linker.trace_error(linker,
                         {.code = Errc::kUndefinedSymbol, .object = module.path, .subject = name});
    return uint64_t{0};
  }
  trace_binding(linker, module, query, found, false);
  return callable_address(linker, found);
}

constexpr const char* kBindFunction =
    elf::Native::kClass == elf::kClass64 ? "la_symbind64" : "la_symbind32";

// Null where there is none.
template <typename Function>
Status look_up(Linker& linker, Module& module, const char* name, Function& out) {
  const uint64_t address = PRELUDE_TRY(function_named(linker, module, name));
  out = reinterpret_cast<Function>(address);
  return Done{};
}

Status look_up_all(Linker& linker, Module& module, Functions& f) {
  PRELUDE_TRY(look_up(linker, module, "la_activity", f.activity));
  PRELUDE_TRY(look_up(linker, module, "la_objsearch", f.search));
  PRELUDE_TRY(look_up(linker, module, "la_objopen", f.open));
  PRELUDE_TRY(look_up(linker, module, "la_preinit", f.preinit));
  PRELUDE_TRY(look_up(linker, module, kBindFunction, f.bind));
  PRELUDE_TRY(look_up(linker, module, arch::kCallEnterFunction, f.enter));
  PRELUDE_TRY(look_up(linker, module, arch::kCallLeaveFunction, f.leave));
  PRELUDE_TRY(look_up(linker, module, "la_objclose", f.close));
  return Done{};
}

Loaded failed(const Error& error) { return {.outcome = Outcome::kFailed, .error = error}; }

// Asks the object for the version it wants, and takes its functions.
Loaded admit(Linker& linker, Module& module) {
  uint32_t (*version)(uint32_t) = nullptr;
  if (const Status status = look_up(linker, module, "la_version", version); !status)
    return failed(keep_error(linker, status.error()));
  if (version == nullptr) return failed({.code = Errc::kUndefinedSymbol, .subject = "la_version"});
  const uint32_t wanted = version(kInterfaceVersion);
  if (wanted == 0) {
    if (linker.tracer.wants(Topic::kFiles))
      linker.tracer.emit({.kind = EventKind::kAuditorUnused,
                          .topic = Topic::kFiles,
                          .file = module.path,
                          .ns = module.name_space});
    return {.outcome = Outcome::kUnused};
  }
  if (wanted > kInterfaceVersion || wanted < arch::kOldestAuditVersion)
    return {.outcome = Outcome::kTooNew, .version = wanted, .refused = &module};
  Functions functions{};
  if (const Status status = look_up_all(linker, module, functions); !status)
    return failed(keep_error(linker, status.error()));
  if (!add(functions)) return failed({.code = Errc::kNoMoreNamespaces});
  return {.outcome = Outcome::kLoaded, .version = wanted};
}

}  // namespace

Loaded load(Linker& linker, const char* name, bool trusted_only) {
  Namespace* space = new_namespace(linker);
  if (space == nullptr) return failed({.code = Errc::kOutOfMemory, .object = name});
  // Compat: auditors that are there already are not asked about a path (glibc 2.36).
  Module* caller = contains(name, '/') && !contains(name, '$') ? nullptr : linker.self;
  const auto opened = dl::open(linker, {.file = name,
                                        .mode = kOpenLazy,
                                        .caller = caller,
                                        .space = space,
                                        .for_auditor = true,
                                        .trusted_only = trusted_only});
  if (space->first == nullptr) drop_if_empty(linker, *space);
  if (!opened) return failed(opened.error());
  Module& module = **opened;
  const Loaded loaded = admit(linker, module);
  if (loaded.outcome == Outcome::kTooNew) return loaded;
  if (loaded.outcome != Outcome::kLoaded) {
    (void)dl::close(linker, module);
    return loaded;
  }
  space->auditing = true;
  (void)record_of(linker, *linker.program);
  (void)record_of(linker, *linker.self);
  return loaded;
}

// Its namespace goes with it.
void drop(Linker& linker, const Loaded& loaded) {
  if (loaded.refused != nullptr) (void)dl::close(linker, *loaded.refused);
}

}  // namespace prelude::audit
