#include <prelude/glibc/personality.h>

#include "shared_state.h"

#include <prelude/base/string.h>
#include <prelude/debugger/debugger.h>

namespace prelude::glibc {
namespace {

static_assert(kMaxLinkMapSize <= kLinkMapBytes);

const elf::Symbol* symbol_of(const Module& libc, const char* name) {
  SymbolQuery query = make_query(name);
  query.newest = true;
  query.function_call = true;
  return find_in_object(libc.record, query);
}

const void* libc_object(const Module& libc, const char* name) {
  SymbolQuery query = make_query(name);
  query.newest = true;
  const elf::Symbol* symbol = find_in_object(libc.record, query);
  if (symbol == nullptr || symbol->size < 4) return nullptr;
  return libc.image.file_bytes(symbol->value, symbol->size);
}

// libc closes nothing without a look at a hook, which stands behind most of _rtld_global_ro.
bool looks_for_hook(const Module& libc, const Layout& layout) {
  constexpr uint32_t kEnough = 64;
  const elf::Symbol* symbol = symbol_of(libc, "dlclose");
  if (symbol == nullptr) return false;
  const size_t bytes = symbol->size < kEnough ? symbol->size : kEnough;
  const void* code = libc.image.file_bytes(symbol->value, bytes);
  return code != nullptr && arch::Native::uses_offset(static_cast<const uint8_t*>(code), bytes,
                                                      layout.rtld_global_ro.dl_dlfcn_hook);
}

// libc describes its own structures for thread debuggers, and its code shows more: a build whose
// fields moved is found out here. What tells it, or null.
const char* difference(const Module& libc, const Layout& layout) {
  uint32_t bytes = 0;
  const uint8_t* id = build_id(libc.image, bytes);
  if (id != nullptr && bytes == sizeof layout.build_id &&
      __builtin_memcmp(id, layout.build_id, bytes) == 0)
    return nullptr;
  constexpr size_t kDecisive = 4;
  size_t checked = 0;
  for (const FingerprintWord& word : kFingerprintWords) {
    if (checked++ == kDecisive) break;
    const uint16_t expected = layout.fingerprint.*word.expected;
    const auto* words = static_cast<const uint32_t*>(libc_object(libc, word.symbol));
    if (expected != kAbsent && (words == nullptr || words[word.word] != expected))
      return word.symbol;
  }
  return looks_for_hook(libc, layout) ? nullptr : "dlclose";
}

// From malloc and not from calloc: a program may have replaced that alone (glibc 2.36, 2.41).
void* allocate_for_threads(size_t bytes) {
  void* block = state().functions.malloc(bytes);
  if (block != nullptr) fill_zero(block, bytes);
  return block;
}
void* allocate_used(size_t bytes) { return state().functions.malloc(bytes); }
void release_for_threads(void* block) { state().functions.free(block); }
void* allocate_early(size_t bytes) { return the_linker->open_heap->allocate(bytes); }
void release_early(void*) {}

template <typename Function>
void find_function(const char* name, Guarded<Function>& out) {
  out = reinterpret_cast<Function>(libc_symbol(name));
}

// What the loader itself imports: the same, said in the trace.
template <typename Function>
void find_import(Linker& linker, const char* name, Guarded<Function>& out) {
  find_function(name, out);
  if (out == nullptr || linker.program->scope == nullptr ||
      (!linker.tracer.wants(Topic::kSymbols) && !linker.tracer.wants(Topic::kBindings)))
    return;
  SymbolQuery query = make_query(name);
  query.version = linker.version_names.find("GLIBC_PRIVATE", version_hash("GLIBC_PRIVATE"));
  query.versioned = true;
  const Definition found = find_symbol(linker, query, linker.program->scope, nullptr);
  if (found.symbol != nullptr) trace_binding(linker, *linker.self, query, found, false);
}

// The allocator the program uses, which need not be libc's.
template <typename Function>
void find_allocator(Linker& linker, const char* name, Guarded<Function>& out) {
  SymbolQuery query = make_query(name);
  query.version = linker.version_names.find(kBaseVersion, version_hash(kBaseVersion));
  query.versioned = true;
  const Definition found = find_symbol(linker, query, linker.program->scope, nullptr);
  if (found.symbol == nullptr) return;
  trace_binding(linker, *linker.program, query, found, false);
  const auto resolved = callable_address(linker, found);
  if (!resolved) linker.fatal(linker, resolved.error());
  uint64_t address = *resolved;
  if (linker.auditor != nullptr)
    address = linker.auditor->found_by_name(*linker.program, found, address);
  out = reinterpret_cast<Function>(address);
}

// The first of the functions that cannot be done without.
const char* missing_function(bool has_early_init) {
  const LibcFunctions& f = state().functions;
  const bool has_own = state().layout->behaviour.catch_in_loader;
  const struct {
    bool there;
    const char* name;
  } functions[] = {{f.malloc != nullptr, "malloc"},
                   {f.calloc != nullptr, "calloc"},
                   {f.free != nullptr, "free"},
                   {f.mutex_lock != nullptr, "pthread_mutex_lock"},
                   {f.mutex_unlock != nullptr, "pthread_mutex_unlock"},
                   {f.mutex_trylock != nullptr, "pthread_mutex_trylock"},
                   {has_own || f.signal_exception != nullptr, "_dl_signal_exception"},
                   {has_own || f.catch_error != nullptr, "_dl_catch_error"},
                   {has_early_init, "__libc_early_init"}};
  for (const auto& function : functions)
    if (!function.there) return function.name;
  return nullptr;
}

const char* version_text(int release) {
  static char text[16];
  Writer out(text, sizeof text);
  out.put("2.").decimal(static_cast<uint64_t>(release < 0 ? 0 : release));
  return out.c_str();
}

const char* served_text() {
  static char text[64];
  Writer out(text, sizeof text);
  for (size_t i = 0; i < layout_count(); ++i)
    out.put(i == 0 ? "2." : ", 2.").decimal(static_cast<uint64_t>(layouts()[i].minor));
  return out.c_str();
}

// What the loader of an older release imports from libc, in its order: auditors look at it.
void show_imports(Linker& linker) {
  if (state().layout->behaviour.catch_in_loader) return;
  for (const char* name :
       {"_dl_catch_exception", "_dl_signal_exception", "_dl_signal_error", "_dl_catch_error"}) {
    SymbolQuery query = make_query(name);
    query.newest = true;
    const elf::Symbol* symbol = find_in_object(state().libc->record, query);
    if (symbol == nullptr) continue;
    (void)linker.auditor->bound_at_once(*linker.self, {symbol, state().libc},
                                        state().libc->image.bias + symbol->value);
  }
}

// The loader's own, when it has its place in the list.
void trace_relocation(Linker& linker, EventKind kind) {
  if (linker.self->prev != nullptr && linker.tracer.wants(Topic::kReloc))
    linker.tracer.emit({.kind = kind, .topic = Topic::kReloc, .object = linker.self->path});
}

// The record is copied as it is when the program is relocated.
void follow_debug_copy(Linker& linker) {
  constexpr const char* kName = "_r_debug";
  if (linker.tracer.wants(Topic::kSymbols) || linker.tracer.wants(Topic::kBindings)) {
    SymbolQuery query = make_query(kName);
    const Definition found = find_symbol(linker, query, linker.program->scope, nullptr);
    if (found.symbol != nullptr) trace_binding(linker, *linker.program, query, found, false);
  }
  if (void* copy = program_copy(linker, kName, offsetof(RDebug, r_ldbase)); copy != nullptr)
    debugger::follow(*static_cast<RDebug*>(copy));
}

class GlibcPersonality final : public Personality {
 public:
  void vdso_adopted(Linker& linker) override { trace_vdso(linker); }
  Status recognise(Linker& linker) override {
    State& s = state();
    if (!s.early) linker.thread_memory = {allocate_early, release_early};
    Module* libc = linker.base_space.names.find(kLibcSoname);
    if (libc != nullptr) {
      PRELUDE_TRY(settle_layout(linker, *libc));
      s.libc = libc;
      if (linker.tracer.any()) [[unlikely]]
        expect_manners(manners_of(&libc->image));
    }
    if (!active()) return Done{};
    constexpr uint64_t kOldOrder = 1;
    if (s.tunables.number(s.tunables.ids().rtld_dynamic_sort) == kOldOrder) {
      linker.sort_by_moving = true;
      PRELUDE_TRY(sort_root(linker, *linker.program, true));
    }
    linker.closed_goes_first = s.layout->behaviour.closed_goes_first;
    linker.quiet_reopen = s.layout->behaviour.quiet_reopen;
    linker.program->open_count = 1;  // start-up counts as one dlopen
    fill_program_facts(linker);
    PRELUDE_TRY(prepare_stacks(linker));
    for (Module* module = linker.base_space.first; module != nullptr; module = module->next)
      fill_link_map(*s.layout, *module);
    return Done{};
  }

