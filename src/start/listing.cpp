// ldd mode: what would be loaded, without running any of it. LD_TRACE_LOADED_OBJECTS with LD_WARN,
// LD_BIND_NOW, LD_VERBOSE and LD_DEBUG=unused is what the ldd script uses; `ld.so --list` is for
// people.
#include "start.h"

#include <prelude/base/string.h>
#include <prelude/report/listing.h>

namespace prelude::start {
namespace {

void list_one(Writer& out, const Module& module) {
  const bool program = &module == linker.program;
  const char* name = program ? "" : module.names != nullptr ? module.names->name : module.path;
  report::write_listed(out, {.name = name,
                             .path = program ? "" : module.path,
                             .address = module.map_start,
                             .found = true});
}

const char* name_of(const MissingLibrary& missing) {
  const bool expanded = contains(missing.name, '$') && missing.error.object != nullptr;
  return expanded ? missing.error.object : missing.name;
}

void list_missing(Writer& out, const MissingLibrary& missing) {
  report::write_listed(out, {.name = name_of(missing), .found = false});
}

// Compat: a loader that nobody needs follows the last object of the program's search list, which
// the vdso is not in, or is not shown (glibc 2.41 and 2.36, measured). Null: not shown.
const Module* last_before_unneeded_loader() {
  if (linker.self->prev != nullptr || !served_manners().lists_loader) return nullptr;
  const SearchList& all = linker.program->closure;
  return all.count != 0 ? all.modules[all.count - 1] : nullptr;
}

// The namespace's list, with what was not found where it would have been.
template <typename Found, typename Missing>
void for_each_listed(Found&& found, Missing&& missing) {
  const auto missing_after = [&](const Module* module) {
    for (const MissingLibrary& library : world.missing)
      if (library.after == module) missing(library);
  };
  const Module* before_loader = last_before_unneeded_loader();
  for (const Module* module = linker.base_space.first; module != nullptr; module = module->next) {
    found(*module);
    // The loader directly follows what precedes it in search order, and what is missing is in no
    // such order.
    if (module == linker.self) missing_after(module->prev);
    if (module == before_loader) found(*linker.self);
    if (module->next != linker.self) missing_after(module);
  }
}

void list_all(Writer& out) {
  if (!has_dynamic(linker.program->image, elf::kDtNeeded)) {
    report::write_statically_linked(out);
    return;
  }
  for_each_listed(
      [&](const Module& module) {
        if (&module != linker.program || linker.options->trace_level > 1) list_one(out, module);
      },
      [&](const MissingLibrary& missing) { list_missing(out, missing); });
}

void list_symbols(Writer& out) {
  const Process& process = world.stack.process;
  for (int i = 1; i < process.argc; ++i) {
    SymbolQuery query = make_query(process.argv[i]);
    query.function_call = true;
    const Definition found = find_symbol(linker, query, linker.program->scope, nullptr);
    if (found.symbol == nullptr) {
      out.flush();
      fail(linker, {.code = Errc::kUndefinedSymbol,
                    .object = linker.program->path,
                    .subject = process.argv[i]});
    }
    const Image& image = found.module->image;
    report::write_symbol_found(out, process.argv[i], found.symbol->value, image.bias);
  }
}

// Auditors are told of the calls that a listing binds; nothing comes of their answers.
void tell_auditors(const Binding& binding) {
  if (linker.auditor == nullptr || binding.use != Use::kCall) return;
  if (!binding.found || binding.found->symbol == nullptr) return;
  const Definition& found = *binding.found;
  (void)linker.auditor->bound_at_once(binding.user, found,
                                      found.module->image.bias + found.symbol->value);
}

// Of a symbol that is missing the list goes on to tell others.
bool goes_on(const Binding& binding) {
  return binding.found || binding.found.error().code == Errc::kUndefinedSymbol;
}

// What relocating it would say.
void remark_on_size(const Binding& binding) {
  if (binding.use != Use::kCopy) return;
  const uint64_t room = binding.reference.size, bytes = binding.found->symbol->size;
  if (bytes > room || (bytes < room && linker.options->warn))
    remark(linker, "has different size in shared object, consider re-linking",
           binding.user.image.string(binding.reference.name), nullptr);
}

bool mark_used(void*, const Binding& binding) {
  if (!goes_on(binding)) fail(linker, binding.found.error());
  if (!binding.found || binding.found->symbol == nullptr) return true;
  binding.found->module->visited = true;
  tell_auditors(binding);
  remark_on_size(binding);
  return true;
}

bool judge_binding(void* context, const Binding& binding) {
  auto& out = *static_cast<Writer*>(context);
  if (!goes_on(binding)) fail(linker, binding.found.error());
  if (!binding.found) {
    const Error& error = binding.found.error();
    report::write_undefined(out, error.subject, error.context, error.object);
    out.flush();  // what a lookup remarks comes in between
    return true;
  }
  if (binding.found->symbol == nullptr) return true;
  tell_auditors(binding);
  remark_on_size(binding);
  return true;
}

// ldd -d and -r.
void warn_about_symbols() {
  char buffer[4096];
  Writer out(buffer, sizeof buffer, to_stderr);
  const Array<Module*>& sorted = linker.program->sorted;
  const bool with_plt = linker.options->bind_now;
  for (size_t i = sorted.size(); i-- > 0;) {
    if (sorted[i]->is_self) continue;
    for_each_binding(linker, *sorted[i], with_plt, judge_binding, &out);
    const Status status = explain::check_relocation_types(*sorted[i], with_plt);
    if (status) continue;
    out.flush();
    fail(linker, status.error());
  }
  out.flush();
}

bool print_need(void* context, const VersionNeed& need) {
  const Module* provider = linker.base_space.names.find(need.file);
  const bool found = provider != nullptr && provider->symbols.versions.defines(need.id);
  report::write_needed_version(*static_cast<Writer*>(context),
                               {.file = need.file,
                                .version = need.version,
                                .path = found ? provider->path : nullptr,
                                .weak = need.weak});
  return true;
}

// ldd -v.
void list_versions(Writer& out) {
  bool first = true;
  for (const Module* module = linker.base_space.first; module != nullptr; module = module->next) {
    if (module->image.verneed == nullptr) continue;
    if (first) report::write_versions_header(out);
    first = false;
    report::write_versions_object(out, module->path);
    for_each_version_need(module->image, module->symbols.versions, print_need, &out);
  }
}

template <typename Unused>
void for_each_unused(Unused&& unused) {
  const Image& image = linker.program->image;
  for_each_dynamic(image, elf::kDtNeeded, [&](uint64_t offset) {
    const Module* module = linker.base_space.names.find(image.string(offset));
    if (module != nullptr && !module->visited) unused(module->path);
    return true;
  });
}

// Compat: glibc takes the first ones of the list for the direct dependencies, as many as the
// program names. Behind what is missing that may be the loader (2.36 to 2.44: listing_test).
template <typename Unused>
void for_each_unused_by_place(Unused&& unused) {
  size_t left = 0;
  for_each_dynamic(linker.program->image, elf::kDtNeeded, [&](uint64_t) {
    ++left;
    return true;
  });
  for_each_listed(
      [&](const Module& module) {
        if (left == 0 || &module == linker.program || &module == linker.vdso) return;
        --left;
        if (!module.visited) unused(module.path);
      },
      [&](const MissingLibrary& missing) {
        if (left == 0) return;
        --left;
        unused(name_of(missing));
      });
}

// ldd -u: direct dependencies that none of the program's references is bound to.
[[noreturn]] void list_unused(Writer& out) {
  // Compat: --list binds lazily, so that calls alone make no use (glibc 2.36).
  const bool with_plt = linker.options->mode != Mode::kList;
  for_each_binding(linker, *linker.program, with_plt, mark_used, nullptr);
  bool any = false;
  const auto show = [&](const char* name) {
    if (!any) report::write_unused_header(out);
    any = true;
    report::write_unused(out, name);
  };
  if (world.missing.empty())
    for_each_unused(show);
  else
    for_each_unused_by_place(show);
  out.flush();
  sys::exit_group(any ? 1 : 0);
}

}  // namespace

bool is_listing() { return linker.options->mode == Mode::kList || linker.options->trace_objects; }

[[noreturn]] void list_objects() {
  const Options& options = *linker.options;
  const bool as_ldd = options.mode != Mode::kList;
  char buffer[4096];
  Writer out(buffer, sizeof buffer, to_stdout);
  if (options.question != Question::kNone) explain::answer(linker, world.search_log);
  if ((options.debug_mask & bit(Topic::kUnused)) != 0) list_unused(out);
  list_all(out);
  if (!as_ldd) list_symbols(out);
  out.flush();
  if (as_ldd && options.warn) warn_about_symbols();
  if (as_ldd && options.verbose) list_versions(out);
  out.flush();
  sys::exit_group(0);
}

[[noreturn]] void verify_program(const Result<Module*>& loaded) {
  constexpr int kProgram = 0, kNotLoadable = 1, kNoInterpreter = 2;
  if (!loaded || (*loaded)->image.dynamic_size == 0) sys::exit_group(kNotLoadable);
  sys::exit_group((*loaded)->image.interp_size != 0 ? kProgram : kNoInterpreter);
}

}  // namespace prelude::start
