// The breadth-first closure of a request, and the check that all needed versions exist.
#include <prelude/link/linker.h>

#include <prelude/base/string.h>

namespace prelude {
namespace {

// The list under construction: modules in scope order, each processed once.
struct Closure {
  Linker& linker;
  Batch& batch;
  MissingCallback missing;
  void* context;
  Array<Module*> list;

  bool append(Module* module) {
    if (module->visited) return true;
    module->visited = true;
    return list.push(linker.heap, module);
  }
  // A dependency of an object that is new.
  bool note(Module& module, Module* dependency) {
    return module.dependencies_known || module.needed.push(linker.heap, dependency);
  }
  // `moved` tells that the module is before `at` only now: it was not there, or behind.
  bool insert_before(size_t at, Module* module, bool& moved) {
    size_t from = 0;
    while (from < list.size() && list[from] != module) ++from;
    moved = from > at;
    if (!moved) return true;
    if (from == list.size() && !append(module)) return false;
    for (size_t i = from; i > at; --i) list[i] = list[i - 1];
    list[at] = module;
    return true;
  }
};

constexpr Error kNoMemory{.code = Errc::kOutOfMemory};

// The loader itself enters the namespace's list when somebody needs it.
void enter_self(Linker& linker, Module* module) {
  Namespace& space = *linker.spaces[0];
  if (module != linker.self || module->prev != nullptr || space.first == module) return;
  append_to_namespace(linker, space, *module);
}

void trace_empty_name(const Linker& linker, const char* name) {
  if (linker.tracer.wants(Topic::kLibs))
    linker.tracer.emit({.kind = EventKind::kFileNoName, .topic = Topic::kLibs, .name = name});
}

// A needed name with its tokens replaced; null where nothing is left of it (Compat: glibc 2.36 to
// 2.43 leave such a need out). In a secure program there are to be none, wherever they lead. To be
// released with release_name().
Result<const char*> expand_name(Closure& closure, const Module& module, const char* name) {
  Linker& linker = closure.linker;
  if (!contains(name, '$')) return name;
  auto result = linker.searcher.expand(name, module.origin);
  const bool has_token = !result || !equal(*result, name);
  if (linker.options->secure && has_token) {
    if (result) linker.heap.release_string(*result);
    return Error{.code = Errc::kSecureToken, .object = name};
  }
  if (result) return result;
  if (result.error().code == Errc::kEmptyToken) {
    trace_empty_name(linker, name);
    return static_cast<const char*>(nullptr);
  }
  Error error = result.error();
  error.object = module.path;
  error.subject = name;
  return error;
}

void release_name(Linker& linker, const char* expanded, const char* name) {
  if (expanded != name) linker.heap.release_string(expanded);
}

Result<Module*> load_needed(Closure& closure, Module& module, const char* name) {
  const ModuleKind kind = module.kind == ModuleKind::kProgram ? ModuleKind::kNeeded : module.kind;
  const LoadRequest request{.name = name, .requester = &module, .kind = kind};
  auto loaded = load_object(closure.linker, closure.batch, request);
  if (loaded) enter_self(closure.linker, *loaded);
  return loaded;
}

bool is_filtee_tag(int64_t tag) { return tag == elf::kDtAuxiliary || tag == elf::kDtFilter; }

// DT_FILTER and DT_AUXILIARY: the filtee comes before the filter, in scope and in the namespace's
// list; a missing auxiliary one is no error. `position` is where the filter stands.
Status load_filtee(Closure& closure, const elf::Dynamic& entry, size_t& position) {
  Linker& linker = closure.linker;
  Module* module = closure.list[position];
  const bool optional = entry.tag == elf::kDtAuxiliary;
  const char* name = module->image.string(entry.value);
  if (name == nullptr)
    return Error{.code = Errc::kBadField,
                 .object = module->path,
                 .subject = optional ? "DT_AUXILIARY" : "DT_FILTER",
                 .context = "an offset inside the string table",
                 .value = entry.value};
  const char* expanded = PRELUDE_TRY(expand_name(closure, *module, name));
  if (expanded == nullptr) return Done{};
  if (linker.tracer.wants(Topic::kLibs))
    linker.tracer.emit({.kind = EventKind::kFileAuxiliary,
                        .topic = Topic::kLibs,
                        .object = module->path,
                        .name = expanded,
                        .value = optional ? 0U : 1U});
  auto filtee = load_needed(closure, *module, expanded);
  release_name(linker, expanded, name);
  if (!filtee) {
    const bool noted = closure.missing != nullptr &&
                       closure.missing(closure.context, module, name, filtee.error());
    return noted || optional ? Status(Done{}) : Status(filtee.error());
  }
  if (!closure.note(*module, *filtee)) return kNoMemory;
  bool moved = false;
  if (!closure.insert_before(position, *filtee, moved)) return kNoMemory;
  if (!moved) return Done{};
  ++position;
  move_in_namespace(linker, *closure.batch.space, **filtee, *module);
  return Done{};
}

Status load_direct(Closure& closure, Module& module, uint64_t offset) {
  // Checked once, but where an object has filtees this is read again, and relocations of its own
  // may have been there.
  const char* name = module.image.string(offset);
  if (name == nullptr) [[unlikely]]
    return Error{.code = Errc::kBadField,
                 .object = module.path,
                 .subject = "DT_NEEDED",
                 .context = "an offset inside the string table",
                 .value = offset};
  const auto expanded = expand_name(closure, module, name);
  if (expanded && *expanded == nullptr) return Done{};
  auto loaded =
      expanded ? load_needed(closure, module, *expanded) : Result<Module*>(expanded.error());
  if (expanded) release_name(closure.linker, *expanded, name);
  if (!loaded) {
    if (closure.missing != nullptr &&
        closure.missing(closure.context, &module, name, loaded.error()))
      return Done{};
    return loaded.error();
  }
  if (!closure.note(module, *loaded) || !closure.append(*loaded)) return kNoMemory;
  return Done{};
}

Status load_dependencies(Closure& closure, size_t& position) {
  Module& module = *closure.list[position];
  for (uint32_t i = 0; i < module.image.dynamic_count; ++i) {
    const elf::Dynamic& entry = module.image.dynamic[i];
    if (entry.tag == elf::kDtNeeded)
      PRELUDE_TRY(load_direct(closure, module, entry.value));
    else if (module.image.has_filters && is_filtee_tag(entry.tag))
      PRELUDE_TRY(load_filtee(closure, entry, position));
  }
  module.dependencies_known = true;
  return Done{};
}

Status walk(Closure& closure) {
  for (size_t i = 0; i < closure.list.size(); ++i) {
    Module* module = closure.list[i];
    if (module->in_walk) continue;
    // Filtees have places of their own in each list, so these are looked for anew.
    if (module->dependencies_known && !module->image.has_filters) {
      for (Module* dependency : module->needed)
        if (!closure.append(dependency)) return kNoMemory;
      continue;
    }
    size_t position = i;
    module->in_walk = true;
    PRELUDE_TRY(load_dependencies(closure, position));
    if (position != i) --i;  // the filtees inserted here have dependencies too
  }
  return Done{};
}

bool write_list(Linker& linker, const Array<Module*>& modules, SearchList& out) {
  const size_t count = modules.size();
  auto* list = linker.heap.make_unfilled<Module*>(count);
  auto* records = linker.heap.make_unfilled<LookupRecord>(count);
  if (list == nullptr || records == nullptr) return false;
  for (size_t i = 0; i < count; ++i) {
    list[i] = modules[i];
    records[i] = modules[i]->record;
  }
  out = {list, static_cast<uint32_t>(count), static_cast<uint32_t>(count), records};
  return true;
}

// The list to sort begins with the root, also where its filtees stand before it in the search list.
bool write_sorted(Linker& linker, Module& root) {
  const uint32_t count = root.closure.count;
  root.sorted.clear();
  if (!root.sorted.reserve(linker.heap, count)) return false;
  (void)root.sorted.push(linker.heap, &root);
  for (uint32_t i = 0; i < count; ++i)
    if (Module* module = root.closure.modules[i]; module != &root)
      (void)root.sorted.push(linker.heap, module);
  return true;
}

// Relocation dependencies that the closure holds anyway are none of their own any more.
void drop_known_uses(Module& root) {
  for (Module* module : root.sorted) module->visited = true;
  for (size_t i = root.used.size(); i-- > 0;)
    if (root.used[i]->visited) root.used.remove_at(i);
  for (Module* module : root.sorted) module->visited = false;
}

}  // namespace

Status sort_root(Linker& linker, Module& root, bool fresh) {
  if (!write_sorted(linker, root)) return kNoMemory;
  // While its own order is being found, a new root counts as having no dependencies: that is where
  // cycles through it are cut.
  Array<Module*> sorted = root.sorted;
  root.sorted = {};
  if (fresh) root.dependencies_known = false;
  const bool done = sort_closure(linker, sorted.data(), static_cast<uint32_t>(sorted.size()), true,
                                 SortFor::kStart);
  root.dependencies_known = true;
  root.sorted = sorted;
  drop_known_uses(root);
  return done ? Status(Done{}) : Status(kNoMemory);
}

Status load_closure(Linker& linker, Batch& batch, Module* const* roots, uint32_t root_count,
                    MissingCallback missing, void* context) {
  Closure closure{linker, batch, missing, context, {}};
  Status status = Done{};
  for (uint32_t i = 0; i < root_count && status; ++i)
    if (!closure.append(roots[i])) status = kNoMemory;
  if (status) status = walk(closure);
  for (Module* module : closure.list) module->visited = module->in_walk = false;
  Module& root = *roots[0];
  const bool fresh_root = root.sorted.empty() && root.in_new_batch;
  if (status && !write_list(linker, closure.list, root.closure)) status = kNoMemory;
  closure.list.release(linker.heap);
  if (!status) return status;
  return sort_root(linker, root, fresh_root);
}

namespace {

struct VersionCheck {
  Linker& linker;
  Module& module;
  VersionCallback report;
  void* context;
  uint32_t missing = 0;
};

// One line for each version that is needed, at start only (Compat: glibc 2.36 to 2.43).
void warn_of_lost_table(Linker& linker, const Module& provider, const Module& user) {
  if (linker.start_up_done || linker.remark == nullptr) return;
  if (linker.tracer.wants(Topic::kErrors))
    linker.trace_error(
        linker, {.code = Errc::kNoVersionTable, .object = provider.path, .context = user.path});
  linker.remark(linker, "no version information available", provider.path, user.path);
}

bool check_need(void* context, const VersionNeed& need) {
  auto& check = *static_cast<VersionCheck*>(context);
  Linker& linker = check.linker;
  const Namespace& space = *linker.spaces[check.module.name_space];
  const Module* provider = space.names.find(need.file);
  if (provider == nullptr) return true;  // missing in a listing: said elsewhere
  if (provider->stands_for != nullptr) provider = provider->stands_for;
  if (linker.tracer.wants(Topic::kVersions))
    linker.tracer.emit({.kind = EventKind::kVersionCheck,
                        .topic = Topic::kVersions,
                        .object = check.module.path,
                        .file = provider->path,
                        .name = need.version,
                        .ns = provider->name_space,
                        .ns2 = check.module.name_space});
  if (provider->image.verdef == nullptr) {
    warn_of_lost_table(linker, *provider, check.module);
    return true;
  }
  if (provider->symbols.versions.defines(need.id)) return true;
  const Error error{.code = need.weak ? Errc::kWeakVersionNotFound : Errc::kVersionNotFound,
                    .object = provider->path,
                    .subject = need.version,
                    .context = check.module.path};
  const bool told = !need.weak || !linker.start_up_done;
  if (told && linker.tracer.wants(Topic::kErrors)) linker.trace_error(linker, error);
  check.report(check.context, error, need.weak);
  if (need.weak) return true;
  ++check.missing;
  return !linker.start_up_done;  // dlopen ends with the first
}

}  // namespace

uint32_t check_versions(Linker& linker, Module* const* modules, size_t count,
                        VersionCallback report, void* context) {
  uint32_t missing = 0;
  for (size_t i = 0; i < count; ++i) {
    Module& module = *modules[i];
    if (module.image.verneed == nullptr) continue;
    VersionCheck check{linker, module, report, context};
    for_each_version_need(module.image, module.symbols.versions, check_need, &check);
    missing += check.missing;
    if (missing != 0 && linker.start_up_done) break;
  }
  return missing;
}

}  // namespace prelude
