// Modes that tell something and end: --help, --version and their kin. No program is loaded.
#include "start.h"

#include <arch/native.h>

#include <prelude/base/string.h>
#include <prelude/glibc/describe.h>
#include <prelude/report/diagnostics.h>
#include <prelude/report/help.h>

namespace prelude::start {
namespace {

Module* try_load(const char* name) {
  Batch batch;
  batch.space = &linker.base_space;
  batch.start_up = true;
  const auto loaded = load_object(linker, batch, {.name = name, .kind = ModuleKind::kNeeded});
  return loaded ? *loaded : nullptr;
}

// A directory of the user's path that has a libc decides before the cache.
void look_for_libc(void* context, const char* directory, FoundBy source) {
  auto& found = *static_cast<Module**>(context);
  if (found != nullptr || source != FoundBy::kLibraryPath) return;
  char path[4096];
  Writer text(path, sizeof path);
  text.put(directory).put('/').put(kLibc);
  if (!text.truncated()) found = try_load(text.c_str());
}

// The C library that programs get here; null when there is none that can be mapped.
const Image* system_libc() {
  const Requester none{};
  Module* found = nullptr;
  linker.searcher.for_each_directory(none, &none, look_for_libc, &found);
  if (found == nullptr) found = try_load(kLibc);
  return found != nullptr ? &found->image : nullptr;
}

struct PathText {
  Array<char> text;
};

void add_directory(void* context, const char* directory, FoundBy source) {
  if (source != FoundBy::kLibraryPath) return;
  auto& path = static_cast<PathText*>(context)->text;
  if (!path.empty()) (void)path.push(linker.heap, ':');
  for (; *directory != 0; ++directory) (void)path.push(linker.heap, *directory);
}

// The user's path as the search uses it: tokens expanded, $ORIGIN being where this file lies.
const char* expanded_library_path() {
  char room[4096];
  const std::string_view directory = directory_behind("/proc/self/exe", room, sizeof room);
  const Requester self{.origin = directory.empty() ? nullptr : room, .is_main = true};
  PathText path;
  linker.searcher.for_each_directory(self, &self, add_directory, &path);
  if (path.text.empty() || !path.text.push(linker.heap, 0)) return nullptr;
  return path.text.data();
}

bool list_has(const char* list, std::string_view name) {
  while (*list != 0) {
    const char* end = list;
    while (*end != 0 && *end != ':') ++end;
    if (name == std::string_view(list, static_cast<size_t>(end - list))) return true;
    list = *end == 0 ? end : end + 1;
  }
  return false;
}

size_t list_hwcaps(report::HwcapsDirectory* out, size_t room) {
  using State = report::HwcapsDirectory::State;
  const Options& options = *linker.options;
  size_t count = 0;
  for (const char* at = options.hwcaps_prepend; at != nullptr && *at != 0 && count < room;) {
    const char* end = at;
    while (*end != 0 && *end != ':') ++end;
    if (end != at) out[count++] = {{at, static_cast<size_t>(end - at)}, State::kPrepended};
    at = *end == 0 ? end : end + 1;
  }
  for (const arch::HwcapsLevel& level : arch::kHwcapsLevels) {
    if (count == room) break;
    const bool supported = (linker.isa_level & level.isa) != 0;
    const bool masked =
        options.hwcaps_mask != nullptr && !list_has(options.hwcaps_mask, level.name);
    const State state = supported ? (masked ? State::kMasked : State::kSearched)
                                  : (masked ? State::kUnsupportedMasked : State::kUnsupported);
    out[count++] = {level.name, state};
  }
  return count;
}

constexpr size_t kMostDirectories = 8;
size_t system_directories(std::string_view* out, bool with_slash) {
  size_t count = 0;
  for (const char* directory : arch::Native::kSystemDirectories) {
    const size_t size = string_length(directory);
    if (count < kMostDirectories) out[count++] = {directory, with_slash ? size : size - 1};
  }
  return count;
}

void help(Writer& out) {
  constexpr size_t kMostHwcaps = 64;
  report::HwcapsDirectory hwcaps[kMostHwcaps];
  std::string_view directories[kMostDirectories];
  const Options& options = *linker.options;
  report::HelpData data;
  data.loader = options.self;
  data.interpreter = arch::Native::kLoaderPath;
  data.library_path = expanded_library_path();
  data.library_path_from_option = options.library_path_from_option;
  data.cache = options.inhibit_cache ? nullptr : kCachePath;  // as from 2.41 on
  data.system_directories = {directories, system_directories(directories, false)};
  data.hwcaps = {hwcaps, list_hwcaps(hwcaps, kMostHwcaps)};
  report::write_help(out, data);
}

void diagnostics(Writer& out, const glibc::Description& description) {
  std::string_view directories[kMostDirectories];
  char names[128];
  Writer levels(names, sizeof names);
  report::DiagnosticsData data;
  unsigned index = 0;
  for (const arch::HwcapsLevel& level : arch::kHwcapsLevels) {
    levels.put(index == 0 ? "" : ":").put(level.name);
    if ((linker.isa_level & level.isa) != 0) data.hwcaps_subdirs_active |= uint64_t{1} << index;
    ++index;
  }
  const auto* platform = reinterpret_cast<const char*>(world.stack.value(elf::kAtPlatform));
  if (description.platform() != nullptr) platform = description.platform();
  const auto system = sys::system_name();
  data.dst_lib = arch::Native::kLibToken;
  data.hwcap = description.hwcap();
  data.hwcap2 = world.stack.value(elf::kAtHwcap2);
  data.newer = description.newer_diagnostics();
  data.hwcap3 = world.stack.value(elf::kAtHwcap3);
  data.hwcap4 = world.stack.value(elf::kAtHwcap4);
  data.hwcaps_subdirs = levels.text();
  data.page_size = linker.host.page_size;
  if (platform != nullptr) data.platform = platform;
  data.loader_soname = arch::Native::kLoaderSoname;
  data.libc_soname = kLibc;
  data.environment = world.stack.process.envp;
  data.prefix = "/usr";
  data.interpreter = arch::Native::kLoaderPath;
  data.sysconfdir = "/etc";
  data.system_directories = {directories, system_directories(directories, true)};
  data.release = "stable";
  data.version = description.release();
  data.auxv = reinterpret_cast<const uintptr_t*>(world.stack.auxv);
  data.system = system ? &*system : nullptr;
  data.write_machine = [](void* context, Writer& to) {
    static_cast<const glibc::Description*>(context)->write_machine(to, linker.heap);
  };
  data.machine_context = const_cast<glibc::Description*>(&description);
  report::write_diagnostics(out, data);
}

}  // namespace

[[noreturn]] void usage_error(const UsageError& error) {
  char buffer[1024];
  Writer out(buffer, sizeof buffer, to_stderr);
  report::write_usage_error(out, world.parsed.options.self, error);
  out.flush();
  sys::exit_group(1);
}

void show_auxv() {
  char buffer[4096];
  Writer out(buffer, sizeof buffer, to_stdout);
  const glibc::Manners manners = served_manners();
  report::write_auxv(out, reinterpret_cast<const uintptr_t*>(world.stack.auxv),
                     {manners.labels_rseq, manners.prefixes_hwcap});
  out.flush();
}

[[noreturn]] void print_and_exit(Mode mode) {
  char buffer[4096];
  Writer out(buffer, sizeof buffer, to_stdout);
  if (mode == Mode::kHelp) {
    help(out);
  } else {
    const glibc::Description& description =
        glibc::describe(system_libc(), world.stack.process.envp, linker.options->secure, world.cpu,
                        world.stack.value(elf::kAtHwcap), world.stack.value(elf::kAtHwcap2));
    if (mode == Mode::kVersion) report::write_version(out, description.release());
    if (mode == Mode::kListTunables) description.write_tunables(out);
    if (mode == Mode::kListDiagnostics) diagnostics(out, description);
  }
  out.flush();
  sys::exit_group(0);
}

}  // namespace prelude::start