  void module_ready(Linker&, Module& module) override {
    if (active()) fill_link_map(*state().layout, module);
  }
  void module_changed(Linker&, Module& module) override {
    if (active()) update_link_map(*state().layout, module);
  }
  void space_changed(Linker& linker, Namespace& space) override {
    if (state().early && !linker.start_up_done) check_early(linker);
    if (active()) update_space(linker, space);
  }
  void reserve_tls(Linker& linker) override {
    if (active() || linker.auditor != nullptr) reserve_rseq(linker);
    if (active()) linker.tls.begin_at(state().layout->behaviour.first_generation);
  }
  uint64_t tls_surplus(Linker& linker) override {
    constexpr uint64_t kForAuditors = 2048;  // and for the program's libraries, which come later
    if (linker.auditor != nullptr) return 1664 + kForAuditors;
    if (!active()) return 1664;
    const Tunables& t = state().tunables;
    const uint64_t spaces = t.number(t.ids().rtld_nns, 4);
    return 192 * (spaces - 1) + 144 * spaces + t.number(t.ids().rtld_optional_static_tls, 512);
  }
  uint64_t thread_block_bytes(Linker& linker) override {
    if (linker.auditor != nullptr)
      return kMaxPthreadSize + kBehindPthread;  // which libc it will be is not known
    return active() ? record_bytes() : 704;
  }
  void prepare_thread(Linker& linker, char* block) override { prepare_main_thread(linker, block); }
  void thread_started(Linker&, char* block) override {
    if (active()) start_main_thread(block);
  }

