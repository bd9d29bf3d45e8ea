// A zeroed Module with a link map, for tests of what lies below the linker.
#pragma once

#include <prelude/link/module.h>

#include <cstdlib>
#include <memory>
#include <new>

namespace prelude::test {

struct FreeModule {
  void operator()(Module* module) const {
    std::free(module->map);
    std::free(module);
  }
};
using OwnedModule = std::unique_ptr<Module, FreeModule>;

inline OwnedModule zeroed_module() {
  OwnedModule module(static_cast<Module*>(std::calloc(1, sizeof(Module))));
  auto* record = new (std::calloc(1, sizeof(LinkMapRecord))) LinkMapRecord;
  record->module = module.get();
  module->map = &record->map;
  return module;
}

}  // namespace prelude::test
