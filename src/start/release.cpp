// Which release of the C library is served, at moments when no libc is mapped yet or none ever will
// be: some manners of the loader differ between releases all the same. The answer is looked for
// when one of these moments comes, never before.
#include "start.h"

#include <arch/native.h>

#include <prelude/base/string.h>

namespace prelude::start {
namespace {

constexpr const char* kLibc = "libc.so.6";

// Maps the file, looks at its versions and unmaps it.
[[gnu::cold]] Verdict look_at_libc(void* context, const char* path, FoundBy) {
  OpenedFile file;
  Error error;
  const Verdict verdict = open_file(linker, path, file, error);
  if (verdict != Verdict::kAccepted) return verdict;
  const auto libc = map_object(linker, file, path, false);
  if (!libc) return Verdict::kFailed;
  *static_cast<glibc::Manners*>(context) = glibc::manners_of(&(*libc)->image);
  discard_object(linker, *libc);
  return Verdict::kAccepted;
}

// A search of its own: the start-up's keeps what it has expanded, and does not know the program's
// directory yet. Subdirectories for processors are left out, they are of the same release.
[[gnu::cold, gnu::noinline]] glibc::Manners manners_of_system() {
  glibc::Manners found;
  const char* const none[] = {nullptr};
  const char* directories[8] = {};
  size_t count = 0;
  for (const char* directory : arch::Native::kSystemDirectories)
    if (count + 1 < sizeof directories / sizeof *directories) directories[count++] = directory;
  const Options& options = *linker.options;
  const SearchSetup setup = {.lib_token = arch::Native::kLibToken,
                             .platform_token = "",
                             .system_directories = directories,
                             .hwcaps_supported = none,
                             .hwcaps_prepend = nullptr,
                             .hwcaps_mask = nullptr,
                             .cache_path = options.inhibit_cache ? nullptr : kCachePath,
                             .cache_flags = kCacheFlags,
                             .cache_isa_level = 0,
                             .library_path = options.library_path,
                             .library_path_source = "",
                             .secure = false};
  Tracer silent;
  Searcher searcher;
  searcher.start(setup, linker.heap, silent);
  const Requester program{.is_main = true};
  (void)searcher.find(kLibc, program, &program, look_at_libc, &found);
  return found;
}

bool has_token(const char* list) { return list != nullptr && contains(list, '$'); }

// Somebody may ask for the program's directory before the libc is mapped.
bool origin_needed_early(const Module& program) {
  const Options& options = *linker.options;
  const Image& image = program.image;
  if (has_token(image.rpath) || has_token(image.runpath) || has_token(options.library_path) ||
      has_token(options.env_preload) || has_token(options.option_preload))
    return true;
  if (image.names_auditors || image.has_filters || wants_auditors()) return true;
  bool found = false;
  for_each_dynamic(image, elf::kDtNeeded, [&](uint64_t offset) {
    found = has_token(image.string(offset));
    return !found;
  });
  return found;
}

// Where the kernel finds a file, links followed. False: it cannot tell.
[[gnu::cold, gnu::noinline]] bool real_directory(const char* path, char* to, size_t capacity) {
  const auto fd = sys::open_for_reading(path);
  if (!fd) return false;
  char link[32];
  Writer name(link, sizeof link);
  name.put("/proc/self/fd/").decimal(static_cast<uint64_t>(*fd));
  const auto got = sys::read_link(name.c_str(), to, capacity - 1);
  sys::close(*fd);
  if (!got || *got >= capacity || to[0] != '/') return false;
  size_t size = *got;
  while (size > 1 && to[size - 1] != '/') --size;
  to[size > 1 ? size - 1 : size] = 0;
  return true;
}

[[gnu::cold, gnu::noinline]] void resolve_origin(const char* program_file) {
  Module& program = *linker.program;
  char directory[4096];
  if (!real_directory(program_file, directory, sizeof directory)) return;
  const char* origin = linker.heap.copy_string(directory, string_length(directory));
  if (origin == nullptr) fail(linker, {.code = Errc::kOutOfMemory, .object = program_file});
  if (program.origin_owned) linker.heap.release_string(program.origin);
  program.origin = origin;
  program.origin_owned = true;
  program.requester.origin = origin;
}

}  // namespace

glibc::Manners served_manners() {
  if (linker.options->secure) return {};
  const Module* libc = linker.base_space.names.find(kLibc);
  if (libc != nullptr) return glibc::manners_of(&libc->image);
  if (!world.manners_known) world.manners = manners_of_system();
  world.manners_known = true;
  return world.manners;
}

void settle_origin(const char* program_file) {
  if (linker.options->secure) return;
  if (origin_needed_early(*linker.program)) {
    if (served_manners().resolves_origin) resolve_origin(program_file);
    return;
  }
  world.unsettled_program = linker.heap.copy_string(program_file, string_length(program_file));
}

void settle_late_origin() {
  const char* file = world.unsettled_program;
  if (file == nullptr) return;
  const bool has_libc = linker.base_space.names.find(kLibc) != nullptr;
  if (has_libc && served_manners().resolves_origin) resolve_origin(file);
  linker.heap.release_string(file);
  world.unsettled_program = nullptr;
}

}  // namespace prelude::start
