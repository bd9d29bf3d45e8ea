// A start-up, step by step.
#include "start.h"

#include "../glibc/personality.h"

#include <arch/native.h>

#include <prelude/debugger/debugger.h>
#include <prelude/dl/dl.h>
#include <prelude/report/messages.h>

extern "C" {
[[gnu::visibility("hidden")]] extern const prelude::elf::FileHeader __ehdr_start;
[[gnu::visibility("hidden")]] void _start();
// NOLINTBEGIN(readability-identifier-naming)
[[gnu::visibility("default")]] extern prelude::RDebug _r_debug;
[[gnu::visibility("default")]] void _dl_debug_state();
// NOLINTEND(readability-identifier-naming)
}

namespace prelude::start {
namespace {

void finish_process() {
  run_all_finalisers(linker);
  if (linker.tracer.wants(Topic::kStatistics))
    linker.tracer.emit({.kind = EventKind::kStatisticsEnd, .topic = Topic::kStatistics,
                        .value = linker.statistics.relocations, .value2 = 0});
  world.json.finish();
}

void read_options(uint64_t* stack) {
  world.stack = decode_stack(stack);
  const bool direct = world.stack.value(elf::kAtEntry) == reinterpret_cast<uint64_t>(&_start);
  parse_options(world.stack.process, direct, world.parsed);
  if (world.parsed.usage.kind != UsageError::Kind::kNone) usage_error(world.parsed.usage);
  for (int i = 0; i < world.parsed.warning_count; ++i) {
    char buffer[512];
    Writer out(buffer, sizeof buffer);
    report::write_debug_warning(out, world.parsed.warnings[i]);
    sys::write_all(2, out.text().data(), out.text().size());
  }
}

// Where a mode prints facts and ends, nothing is loaded.
void serve_information_modes() {
  const Options& options = world.parsed.options;
  if (options.show_auxv) show_auxv();
  if (options.debug_help) {
    char buffer[4096];
    Writer out(buffer, sizeof buffer);
    report::write_debug_help(out);
    sys::write_all(1, out.text().data(), out.text().size());
    sys::exit_group(0);
  }
  if (options.mode != Mode::kRun && options.mode != Mode::kList && options.mode != Mode::kVerify)
    print_and_exit(options.mode);
}

void become_program_arguments() {
  const Options& options = world.parsed.options;
  drop_arguments(world.stack, options.program_index);
  linker.process = world.stack.process;
  linker.program_name = linker.process.argv[0];
}

struct VersionErrors {
  bool any = false;
};

void report_version(void* context, const Error& error, bool weak) {
  char buffer[2048];
  Writer out(buffer, sizeof buffer, [](void*, const char* text, size_t bytes) { sys::write_all(2, text, bytes); });
  if (weak) {
    if (linker.options->verbose)
      report::write_weak_version_missing(out, linker.program_name, error.object, error.subject, error.context);
  } else {
    report::write_fatal(out, linker.program_name, error);
    static_cast<VersionErrors*>(context)->any = true;
  }
  out.flush();
}

void check(const Status& status) {
  if (!status) fail(linker, status.error());
}

uint64_t lap(uint64_t since) { return arch::cycles() - since; }

void load_all(Batch& batch, Array<Module*>& roots) {
  const uint64_t since = arch::cycles();
  if (world.parsed.options.direct)
    load_program(batch);
  else
    adopt_program();
  if (world.parsed.options.mode == Mode::kVerify) verify_program();
  adopt_self_and_vdso();
  if (!roots.push(linker.heap, linker.program)) fail(linker, {.code = Errc::kOutOfMemory});
  load_preloads(batch, roots);
  if (world.parsed.options.trace_objects || world.parsed.options.mode == Mode::kList) list_objects(batch, roots);
  check(load_closure(linker, batch, roots.data(), static_cast<uint32_t>(roots.size())));
  linker.statistics.load_cycles = lap(since);
}

void check_all_versions() {
  VersionErrors errors;
  const SearchList& all = linker.program->closure;
  check_versions(linker, all.modules, all.count, report_version, &errors);
  if (errors.any) sys::exit_group(1);
}

void publish_scopes(Batch& batch) {
  linker.base_space.global = &linker.program->closure;
  batch.root = linker.program;
  bool ok = true;
  for (uint32_t i = 0; i < linker.program->closure.count; ++i) {
    Module& module = *linker.program->closure.modules[i];
    module.global = true;
    ok = ok && add_scope(linker, module, &linker.program->closure, false);
    if (module.image.symbolic && module.kind != ModuleKind::kProgram)
      ok = ok && append_to_list(linker, module.self_list, module) && add_scope(linker, module, &module.self_list, true);
  }
  if (!ok || !dl::rebuild_index(linker)) fail(linker, {.code = Errc::kOutOfMemory});
}

void trace_all_scopes() {
  if (!linker.tracer.wants(Topic::kScopes)) return;
  Array<Module*> all;
  for (Module* module = linker.base_space.first; module != nullptr; module = module->map.l_next)
    (void)all.push(linker.heap, module);
  trace_scopes(linker, all.data(), all.size());
  all.release(linker.heap);
}

void relocate_all(Batch& batch) {
  const uint64_t since = arch::cycles();
  Module& program = *linker.program;
  check(relocate_batch(linker, batch, program.sorted.data(), program.sorted.size(), linker.lazy_allowed));
  linker.statistics.relocation_cycles = lap(since);
}

void fill_first_thread() {
  char* block = reinterpret_cast<char*>(arch::thread_pointer());
  DtvEntry* dtv = linker.tls.initialise_thread(block, linker.initial_dtv, linker.thread_memory);
  if (dtv != linker.initial_dtv) fail(linker, {.code = Errc::kOutOfMemory});
}

void say_statistics() {
  const Statistics& s = linker.statistics;
  if (linker.tracer.wants(Topic::kStatistics))
    linker.tracer.emit({.kind = EventKind::kStatisticsStart, .topic = Topic::kStatistics, .value = lap(s.start_cycles),
                        .value2 = s.relocation_cycles, .value3 = s.relocations, .value4 = 0,
                        .value5 = s.relative_relocations, .value6 = s.load_cycles});
}

}  // namespace

void run(uint64_t* stack, uint64_t started, arch::Handover& out) {
  world.started = started;
  world.base = reinterpret_cast<uint64_t>(&__ehdr_start);
  read_options(stack);
  world.cpu = arch::read_cpu_facts();
  set_up_linker();
  serve_information_modes();
  if (world.parsed.options.direct) become_program_arguments();
  set_up_search();
  linker.personality = &glibc::make_personality({.auxv = world.stack.auxv, .stack_end = world.stack.argc_word,
                                                 .cpu = world.cpu, .debug_text = &world.debug_text});
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
  check(linker.personality->recognise(linker));
  debugger::start(linker, _r_debug, _dl_debug_state, world.base);
  debugger::announce(linker, linker.base_space, kRtAdd);
  check(place_start_up_tls(linker));
  trace_all_scopes();
  relocate_all(batch);
  // From here on every object's code may run.
  fill_first_thread();
  check(linker.personality->relocated(linker));
  commit(linker, batch);
  linker.batch = nullptr;
  linker.personality->space_changed(linker, linker.base_space);
  debugger::announce(linker, linker.base_space, kRtConsistent);
  say_statistics();
  run_initialisers(linker, *linker.program);
  linker.start_up_done = true;

  out.stack = world.stack.argc_word;
  out.finaliser = finish_process;
  out.entry = linker.program->image.address(linker.program->image.entry);
}

}  // namespace prelude::start