  Status relocated(Linker& linker) override {
    if (!program_has_libc()) return Done{};
    LibcFunctions& f = state().functions;
    const Behaviour& behaviour = state().layout->behaviour;
    if (behaviour.relocates_first) trace_relocation(linker, EventKind::kRelocBegin);
    find_allocator(linker, "calloc", f.calloc);
    find_allocator(linker, "free", f.free);
    find_allocator(linker, "malloc", f.malloc);
    find_allocator(linker, "realloc", f.realloc);
    if (!behaviour.relocates_first) trace_relocation(linker, EventKind::kRelocBegin);
    find_functions(linker);
    if (linker.auditor != nullptr) show_imports(linker);
    trace_relocation(linker, EventKind::kRelocEnd);
    if (behaviour.follows_debug_copy) follow_debug_copy(linker);
    Guarded<void (*)(bool)> early_init;
    find_function("__libc_early_init", early_init);
    if (const char* missing = missing_function(early_init != nullptr); missing != nullptr)
      return lacks(*state().libc, missing);
    field<int>(the_locks.change, kMutexKind) = kMutexRecursive;
    linker.thread_memory = {allocate_for_threads, release_for_threads, allocate_used};
    if (state().early) end_early();
    update_tls(linker);
    early_init(true);
    if (state().early) expect_foreign_threads(linker);
    return Done{};
  }

