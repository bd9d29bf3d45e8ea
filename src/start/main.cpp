// A start-up, step by step.
#include "start.h"

#include <arch/native.h>

#include <prelude/debugger/debugger.h>
#include <prelude/dl/dl.h>
#include <prelude/glibc/personality.h>
#include <prelude/report/messages.h>

// NOLINTBEGIN(readability-identifier-naming): names of the linker
extern "C" {
[[gnu::visibility("hidden")]] extern const prelude::elf::FileHeader __ehdr_start;
[[gnu::visibility("hidden")]] void _start();
}
// NOLINTEND(readability-identifier-naming)

namespace prelude::start {
namespace {

void finish_process() {
  run_all_finalisers(linker);
  if (linker.tracer.wants(Topic::kStatistics))
    linker.tracer.emit({.kind = EventKind::kStatisticsEnd,
                        .topic = Topic::kStatistics,
                        .value = linker.statistics.relocations,
                        .value2 = 0});
  trace_outputs.object.json.finish();
}

// Out of line for their buffers: the stack of a plain start-up is to touch few pages.
[[gnu::noinline]] void warn_about_word(const DebugWarning& warning) {
  char buffer[512];
  Writer out(buffer, sizeof buffer, to_stderr);
  report::write_debug_warning(out, warning);
  out.flush();
}

[[noreturn, gnu::noinline]] void say_debug_help() {
  char buffer[4096];
  Writer out(buffer, sizeof buffer);
  report::write_debug_help(out);
  sys::write_all(1, out.text().data(), out.text().size());
  sys::exit_group(0);
}

void read_options(uintptr_t* stack) {
  world.stack = decode_stack(stack);
  pointer_key = world.stack.pointer_guard();
  const bool direct = world.stack.value(elf::kAtEntry) == reinterpret_cast<uintptr_t>(&_start);
  guard_secure_start(direct);
  parse_options(world.stack.process, direct, world.parsed);
  const Options& options = world.parsed.options;
  world.stack.process.secure = options.secure;  // the environment may ask for it
  set_up_ground();
  constexpr int kSecureTrace = 5;
  if (options.refuse_trace) sys::exit_group(kSecureTrace);
  if (world.parsed.takes_words_back && served_manners().takes_words_back)
    take_words_back(world.parsed);
  for (int i = 0; i < world.parsed.warning_count; ++i) warn_about_word(world.parsed.warnings[i]);
  // The environment has its say before the command line is judged (glibc 2.36).
  if (options.show_auxv) show_auxv();
  if (options.debug_help) say_debug_help();
  if (world.parsed.usage.kind != UsageError::Kind::kNone) usage_error(world.parsed.usage);
  if (options.question == Question::kDifference) {
    // Each of two children comes back with an environment of its own.
    explain::start_difference(world.stack.process, options);
    parse_options(world.stack.process, direct, world.parsed);
  }
}

void become_program_arguments() {
  const Options& options = world.parsed.options;
  drop_arguments(world.stack, options.program_index);
  linker.process = world.stack.process;
  linker.program_name = linker.process.argv[0];
}

void check(const Status& status) {
  if (!status) fail(linker, status.error());
}

uint64_t lap(uint64_t since) { return arch::cycles() - since; }

void show_debugger() {
  const glibc::DebuggerSymbols symbols = glibc::debugger_symbols();
  debugger::start(linker, symbols.root, symbols.stop, world.base);
}

// Before there is a library: a debugger that stops here must not look at one that is not relocated
// yet.
void tell_debugger() { debugger::announce(linker.base_space, debugger::Stage::kInitStart); }

void load_all(Batch& batch, Array<Module*>& roots) {
  const uint64_t since = arch::cycles();
  if (world.parsed.options.direct)
    load_program(batch);
  else
    adopt_program();
  const bool audited = wants_auditors();
  show_debugger();
  if (!audited) tell_debugger();
  adopt_self_and_vdso();
  if (audited) [[unlikely]] {
    load_auditors();
    tell_debugger();
    tell_of_start();
  }
  if (!roots.push(linker.heap, linker.program)) fail(linker, {.code = Errc::kOutOfMemory});
  load_preloads(batch, roots);
  if (linker.auditor != nullptr) [[unlikely]]
    show_vdso();
  load_dependencies(batch, roots);
  linker.statistics.load_cycles = lap(since);
}

void publish_scopes(Batch& batch) {
  linker.base_space.global = &linker.program->closure;
  batch.root = linker.program;
  bool ok = true;
  for (uint32_t i = 0; i < linker.program->closure.count; ++i) {
    Module& module = *linker.program->closure.modules[i];
    module.global = true;
    // It looks nothing up. Where calls are watched, a caller of dlsym may look like it.
    if (module.is_self && (linker.auditor == nullptr || served_manners().scopeless_callers))
      continue;
    ok = ok && add_scope(linker, module, &linker.program->closure, false);
    if (module.image.symbolic && module.kind != ModuleKind::kProgram)
      ok = ok && append_to_list(linker, module.self_list, module) &&
           add_scope(linker, module, &module.self_list, true);
  }
  if (linker.vdso != nullptr)
    ok = ok && add_scope(linker, *linker.vdso, &linker.program->closure, true);
  if (!ok || !dl::index_start_up(linker)) fail(linker, {.code = Errc::kOutOfMemory});
}

void trace_all_scopes() {
  if (!linker.tracer.wants(Topic::kScopes)) return;
  Array<Module*> all;
  for (Module* module = linker.base_space.first; module != nullptr; module = module->next)
    (void)all.push(linker.heap, module);
  trace_scopes(linker, all.data(), all.size());
  all.release(linker.heap);
}

void set_global_pointer() {
  constexpr const char* kName = arch::Native::kGlobalPointer;
  if constexpr (kName != nullptr) {
    const Module& program = *linker.program;
    SymbolQuery query = make_query(kName);
    const elf::Symbol* symbol = find_in_object(program.record, query);
    if (symbol != nullptr) arch::set_global_pointer(program.image.bias + symbol->value);
  }
}

void relocate_all(Batch& batch) {
  set_global_pointer();
  const uint64_t since = arch::cycles();
  Module& program = *linker.program;
  check(relocate_batch(linker, batch, program.sorted.data(), program.sorted.size(),
                       linker.lazy_allowed));
  linker.statistics.relocation_cycles = lap(since);
}

void place_tls() {
  if (world.early_thread)
    place_program_tls(linker);
  else
    check(place_start_up_tls(linker));
}

// Ids of the program's own objects; those of auditors come first.
void trace_tls_limit() {
  if (!linker.tracer.wants(Topic::kTls)) return;
  size_t limit = 1;
  while (limit <= linker.tls.max_module_id()) {
    const Module* module = linker.tls.module(limit);
    if (module == nullptr || module->name_space != 0) break;
    ++limit;
  }
  linker.tracer.emit({.kind = EventKind::kTlsLimit, .topic = Topic::kTls, .value = limit});
}

void fill_first_thread() {
  trace_tls_limit();
  // Auditors' blocks are in use.
  if (world.early_thread) return fill_program_tls(linker);
  char* block = reinterpret_cast<char*>(arch::thread_pointer());
  DtvEntry* dtv = linker.tls.initialise_thread(block, linker.initial_dtv, linker.thread_memory,
                                               BlockMemory::kZero);
  if (dtv != linker.initial_dtv) fail(linker, {.code = Errc::kOutOfMemory});
}

// The kernel maps the loader without looking at its PT_GNU_RELRO. What lies there is complete by
// now: libc's table of the loader's functions among it.
void protect_self() {
  linker.self_protected = true;
  check(protect_relro(*linker.self));
}

void note_start_is_over() {
  const Opening opening(linker);
  linker.start_up_done = true;
}

void say_statistics() {
  const Statistics& s = linker.statistics;
  if (linker.tracer.wants(Topic::kStatistics))
    linker.tracer.emit({.kind = EventKind::kStatisticsStart,
                        .topic = Topic::kStatistics,
                        .value = lap(s.start_cycles),
                        .value2 = s.relocation_cycles,
                        .value3 = s.relocations,
                        .value4 = 0,
                        .value5 = s.relative_relocations,
                        .value6 = s.load_cycles});
}

}  // namespace

void run(uintptr_t* stack, uint64_t started, arch::Handover& out) {
  world_room.make();
  trace_outputs.make();
  linker_room.make();
  world.started = started;
  world.base = reinterpret_cast<uintptr_t>(&__ehdr_start);
  read_options(stack);
  const uint64_t hardware_word = world.stack.value(elf::kAtHwcap);
  world.cpu = arch::read_cpu_facts(hardware_word);
  arch::tell_resolvers(hardware_word, world.stack.value(elf::kAtHwcap2));
  set_up_linker();
  const Options& options = world.parsed.options;
  if (options.direct && !options.only_informs()) become_program_arguments();
  set_up_search();
  linker.personality = &glibc::make_personality({.auxv = world.stack.auxv,
                                                 .stack_end = world.stack.argc_word,
                                                 .cpu = world.cpu,
                                                 .debug_text = &trace_outputs.object.debug_text});
  if (options.only_informs()) print_and_exit(options.mode);
  constexpr uint32_t kAsReleases = bit(Topic::kTls) | bit(Topic::kSymbols) | bit(Topic::kBindings);
  if ((linker.tracer.mask() & kAsReleases) != 0) [[unlikely]]
    glibc::expect_manners(served_manners());
  const arch::VectorState vectors = arch::vector_state(world.cpu);
  arch::use_vector_state(vectors);
  linker.lazy_stub = arch::lazy_binding_stub(vectors.saver);

  Batch batch;
  batch.space = &linker.base_space;
  batch.start_up = true;
  linker.batch = &batch;
  Array<Module*> roots;
  load_all(batch, roots);
  // From here on the set of objects is fixed.
  check_all_versions();
  publish_scopes(batch);
  if (is_listing()) list_objects();
  if (linker.options->keep_exe) [[unlikely]]
    show_program();
  settle_pending_origin();
  check(linker.personality->recognise(linker));
  place_tls();
  trace_all_scopes();
  relocate_all(batch);
  // From here on every object's code may run.
  fill_first_thread();
  check(linker.personality->relocated(linker));
  commit(linker, batch);
  linker.batch = nullptr;
  linker.personality->space_changed(linker, linker.base_space);
  dl::announce_end(linker, linker.base_space, debugger::Stage::kInitComplete, true);
  say_statistics();
  protect_self();
  if (linker.options->hardened()) seal_objects();
  close_arena();
  // From here on the table that libc calls the loader by is closed.
  run_initialisers(linker, *linker.program);
  note_start_is_over();

  out.stack = world.stack.argc_word;
  out.finaliser = finish_process;
  out.entry = linker.program->image.address(linker.program->image.entry);
}

}  // namespace prelude::start
