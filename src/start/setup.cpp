// Puts the process's linker together.
#include "start.h"

#include <arch/native.h>

#include <prelude/base/align.h>
#include <prelude/base/string.h>
#include <prelude/glibc/personality.h>
#include <prelude/report/hints.h>
#include <prelude/report/messages.h>

// NOLINTBEGIN(readability-identifier-naming): names of ld.so.lds
extern "C" {
[[gnu::visibility("hidden")]] extern char prelude_data_start[];
[[gnu::visibility("hidden")]] extern char prelude_open_start[];
}
// NOLINTEND(readability-identifier-naming)

namespace prelude::start {

constinit Room<World> world_room;
PRELUDE_STAYS_OPEN constinit Room<TraceOutputs> trace_outputs;
constinit Room<Linker> linker_room;

namespace {

// Small programs need no further page for the loader's data than these.
alignas(64) constinit char first_memory[32 * 1024] = {};

PRELUDE_STAYS_OPEN constinit Room<OpenWords> open_words;

void* get_pages(size_t bytes) {
  const auto pages = sys::map_anonymous(nullptr, bytes, sys::kProtRead | sys::kProtWrite, false);
  return pages ? *pages : nullptr;
}
void give_pages(void* start, size_t bytes) { (void)sys::unmap(start, bytes); }

// Not for every process: behind what each of them touches.
[[gnu::section(".bss.rare")]] constinit Arena arena;
[[gnu::section(".bss.rare")]] constinit Heap separate_heap;

void* get_arena_pages(size_t bytes) {
  void* const pages = get_pages(bytes);
  if (pages != nullptr) arena.add(reinterpret_cast<uintptr_t>(pages), bytes);
  return pages;
}
void give_arena_pages(void* start, size_t bytes) {
  arena.remove(reinterpret_cast<uintptr_t>(start), bytes);
  give_pages(start, bytes);
}

// What others write to gets pages of its own.
void set_up_arena() {
  const uint64_t page = linker.host.page_size;
  const uint64_t start = round_up(reinterpret_cast<uintptr_t>(prelude_data_start), page);
  const uint64_t end = round_down(reinterpret_cast<uintptr_t>(prelude_open_start), page);
  arena.add(static_cast<uintptr_t>(start), static_cast<size_t>(end - start));
  separate_heap.start(nullptr, 0, get_pages, give_pages);
  linker.open_heap = &separate_heap;
}

// The ISA levels that have a directory under glibc-hwcaps and that the processor reaches, best
// first.
void fill_hwcaps(const char** out) {
  for (const arch::HwcapsLevel& level : arch::kHwcapsLevels)
    if ((linker.isa_level & level.isa) != 0) *out++ = level.name;
  *out = nullptr;
}

constinit const char* hwcaps[4] = {};
constinit const char* system_directories[8] = {};

uint32_t cache_level(uint32_t isa) {
  uint32_t level = 0;
  for (const arch::HwcapsLevel& step : arch::kHwcapsLevels)
    if ((isa & step.isa) != 0) ++level;
  return level;
}

}  // namespace

void set_up_ground() {
  linker.options = &world.parsed.options;
  linker.host = {arch::Native::kMachine,
                 world.stack.value(elf::kAtPageSize, arch::Native::kPageSize)};
  open_words.make();
  linker.open = &open_words.object;
  const bool hardened = linker.options->hardened();
  linker.heap.start(first_memory, sizeof first_memory, hardened ? get_arena_pages : get_pages,
                    hardened ? give_arena_pages : give_pages);
  if (hardened) set_up_arena();
}

void close_arena() {
  if (!linker.options->hardened()) return;
  linker.arena = &arena;
  if (!arena.start_closing(linker.open->arena)) linker.arena = nullptr;
}

void set_up_linker() {
  const Options& options = world.parsed.options;
  linker.process = world.stack.process;
  linker.isa_level = arch::isa_levels(world.cpu);
  // What watches our calls from outside brings a preloaded part of its own into the process.
  linker.map_style = options.env_preload != nullptr ? MapStyle::kSeparate : MapStyle::kEconomical;
  if (options.tunables) linker.low_addresses = glibc::wants_low_addresses(linker.process.envp);
  linker.fatal = fail;
  linker.remark = remark;
  linker.trace_error = trace_error;
  if (report::hints_enabled(options)) linker.explain_missing = explain_missing;
  linker.lazy_allowed = !options.bind_now && (options.debug_mask & bit(Topic::kUnused)) == 0;
  linker.program_name = linker.process.argc > 0 ? linker.process.argv[0] : "";
  (void)linker.spaces.push(linker.heap, &linker.base_space);
  linker.base_space.in_use = true;
  linker.statistics.start_cycles = world.started;
  if (options.debug_mask != 0) {
    trace_outputs.object.debug_text.start(options.debug_output);
    linker.tracer.listen(options.debug_mask, report::DebugText::on_event,
                         &trace_outputs.object.debug_text);
  }
  if (options.question == Question::kLibrary || options.question == Question::kCaches)
    world.search_log.listen(linker);
  if (options.json_mask != 0) {
    if (options.trace_json != nullptr)
      trace_outputs.object.json.start(options.trace_json);
    else
      trace_outputs.object.json.start_lines(options.debug_output);
    linker.tracer.listen(options.json_mask, report::JsonTrace::on_event,
                         &trace_outputs.object.json);
  }
}

SearchSetup usual_search() {
  const Options& options = *linker.options;
  return {.lib_token = arch::Native::kLibToken,
          .platform_token = "",
          .system_directories = nullptr,
          .hwcaps_supported = nullptr,
          .hwcaps_prepend = nullptr,
          .hwcaps_mask = nullptr,
          .cache_path = options.inhibit_cache ? nullptr : kCachePath,
          .cache_flags = arch::Native::kCacheFlags,
          .cache_isa_level = 0,
          .library_path = options.library_path,
          .library_path_source =
              options.library_path_from_option ? "--library-path" : "LD_LIBRARY_PATH",
          .secure = options.secure};
}

void set_up_search() {
  const Options& options = world.parsed.options;
  fill_hwcaps(hwcaps);
  size_t count = 0;
  for (const char* directory : arch::Native::kSystemDirectories) {
    const size_t size = string_length(directory);
    system_directories[count++] =
        linker.heap.copy_string(directory, size - (size > 1 && directory[size - 1] == '/' ? 1 : 0));
  }
  const char* platform = arch::platform_token(world.cpu);
  if (platform == nullptr)
    platform = reinterpret_cast<const char*>(world.stack.value(elf::kAtPlatform));
  world.search = usual_search();
  if (platform != nullptr) world.search.platform_token = platform;
  world.search.system_directories = system_directories;
  world.search.hwcaps_supported = hwcaps;
  world.search.hwcaps_prepend = options.hwcaps_prepend;
  world.search.hwcaps_mask = options.hwcaps_mask;
  world.search.cache_isa_level = cache_level(linker.isa_level);
  linker.searcher.start(world.search, linker.heap, linker.tracer);
}

[[noreturn]] void fail(Linker& at, const Error& error) {
  // Hints need memory.
  const bool usable = at.arena == nullptr || at.arena->give_up();
  char buffer[4096];
  Writer out(buffer, sizeof buffer, to_stderr);
  report::write_fatal(out, at.program_name, error, usable ? hint_source() : nullptr);
  out.flush();
  sys::exit_group(report::exit_status(error));
}

void trace_error(Linker& at, const Error& error) {
  char buffer[2048];
  Writer scratch(buffer, sizeof buffer);
  // Start-up collects missing versions, and ldd mode missing symbols, before anything ends.
  // Auditors come before the program's libraries.
  const bool listing = is_listing() && at.program->closure.modules != nullptr;
  const bool goes_on = listing || (report::is_version_error(error.code) && !at.start_up_done);
  at.tracer.emit({.kind = EventKind::kError,
                  .topic = Topic::kErrors,
                  .object = error.object,
                  .name = report::error_occasion(error),
                  .detail = report::error_text(error, scratch),
                  .value = goes_on ? 0U : 1U});
}

void remark(Linker& at, const char* what, const char* a, const char* b) {
  char buffer[2048];
  Writer out(buffer, sizeof buffer, to_stderr);
  const char* name = a != nullptr ? a : "?";
  if (equal(what, "no version information available"))
    report::write_no_version_information(out, at.program_name, name, b);
  else if (equal(what, "has different size in shared object, consider re-linking"))
    report::write_copy_size_differs(out.put(arch::Native::kSizeRemarkIndent), at.program_name,
                                    name);
  else if (equal(what, "copies a protected symbol"))
    report::write_protected_copy(out, name, b);
  else if (equal(what, "refers to a protected function"))
    report::write_protected_reference(out, name, b);
  else if (equal(what, "causes overflow in relocation"))
    report::write_relocation_overflow(out, at.program_name, name, b);
  else
    out.put(at.program_name).put(": ").escaped(name).put(": ").put(what).put('\n');
  out.flush();
}

}  // namespace prelude::start

namespace prelude {
constinit Linker* const the_linker = &start::linker_room.object;
}