  AuditRules audit_rules() override {
    if (!active()) return {};
    const Behaviour& b = state().layout->behaviour;
    return {.complete_when_relocated = b.told_when_relocated,
            .removal_before_close = b.told_before_closing,
            .loader_in_each_space = b.told_of_each_loader,
            .debugger_first = b.told_after_debugger,
            .stops_unchanged = b.stops_unchanged};
  }
  bool libc_initialises_program() override { return program_has_libc(); }

  void expect_auditors(Linker& linker) override { expect_early(linker); }

  Status executable_stack(Linker& linker) override { return grant_executable_stack(linker); }

  Status batch_loaded(Linker& linker, Batch& batch) override {
    if (state().early && !linker.start_up_done && state().libc == nullptr)
      return begin_early(linker, batch);
    return active() ? admit_libc(linker, batch) : Status(Done{});
  }
  Status batch_relocated(Linker& linker, Batch& batch) override {
    if (state().early && !linker.start_up_done) start_early(linker, batch);
    return active() ? start_libc_copies(linker, batch) : Status(Done{});
  }

  void begin_change(Linker& linker) override {
    if (state().functions.mutex_lock == nullptr) return;
    if (!the_locks.fork_watched && linker.start_up_done) watch_forks(*state().libc);
    begin_exclusive_change();
  }
  void end_change(Linker&) override {
    if (state().functions.mutex_unlock != nullptr) end_exclusive_change();
  }
  bool try_change(Linker&) override {
    return state().functions.mutex_trylock == nullptr || try_exclusive_change();
  }

  void lock_lists(Linker&) override { lock(&RtldGlobal::dl_load_write_lock); }
  void unlock_lists(Linker&) override { unlock(&RtldGlobal::dl_load_write_lock); }
  void lock_tls(Linker&) override { lock(&RtldGlobal::dl_load_tls_lock); }
  void unlock_tls(Linker&) override { unlock(&RtldGlobal::dl_load_tls_lock); }

  void thread_created(Linker&) override {
    if (active() && !the_locks.fork_watched) watch_forks(*state().libc);
  }
  bool pinned(Module& module) override {
    return active() &&
           __atomic_load_n(&field<size_t>(module.map, state().layout->link_map.l_tls_dtor_count),
                           __ATOMIC_ACQUIRE) != 0;
  }

 private:
  static bool active() { return state().layout != nullptr; }
  // An auditor may bring the only one.
  static bool program_has_libc() {
    return state().libc != nullptr && state().libc->name_space == 0;
  }

