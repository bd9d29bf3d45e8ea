// ldd mode: what would be loaded, without running any of it.
#include "start.h"

#include <prelude/base/string.h>
#include <prelude/report/listing.h>

namespace prelude::start {
namespace {

void to_stdout(void*, const char* text, size_t bytes) { sys::write_all(1, text, bytes); }

struct Missing {
  Array<const char*> names;
};

bool note_missing(void* context, Module*, const char* name, const Error& error) {
  if (error.code != Errc::kCannotOpen) return false;
  auto& missing = *static_cast<Missing*>(context);
  for (const char* known : missing.names)
    if (equal(known, name)) return true;
  return missing.names.push(linker.heap, name);
}

void list_one(Writer& out, const Module& module) {
  const char* name = module.names != nullptr ? module.names->name : module.path;
  report::write_listed(out, {.name = name, .path = module.path, .address = module.map_start, .found = true});
}

}  // namespace

[[noreturn]] void list_objects(Batch& batch, const Array<Module*>& roots) {
  Missing missing;
  const bool fatal_if_missing = linker.options->mode == Mode::kList;
  const Status status = load_closure(linker, batch, roots.data(), static_cast<uint32_t>(roots.size()),
                                     fatal_if_missing ? nullptr : note_missing, &missing);
  if (!status) fail(linker, status.error());
  char buffer[4096];
  Writer out(buffer, sizeof buffer, to_stdout);
  const SearchList& closure = linker.program->closure;
  if (closure.count == 1 && missing.names.empty()) {
    report::write_statically_linked(out);
  } else {
    if (linker.vdso != nullptr) list_one(out, *linker.vdso);
    for (uint32_t i = 1; i < closure.count; ++i) list_one(out, *closure.modules[i]);
    for (const char* name : missing.names) report::write_listed(out, {.name = name, .found = false});
  }
  out.flush();
  sys::exit_group(0);
}

[[noreturn]] void verify_program() {
  constexpr int kLoadable = 0, kNoInterpreter = 2;
  sys::exit_group(linker.program->image.interp_size != 0 ? kLoadable : kNoInterpreter);
}

}  // namespace prelude::start
