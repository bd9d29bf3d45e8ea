// C libraries of other namespaces: each is a copy with its own data, all share the loader and its
// structures.
#include "shared_state.h"

namespace prelude::glibc {

Status admit_libc(Linker&, const Batch& batch) {
  static char found[16];
  static char served[16];
  for (const Module* module : batch.modules) {
    if (!is_libc(*module)) continue;
    const int release = release_of(module->image), first = release_of(state().libc->image);
    if (release == first) {
      if (batch.space->index >= kNamespaces) PRELUDE_TRY(give_own_iteration(*module));
      continue;
    }
    Writer(found, sizeof found)
        .put("2.")
        .decimal(static_cast<uint64_t>(release < 0 ? 0 : release))
        .c_str();
    Writer(served, sizeof served).put("2.").decimal(static_cast<uint64_t>(first)).c_str();
    return Error{
        .code = Errc::kUnknownLibc, .object = module->path, .subject = found, .context = served};
  }
  return Done{};
}

void expect_foreign_threads(const Linker& linker) {
  constexpr const char* kFlag = "__libc_single_threaded";
  for (void* flag : {variable_of(*state().libc, kFlag, 1), program_copy(linker, kFlag, 1)})
    if (flag != nullptr) __atomic_store_n(static_cast<char*>(flag), 0, __ATOMIC_RELAXED);
}

Status start_libc_copies(Linker& linker, const Batch& batch) {
  constexpr const char* kEarlyInit = "__libc_early_init";
  if (batch.space->index == 0) return Done{};
  for (const Module* module : batch.modules) {
    if (!is_libc(*module)) continue;
    const auto early_init = reinterpret_cast<void (*)(bool)>(function_of(*module, kEarlyInit));
    if (early_init == nullptr) return lacks(*module, kEarlyInit);
    watch_forks(*module);
    early_init(false);
    // With auditors it has been told when it began.
    if (!state().early) expect_foreign_threads(linker);
  }
  return Done{};
}

}  // namespace prelude::glibc
