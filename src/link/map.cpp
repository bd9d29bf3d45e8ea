// From an open file to a mapped, decoded Module.
#include <prelude/link/linker.h>

#include <arch/native.h>

#include <prelude/base/align.h>
#include <prelude/base/string.h>

#include <string_view>

namespace prelude {
namespace {

[[gnu::cold]] Error named(Error error, const char* path) {
  if (error.object == nullptr) error.object = path;
  return error;
}

[[gnu::cold, gnu::noinline]] Error system_error(Errc code, sys::Errno number, const char* path) {
  return Error{.code = code, .sys_errno = sys::raw(number), .object = path};
}

// Without the kernel's number: glibc 2.36 says none for a failed mapping (measured).
[[gnu::cold, gnu::noinline]] Error mapping_error(Errc code, const char* path) {
  return Error{.code = code, .object = path};
}

// Clears the end of the last file page of a segment, write-enabling it for the moment if need be.
Status clear_tail(const Image& image, const MapStep& step, uint64_t page, const char* path) {
  char* start = static_cast<char*>(image.address(step.vaddr));
  if ((step.flags & elf::kPfW) != 0) {
    fill_zero(start, step.bytes);
    return Done{};
  }
  char* first = static_cast<char*>(image.address(round_down(step.vaddr, page)));
  if (auto r = sys::protect(first, page, protection_of(step.flags | elf::kPfW) & ~sys::kProtExec);
      !r)
    return mapping_error(Errc::kCannotChangeProtection, path);
  fill_zero(start, step.bytes);
  if (auto r = sys::protect(first, page, protection_of(step.flags)); !r)
    return mapping_error(Errc::kCannotChangeProtection, path);
  return Done{};
}

// Relocations and constructors write nearly every page of a writable segment this small: pages that
// come with the mapping cost half of what they cost fault by fault.
constexpr uint64_t kFewPages = 8;

bool comes_whole(const MapStep& step, uint64_t page) {
  return step.flags == (elf::kPfR | elf::kPfW) && step.bytes <= kFewPages * page;
}

Status run_step(const Image& image, const MapStep& step, int fd, uint64_t page, const char* path) {
  void* at = image.address(step.vaddr);
  switch (step.kind) {
    case MapStep::Kind::kFile:
      if (auto r =
              comes_whole(step, page)
                  ? sys::map_file_present(at, step.bytes, fd, step.offset)
                  : sys::map_file(at, step.bytes, protection_of(step.flags), fd, step.offset, true);
          !r)
        return mapping_error(Errc::kCannotMapSegment, path);
      return Done{};
    case MapStep::Kind::kAnonymous:
      if (auto r = sys::map_anonymous(at, step.bytes, protection_of(step.flags), true); !r)
        return mapping_error(Errc::kCannotMapZeroFill, path);
      return Done{};
    case MapStep::Kind::kNone:
      if (auto r = sys::protect(at, step.bytes, sys::kProtNone); !r)
        return mapping_error(Errc::kCannotChangeProtection, path);
      return Done{};
    case MapStep::Kind::kZero:
      return clear_tail(image, step, page, path);
  }
  return Done{};
}

sys::Ret<void*> map_low(const MapStep& step, int fd) {
  if (step.kind != MapStep::Kind::kFile) return sys::map_anonymous_low(step.bytes, sys::kProtNone);
  return sys::map_file_low(step.bytes, protection_of(step.flags), fd, step.offset);
}

// Low addresses are a wish, not a need, and so is the address that a shared object is linked at
// (Compat: glibc 2.36 to 2.43; rows: test_wanted_address).
sys::Ret<void*> map_where_room_is(const Linker& linker, const MapStep& step, int fd) {
  if (linker.low_addresses) [[unlikely]]
    if (const auto mapped = map_low(step, fd); mapped) return mapped;
  void* wanted = reinterpret_cast<void*>(step.vaddr);
  if (step.kind != MapStep::Kind::kFile)
    return sys::map_anonymous(wanted, step.bytes, sys::kProtNone, false);
  return sys::map_file(wanted, step.bytes, protection_of(step.flags), fd, step.offset, false);
}

// Reserves an aligned span for segments that ask for more than page alignment.
Result<uint64_t> reserve_aligned(const Linker& linker, const Image& image, const char* path) {
  const uint64_t span = image.high - image.low, align = image.max_align;
  MapStep room = {};
  room.kind = MapStep::Kind::kAnonymous;
  room.vaddr = image.low;
  room.bytes = span + align;
  auto region = map_where_room_is(linker, room, -1);
  if (!region) return mapping_error(Errc::kCannotMapSegment, path);
  const auto start = reinterpret_cast<uintptr_t>(*region);
  const uint64_t phase = image.low & (align - 1);
  const uint64_t base = round_up(start - phase, align) + phase;
  if (base > start) (void)sys::unmap(*region, base - start);
  const uint64_t end = start + span + align;
  if (end > base + span) (void)sys::unmap(reinterpret_cast<void*>(base + span), end - base - span);
  return base;
}

// The first step decides the address; the others are laid over it.
Status map_span(const Linker& linker, Image& image, const MapStep& first, int fd,
                const char* path) {
  const uint64_t page = linker.host.page_size;
  const bool exact = image.type == elf::kTypeExec;
  const bool aligned = !exact && image.max_align > page;
  void* at = reinterpret_cast<void*>(image.low);
  if (aligned) {
    const uint64_t base = PRELUDE_TRY(reserve_aligned(linker, image, path));
    at = reinterpret_cast<void*>(base);
    image.bias = base - image.low;
    if (first.kind != MapStep::Kind::kFile) return Done{};
    if (auto r = sys::map_file(at, first.bytes, protection_of(first.flags), fd, first.offset, true);
        !r)
      return mapping_error(Errc::kCannotMapSegment, path);
    return Done{};
  }
  sys::Ret<void*> mapped = sys::kEINVAL;
  if (exact && first.kind != MapStep::Kind::kFile) {
    mapped = sys::map_anonymous(at, first.bytes, sys::kProtNone, false);
    if (mapped && *mapped != at) {
      (void)sys::unmap(*mapped, first.bytes);
      mapped = sys::kENOMEM;
    }
  } else if (exact) {
    mapped = sys::map_file_exactly(at, first.bytes, protection_of(first.flags), fd, first.offset);
  } else {
    mapped = map_where_room_is(linker, first, fd);
  }
  if (!mapped) return mapping_error(Errc::kCannotMapSegment, path);
  image.bias = reinterpret_cast<uintptr_t>(*mapped) - image.low;
  return Done{};
}

Status map_image(Linker& linker, Image& image, int fd, const char* path) {
  const uint64_t page = linker.host.page_size;
  constexpr uint32_t kUsual = 33;  // eight segments
  MapStep usual[kUsual];
  const size_t room = 1 + size_t{4} * image.segment_count;
  MapStep* steps = room <= kUsual ? usual : linker.heap.make_array<MapStep>(room);
  if (steps == nullptr) return Error{.code = Errc::kOutOfMemory, .object = path};
  const uint32_t count = plan_mapping(image, page, steps, linker.map_style);
  Status status = map_span(linker, image, steps[0], fd, path);
  const bool mapped = status.ok();
  for (uint32_t i = 1; i < count && status; ++i) status = run_step(image, steps[i], fd, page, path);
  if (mapped && !status) (void)sys::unmap(image.address(image.low), image.high - image.low);
  if (steps != usual) linker.heap.release_array(steps, room);
  return status;
}

bool contiguous(const Image& image, uint64_t page) {
  uint64_t covered = image.low;
  for (uint32_t i = 0; i < image.segment_count; ++i) {
    const LoadSegment& s = image.segments[i];
    if (round_down(s.vaddr, page) > covered) return false;
    const uint64_t end = round_up(s.vaddr + s.memsz, page);
    if (end > covered) covered = end;
  }
  return true;
}

void note_tls(Module& module) {
  const Image& image = module.image;
  if (image.tls_memsz == 0) return;
  module.tls.image = image.address(image.tls_vaddr);
  module.tls.filesz = image.tls_filesz;
  module.tls.memsz = image.tls_memsz;
  module.tls.align = image.tls_align;
  module.tls.first_byte = image.tls_vaddr & (image.tls_align - 1);
}

// A listing runs no code of the object, nor does what only tells of the C library.
Status check_isa(const Linker& linker, const Image& image) {
  const Options& options = *linker.options;
  if (options.mode == Mode::kList || options.only_informs() || options.trace_objects) return Done{};
  const uint32_t needed = gnu_property(image, arch::Native::kIsaNeededProperty);
  if ((needed & ~linker.isa_level) == 0) return Done{};
  return Error{.code = Errc::kIsaLevelTooLow, .value = needed};
}

// An object with DT_RELR that needs a version of libc says by one more version that it knows of
// DT_RELR.
Status check_relr_marker(const Image& image, const VersionTable& versions) {
  struct Found {
    bool libc = false, marker = false;
  } found;
  if (image.relr_count == 0 || image.verneed == nullptr) return Done{};
  for_each_version_need(
      image, versions,
      [](void* context, const VersionNeed& need) {
        auto& seen = *static_cast<Found*>(context);
        if (!std::string_view(need.file).starts_with("libc.so.")) return true;
        seen.libc = true;
        seen.marker = equal(need.version, "GLIBC_ABI_DT_RELR");
        return !seen.marker;
      },
      &found);
  if (!found.libc || found.marker) return Done{};
  return Error{.code = Errc::kRelrWithoutMarker};
}

// Everything that follows from a decoded image.
Status complete(Linker& linker, Module& module) {
  Image& image = module.image;
  PRELUDE_TRY(check_isa(linker, image));
  module.map->l_addr = static_cast<elf::Word>(image.bias);
  module.map->l_name = module.path;
  module.map->l_ld = image.dynamic;
  module.map_start = image.bias + image.low;
  module.map_end = image.bias + image.end;
  module.segments_contiguous = contiguous(image, linker.host.page_size);
  module.symbols.image = &image;
  module.symbols.versions = PRELUDE_TRY(read_versions(image, linker.version_names, linker.heap));
  PRELUDE_TRY(check_relr_marker(image, module.symbols.versions));
  module.record = make_record(module, image);
  module.call_seal = seal_of_calls(module);
  module.closure.modules = nullptr;
  module.local_scope[0] = &module.closure;
  module.bind_now = image.bind_now;
  module.no_delete = (image.flags_1 & elf::kDf1NoDelete) != 0;
  const uint64_t page = linker.host.page_size;
  if (image.relro_size != 0) {
    module.relro_start = round_down(image.bias + image.relro_vaddr, page);
    module.relro_end = round_down(image.bias + image.relro_vaddr + image.relro_size, page);
    if (module.relro_end < module.relro_start) module.relro_end = module.relro_start;
  }
  note_tls(module);
  module.requester = {.name = module.path,
                      .origin = nullptr,
                      .rpath = image.rpath,
                      .runpath = image.runpath,
                      .rpath_cache = &module.rpath_list,
                      .runpath_cache = &module.runpath_list,
                      .loader = nullptr,
                      .no_default_libraries = (image.flags_1 & elf::kDf1NoDefLib) != 0,
                      .is_main = false};
  inhibit_rpath(linker, module.requester, module.path);
  return Done{};
}

// The page of the dynamic section will be written (GOT, DT_DEBUG): written at once it costs one
// fault, read first two.
void touch_dynamic_page(const Image& image) {
  const LoadSegment* s = image.file_segment(image.dynamic_vaddr, image.dynamic_size);
  // The vdso of qemu's user mode has a segment that says writable and is not; its dynamic section
  // says the truth.
  const bool writable = (image.dynamic_flags & elf::kPfW) != 0;
  if (!writable || s == nullptr || (s->flags & elf::kPfW) == 0) return;
  arch::write_fault(image.address(image.dynamic_vaddr));
}

// Of a larger segment relocations write nearly every page of RELRO. That takes a second mapping of
// them, which many pages make worth it. (madvise would do without; no filter of system calls
// that knows glibc's loader lets it pass.)
Status prefault_relro(const Image& image, int fd, uint64_t page, const char* path) {
  const uint64_t low = round_down(image.relro_vaddr, page);
  const uint64_t high = round_down(image.relro_vaddr + image.relro_size, page);
  const LoadSegment* s = image.file_segment(image.relro_vaddr, image.relro_size);
  if (s == nullptr || s->flags != (elf::kPfR | elf::kPfW) || high <= low + kFewPages * page)
    return Done{};
  const uint64_t offset = s->offset + (low - s->vaddr);
  if (auto r = sys::map_file_present(image.address(low), high - low, fd, offset); !r)
    return mapping_error(Errc::kCannotMapSegment, path);
  return Done{};
}

// Program headers lie in the first block of the file, or are read apart.
Result<const elf::ProgramHeader*> read_headers(Linker& linker, const OpenedFile& file,
                                               elf::ProgramHeader*& owned) {
  const size_t bytes = size_t{file.facts.phnum} * sizeof(elf::ProgramHeader);
  if (file.facts.phoff <= file.head_bytes && bytes <= file.head_bytes - file.facts.phoff)
    return reinterpret_cast<const elf::ProgramHeader*>(file.head + file.facts.phoff);
  owned = linker.heap.make_array<elf::ProgramHeader>(file.facts.phnum);
  if (owned == nullptr) return Error{.code = Errc::kOutOfMemory};
  const auto got = sys::read_at(file.fd, owned, bytes, file.facts.phoff);
  if (got && *got == bytes) return static_cast<const elf::ProgramHeader*>(owned);
  return Error{.code = Errc::kCannotReadData, .sys_errno = got ? 0 : sys::raw(got.error())};
}

uint32_t count_loads(const elf::ProgramHeader* headers, uint16_t count) {
  uint32_t loads = 0;
  for (uint16_t i = 0; i < count; ++i) loads += headers[i].type == elf::kPtLoad ? 1 : 0;
  return loads;
}

Status decode_segments(Linker& linker, Module& module, const elf::ProgramHeader* headers,
                       uint16_t count, uint64_t file_size) {
  const uint32_t loads = count_loads(headers, count);
  auto* segments = linker.heap.make_array<LoadSegment>(loads == 0 ? 1 : loads);
  if (segments == nullptr) return Error{.code = Errc::kOutOfMemory};
  module.image.segments = segments;
  module.image.segment_count = loads;
  module.image.phnum = count;
  return decode_program_headers(headers, count, file_size, linker.host, segments, module.image);
}

// The mapped program headers if a segment that can be read holds them, else a copy of ours.
Status find_headers(Linker& linker, Module& module, const OpenedFile& file,
                    const elf::ProgramHeader* headers) {
  Image& image = module.image;
  const uint64_t bytes = uint64_t{image.phnum} * sizeof(elf::ProgramHeader);
  for (uint32_t i = 0; i < image.segment_count; ++i) {
    const LoadSegment& s = image.segments[i];
    if ((s.flags & elf::kPfR) == 0 || file.facts.phoff < s.offset ||
        file.facts.phoff - s.offset > s.filesz || bytes > s.filesz - (file.facts.phoff - s.offset))
      continue;
    image.phdr = static_cast<const elf::ProgramHeader*>(
        image.address(s.vaddr + (file.facts.phoff - s.offset)));
    return Done{};
  }
  auto* copy = linker.heap.make_array<elf::ProgramHeader>(image.phnum);
  if (copy == nullptr) return Error{.code = Errc::kOutOfMemory};
  copy_bytes(copy, headers, bytes);
  image.phdr = copy;
  module.phdr_owned = true;
  return Done{};
}

Status refuse_type(const Image& image, bool as_program) {
  if (as_program) return Done{};
  if (image.type == elf::kTypeExec) return Error{.code = Errc::kExecAsLibrary};
  return Done{};
}

Status build(Linker& linker, Module& module, OpenedFile& file, bool as_program) {
  elf::ProgramHeader* owned = nullptr;
  const auto headers = read_headers(linker, file, owned);
  Status status = headers ? Status(Done{}) : Status(headers.error());
  Image& image = module.image;
  image.type = file.facts.type;
  image.entry = file.facts.entry;
  if (status) status = refuse_type(image, as_program);
  if (status)
    status = decode_segments(linker, module, *headers, file.facts.phnum, file.status.size);
  // Only a static program at fixed addresses may do without.
  if (status && image.dynamic_size == 0 && !(as_program && image.type == elf::kTypeExec))
    status = Error{.code = Errc::kNoDynamic};
  bool mapped = false;
  if (status) {
    status = map_image(linker, image, file.fd, module.path);
    mapped = status.ok();
  }
  if (mapped) {
    module.map_start = image.bias + image.low;
    module.map_end = image.bias + image.end;
    status = find_headers(linker, module, file, *headers);
  }
  if (owned != nullptr) linker.heap.release_array(owned, file.facts.phnum);
  if (status && image.dynamic_size != 0)
    status = prefault_relro(image, file.fd, linker.host.page_size, module.path);
  if (status && image.dynamic_size != 0) {
    touch_dynamic_page(image);
    status = decode_dynamic(image);
  }
  if (status) status = complete(linker, module);
  if (!status && mapped) (void)sys::unmap(image.address(image.low), image.high - image.low);
  return status;
}

void free_parts(Linker& linker, Module& module) {
  Heap& heap = linker.heap;
  Image& image = module.image;
  const bool shared = module.stands_for != nullptr;
  if (module.phdr_owned) heap.release_array(image.phdr, image.phnum);
  if (!shared)
    heap.release_array(image.segments, image.segment_count == 0 ? 1 : image.segment_count);
  if (!shared)
    heap.release_array(module.symbols.versions.entries, module.symbols.versions.capacity);
  heap.release_string(module.path);
  if (module.origin_owned) heap.release_string(module.origin);
  for (NameNode* node = module.names; node != nullptr;) {
    NameNode* next = node->next;
    heap.release_string(node->name);
    linker.open_heap->release(node, sizeof(NameNode), alignof(NameNode));
    node = next;
  }
  linker.searcher.release_list(module.rpath_list);
  linker.searcher.release_list(module.runpath_list);
  module.needed.release(heap);
  module.sorted.release(heap);
  module.used.release(heap);
  for (SearchList* list : {&module.closure, &module.self_list}) {
    heap.release_array(list->modules, list->capacity);
    heap.release_array(list->records, list->capacity);
  }
  heap.release_array(module.scope, module.scope_capacity);
}

// Compat: what lets a search go on in the next directory (glibc 2.41; 2.36 ends at ENOTDIR, too).
bool tells_absence(sys::Errno number) {
  return number == sys::kENOENT || number == sys::kEACCES || number == sys::kENOTDIR;
}

}  // namespace

Verdict open_file(Linker& linker, const char* path, OpenedFile& file, Error& error) {
  const auto fd = sys::open_for_reading(path);
  if (!fd) {
    error = system_error(Errc::kCannotOpen, fd.error(), path);
    return tells_absence(fd.error()) ? Verdict::kAbsent : Verdict::kBarred;
  }
  file.fd = *fd;
  auto close_with = [&](Verdict verdict, Error why) {
    sys::close(file.fd);
    file.fd = -1;
    error = named(why, path);
    return verdict;
  };
  const auto got = sys::read_at(file.fd, file.head, sizeof file.head, 0);
  if (!got)
    return close_with(Verdict::kFailed, system_error(Errc::kCannotReadData, got.error(), path));
  const auto status = sys::status(file.fd);
  if (!status)
    return close_with(Verdict::kFailed, system_error(Errc::kCannotReadData, status.error(), path));
  if (!status->regular()) {
    // Compat: LD_PRELOAD=/dev/null is a habit, and its word is known.
    const Errc code = *got < sizeof(elf::FileHeader) ? Errc::kFileTooShort : Errc::kNotRegularFile;
    return close_with(Verdict::kFailed, {.code = code});
  }
  file.status = *status;
  file.head_bytes = *got;
  const auto facts = decode_header(file.head, *got, status->size, linker.host);
  if (!facts) {
    const Errc code = facts.error().code;
    const bool other = code == Errc::kWrongClass || code == Errc::kWrongMachine;
    return close_with(other ? Verdict::kSkipped : Verdict::kFailed, facts.error());
  }
  file.facts = *facts;
  return Verdict::kAccepted;
}

Result<Module*> map_object(Linker& linker, OpenedFile& file, const char* path, bool as_program) {
  auto* module = new_module(linker);
  const char* copy = linker.heap.copy_string(path, string_length(path));
  if (module == nullptr || copy == nullptr) {
    sys::close(file.fd);
    return Error{.code = Errc::kOutOfMemory, .object = path};
  }
  module->path = copy;
  module->device = file.status.device;
  module->inode = file.status.inode;
  const Status status = build(linker, *module, file, as_program);
  sys::close(file.fd);
  file.fd = -1;
  if (status) return module;
  const Error error = named(status.error(), path);
  free_parts(linker, *module);
  release_module(linker, *module);
  return Error{error.code, error.sys_errno, path, error.subject, error.context, error.value};
}

Result<Module*> adopt_object(Linker& linker, const elf::ProgramHeader* phdr, uint16_t count,
                             uint64_t entry, uint64_t bias, const char* path) {
  auto* module = new_module(linker);
  if (module == nullptr) return Error{.code = Errc::kOutOfMemory, .object = path};
  module->path = linker.heap.copy_string(path, string_length(path));
  if (module->path == nullptr) return Error{.code = Errc::kOutOfMemory, .object = path};
  Image& image = module->image;
  image.type = elf::kTypeDyn;
  image.phdr = phdr;
  image.bias = bias;
  image.entry = entry - bias;
  Status status = decode_segments(linker, *module, phdr, count, UINT64_MAX);
  if (status && image.dynamic_size != 0) {
    touch_dynamic_page(image);
    status = decode_dynamic(image);
  }
  if (status) status = complete(linker, *module);
  if (status) return module;
  return named(status.error(), module->path);
}

void inhibit_rpath(const Linker& linker, Requester& requester, std::string_view name) {
  const char* at = linker.options->inhibit_rpath;
  if (at == nullptr) return;
  // An empty list is one empty name, but nothing follows the last colon (glibc 2.36, measured).
  do {
    const char* end = at;
    while (*end != 0 && *end != ':') ++end;
    if (name == std::string_view(at, static_cast<size_t>(end - at))) {
      requester.rpath = nullptr;
      if (requester.runpath != nullptr) requester.runpath = "";  // it still hides an RPATH
    }
    at = *end == 0 ? end : end + 1;
  } while (*at != 0);
}

void discard_object(Linker& linker, Module* module) {
  Image& image = module->image;
  if (module->audit != nullptr) linker.auditor->forget(linker, *module);
  if (module->stands_for == nullptr)
    (void)sys::unmap(image.address(image.low), image.high - image.low);
  free_parts(linker, *module);
  release_module(linker, *module);
}

}  // namespace prelude
