// What a module's references bind to, found without relocating it.
#pragma once

#include <prelude/link/linker.h>

namespace prelude::explain {

struct Binding {
  Module& user;
  const elf::Symbol& reference;
  Use use;
  Result<Definition> found;  ///< no symbol: weak, and defined nowhere
};
/// Looks up what the relocations of a module name. Nothing is written to memory and no IFUNC
/// resolver runs. `each` gives false to stop.
using BindingCallback = bool (*)(void* context, const Binding& binding);
void for_each_binding(Linker& linker, Module& module, bool with_plt, BindingCallback each,
                      void* context);

/// The error that relocating the module would end with for a relocation of an unknown type.
Status check_relocation_types(const Module& module, bool with_plt);

}  // namespace prelude::explain
