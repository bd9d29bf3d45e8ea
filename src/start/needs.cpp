// What the program needs: its libraries and their versions. All that is missing is named before the
// process ends, not the first alone.
#include "start.h"

#include <prelude/base/string.h>
#include <prelude/report/hints.h>

namespace prelude::start {
namespace {

constexpr size_t kMostReported = 32;

bool continues_without() {
  return linker.options->trace_objects && linker.options->mode == Mode::kRun;
}

// DT_AUXILIARY and DT_FILTER name libraries, too.
bool names_filtee(const Module& module, int64_t tag, const char* name) {
  bool found = false;
  for_each_dynamic(module.image, tag, [&](uint64_t offset) {
    found = module.image.string(offset) == name;
    return !found;
  });
  return found;
}

bool note_missing(void*, Module* requester, const char* name, const Error& error) {
  const bool auxiliary = names_filtee(*requester, elf::kDtAuxiliary, name);
  if (auxiliary && !continues_without()) return false;  // nobody misses it
  if (!is_absence(error.code)) {
    world.broken_for = requester;
    return false;
  }
  // A listing has a line for each need, a report one for each library. A trace shows the search as
  // it is known: up to the first failure.
  if (!continues_without()) {
    linker.tracer.silence();
    for (const MissingLibrary& known : world.missing)
      if (equal(known.name, name)) return true;
    if (world.missing.size() == kMostReported) return false;
  }
  const bool filtee = auxiliary || names_filtee(*requester, elf::kDtFilter, name);
  Module* after = filtee ? requester->prev : linker.base_space.last;
  MissingLibrary missing{name, requester, after, error};
  // The error's own text lives until the next error.
  if (error.object != nullptr)
    missing.error.object = linker.heap.copy_string(error.object, string_length(error.object));
  return world.missing.push(linker.heap, missing);
}

// The loader stands behind the object that precedes it in search order, the program's vdso or not
// (Compat: glibc 2.36). By loading order it would come behind the vdso.
void place_self() {
  const SearchList& closure = linker.program->closure;
  if (closure.count < 2 || closure.modules[1] != linker.self || linker.program->next == linker.self)
    return;
  for (MissingLibrary& missing : world.missing)
    if (missing.after == linker.self) missing.after = linker.self->prev;
  move_in_namespace(linker, linker.base_space, *linker.self, *linker.program->next);
}

struct VersionErrors {
  Array<Error> errors;
  uint64_t count = 0;
};

void report_version(void* context, const Error& error, bool weak) {
  char buffer[2048];
  Writer out(buffer, sizeof buffer, to_stderr);
  if (weak) {
    report::write_weak_version_missing(out, linker.program_name, error.object, error.subject,
                                       error.context);
  } else {
    auto& found = *static_cast<VersionErrors*>(context);
    report::write_fatal(out, linker.program_name, error);
    ++found.count;
    if (found.errors.size() < kMostReported) (void)found.errors.push(linker.heap, error);
  }
  out.flush();
}

void explain_versions(const VersionErrors& found) {
  const report::HintSource* hints = hint_source();
  if (hints == nullptr) return;
  char buffer[2048];
  Writer out(buffer, sizeof buffer, to_stderr);
  for (size_t i = 0; i < found.errors.size(); ++i) {
    bool said = false;
    for (size_t k = 0; k < i; ++k) said = said || found.errors[k].object == found.errors[i].object;
    if (!said) hints->write(hints->context, out, found.errors[i]);
  }
  out.flush();
}

}  // namespace

void load_dependencies(Batch& batch, const Array<Module*>& roots) {
  const bool collect = continues_without() || report::hints_enabled(world.parsed.options);
  const Status status =
      load_closure(linker, batch, roots.data(), static_cast<uint32_t>(roots.size()),
                   collect ? note_missing : nullptr, nullptr);
  if (!continues_without() && !world.missing.empty()) fail(linker, world.missing[0].error);
  if (!status) fail(linker, status.error());
  place_self();
}

void check_all_versions() {
  VersionErrors found;
  const SearchList& all = linker.program->closure;
  check_versions(linker, all.modules, all.count, report_version, &found);
  if (found.count == 0 || is_listing()) return;
  explain_versions(found);
  sys::exit_group(1);
}

}  // namespace prelude::start
