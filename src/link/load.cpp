// Finding one object by name and bringing it into a batch.
#include <prelude/link/linker.h>

#include <prelude/base/string.h>

namespace prelude {
namespace {

struct Candidate {
  Linker& linker;
  OpenedFile file;
  Error error;
  const char* path = nullptr;  // heap copy of the accepted path
  uint64_t other_class = 0;    // EI_CLASS of a skipped file
  bool tried = false;
  bool marked_only = false;  // see is_marked()

  explicit Candidate(Linker& l) : linker(l) {}
};

// A library says by its set-user-ID bit that it is fit for secure programs, if nobody but root
// could have written it.
bool is_marked(const sys::FileStatus& status) {
  constexpr uint32_t kSetUserId = 04000, kOthersWrite = 022, kRoot = 0;
  return (status.mode & kSetUserId) != 0 && (status.mode & kOthersWrite) == 0 &&
         status.owner == kRoot;
}

Verdict try_candidate(void* context, const char* path) {
  auto& candidate = *static_cast<Candidate*>(context);
  candidate.tried = true;
  const Verdict verdict = open_file(candidate.linker, path, candidate.file, candidate.error);
  if (verdict == Verdict::kSkipped && candidate.error.code == Errc::kWrongClass)
    candidate.other_class = candidate.error.value;
  if (verdict == Verdict::kFailed) candidate.error = keep_error(candidate.linker, candidate.error);
  if (verdict == Verdict::kAccepted) {
    if (candidate.marked_only && !is_marked(candidate.file.status)) {
      sys::close(candidate.file.fd);
      return Verdict::kAbsent;
    }
    candidate.path = candidate.linker.heap.copy_string(path, string_length(path));
    if (candidate.path == nullptr) {
      sys::close(candidate.file.fd);
      candidate.error = Error{.code = Errc::kOutOfMemory};
      return Verdict::kFailed;
    }
  }
  return verdict;
}

void trace_needed(const Linker& linker, const LoadRequest& request, const Namespace& space) {
  if (!linker.tracer.wants(Topic::kFiles) || request.requester == nullptr) return;
  linker.tracer.emit({.kind = EventKind::kFileNeeded,
                      .topic = Topic::kFiles,
                      .object = request.requester->path,
                      .name = request.name,
                      .ns = space.index,
                      .ns2 = request.requester->name_space,
                      .value = request.by_dlopen ? 1U : 0U});
}

// A name with a slash is a path; it is not searched for.
Status open_path(Linker& linker, const LoadRequest& request, Candidate& candidate) {
  const char* origin = nullptr;
  const Module* owner = request.requester != nullptr ? request.requester : linker.program;
  if (owner != nullptr) origin = owner->origin;
  // What a secure program gives to dlopen is its own business; what its files name is not left to
  // the current directory.
  if (linker.options->secure && !request.by_dlopen && request.name[0] != '/' &&
      !contains(request.name, '$'))
    return keep_error(linker, {.code = Errc::kBadField,
                               .object = request.name,
                               .subject = "needed path",
                               .context = "an absolute path in a secure program"});
  auto expanded = linker.searcher.expand(request.name, origin);
  if (!expanded) {
    Error error = expanded.error();
    error.object = owner != nullptr ? owner->path : request.name;
    error.subject = request.name;
    return keep_error(linker, error);
  }
  const char* path = *expanded;
  const Verdict verdict = try_candidate(&candidate, path);
  Status status = Done{};
  if (verdict == Verdict::kSkipped && candidate.error.code == Errc::kWrongMachine)
    candidate.error =
        Error{.code = Errc::kCannotOpen, .sys_errno = sys::raw(sys::kENOENT), .object = path};
  if (verdict != Verdict::kAccepted) status = keep_error(linker, candidate.error);
  if (path != request.name) linker.heap.release(const_cast<char*>(path), string_length(path) + 1);
  return status;
}

Status search(Linker& linker, const LoadRequest& request, const Namespace& space,
              Candidate& candidate) {
  const bool trace = linker.tracer.wants(Topic::kLibs);
  if (trace)
    linker.tracer.emit({.kind = EventKind::kSearchBegin,
                        .topic = Topic::kLibs,
                        .name = request.name,
                        .ns = space.index});
  const Module* main = linker.program;
  const Requester none{};
  const Requester& requester = request.requester != nullptr ? request.requester->requester
                               : main != nullptr            ? main->requester
                                                            : none;
  Requester trusting = requester;
  trusting.system_only = request.trusted_only;
  const FoundBy found =
      linker.searcher.find(request.name, request.trusted_only ? trusting : requester,
                           main != nullptr ? &main->requester : nullptr, try_candidate, &candidate);
  if (trace)
    linker.tracer.emit({.kind = EventKind::kSearchEnd, .topic = Topic::kLibs, .ns = space.index});
  if (found == FoundBy::kFailed) return candidate.error;
  if (found != FoundBy::kNone) return Done{};
  if (candidate.other_class != 0)
    return keep_error(
        linker,
        {.code = Errc::kWrongClass, .object = request.name, .value = candidate.other_class});
  // The word "not found anywhere" has an errno only when somebody needs the object.
  const bool user = request.requester == nullptr && request.kind == ModuleKind::kProgram;
  return keep_error(linker, {.code = Errc::kCannotOpen,
                             .sys_errno = user || !candidate.tried ? 0 : sys::raw(sys::kENOENT),
                             .object = request.name});
}

Module* same_file(const Namespace& space, const OpenedFile& file) {
  for (Module* module = space.first; module != nullptr; module = module->map.l_next)
    // The program is no library, whichever way it was started: its file is looked at, and refused,
    // as a new one.
    if (!module->removed && module->kind != ModuleKind::kProgram &&
        module->inode == file.status.inode && module->device == file.status.device &&
        module->inode != 0)
      return module;
  return nullptr;
}

// The directory of a relative path, made absolute. Out of line for its buffer.
[[gnu::noinline]] const char* absolute_directory(Linker& linker, const char* path, size_t tail) {
  char directory[4096];
  const auto got = sys::current_directory(directory, sizeof directory);
  if (!got || *got == 0 || directory[0] != '/') return nullptr;
  const size_t length = string_length(directory);
  auto* joined =
      static_cast<char*>(linker.heap.allocate(length + (tail == 0 ? 0 : tail + 1) + 1, 1));
  if (joined == nullptr) return nullptr;
  copy_bytes(joined, directory, length);
  if (tail != 0) {
    joined[length] = '/';
    copy_bytes(joined + length + 1, path, tail);
  }
  return joined;
}

void set_origin(Linker& linker, Module& module) {
  const char* path = module.path;
  const auto size = static_cast<size_t>(base_name(path) - path);  // the directory with its slash
  if (path[0] == '/')
    module.origin = linker.heap.copy_string(path, size > 1 ? size - 1 : 1);
  else
    module.origin = absolute_directory(linker, path, size == 0 ? 0 : size - 1);
  module.origin_owned = module.origin != nullptr;
  module.requester.origin = module.origin;
}

void trace_mapped(const Linker& linker, const Module& module, const char* name) {
  if (!linker.tracer.wants(Topic::kFiles)) return;
  const Image& image = module.image;
  linker.tracer.emit({.kind = EventKind::kFileMapping,
                      .topic = Topic::kFiles,
                      .name = name,
                      .ns = module.name_space});
  linker.tracer.emit({.kind = EventKind::kFileMapped,
                      .topic = Topic::kFiles,
                      .object = module.path,
                      .ns = module.name_space,
                      .value = reinterpret_cast<uint64_t>(image.dynamic),
                      .value2 = image.bias,
                      .value3 = image.end - image.low,
                      .value4 = image.bias + image.entry,
                      .value5 = reinterpret_cast<uint64_t>(image.phdr),
                      .value6 = image.phnum});
}

Status refuse_for_dlopen(const Module& module, const LoadRequest& request) {
  const Image& image = module.image;
  if (request.kind == ModuleKind::kProgram) return Done{};
  if ((image.flags_1 & elf::kDf1Pie) != 0) return Error{.code = Errc::kPieAsLibrary};
  if ((image.flags_1 & elf::kDf1NoOpen) != 0 && request.by_dlopen)
    return Error{.code = Errc::kNoOpen};
  return Done{};
}

Status check_stack(Linker& linker, const Module& module) {
  // A missing header means the machine's default, which is executable on old objects.
  if (!module.image.has_stack_header || (module.image.stack_flags & elf::kPfX) == 0) return Done{};
  return linker.personality->executable_stack(linker);
}

// Compat: what glibc finds out when it maps a file is said of the name asked for, not of the path.
bool tells_of_request(Errc code) {
  switch (code) {
    case Errc::kNoLoadSegments:
    case Errc::kSegmentNotAligned:
    case Errc::kNoDynamic:
    case Errc::kExecAsLibrary:
    case Errc::kCannotMapSegment:
    case Errc::kCannotMapZeroFill:
    case Errc::kCannotChangeProtection:
      return true;
    default:
      return false;
  }
}

Status enter(Linker& linker, Batch& batch, const LoadRequest& request, Module& module) {
  Namespace& space = *batch.space;
  module.kind = request.kind;
  module.in_new_batch = true;
  if (!request.by_dlopen) module.loader = request.requester;
  if (module.loader != nullptr) module.requester.loader = &module.loader->requester;
  module.requester.is_main = request.kind == ModuleKind::kProgram;
  if (!batch.modules.push(linker.heap, &module)) return Error{.code = Errc::kOutOfMemory};
  if ((module.image.flags_1 & elf::kDf1InitFirst) != 0) linker.init_first = &module;
  set_origin(linker, module);
  bool named = request.kind == ModuleKind::kProgram || add_name(linker, module, request.name);
  if (module.image.soname != nullptr)
    named = named && add_name(linker, module, module.image.soname);
  if (!named) return Error{.code = Errc::kOutOfMemory};
  if (module.tls.memsz != 0) {
    linker.personality->lock_tls(linker);
    const bool added = linker.tls.add(module, linker.heap);
    linker.personality->unlock_tls(linker);
    if (!added) return Error{.code = Errc::kOutOfMemory};
    batch.tls_added = true;
  }
  // Complete before it can be seen: others walk the list without a lock.
  linker.personality->module_ready(linker, module);
  append_to_namespace(linker, space, module);
  return Done{};
}

}  // namespace

Error keep_error(Linker& linker, Error error) {
  const char* old = linker.error_object;
  if (error.object == nullptr || error.object == old) return error;
  const char* copy = linker.heap.copy_string(error.object, string_length(error.object));
  if (copy != nullptr) {
    error.object = copy;
    linker.error_object = copy;
    if (old != nullptr) linker.heap.release(const_cast<char*>(old), string_length(old) + 1, 1);
  }
  return error;
}

Result<Module*> load_object(Linker& linker, Batch& batch, const LoadRequest& request) {
  Namespace& space = *batch.space;
  if (Module* known = space.names.find(request.name); known != nullptr) return known;
  if (request.name[0] == 0 && request.requester == nullptr) return Error{.code = Errc::kCannotOpen};
  if (request.name[0] == 0)
    return Error{.code = Errc::kBadField,
                 .object = request.requester != nullptr ? request.requester->path : "",
                 .subject = "DT_NEEDED",
                 .context = "a name that is not empty"};
  if (space.index != 0 && linker.self != nullptr && has_name(*linker.self, request.name)) {
    if (request.no_load) return static_cast<Module*>(nullptr);
    Module* module = PRELUDE_TRY(make_stand_in(linker, request.name));
    module->name_space = space.index;
    PRELUDE_TRY(enter(linker, batch, request, *module));
    return module;
  }
  Candidate candidate(linker);
  candidate.marked_only = request.trusted_only;
  trace_needed(linker, request, space);
  PRELUDE_TRY(contains(request.name, '/') ? open_path(linker, request, candidate)
                                          : search(linker, request, space, candidate));
  const char* path = candidate.path;
  auto drop_path = [&] { linker.heap.release(const_cast<char*>(path), string_length(path) + 1); };
  if (Module* known = same_file(space, candidate.file); known != nullptr || request.no_load) {
    sys::close(candidate.file.fd);
    drop_path();
    if (known != nullptr && !add_name(linker, *known, request.name))
      return Error{.code = Errc::kOutOfMemory};
    return known;
  }
  if (batch.before_mapping != nullptr) {
    batch.before_mapping(space);
    batch.before_mapping = nullptr;
  }
  const auto mapped =
      map_object(linker, candidate.file, path, request.kind == ModuleKind::kProgram);
  if (!mapped) {
    Error error = mapped.error();
    if (tells_of_request(error.code)) error.object = request.name;
    error = keep_error(linker, error);
    drop_path();
    return error;
  }
  drop_path();
  Module* module = *mapped;
  module->name_space = space.index;
  trace_mapped(linker, *module, request.name);
  Status status = refuse_for_dlopen(*module, request);
  if (status) status = check_stack(linker, *module);
  if (!status) {
    Error error = status.error();
    error.object = request.name;
    error = keep_error(linker, error);
    discard_object(linker, module);
    return error;
  }
  PRELUDE_TRY(enter(linker, batch, request, *module));
  return module;
}

}  // namespace prelude
