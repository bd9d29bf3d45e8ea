// dlopen's road: the same phases as start-up, with roll-back instead of exit.
#include <prelude/dl/dl.h>

#include <prelude/base/string.h>
#include <prelude/debugger/debugger.h>

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

void trace_opened(const Linker& linker, const Module& module) {
  if (linker.tracer.wants(Topic::kFiles))
    linker.tracer.emit({.kind = EventKind::kFileOpened, .topic = Topic::kFiles, .file = module.path,
                        .ns = module.name_space, .value = module.open_count});
}

Status promote(Linker& linker, Namespace& space, Module& module, uint32_t mode) {
  if ((mode & kOpenNoDelete) != 0) module.no_delete = true;
  if ((mode & kOpenGlobal) != 0 && !add_to_global(linker, space, module.closure))
    return Error{.code = Errc::kOutOfMemory, .object = module.path};
  return Done{};
}

// The unrelocated members of the root's closure, sorted for relocation among themselves.
Status relocate_new(Linker& linker, Batch& batch, Module& root) {
  Array<Module*> list;
  for (Module* module : root.sorted)
    if (!module->relocated && !list.push(linker.heap, module)) return Error{.code = Errc::kOutOfMemory};
  const bool lazy = (batch.mode & kOpenNow) == 0 && linker.lazy_allowed;
  Status status = Done{};
  if (!list.empty() && !sort_closure(linker, list.data(), static_cast<uint32_t>(list.size()), false, false))
    status = Error{.code = Errc::kOutOfMemory};
  if (status) status = relocate_batch(linker, batch, list.data(), list.size(), lazy);
  list.release(linker.heap);
  return status;
}

Status link_new(Linker& linker, Batch& batch, Module& root) {
  Module* roots[] = {&root};
  PRELUDE_TRY(load_closure(linker, batch, roots, 1));
  FirstError missing;
  if (check_versions(linker, batch.modules.data(), batch.modules.size(), keep_first, &missing) != 0)
    return missing.error;
  if (!give_scopes(linker, batch)) return Error{.code = Errc::kOutOfMemory, .object = root.path};
  for (Module* module : batch.modules) linker.personality->module_changed(linker, *module);
  linker.personality->module_changed(linker, root);
  if (!rebuild_index(linker)) return Error{.code = Errc::kOutOfMemory, .object = root.path};
  trace_scopes(linker, batch.modules.data(), batch.modules.size());
  PRELUDE_TRY(relocate_new(linker, batch, root));
  for (Module* module : batch.late_tls) linker.personality->fill_static_tls(linker, *module);
  if (batch.tls_added) {
    linker.personality->lock_tls(linker);
    linker.tls.publish_generation();
    linker.personality->unlock_tls(linker);
  }
  PRELUDE_TRY(linker.personality->batch_relocated(linker, batch));
  return promote(linker, *batch.space, root, batch.mode);
}

// strings of the error may belong to modules that go away with the batch
Error keep_strings(Linker& linker, const Error& error) {
  Error kept = keep_error(linker, error);
  auto copy = [&](const char*& slot, const char* text) {
    if (text == nullptr) return;
    const char* fresh = linker.heap.copy_string(text, string_length(text));
    if (slot != nullptr) linker.heap.release(const_cast<char*>(slot), string_length(slot) + 1, 1);
    slot = fresh;
  };
  copy(linker.error_subject, error.subject);
  copy(linker.error_context, error.context);
  if (error.subject != nullptr) kept.subject = linker.error_subject;
  if (error.context != nullptr) kept.context = linker.error_context;
  return kept;
}

}  // namespace

Result<Module*> open(Linker& linker, const OpenRequest& request) {
  Namespace& space = *request.space;
  if (request.file[0] == 0) {
    ++space.first->open_count;
    return space.first;
  }
  Batch batch;
  batch.space = &space;
  batch.mode = request.mode;
  Batch* outer = linker.batch;
  linker.batch = &batch;
  linker.searcher.revalidate_cache();
  debugger::announce(linker, space, kRtAdd);
  const LoadRequest load{.name = request.file, .requester = request.caller, .kind = ModuleKind::kOpened,
                         .by_dlopen = true, .no_load = (request.mode & kOpenNoLoad) != 0};
  auto loaded = load_object(linker, batch, load);
  Status status = Done{};
  Module* root = nullptr;
  if (!loaded) {
    status = loaded.error();
  } else {
    root = *loaded;
    batch.root = root;
    if (root != nullptr && root->closure.modules == nullptr)
      status = link_new(linker, batch, *root);
    else if (root != nullptr)
      status = promote(linker, space, *root, request.mode);
  }
  linker.batch = outer;
  if (!status) {
    const Error error = keep_strings(linker, status.error());
    const bool mapped = !batch.modules.empty();
    roll_back(linker, batch);
    if (mapped) (void)rebuild_index(linker);
    debugger::announce(linker, space, kRtConsistent);
    return error;
  }
  if (root == nullptr) {
    debugger::announce(linker, space, kRtConsistent);
    return root;
  }
  ++root->open_count;
  linker.personality->module_changed(linker, *root);
  commit(linker, batch);
  linker.personality->space_changed(linker, space);
  debugger::announce(linker, space, kRtConsistent);
  trace_opened(linker, *root);
  run_initialisers(linker, *root);
  return root;
}

bool is_open_handle(const Linker& linker, const void* handle) {
  for (const Namespace* space : linker.spaces)
    for (const Module* module = space->first; module != nullptr; module = module->map.l_next)
      if (module == handle) return true;
  return false;
}

}  // namespace prelude::dl
