// The program's directory, which $ORIGIN stands for (ld.so(8)).
#include "start.h"

#include <prelude/base/string.h>

namespace prelude::start {
namespace {

// False when out of memory.
bool give_origin(Module& program, std::string_view directory) {
  const char* copy = linker.heap.copy_string(directory.data(), directory.size());
  if (program.origin_owned) linker.heap.release_string(program.origin);
  program.origin = copy;
  program.origin_owned = copy != nullptr;
  program.requester.origin = copy;
  return copy != nullptr;
}

// LD_ORIGIN_PATH, without slashes at its end.
void take_origin_from_environment(Module& program) {
  const char* text = linker.options->origin_path;
  if (text == nullptr) return;
  size_t size = string_length(text);
  while (size > 1 && text[size - 1] == '/') --size;
  (void)give_origin(program, {text, size});
}

// Where the kernel finds the program's file, links followed; as it is where the kernel cannot tell.
[[gnu::cold, gnu::noinline]] void resolve_origin() {
  const auto fd = sys::open_for_reading(world.program_file);
  if (!fd) return;
  char link[32], room[4096];
  Writer name(link, sizeof link);
  name.put("/proc/self/fd/").decimal(static_cast<uint64_t>(*fd));
  const std::string_view directory = directory_behind(name.c_str(), room, sizeof room);
  sys::close(*fd);
  if (!directory.empty() && !give_origin(*linker.program, directory))
    fail(linker, {.code = Errc::kOutOfMemory, .object = world.program_file});
}

}  // namespace

std::string_view directory_behind(const char* link, char* room, size_t capacity) {
  const auto got = sys::read_link(link, room, capacity - 1);
  size_t size = got && *got < capacity && room[0] == '/' ? *got : 0;
  while (size > 1 && room[size - 1] != '/') --size;
  if (size > 1) --size;
  room[size] = 0;
  return {room, size};
}

void find_program_origin(Module& program) {
  char room[4096];
  const std::string_view directory = directory_behind("/proc/self/exe", room, sizeof room);
  if (directory.empty()) return take_origin_from_environment(program);
  (void)give_origin(program, directory);
}

bool names_origin(const Image& image) {
  const Options& options = *linker.options;
  const char* const texts[] = {image.rpath,         image.runpath,          options.library_path,
                               options.env_preload, options.option_preload, options.env_audit};
  for (const char* text : texts)
    if (text != nullptr && contains(text, '$')) return true;
  if (image.names_auditors) return true;
  bool found = image.has_filters;
  for_each_dynamic(image, elf::kDtNeeded, [&](uint64_t offset) {
    found = found || contains(image.string(offset), '$');
    return !found;
  });
  return found;
}

void settle_origin() {
  if (linker.options->secure || world.program_file == nullptr) return;
  world.origin_pending = !names_origin(linker.program->image) && !wants_auditors();
  if (!world.origin_pending && served_manners().resolves_origin) resolve_origin();
}

void settle_pending_origin() {
  if (!world.origin_pending) return;
  const Module* libc = linker.base_space.names.find(kLibc);
  if (libc != nullptr && glibc::manners_of(&libc->image).resolves_origin) resolve_origin();
}

}  // namespace prelude::start
