#include <prelude/link/linker.h>

namespace prelude {
namespace {

// The arena opens when nobody else changes anything.
void open_arena(Linker& linker) {
  if (linker.arena == nullptr || linker.arena->begin()) [[likely]]
    return;
  linker.fatal(linker, {.code = Errc::kCannotChangeProtection, .object = linker.self->path});
}

}  // namespace

void begin_change(Linker& linker) {
  linker.personality->begin_change(linker);
  open_arena(linker);
}

void end_change(Linker& linker) {
  if (linker.arena != nullptr) [[unlikely]]
    linker.arena->end();
  linker.personality->end_change(linker);
}

bool try_change(Linker& linker) {
  if (!linker.personality->try_change(linker)) return false;
  open_arena(linker);
  return true;
}

}  // namespace prelude