  static void lock(uint16_t RtldGlobal::*which) {
    if (state().functions.mutex_lock != nullptr)
      state().functions.mutex_lock(_rtld_global + state().layout->rtld_global.*which);
  }
  static void unlock(uint16_t RtldGlobal::*which) {
    if (state().functions.mutex_unlock != nullptr)
      state().functions.mutex_unlock(_rtld_global + state().layout->rtld_global.*which);
  }
};

PRELUDE_CLOSED_AFTER_START constinit GlibcPersonality the_personality;

Status choose_layout(const Module& libc) {
  State& s = state();
  const int release = release_of(libc.image);
  const Layout* layout = find_layout(release);
  // Auditors' libraries share our structures with the program's.
  const bool agrees = s.layout == nullptr || s.layout == layout;
  if (layout != nullptr && agrees) {
    const char* other = difference(libc, *layout);
    if (other != nullptr)
      return Error{.code = Errc::kUnknownLibcBuild,
                   .object = libc.path,
                   .subject = version_text(release),
                   .context = other};
    s.layout = layout;
    return Done{};
  }
  return Error{.code = Errc::kUnknownLibc,
               .object = libc.path,
               .subject = version_text(release),
               .context = served_text()};
}

}  // namespace

Status settle_layout(Linker& linker, Module& libc) {
  State& s = state();
  const bool filled = s.layout != nullptr;
  PRELUDE_TRY(choose_layout(libc));
  if (filled) return Done{};
  s.tunables.start(*s.layout, linker.process.envp, linker.process.secure);
  if (s.tunables.warning_count() != 0) [[unlikely]]
    say_warnings(s.tunables);
  fill_globals(linker);
  if (!linker.thread_placed) return Done{};
  prepare_main_thread(linker, s.main_thread);
  start_main_thread(s.main_thread);
  return Done{};
}

void find_functions(Linker& linker) {
  LibcFunctions& f = state().functions;
  find_function("pthread_mutex_lock", f.mutex_lock);
  find_function("pthread_mutex_unlock", f.mutex_unlock);
  find_function("pthread_mutex_trylock", f.mutex_trylock);
  if (state().layout->behaviour.catch_in_loader) return;
  find_import(linker, "_dl_signal_exception", f.signal_exception);
  find_import(linker, "_dl_catch_error", f.catch_error);
}

void* program_copy(const Linker& linker, const char* name, uint64_t bytes) {
  const Module& program = *linker.program;
  SymbolQuery query = make_query(name);
  const elf::Symbol* copy = find_in_object(program.record, query);
  if (copy == nullptr || copy->size < bytes) return nullptr;
  if (!program.image.writable(copy->value, copy->size)) return nullptr;
  if (program.touches_relro(program.image.bias + copy->value, copy->size)) return nullptr;
  return program.image.address(copy->value);
}

void* libc_symbol(const char* name) { return function_of(*state().libc, name); }

void* function_of(const Module& libc, const char* name) {
  const elf::Symbol* symbol = symbol_of(libc, name);
  const bool is_code = symbol != nullptr && libc.image.executable(symbol->value);
  return is_code ? libc.image.address(symbol->value) : nullptr;
}

void* variable_of(const Module& libc, const char* name, uint64_t bytes) {
  const elf::Symbol* symbol = symbol_of(libc, name);
  if (symbol == nullptr || !libc.image.writable(symbol->value, bytes)) return nullptr;
  void* const at = libc.image.address(symbol->value);
  return libc.touches_relro(reinterpret_cast<uintptr_t>(at), bytes) ? nullptr : at;
}

Error lacks(const Module& libc, const char* name) {
  const elf::Symbol* symbol = symbol_of(libc, name);
  if (symbol == nullptr)
    return {.code = Errc::kUndefinedSymbol, .object = libc.path, .subject = name};
  return {.code = Errc::kBadField,
          .object = libc.path,
          .subject = name,
          .context = "a function in an executable segment",
          .value = symbol->value};
}

void expect_manners(const Manners& manners) {
  state().expected = manners;
  state().debug_text->set_tls_detail(manners.tells_all_tls ? report::TlsDetail::kAll
                                                           : report::TlsDetail::kThreads);
}

Personality& make_personality(const Origin& origin) {
  the_state.make();
  State& s = state();
  s.cpu = origin.cpu;
  s.debug_text = origin.debug_text;
  KernelFacts& k = s.kernel;
  k.auxv = origin.auxv;
  k.stack_end = origin.stack_end;
  for (const elf::AuxEntry* entry = origin.auxv; entry->type != elf::kAtNull; ++entry) {
    switch (entry->type) {
      case elf::kAtPageSize:
        k.page_size = entry->value;
        break;
      case elf::kAtMinSigStackSize:
        k.minimum_signal_stack = entry->value;
        break;
      case elf::kAtClockTick:
        k.clock_tick = entry->value;
        break;
      case elf::kAtHwcap:
        k.hwcap = entry->value;
        break;
      case elf::kAtHwcap2:
        k.hwcap2 = entry->value;
        break;
      case elf::kAtRandom:
        k.random = reinterpret_cast<const uint8_t*>(entry->value);
        break;
      case elf::kAtPlatform:
        k.platform = reinterpret_cast<const char*>(entry->value);
        break;
      case elf::kAtRseqFeatureSize:
        k.rseq_feature_size = entry->value;
        break;
      case elf::kAtRseqAlign:
        k.rseq_align = entry->value;
        break;
      default:
        break;
    }
  }
  return the_personality;
}

}  // namespace prelude::glibc
