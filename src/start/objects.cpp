// The objects that are there from the start: the program, the loader itself, the vdso, preloads.
#include "start.h"

#include <arch/native.h>

#include <prelude/base/string.h>
#include <prelude/report/messages.h>

namespace prelude::start {
namespace {

constexpr const char* kVdsoName = arch::Native::kVdsoName;

template <typename T>
T* at_address(uint64_t address) {
  return reinterpret_cast<T*>(address);
}

// Program headers and load bias of an ELF file that lies in memory as its first segment maps it.
struct MappedFile {
  const elf::ProgramHeader* headers;
  uint16_t count;
  uint64_t bias, entry;
};

MappedFile mapped_file(uint64_t address) {
  const auto* header = at_address<const elf::FileHeader>(address);
  const auto* headers = at_address<const elf::ProgramHeader>(address + header->phoff);
  uint64_t bias = address;
  for (uint16_t i = 0; i < header->phnum; ++i)
    if (headers[i].type == elf::kPtLoad) {
      bias = address - (headers[i].vaddr - headers[i].offset);
      break;
    }
  return {headers, header->phnum, bias, header->entry + bias};
}

const char* interpreter_of(const Image& image) {
  if (image.interp_size == 0) return nullptr;
  const auto* text =
      static_cast<const char*>(image.file_bytes(image.interp_vaddr, image.interp_size));
  return text != nullptr && text[image.interp_size - 1] == 0 ? text : nullptr;
}

void give_names(Module& module, const char* name) {
  bool ok = add_name(linker, module, name);
  if (module.image.soname != nullptr) ok = ok && add_name(linker, module, module.image.soname);
  if (!ok) fail(linker, {.code = Errc::kOutOfMemory, .object = name});
}

Module* must(const Result<Module*>& module) {
  if (!module) fail(linker, module.error());
  return *module;
}

// --inhibit-rpath knows the program by its empty name.
void apply_rpaths(Module& program) {
  program.requester.rpath = program.image.rpath;
  program.requester.runpath = program.image.runpath;
  inhibit_rpath(linker, program.requester, "");
}

// The kernel would start it all the same, and it would die without a word.
void check_entry(const Module& program) {
  const Image& image = program.image;
  if (is_listing() || image.executable(image.entry)) return;
  fail(linker, {.code = Errc::kBadField,
                .object = program.path,
                .subject = "e_entry",
                .context = "an address in an executable segment",
                .value = image.entry});
}

void note_program(Module& program) {
  program.kind = ModuleKind::kProgram;
  program.requester.is_main = true;
  apply_rpaths(program);
  program.map->l_name = "";
  linker.program = &program;
  // A link map without any name is more than libc expects.
  if (program.names != nullptr) return;
  auto* node = linker.open_heap->make<NameNode>();
  if (node == nullptr) fail(linker, {.code = Errc::kOutOfMemory, .object = program.path});
  *node = {"", nullptr, 1};
  program.names = node;
}

// Static programs need no loader: the kernel starts them.
[[noreturn]] void hand_to_kernel(const char* path) {
  char** argv = world.stack.process.argv;
  if (linker.options->argv0 != nullptr) argv[0] = const_cast<char*>(linker.options->argv0);
  const auto failed = sys::execute(path, argv, world.stack.process.envp);
  char buffer[1024];
  Writer out(buffer, sizeof buffer, to_stderr);
  report::write_cannot_execute(out, arch::Native::kLoaderSoname, path,
                               failed ? 0 : sys::raw(failed.error()));
  out.flush();
  sys::exit_group(127);
}

// What needs nothing and names no interpreter is for the kernel, a shared object too (Compat:
// glibc 2.36).
bool is_static(const Image& image) {
  return image.interp_size == 0 && !has_dynamic(image, elf::kDtNeeded);
}

bool is_loader(const Image& image) {
  return image.soname != nullptr && equal(image.soname, arch::Native::kLoaderSoname);
}

// From here on the program goes by the argv[0] it sees.
void give_argv0(Module& program) {
  char** argv = world.stack.process.argv;
  if (linker.options->argv0 != nullptr) argv[0] = const_cast<char*>(linker.options->argv0);
  linker.program_name = argv[0];
  if (equal(program.path, argv[0])) return;
  const char* copy = linker.heap.copy_string(argv[0], string_length(argv[0]));
  if (copy == nullptr) fail(linker, {.code = Errc::kOutOfMemory, .object = argv[0]});
  linker.heap.release_string(program.path);
  program.path = copy;
  program.requester.name = copy;
}

// The auxiliary vector as the program's getauxval is to see it.
void describe_program(const Module& program) {
  for (elf::AuxEntry* entry = world.stack.auxv; entry->type != elf::kAtNull; ++entry) {
    switch (entry->type) {
      case elf::kAtPhdr:
        entry->value = reinterpret_cast<uintptr_t>(program.image.phdr);
        break;
      case elf::kAtPhnum:
        entry->value = program.image.phnum;
        break;
      case elf::kAtEntry:
        entry->value = static_cast<elf::Word>(program.image.bias + program.image.entry);
        break;
      case elf::kAtExecFn:
        entry->value = reinterpret_cast<uintptr_t>(world.stack.process.argv[0]);
        break;
      default:
        break;
    }
  }
}

}  // namespace

void adopt_self_and_vdso() {
  const char* name = interpreter_of(linker.program->image);
  const char* path = linker.options->direct ? linker.options->self : name;
  if (path == nullptr) path = arch::Native::kLoaderPath;
  const MappedFile self = mapped_file(world.base);
  linker.self = must(adopt_object(linker, self.headers, self.count, self.entry, self.bias, path));
  linker.self->is_self = true;
  linker.self->kind = ModuleKind::kNeeded;
  linker.self->relocated = true;
  linker.self->dependencies_known = true;
  give_names(*linker.self, name != nullptr ? name : path);
  if (name != nullptr && !add_name(linker, *linker.self, path))
    fail(linker, {.code = Errc::kOutOfMemory, .object = path});
  const uint64_t vdso = world.stack.value(elf::kAtSysinfoEhdr);
  if (vdso == 0) return;
  const MappedFile file = mapped_file(vdso);
  auto adopted = adopt_object(linker, file.headers, file.count, file.entry, file.bias, kVdsoName);
  if (!adopted) return;  // an odd vdso is not used
  linker.vdso = *adopted;
  linker.vdso->is_vdso = true;
  linker.vdso->kind = ModuleKind::kNeeded;
  linker.vdso->relocated = true;
  linker.vdso->dependencies_known = true;
  append_to_namespace(linker, linker.base_space, *linker.vdso);
  give_names(*linker.vdso, kVdsoName);
  if (!append_to_list(linker, linker.vdso->closure, *linker.vdso) ||
      !add_scope(linker, *linker.vdso, &linker.vdso->closure, true))
    fail(linker, {.code = Errc::kOutOfMemory, .object = kVdsoName});
  linker.personality->vdso_adopted(linker);
}

void adopt_program() {
  const InitialStack& stack = world.stack;
  const auto* headers = at_address<const elf::ProgramHeader>(stack.value(elf::kAtPhdr));
  const auto count = static_cast<uint16_t>(stack.value(elf::kAtPhnum));
  const uint64_t bias = bias_of_mapped_program(headers, count, stack.value(elf::kAtEntry));
  Module* program = must(
      adopt_object(linker, headers, count, stack.value(elf::kAtEntry), bias, linker.program_name));
  if (program->image.dynamic_size == 0)
    fail(linker, {.code = Errc::kNoDynamic, .object = program->path});
  check_entry(*program);
  note_program(*program);
  trace_flags(linker, *program);
  if (names_origin(program->image)) find_program_origin(*program);
  append_to_namespace(linker, linker.base_space, *program);
  if (program->tls.memsz != 0 && !linker.tls.add(*program, *program->map, linker.heap))
    fail(linker, {.code = Errc::kOutOfMemory, .object = program->path});
  trace_tls_id(linker, *program, EventKind::kTlsAssigned);
}

void load_program(Batch& batch) {
  const Process& process = world.stack.process;
  const char* name = process.argv[0];
  const auto loaded = load_object(linker, batch, {.name = name, .kind = ModuleKind::kProgram});
  if (linker.options->mode == Mode::kVerify) verify_program(loaded);
  Module* program = must(loaded);
  if (!is_listing() && is_loader(program->image))
    fail(linker, {.code = Errc::kSelfLoad, .object = arch::Native::kLoaderSoname});
  check_entry(*program);
  if (!is_listing() && is_static(program->image)) hand_to_kernel(program->path);
  if (!is_listing() && program->image.dynamic_size == 0)
    fail(linker, {.code = Errc::kNoDynamic, .object = program->path});
  note_program(*program);
  world.program_word = name;
  world.program_file = linker.heap.copy_string(program->path, string_length(program->path));
  settle_origin();
  describe_program(*program);
  give_argv0(*program);
}

namespace {

void preload_one(Batch& batch, Array<Module*>& roots, const char* name, const char* source,
                 bool trusted_only) {
  const LoadRequest request{.name = name,
                            .requester = linker.program,
                            .kind = ModuleKind::kNeeded,
                            .trusted_only = trusted_only};
  // The object goes by the name as it is written, tokens and all (Compat: glibc 2.36).
  auto loaded = load_object(linker, batch, request);
  if (loaded) {
    // Compat: what is there anyway, the loader or the vdso, keeps its place (glibc 2.36).
    if ((*loaded)->in_new_batch) (void)roots.push(linker.heap, *loaded);
    return;
  }
  Error error = loaded.error();
  if (error.code == Errc::kEmptyToken) error = {.code = Errc::kCannotOpen, .object = name};
  char buffer[1024];
  Writer out(buffer, sizeof buffer, to_stderr);
  report::write_preload_failed(out, name, source, error);
  out.flush();
}

bool is_separator(char c, bool file) {
  return c == ':' || c == ' ' || (file && (c == '\t' || c == '\n'));
}

// What root wrote down is taken as it is.
bool acceptable(const char* name, bool file) {
  return !linker.options->secure || file || is_plain_name(name);
}

void preload_list(Batch& batch, Array<Module*>& roots, const char* text, size_t size,
                  const char* source, bool file) {
  size_t at = 0;
  while (at < size) {
    while (at < size && is_separator(text[at], file)) ++at;
    if (file && at < size && text[at] == '#') {
      while (at < size && text[at] != '\n') ++at;
      continue;
    }
    size_t end = at;
    while (end < size && !is_separator(text[end], file) && !(file && text[end] == '#')) ++end;
    if (end == at) continue;
    const char* name = linker.heap.copy_string(text + at, end - at);
    if (name != nullptr && acceptable(name, file))
      preload_one(batch, roots, name, source, linker.options->secure && !file);
    if (name != nullptr) linker.heap.release(const_cast<char*>(name), end - at + 1, 1);
    at = end;
  }
}

void say(const char* before, const char* name, const char* after) {
  char buffer[256];
  Writer out(buffer, sizeof buffer);
  out.put("ERROR: ld.so: ").put(before).put(name).put(after);
  sys::write_all(2, out.text().data(), out.text().size());
}

void preload_from_file(Batch& batch, Array<Module*>& roots) {
  constexpr const char* kFile = "/etc/ld.so.preload";
  const auto fd = sys::open_for_reading(kFile);
  if (!fd) return;
  const auto status = sys::status(*fd);
  constexpr uint64_t kLimit = 1 << 20;
  constexpr uint32_t kOthersWrite = 022;
  const bool trusted = status && status->owner == 0 && (status->mode & kOthersWrite) == 0;
  if (status && !trusted) say("object list in ", kFile, " ignored: writable by others than root\n");
  if (trusted && status->regular() && status->size != 0 && status->size < kLimit) {
    const auto size = static_cast<size_t>(status->size);
    auto* text = static_cast<char*>(linker.heap.allocate(size, 1));
    const auto got =
        text == nullptr ? sys::Ret<size_t>(sys::kENOMEM) : sys::read_at(*fd, text, size, 0);
    if (got) preload_list(batch, roots, text, *got, kFile, true);
    linker.heap.release(text, size, 1);
  }
  sys::close(*fd);
}

}  // namespace

void load_preloads(Batch& batch, Array<Module*>& roots) {
  const Options& options = *linker.options;
  const char* from_environment = options.secure ? options.secure_preload : options.env_preload;
  if (from_environment != nullptr)
    preload_list(batch, roots, from_environment, string_length(from_environment), "LD_PRELOAD",
                 false);
  if (options.option_preload != nullptr)
    preload_list(batch, roots, options.option_preload, string_length(options.option_preload),
                 "--preload", false);
  preload_from_file(batch, roots);
}

}  // namespace prelude::start
