// The objects _rtld_global and _rtld_global_ro and the small exported variables.
#include <prelude/glibc/personality.h>

#include "machine.h"
#include "shared_state.h"

#include <prelude/base/string.h>

// NOLINTBEGIN(readability-identifier-naming): names of the ABI
extern "C" {
PRELUDE_STAYS_OPEN alignas(64) std::byte _rtld_global[prelude::glibc::kMaxRtldGlobalSize];
PRELUDE_CLOSED_AFTER_START alignas(64) std::byte
    _rtld_global_ro[prelude::glibc::kMaxRtldGlobalRoSize];
PRELUDE_STAYS_OPEN void* __libc_stack_end = nullptr;
PRELUDE_CLOSED_AFTER_START int __libc_enable_secure = 0;
PRELUDE_CLOSED_AFTER_START char** _dl_argv = nullptr;
PRELUDE_CLOSED_AFTER_START uintptr_t __pointer_chk_guard = 0;
PRELUDE_CLOSED_AFTER_START ptrdiff_t __rseq_offset = 0;
PRELUDE_CLOSED_AFTER_START uint32_t __rseq_size = 0;
const uint32_t __rseq_flags = 0;
PRELUDE_STAYS_OPEN bool __nptl_initial_report_events = false;
[[gnu::visibility("hidden")]] prelude::RDebug prelude_debug_root = {};
// Programs may copy the exported object: what they know of it is version 1, without r_next.
#define PRELUDE_TEXT_OF(value) PRELUDE_TEXT(value)
#define PRELUDE_TEXT(value) #value
asm(".globl _r_debug\n"
    ".type _r_debug, @object\n"
    ".set _r_debug, prelude_debug_root\n"
    ".size _r_debug, 5 * " PRELUDE_TEXT_OF(__SIZEOF_POINTER__));
[[gnu::noinline]] void _dl_debug_state() { asm volatile(""); }
}
// NOLINTEND(readability-identifier-naming)

