// Finding one object by name and bringing it into a batch.
#include <prelude/link/linker.h>

#include <prelude/base/string.h>

namespace prelude {
namespace {

struct Candidate {
  Linker& linker;
  OpenedFile file;
  Error error;
  const Module* requester = nullptr;  // in whose name auditors are asked
  const char* path = nullptr;         // heap copy of the accepted path
  bool other_class = false;           // a file of another class was skipped
  int32_t last_errno = 0;             // of the last file that could not be opened or was skipped
  bool marked_only = false;           // see is_marked()

  explicit Candidate(Linker& l) : linker(l) {}
};

// A library says by its set-user-ID bit that it is fit for secure programs, if nobody but root
// could have written it.
bool is_marked(const sys::FileStatus& status) {
  constexpr uint32_t kSetUserId = 04000, kOthersWrite = 022, kRoot = 0;
  return (status.mode & kSetUserId) != 0 && (status.mode & kOthersWrite) == 0 &&
         status.owner == kRoot;
}

NameSource source_of(FoundBy stage) {
  switch (stage) {
    case FoundBy::kLibraryPath:
      return NameSource::kLibraryPath;
    case FoundBy::kRpath:
    case FoundBy::kRunpath:
      return NameSource::kRunpath;
    case FoundBy::kCache:
      return NameSource::kCache;
    default:
      return NameSource::kDefault;
  }
}

// The file to open in place of `path`; null = none.
const char* ask_auditors(const Candidate& candidate, const char* path, FoundBy stage) {
  Linker& linker = candidate.linker;
  if (linker.auditor == nullptr || candidate.requester == nullptr || stage == FoundBy::kNone)
    return path;
  return linker.auditor->look_for(linker, *candidate.requester, path, source_of(stage));
}

Verdict try_candidate(void* context, const char* path, FoundBy stage) {
  auto& candidate = *static_cast<Candidate*>(context);
  // The object goes by the path that was found, whatever is opened.
  const char* file = ask_auditors(candidate, path, stage);
  candidate.last_errno = sys::raw(sys::kENOENT);
  if (file == nullptr) return Verdict::kAbsent;
  const Verdict verdict = open_file(candidate.linker, file, candidate.file, candidate.error);
  if (verdict == Verdict::kAbsent || verdict == Verdict::kBarred)
    candidate.last_errno = candidate.error.sys_errno;
  if (verdict == Verdict::kSkipped && candidate.error.code == Errc::kWrongClass)
    candidate.other_class = true;
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
  // What the loader itself asks for (auditors) belongs to the program.
  const Module* owner = request.requester != nullptr && request.requester != linker.self
                            ? request.requester
                            : linker.program;
  if (owner != nullptr) origin = owner->origin;
  // What a secure program gives to dlopen is its own business; what its files name is not left to
  // the current directory. (Nobody owns the program of a command line.)
  if (linker.options->secure && owner != nullptr && !request.by_dlopen && request.name[0] != '/' &&
      !contains(request.name, '$'))
    return keep_error(linker, {.code = Errc::kBadField,
                               .object = request.name,
                               .subject = "needed path",
                               .context = "an absolute path in a secure program"});
  auto expanded = linker.searcher.expand(request.name, origin);
  if (!expanded) {
    Error error = expanded.error();
    // Compat: for dlopen a path of which nothing is left is a file that is not there.
    if (request.by_dlopen && error.code == Errc::kEmptyToken)
      return keep_error(
          linker,
          {.code = Errc::kCannotOpen, .sys_errno = sys::raw(sys::kENOENT), .object = request.name});
    error.object = owner != nullptr ? owner->path : request.name;
    error.subject = request.name;
    return keep_error(linker, error);
  }
  const char* path = *expanded;
  const Verdict verdict = try_candidate(&candidate, path, FoundBy::kNone);
  Status status = Done{};
  if (verdict == Verdict::kSkipped && candidate.error.code == Errc::kWrongMachine)
    candidate.error =
        Error{.code = Errc::kCannotOpen, .sys_errno = sys::raw(sys::kENOENT), .object = path};
  // Compat: of a path that dlopen cannot open glibc says what was asked for, tokens and all.
  const bool unopened = verdict == Verdict::kAbsent || verdict == Verdict::kBarred;
  if (unopened && request.by_dlopen) candidate.error.object = request.name;
  if (verdict != Verdict::kAccepted) status = keep_error(linker, candidate.error);
  if (path != request.name) linker.heap.release_string(path);
  return status;
}

Status search(Linker& linker, const LoadRequest& request, const Batch& batch,
              Candidate& candidate) {
  const Namespace& space = *batch.space;
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
  Requester special = requester;
  special.system_only = request.trusted_only;
  special.for_auditor = batch.for_auditor;
  const bool is_special = request.trusted_only || batch.for_auditor;
  const FoundBy found =
      linker.searcher.find(request.name, is_special ? special : requester,
                           main != nullptr ? &main->requester : nullptr, try_candidate, &candidate);
  if (trace)
    linker.tracer.emit({.kind = EventKind::kSearchEnd, .topic = Topic::kLibs, .ns = space.index});
  if (found == FoundBy::kFailed) return candidate.error;
  if (found != FoundBy::kNone) return Done{};
  if (candidate.other_class)
    return keep_error(linker, {.code = Errc::kWrongClass, .object = request.name});
  // The word "not found anywhere" has an errno only when somebody needs the object.
  const bool user = request.requester == nullptr && request.kind == ModuleKind::kProgram;
  return keep_error(linker, {.code = Errc::kCannotOpen,
                             .sys_errno = user ? 0 : candidate.last_errno,
                             .object = request.name});
}

Module* same_file(const Namespace& space, const OpenedFile& file) {
  const sys::FileStatus& status = file.status;
  Module* module = space.files.find(status.device, status.inode);
  // The program is no library, whichever way it was started: its file is looked at, and refused, as
  // a new one.
  while (module != nullptr && (module->removed || module->kind == ModuleKind::kProgram))
    module = space.files.find(status.device, status.inode, module);
  return module;
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

void trace_mapping(const Linker& linker, const Namespace& space, const char* name) {
  if (!linker.tracer.wants(Topic::kFiles)) return;
  linker.tracer.emit(
      {.kind = EventKind::kFileMapping, .topic = Topic::kFiles, .name = name, .ns = space.index});
}

void trace_mapped(const Linker& linker, const Module& module) {
  if (!linker.tracer.wants(Topic::kFiles)) return;
  const Image& image = module.image;
  linker.tracer.emit({.kind = EventKind::kFileMapped,
                      .topic = Topic::kFiles,
                      .object = module.path,
                      .ns = module.name_space,
                      .value = reinterpret_cast<uintptr_t>(image.dynamic),
                      .value2 = image.bias,
                      .value3 = image.end - image.low,
                      .value4 = image.bias + image.entry,
                      .value5 = reinterpret_cast<uintptr_t>(image.phdr),
                      .value6 = image.phnum});
}

// A copy of the loader in search order would hide the one that works (glibc 2.36 dies of it).
Status refuse_second_loader(const Linker& linker, const Module& module,
                            const LoadRequest& request) {
  const char* soname = module.image.soname;
  if (soname == nullptr || linker.self == nullptr || request.by_dlopen) return Done{};
  if (linker.options->mode == Mode::kList || linker.options->trace_objects) return Done{};
  const char* own = linker.self->image.soname;
  if (own == nullptr || !equal(soname, own)) return Done{};
  return Error{.code = Errc::kSelfLoad};
}

// What a dlopen brings in includes the dependencies of the object it names.
Status refuse_for_dlopen(const Batch& batch, const Module& module, const LoadRequest& request) {
  const Image& image = module.image;
  if (request.kind == ModuleKind::kProgram) return Done{};
  if ((image.flags_1 & elf::kDf1Pie) != 0) return Error{.code = Errc::kPieAsLibrary};
  if ((image.flags_1 & elf::kDf1NoOpen) != 0 && !batch.start_up)
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

// Auditors hear of the change before a debugger does.
void tell_of_change(Linker& linker, Batch& batch) {
  if (linker.auditor != nullptr && !batch.announced) {
    if (!batch.start_up && !batch.for_auditor)
      linker.auditor->activity(linker, *batch.space, Activity::kAdd);
    batch.announced = true;
  }
  if (batch.first_entered != nullptr) {
    batch.first_entered(*batch.space);
    batch.first_entered = nullptr;
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
    const bool added = linker.tls.add(module, *module.map, linker.heap);
    linker.personality->unlock_tls(linker);
    if (!added) return Error{.code = Errc::kOutOfMemory};
    batch.tls_added = true;
    trace_tls_id(linker, module, EventKind::kTlsAssigned);
  }
  // Complete before it can be seen: others walk the list without a lock.
  linker.personality->module_ready(linker, module);
  append_to_namespace(linker, space, module);
  tell_of_change(linker, batch);
  if (linker.auditor != nullptr) linker.auditor->opened(linker, module);
  return Done{};
}

}  // namespace

void trace_tls_id(const Linker& linker, const Module& module, EventKind kind) {
  if (module.tls.module_id == 0 || !linker.tracer.wants(Topic::kTls)) return;
  linker.tracer.emit({.kind = kind,
                      .topic = Topic::kTls,
                      .file = module.path,
                      .ns = module.name_space,
                      .value = module.tls.module_id});
}

void trace_flags(const Linker& linker, const Module& module) {
  constexpr uint64_t kUnderstood = elf::kDf1Now | elf::kDf1NoDelete | elf::kDf1InitFirst |
                                   elf::kDf1NoOpen | elf::kDf1Origin | elf::kDf1NoDefLib |
                                   elf::kDf1Pie;
  const uint64_t others = module.image.flags_1 & ~kUnderstood;
  if (others != 0 && linker.tracer.wants(Topic::kFiles))
    linker.tracer.emit({.kind = EventKind::kFileFlags1,
                        .topic = Topic::kFiles,
                        .object = module.path,
                        .value = others});
}

Error keep_error(Linker& linker, Error error) {
  const char* old = linker.error_object;
  if (error.object == nullptr || error.object == old) return error;
  const char* copy = linker.heap.copy_string(error.object, string_length(error.object));
  if (copy != nullptr) {
    error.object = copy;
    linker.error_object = copy;
    linker.heap.release_string(old);
  }
  return error;
}

namespace {

// From a name that nobody in the namespace has to a mapped file of the batch.
Result<Module*> load_new(Linker& linker, Batch& batch, const LoadRequest& request) {
  Namespace& space = *batch.space;
  Candidate candidate(linker);
  candidate.marked_only = request.trusted_only;
  candidate.requester = request.requester != nullptr ? request.requester : space.first;
  PRELUDE_TRY(contains(request.name, '/') ? open_path(linker, request, candidate)
                                          : search(linker, request, batch, candidate));
  const char* path = candidate.path;
  auto drop_path = [&] { linker.heap.release_string(path); };
  if (Module* known = same_file(space, candidate.file); known != nullptr || request.no_load) {
    sys::close(candidate.file.fd);
    drop_path();
    if (known != nullptr && !add_name(linker, *known, request.name))
      return Error{.code = Errc::kOutOfMemory};
    return known;
  }
  trace_mapping(linker, space, request.name);
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
  trace_flags(linker, *module);
  Status status = refuse_for_dlopen(batch, *module, request);
  if (status) status = refuse_second_loader(linker, *module, request);
  if (status) status = check_stack(linker, *module);
  if (!status) {
    Error error = status.error();
    error.object = request.name;
    error = keep_error(linker, error);
    discard_object(linker, module);
    return error;
  }
  trace_mapped(linker, *module);
  PRELUDE_TRY(enter(linker, batch, request, *module));
  return module;
}

// Auditors may send us to another file, or to none.
Result<Module*> load_audited(Linker& linker, Batch& batch, const LoadRequest& request) {
  const char* name =
      linker.auditor->look_for(linker, *request.requester, request.name, NameSource::kOriginal);
  if (name == nullptr) {
    // Compat: glibc 2.36 says what errno happens to hold; once libc runs that is mostly ENOENT.
    const int32_t number = linker.start_up_done ? sys::raw(sys::kENOENT) : 0;
    return keep_error(linker, {.code = Errc::kCannotOpen, .sys_errno = number, .object = ""});
  }
  if (equal(name, request.name)) return load_new(linker, batch, request);
  // The answer need not outlive the next question.
  const size_t size = string_length(name);
  char* copy = linker.heap.copy_string(name, size);
  if (copy == nullptr) return Error{.code = Errc::kOutOfMemory, .object = request.name};
  LoadRequest other = request;
  other.name = copy;
  const auto loaded = load_new(linker, batch, other);
  const bool named = !loaded || *loaded == nullptr || !(*loaded)->in_new_batch ||
                     add_name(linker, **loaded, request.name);
  Error error{.code = Errc::kOutOfMemory, .object = request.name};
  if (!loaded) error = keep_error(linker, loaded.error());
  linker.heap.release(copy, size + 1, 1);
  if (!loaded || !named) return error;
  return *loaded;
}

// The file that a search in this namespace takes for the loader, on the heap; null = none. The
// namesake goes by its path, as with glibc, whichever loader is in charge.
const char* find_loader(Linker& linker, Batch& batch, const LoadRequest& request) {
  LoadRequest wanted = request;
  const bool audited = request.requester != nullptr && request.requester->audit != nullptr;
  if (audited)
    wanted.name =
        linker.auditor->look_for(linker, *request.requester, request.name, NameSource::kOriginal);
  if (wanted.name == nullptr || contains(wanted.name, '/')) return nullptr;
  Candidate candidate(linker);
  if (audited) candidate.requester = request.requester;
  if (!search(linker, wanted, batch, candidate)) return nullptr;
  sys::close(candidate.file.fd);
  return candidate.path;
}

Result<Module*> load_stand_in(Linker& linker, Batch& batch, const LoadRequest& request) {
  if (request.no_load) return static_cast<Module*>(nullptr);
  trace_needed(linker, request, *batch.space);
  const char* found = find_loader(linker, batch, request);
  const char* path = found != nullptr ? found : linker.self->path;
  const auto made = make_stand_in(linker, request.name, path);
  linker.heap.release_string(found);
  Module* module = PRELUDE_TRY(made);
  module->name_space = batch.space->index;
  PRELUDE_TRY(enter(linker, batch, request, *module));
  return module;
}

}  // namespace

Result<Module*> load_object(Linker& linker, Batch& batch, const LoadRequest& request) {
  Namespace& space = *batch.space;
  if (!request.is_new)
    if (Module* known = find_by_name(space, request.name); known != nullptr) return known;
  if (request.name[0] == 0 && request.requester == nullptr) return Error{.code = Errc::kCannotOpen};
  if (request.name[0] == 0 && !request.by_dlopen)
    return Error{.code = Errc::kBadField,
                 .object = request.requester != nullptr ? request.requester->path : "",
                 .subject = "DT_NEEDED",
                 .context = "a name that is not empty"};
  if (space.index != 0 && linker.self != nullptr && has_name(*linker.self, request.name))
    return load_stand_in(linker, batch, request);
  trace_needed(linker, request, space);
  if (linker.auditor != nullptr && request.requester != nullptr)
    return load_audited(linker, batch, request);
  return load_new(linker, batch, request);
}

}  // namespace prelude
