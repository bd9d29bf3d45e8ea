// dlopen's road: the same phases as start-up, with roll-back instead of exit.
#include <prelude/dl/dl.h>

#include <prelude/base/string.h>

namespace prelude::dl {
namespace {

struct FirstError {
  Error error;
  bool set = false;
};

void keep_first(void* context, const Error& error, bool weak) {
  auto& first = *static_cast<FirstError*>(context);
  if (weak || first.set) return;
  first.error = error;
  first.set = true;
}

void count_opening(Linker& linker, Module& module) {
  ++module.open_count;
  ++linker.ties;
}

void trace_opened(const Linker& linker, const Module& module) {
  if (linker.tracer.wants(Topic::kFiles))
    linker.tracer.emit({.kind = EventKind::kFileOpened,
                        .topic = Topic::kFiles,
                        .file = module.map->l_name,
                        .ns = module.name_space,
                        .value = module.open_count});
}

Status promote(Linker& linker, Namespace& space, Module& module, uint32_t mode) {
  if ((mode & kOpenGlobal) == 0 || module.global) return Done{};
  const Change change(linker);
  if (!add_to_global(linker, space, module.closure))
    return Error{.code = Errc::kOutOfMemory, .object = module.path};
  return Done{};
}

void stop_unchanged(const Linker& linker, Namespace& space) {
  debugger::keep_record(space);
  if (linker.personality->audit_rules().stops_unchanged) debugger::stop_unchanged();
}

enum class FoundAgain : uint8_t { kByName, kByFile };

// What is there already needs no loading, and its initialisers are somebody else's: those of an
// object whose constructor opens it again are under way.
Status open_again(Linker& linker, Namespace& space, Module& module, uint32_t mode,
                  FoundAgain found) {
  const bool marks = (mode & kOpenNoDelete) != 0 && !module.no_delete;
  const bool joins = (mode & kOpenGlobal) != 0 && !module.global;
  const bool quiet = linker.quiet_reopen && found == FoundAgain::kByName;
  if (!quiet || module.open_count == 1 || marks || joins) {
    trace_opened(linker, module);
    stop_unchanged(linker, space);
  }
  if ((mode & kOpenNoDelete) != 0) {
    if (marks && linker.tracer.wants(Topic::kFiles))
      linker.tracer.emit({.kind = EventKind::kNoDelete,
                          .topic = Topic::kFiles,
                          .file = module.map->l_name,
                          .ns = module.name_space});
    module.no_delete = true;
    ++linker.ties;
  }
  return promote(linker, space, module, mode);
}

// Marks of the request become visible in the trace when it can no longer fail.
void trace_no_delete(const Linker& linker, const Batch& batch) {
  if (!linker.tracer.wants(Topic::kFiles)) return;
  for (const Module* module = batch.space->first; module != nullptr; module = module->next) {
    bool marked = module->in_new_batch && module->no_delete;
    for (const Module* pinned : batch.pinned) marked = marked || pinned == module;
    if (marked)
      linker.tracer.emit({.kind = EventKind::kNoDelete,
                          .topic = Topic::kFiles,
                          .file = module->path,
                          .ns = module->name_space,
                          .value = 1});
  }
}

// The unrelocated members of the root's closure, sorted for relocation among themselves.
Status relocate_new(Linker& linker, Batch& batch, Module& root) {
  Array<Module*> list;
  for (Module* module : root.sorted)
    if (!module->relocated && !list.push(linker.heap, module))
      return Error{.code = Errc::kOutOfMemory};
  const bool lazy = (batch.mode & kOpenNow) == 0 && linker.lazy_allowed;
  Status status = Done{};
  if (!list.empty() && !sort_closure(linker, list.data(), static_cast<uint32_t>(list.size()), false,
                                     SortFor::kStart))
    status = Error{.code = Errc::kOutOfMemory};
  if (status) status = relocate_batch(linker, batch, list.data(), list.size(), lazy);
  for (size_t i = 0; status && i < list.size(); ++i) status = check_initialisers(linker, *list[i]);
  list.release(linker.heap);
  return status;
}

// The first object opened in a namespace and its closure are what all others there see.
Status start_global(Linker& linker, Batch& batch, const SearchList& closure) {
  Namespace& space = *batch.space;
  if (space.global != nullptr) return Done{};
  space.global = &space.own_global;
  batch.starts_global = true;
  for (uint32_t i = 0; i < closure.count; ++i) {
    if (!append_to_list(linker, space.own_global, *closure.modules[i]))
      return Error{.code = Errc::kOutOfMemory};
    closure.modules[i]->global = true;
  }
  linker.personality->space_changed(linker, space);
  return Done{};
}

void forget_missing(Linker& linker) {
  const char* text = linker.missing_explained;
  linker.missing_explained = nullptr;
  linker.heap.release_string(text);
}

// While those who need it are still there: they go away with the request.
bool explain_missing(void* context, Module* requester, const char*, const Error&) {
  auto& linker = *static_cast<Linker*>(context);
  forget_missing(linker);
  if (linker.explain_missing != nullptr)
    linker.missing_explained = linker.explain_missing(linker, *requester);
  return false;
}

// Threads of an auditor may leave their stacks, with what hangs on them, to the program's libc.
// That knows nothing of blocks from other allocators, so an auditor's data lie in the stacks
// themselves.
Status place_at_once(Linker& linker, Batch& batch) {
  for (Module* module : batch.modules) {
    if (module->tls.module_id == 0 || module->tls.offset != kTlsNotPlaced) continue;
    linker.personality->lock_tls(linker);
    const bool placed = linker.tls.place_late(module->tls, linker.heap);
    linker.personality->unlock_tls(linker);
    if (placed && !batch.late_tls.push(linker.heap, module))
      return Error{.code = Errc::kOutOfMemory, .object = module->path};
  }
  return Done{};
}

// Called twice: the releases differ in when auditors hear it. Those that tell it late do not where
// nothing was added.
void tell_complete(Linker& linker, Batch& batch, bool relocated) {
  if (linker.auditor == nullptr || (relocated && !batch.announced)) return;
  if (linker.personality->audit_rules().complete_when_relocated == relocated)
    linker.auditor->activity(linker, *batch.space, Activity::kConsistent);
}

// In the order of the search list, which decides what is told first.
Status check_new_versions(Linker& linker, const SearchList& closure) {
  FirstError missing;
  for (uint32_t i = 0; i < closure.count && !missing.set; ++i)
    if (closure.modules[i]->in_new_batch)
      (void)check_versions(linker, &closure.modules[i], 1, keep_first, &missing);
  return missing.set ? Status(missing.error) : Status(Done{});
}

Status link_new(Linker& linker, Batch& batch, Module& root) {
  Module* roots[] = {&root};
  PRELUDE_TRY(load_closure(linker, batch, roots, 1, explain_missing, &linker));
  PRELUDE_TRY(start_global(linker, batch, root.closure));
  PRELUDE_TRY(check_new_versions(linker, root.closure));
  PRELUDE_TRY(linker.personality->batch_loaded(linker, batch));
  if (batch.for_auditor) PRELUDE_TRY(place_at_once(linker, batch));
  tell_complete(linker, batch, false);
  if (!give_scopes(linker, batch)) return Error{.code = Errc::kOutOfMemory, .object = root.path};
  for (Module* module : batch.modules) linker.personality->module_changed(linker, *module);
  if (!root.in_new_batch) linker.personality->module_changed(linker, root);
  if (!index_opened(linker, batch.modules.data(), batch.modules.size()))
    return Error{.code = Errc::kOutOfMemory, .object = root.path};
  trace_scope(linker, root, 0);
  if ((batch.mode & kOpenNoDelete) != 0 && !root.no_delete) {
    root.no_delete = true;
    if (!batch.pinned.push(linker.heap, &root))
      return Error{.code = Errc::kOutOfMemory, .object = root.path};
  }
  debugger::announce(*batch.space, debugger::Stage::kMapComplete, &root);
  batch.mapping_announced = true;
  debugger::announce(*batch.space, debugger::Stage::kRelocStart);
  PRELUDE_TRY(relocate_new(linker, batch, root));
  if ((batch.mode & kOpenGlobal) != 0 &&
      !reserve_in_list(linker, *batch.space->global, root.closure.count))
    return Error{.code = Errc::kOutOfMemory, .object = root.path};
  trace_no_delete(linker, batch);
  if (!extend_scopes(linker, root)) return Error{.code = Errc::kOutOfMemory, .object = root.path};
  if (batch.tls_added || !batch.late_tls.empty()) {
    linker.personality->lock_tls(linker);
    for (Module* module : batch.late_tls) linker.tls.fill_everywhere(module->tls);
    if (batch.tls_added) linker.tls.publish_generation();
    linker.personality->unlock_tls(linker);
  }
  PRELUDE_TRY(linker.personality->batch_relocated(linker, batch));
  debugger::announce(*batch.space, debugger::Stage::kRelocComplete, &root);
  tell_complete(linker, batch, true);
  return Done{};
}

void announce_entry(Namespace& space) { debugger::announce(space, debugger::Stage::kMapStart); }

// Takes everything back; debuggers that were told of new objects are told that they go.
void abandon(Linker& linker, Batch& batch) {
  Namespace& space = *batch.space;
  const bool told = batch.first_entered == nullptr;
  const bool mapped = !batch.modules.empty();
  const bool heard = batch.announced;
  if (told && mapped) {
    tell_failure(linker, batch);
    debugger::announce(space, debugger::Stage::kUnmapStart);
  }
  for (Module* module : batch.modules) module->removed = true;
  if (mapped) forget_removed(batch.modules.data(), batch.modules.size());
  roll_back(linker, batch);
  const auto end = mapped ? debugger::Stage::kUnmapComplete : debugger::Stage::kMapFailed;
  if (told) announce_end(linker, space, end, heard);
  if (!told && !batch.mapping_announced) stop_unchanged(linker, space);
}

// strings of the error may belong to modules that go away with the batch
Error keep_strings(Linker& linker, const Error& error) {
  Error kept = keep_error(linker, error);
  auto copy = [&](const char*& slot, const char* text) {
    if (text == nullptr) return;
    const char* fresh = linker.heap.copy_string(text, string_length(text));
    linker.heap.release_string(slot);
    slot = fresh;
  };
  copy(linker.error_subject, error.subject);
  copy(linker.error_context, error.context);
  if (error.subject != nullptr) kept.subject = linker.error_subject;
  if (error.context != nullptr) kept.context = linker.error_context;
  return kept;
}

// All of the request but the initialisers. `fresh` tells whether there may be any to run.
Result<Module*> open_changes(Linker& linker, const OpenRequest& request, bool& fresh) {
  Namespace& space = *request.space;
  Module* const known = find_by_name(space, request.file);
  if (known != nullptr && known->closure.modules != nullptr) {
    count_opening(linker, *known);
    linker.personality->module_changed(linker, *known);
    PRELUDE_TRY(open_again(linker, space, *known, request.mode, FoundAgain::kByName));
    return known;
  }
  Batch batch;
  batch.space = &space;
  batch.mode = request.mode;
  batch.first_entered = announce_entry;
  batch.for_auditor = request.for_auditor;
  Batch* outer = linker.batch;
  linker.batch = &batch;
  forget_missing(linker);
  linker.searcher.revalidate_cache();
  const LoadRequest load{.name = request.file,
                         .requester = request.caller,
                         .kind = ModuleKind::kOpened,
                         .by_dlopen = true,
                         .no_load = (request.mode & kOpenNoLoad) != 0,
                         .is_new = known == nullptr,
                         .trusted_only = request.trusted_only};
  auto loaded = load_object(linker, batch, load);
  Module* root = loaded ? *loaded : nullptr;
  batch.root = root;
  fresh = root != nullptr && root->closure.modules == nullptr;
  Status status = loaded ? Status(Done{}) : Status(loaded.error());
  if (fresh) status = link_new(linker, batch, *root);
  linker.batch = outer;
  if (!status) {
    const Error error = keep_strings(linker, status.error());
    abandon(linker, batch);
    return error;
  }
  if (root != nullptr) {
    count_opening(linker, *root);
    linker.personality->module_changed(linker, *root);
    commit(linker, batch);
    linker.personality->space_changed(linker, space);
  }
  if (root == nullptr) stop_unchanged(linker, space);
  if (root != nullptr && !fresh)
    PRELUDE_TRY(open_again(linker, space, *root, request.mode, FoundAgain::kByFile));
  return root;
}

}  // namespace

Result<Module*> open(Linker& linker, const OpenRequest& request) {
  if (request.file[0] == 0 && request.space->index == 0) {
    const Opening opening(linker);
    Module& program = *request.space->first;
    count_opening(linker, program);
    PRELUDE_TRY(open_again(linker, *request.space, program, request.mode, FoundAgain::kByName));
    return &program;
  }
  Module* root = nullptr;
  bool fresh = false;
  {
    const Change change(linker);
    root = PRELUDE_TRY(open_changes(linker, request, fresh));
  }
  if (!fresh) return root;
  run_initialisers(linker, *root);
  // Only now may others bind to the new symbols, as glibc has it; there is room for them.
  PRELUDE_TRY(promote(linker, *request.space, *root, request.mode));
  trace_opened(linker, *root);
  return root;
}

bool is_open_handle(const Linker& linker, const void* handle) {
  // The index is dense, the list is not.
  if (is_opened_later(handle)) return true;
  for (const Namespace* space : linker.spaces)
    for (const Module* module = space->first; module != nullptr; module = module->next)
      if (module->map == handle) return true;
  return false;
}

}  // namespace prelude::dl