namespace prelude::glibc {

constinit Room<State> the_state;
PRELUDE_STAYS_OPEN constinit Locks the_locks = {};

namespace {

// The end mark of libc's list of search directories: never empty, never freed.
constinit std::byte directory_list_end[64] = {};

void fill_lists(const RtldGlobal& f) {
  for (const uint16_t offset : {f.dl_stack_used, f.dl_stack_user, f.dl_stack_cache}) {
    auto* head = &field<ListHead>(_rtld_global, offset);
    *head = {head, head};
  }
  for (const uint16_t offset : {f.dl_load_lock, f.dl_load_write_lock, f.dl_load_tls_lock})
    set<int>(_rtld_global, static_cast<uint16_t>(offset + kMutexKind), kMutexRecursive);
}

// In the order in which glibc looks for them.
constexpr const char* kVdsoFunctions[] = {kVdsoClockGettime, kVdsoGettimeofday, kVdsoTime,
                                          kVdsoGetcpu, kVdsoClockGetres};

SymbolQuery vdso_query(const Linker& linker, const char* name) {
  SymbolQuery query = make_query(name);
  query.version = linker.version_names.find(kVdsoVersion, version_hash(kVdsoVersion));
  query.versioned = true;
  return query;
}

uint64_t vdso_function(Linker& linker, const char* name) {
  SymbolQuery query = vdso_query(linker, name);
  const elf::Symbol* symbol = find_in_object(linker.vdso->record, query);
  return symbol == nullptr ? 0 : linker.vdso->image.bias + symbol->value;
}

void fill_vdso(Linker& linker, const RtldGlobalRo& f) {
  if (linker.vdso == nullptr) return;
  std::byte* ro = _rtld_global_ro;
  set<const void*>(ro, f.dl_sysinfo_dso, linker.vdso->image.address(linker.vdso->image.low));
  set<void*>(ro, f.dl_sysinfo_map, linker.vdso->map);
  set_word(ro, f.dl_vdso_clock_gettime64, vdso_function(linker, kVdsoClockGettime));
  set_word(ro, f.dl_vdso_gettimeofday, vdso_function(linker, kVdsoGettimeofday));
  if (present(f.dl_vdso_time)) set_word(ro, f.dl_vdso_time, vdso_function(linker, kVdsoTime));
  if (present(f.dl_vdso_getcpu)) set_word(ro, f.dl_vdso_getcpu, vdso_function(linker, kVdsoGetcpu));
  set_word(ro, f.dl_vdso_clock_getres_time64, vdso_function(linker, kVdsoClockGetres));
  if (present(f.dl_vdso_getrandom))
    set_word(ro, f.dl_vdso_getrandom, vdso_function(linker, kVdsoGetrandom));
}

void fill_read_only(Linker& linker, const Layout& layout) {
  const RtldGlobalRo& f = layout.rtld_global_ro;
  const State& s = state();
  std::byte* ro = _rtld_global_ro;
  set<uint32_t>(ro, f.dl_debug_mask, linker.options->debug_mask);
  set_word(ro, f.dl_pagesize, s.kernel.page_size);
  set_word(ro, f.dl_minsigstacksize, s.kernel.minimum_signal_stack);
  set<int>(ro, f.dl_clktck, static_cast<int>(s.kernel.clock_tick));
  set<int>(ro, f.dl_debug_fd, 2);
  set<int>(ro, f.dl_lazy, linker.lazy_allowed ? 1 : 0);
  set<int>(ro, f.dl_verbose, linker.options->warn ? 1 : 0);
  const CpuSummary cpu =
      fill_processor(layout, s.cpu, {s.kernel.hwcap, s.kernel.hwcap2}, s.tunables, ro);
  set<uint64_t>(ro, f.dl_hwcap, cpu.hwcap);
  set<uint64_t>(ro, f.dl_hwcap2, s.kernel.hwcap2);
  set<const void*>(ro, f.dl_auxv, s.kernel.auxv);
  const char* platform = cpu.platform != nullptr ? cpu.platform : s.kernel.platform;
  set<const char*>(ro, f.dl_platform, platform);
  set<size_t>(ro, f.dl_platformlen, platform == nullptr ? 0 : string_length(platform));
  set<const void*>(ro, f.dl_init_all_dirs, directory_list_end);
  set<const void*>(ro, f.dl_origin_path, linker.options->origin_path);
  fill_vdso(linker, f);
  fill_slots(layout);
}

void trace_vdso_function(Linker& linker, const char* name) {
  SymbolQuery query = vdso_query(linker, name);
  const Definition found = find_symbol(linker, query, linker.vdso->scope, nullptr);
  if (found.symbol != nullptr) trace_binding(linker, *linker.vdso, query, found, false);
}

}  // namespace

void trace_vdso(Linker& linker) {
  if (!linker.tracer.wants(Topic::kSymbols) && !linker.tracer.wants(Topic::kBindings)) return;
  for (const char* name : kVdsoFunctions)
    if (name != nullptr) trace_vdso_function(linker, name);
  if (state().expected.asks_getrandom) trace_vdso_function(linker, kVdsoGetrandom);
}

DebuggerSymbols debugger_symbols() { return {_r_debug, _dl_debug_state}; }

void fill_globals(Linker& linker) {
  const Layout& layout = *state().layout;
  const RtldGlobal& f = layout.rtld_global;
  fill_lists(f);
  set<const void*>(_rtld_global, f.dl_all_dirs, directory_list_end);
  __libc_stack_end = state().kernel.stack_end;
  __libc_enable_secure = linker.process.secure ? 1 : 0;
  _dl_argv = linker.process.argv;
  fill_read_only(linker, layout);
}

void fill_program_facts(Linker& linker) {
  const RtldGlobalRo& f = state().layout->rtld_global_ro;
  std::byte* ro = _rtld_global_ro;
  field<void*>(ro, f.dl_initial_searchlist) = linker.base_space.global->modules;
  field<uint32_t>(ro, static_cast<uint16_t>(f.dl_initial_searchlist + kWord)) =
      linker.base_space.global->count;
  if (linker.auditor != nullptr) set<uint32_t>(ro, f.dl_naudit, linker.auditor->count());
  update_space(linker, linker.base_space);
}

void update_space(Linker& linker, Namespace& space) {
  const Layout& layout = *state().layout;
  const RtldGlobal& f = layout.rtld_global;
  size_t spaces = 1;  // one more than the highest number in use
  for (size_t i = 1; i < linker.spaces.size() && i < kNamespaces; ++i)
    if (linker.spaces[i]->first != nullptr) spaces = i + 1;
  set_word(_rtld_global, f.dl_nns, spaces);
  set<uint64_t>(_rtld_global, f.dl_load_adds, linker.adds);
  if (space.index >= kNamespaces) return;
  const LinkNamespaces& n = layout.link_namespaces;
  std::byte* at = _rtld_global + f.dl_ns + size_t{space.index} * n.size;
  set<void*>(at, n.ns_loaded, map_of(space.first));
  set<uint32_t>(at, n.ns_nloaded, space.count);
  set<void*>(at, n.ns_main_searchlist, space.global);
  const bool has_libc = state().libc != nullptr && state().libc->name_space == space.index;
  set<void*>(at, n.libc_map, map_of(has_libc ? state().libc : space.names.find(kLibcSoname)));
  if (space.first != nullptr) update_link_map(layout, *space.first);
}

void update_tls(Linker& linker) {
  const Layout& layout = *state().layout;
  const RtldGlobal& f = layout.rtld_global;
  set<size_t>(_rtld_global, f.dl_tls_max_dtv_idx, linker.tls.max_module_id());
  set<void*>(_rtld_global, f.dl_tls_dtv_slotinfo_list, linker.tls.slots());
  set_word(_rtld_global, f.dl_tls_static_used, linker.tls.static_used());
  set<void*>(_rtld_global, f.dl_initial_dtv, linker.initial_dtv);
  set_word(_rtld_global, f.dl_tls_generation, prelude_tls_generation);
  // Fixed once the first thread exists; the memory is read-only when later modules come.
  if (linker.self_protected) return;
  set_word(_rtld_global_ro, layout.rtld_global_ro.dl_tls_static_size, linker.tls.static_size());
  set_word(_rtld_global_ro, layout.rtld_global_ro.dl_tls_static_align, linker.tls.static_align());
}

}  // namespace prelude::glibc
