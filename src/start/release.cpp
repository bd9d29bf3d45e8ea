// Which release of the C library is served, at moments when no libc is mapped yet or none ever will
// be: some manners of the loader differ between releases all the same. The answer is looked for
// when one of these moments comes, never before.
#include "start.h"

#include <arch/native.h>

namespace prelude::start {
namespace {

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
  linker.isa_level = arch::isa_levels(arch::read_cpu_facts());  // what a libc may ask for
  const char* const none[] = {nullptr};
  const char* directories[8] = {};
  size_t count = 0;
  for (const char* directory : arch::Native::kSystemDirectories)
    if (count + 1 < sizeof directories / sizeof *directories) directories[count++] = directory;
  SearchSetup setup = usual_search();
  setup.system_directories = directories;
  setup.hwcaps_supported = none;
  Tracer silent;
  Searcher searcher;
  searcher.start(setup, linker.heap, silent);
  const Requester program{.is_main = true};
  (void)searcher.find(kLibc, program, &program, look_at_libc, &found);
  return found;
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

}  // namespace prelude::start
