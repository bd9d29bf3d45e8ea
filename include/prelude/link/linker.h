// The one mutable root of a process's dynamic linking, and the phases of a request on it. Start-up
// and dlopen take the same road: load the closure, check, place TLS, relocate, protect, commit,
// initialise.
#pragma once

#include <prelude/base/array.h>
#include <prelude/base/guarded.h>
#include <prelude/base/heap.h>
#include <prelude/base/result.h>
#include <prelude/link/arena.h>
#include <prelude/link/auditor.h>
#include <prelude/link/module.h>
#include <prelude/link/names.h>
#include <prelude/link/personality.h>
#include <prelude/options/options.h>
#include <prelude/reloc/use.h>
#include <prelude/search/search.h>
#include <prelude/symbols/symbols.h>
#include <prelude/sys/sys.h>
#include <prelude/tls/tls.h>
#include <prelude/trace/trace.h>
#include <prelude/versions/versions.h>

#include <cstdint>
#include <string_view>

namespace prelude {

struct Namespace {
  uint32_t index = 0;
  Module* first = nullptr;  ///< link map list, load order
  Module* last = nullptr;
  uint32_t count = 0;
  uint64_t added = 0;  ///< modules ever added
  SearchList* global =
      nullptr;              ///< its global scope: the program's closure, elsewhere `own_global`
  SearchList own_global{};  ///< begins as the closure of the first object opened in it
  NameTable names;
  FileTable files;
  UniqueTable unique;
  RDebug debug{};
  bool in_use = false;
  bool auditing = false;  ///< of an auditor: nothing in it is reported to auditors
};

/// Flags of a request (values of <dlfcn.h>).
enum OpenMode : uint32_t {
  kOpenLazy = 1,
  kOpenNow = 2,
  kOpenNoLoad = 4,
  kOpenDeepBind = 8,
  kOpenGlobal = 0x100,
  kOpenNoDelete = 0x1000,
};

/// IFUNC references whose resolver lies in an object that is not relocated yet.
struct PendingResolver {
  Module* module;
  uint64_t slot;  ///< vaddr in module
  int64_t addend;
  uint64_t resolver;
  Module* definer;
  ResultForm form;
  uint32_t symbol;  ///< of module
};

/// The modules added by one request, not yet visible to others: committed or rolled back as a
/// whole.
struct Batch {
  Namespace* space = nullptr;
  Module* root = nullptr;
  Array<Module*> modules;
  Array<PendingResolver> pending;
  Array<Module*> late_tls;  ///< got a static TLS block after start: to be filled in every thread
  Array<Module*> pinned;    ///< older modules that became undeletable: undone by a roll-back
  /// Called once, when the first object is in the namespace's list; null when it was.
  void (*first_entered)(Namespace& space) = nullptr;
  uint32_t mode = 0;
  bool start_up = false;
  bool tls_added = false;
  bool starts_global = false;      ///< its root's closure is the global list of the namespace
  bool for_auditor = false;        ///< brings in an auditor: its bindings are not watched
  bool announced = false;          ///< auditors know that modules are being added
  bool mapping_announced = false;  ///< debuggers know that all are
};

/// Memory or an object that readers may still hold.
struct Retired {
  Module* module;  ///< null: a block
  void* block;
  size_t bytes, align;
};

/// A handle that was closed, and the name its object had.
struct ClosedHandle {
  static constexpr uint32_t kKept = 64;
  const void* handle = nullptr;
  const char* name = nullptr;
};

struct Statistics {
  uint64_t start_cycles = 0, load_cycles = 0, relocation_cycles = 0;
  uint64_t relocations = 0, relative_relocations = 0;
};

/// What is written outside of changes, on any thread. It leads to no decision that the rest does
/// not check.
struct OpenWords {
  uint32_t readers = 0;   ///< threads inside a lookup without lock
  bool threaded = false;  ///< the C library has made a thread
  size_t late_ties = 0;   ///< like Linker::ties, of uses that no change could note
  TlsThread first_thread{};
  TlsThread* threads = nullptr;  ///< head of the TLS registry's list
  ArenaState arena{};
};

struct Linker {
  Heap heap;
  Heap* open_heap = &heap;  ///< for what others write to: link maps, threads' blocks
  OpenWords* open = nullptr;
  Arena* arena = nullptr;  ///< null: the memory is never closed
  Tracer tracer;
  Process process;
  const Options* options = nullptr;
  Searcher searcher;
  VersionNames version_names;
  TlsRegistry tls;
  ThreadMemory thread_memory;
  Array<Namespace*> spaces;
  Namespace base_space;
  Module* program = nullptr;
  Module* self = nullptr;
  Module* vdso = nullptr;
  Guarded<Personality*> personality;
  Guarded<Auditor*> auditor;  ///< null = nobody watches
  HostRules host{};
  MapStyle map_style = MapStyle::kEconomical;
  bool low_addresses = false;  ///< objects go below 2 GiB where there is room
  uint32_t isa_level = 0;      ///< property bits the processor satisfies
  DtvEntry* initial_dtv = nullptr;
  Statistics statistics;
  uint64_t adds = 0, removals = 0;
  size_t ties = 0;  ///< how often something was done that keeps an object loaded
  bool start_up_done = false;
  bool self_protected = false;  ///< the loader's own constant data is read-only by now
  bool lazy_allowed = true;
  bool sort_by_moving = false;     ///< the order of releases before 2.35, see order.h
  bool quiet_reopen = false;       ///< no line of a trace for a dlopen that changes nothing
  bool closed_goes_first = false;  ///< the object that is closed is finalised before all others
  Guarded<void*> lazy_stub;        ///< what GOT[2] of a lazily bound object holds
  Guarded<void*> watched_stub;     ///< the same where each call is reported
  bool thread_placed = false;      ///< the first thread has its block already
  const char* program_name = "";
  Batch* batch = nullptr;        ///< the request under way
  Module* init_first = nullptr;  ///< last object loaded with DF_1_INITFIRST whose turn has not come
  std::byte* next_record = nullptr;  ///< room for link maps that come
  size_t records_left = 0;
  Module* spare_modules = nullptr;  ///< released, linked by l_next
  Array<Retired> retired;           ///< out of every list, waiting for readers to leave
  ClosedHandle closed[ClosedHandle::kKept] = {};
  uint32_t closed_count = 0;             ///< ever remembered
  uint64_t collection = 0;               ///< how often it was asked which objects are needed
  const void* closing_thread = nullptr;  ///< whose close is under way
  uint8_t closing = 0;                   ///< a close is under way; 2 = it must look again
  const char* error_subject = nullptr;
  const char* error_context = nullptr;
  const char* error_object =
      nullptr;  ///< heap copy behind the last Error::object; replaced by the next
  /// Ends the process with a message.
  Guarded<void (*)(Linker&, const Error&)> fatal;
  /// Says a non-fatal remark on standard error, formatted by report.
  Guarded<void (*)(Linker&, const char* format_text, const char* a, const char* b)> remark;
  /// Gives lines (on the heap) that tell who needs a library that a dlopen does not find. Null:
  /// nobody wants to know.
  Guarded<const char* (*)(Linker&, const Module& requester)> explain_missing;
  const char* missing_explained = nullptr;  ///< of the last dlopen that failed so
  /// Tells the trace of a symbol or version that was not found, whatever becomes of it.
  Guarded<void (*)(Linker&, const Error&)> trace_error;
};

// ---- namespace.cpp
/// A zeroed module; null when out of memory.
[[nodiscard]] Module* new_module(Linker& linker);
void release_module(Linker& linker, Module& module);
void append_to_namespace(Linker& linker, Namespace& space, Module& module);
void remove_from_namespace(Linker& linker, Namespace& space, Module& module);
/// Puts a module directly before another one of the list.
void move_in_namespace(Linker& linker, Namespace& space, Module& module, Module& before);
[[nodiscard]] bool add_name(Linker& linker, Module& module, const char* name);
/// The object that goes by the name, which may be its path, in the namespace; or null.
Module* find_by_name(const Namespace& space, const char* name);
[[nodiscard]] Namespace* new_namespace(Linker& linker);
/// Gives an empty namespace back; its number is used again.
void drop_if_empty(Linker& linker, Namespace& space);
/// The loader under its own name in another namespace: there can only be one of it in a process.
/// `path` is copied and becomes its file name; `name` is for errors.
Result<Module*> make_stand_in(Linker& linker, const char* name, const char* path);
/// The module whose segments hold the address, in any namespace, or null.
Module* module_of_address(const Linker& linker, uint64_t address);

// ---- map.cpp
/// The protection (sys::kProt*) that a segment's PF_* flags ask for.
inline int protection_of(uint32_t segment_flags) {
  return ((segment_flags & elf::kPfR) != 0 ? sys::kProtRead : 0) |
         ((segment_flags & elf::kPfW) != 0 ? sys::kProtWrite : 0) |
         ((segment_flags & elf::kPfX) != 0 ? sys::kProtExec : 0);
}
/// A file opened and looked at, before it is mapped.
struct OpenedFile {
  int fd = -1;
  sys::FileStatus status{};
  HeaderFacts facts;
  size_t head_bytes = 0;
  alignas(8) std::byte head[1024];
};
/// Opens and checks the header. kSkipped for another class or machine; kFailed with `error` set
/// otherwise.
Verdict open_file(Linker& linker, const char* path, OpenedFile& file, Error& error);
/// Maps an opened file and decodes it. The module belongs to no list yet. Closes the descriptor.
Result<Module*> map_object(Linker& linker, OpenedFile& file, const char* path, bool as_program);
/// A Module for an object the kernel has mapped.
Result<Module*> adopt_object(Linker& linker, const elf::ProgramHeader* phdr, uint16_t count,
                             uint64_t entry, uint64_t bias, const char* path);
void discard_object(Linker& linker, Module* module);
/// --inhibit-rpath: takes RPATH and RUNPATH from the object that goes by `name`, if the list has
/// it.
void inhibit_rpath(const Linker& linker, Requester& requester, std::string_view name);

// ---- load.cpp
/// Gives an error whose object name lives until the next error.
Error keep_error(Linker& linker, Error error);
/// Tells the trace of DT_FLAGS_1 bits that nothing comes of.
void trace_flags(const Linker& linker, const Module& module);
/// Tells the trace of a TLS module id; nothing where the module has none.
void trace_tls_id(const Linker& linker, const Module& module, EventKind kind);
struct LoadRequest {
  const char* name = nullptr;
  Module* requester = nullptr;  ///< object whose string `name` is; null = the user
  ModuleKind kind = ModuleKind::kNeeded;
  bool by_dlopen = false;  ///< the object a dlopen names: `requester` is the caller, not its loader
  bool no_load = false;    ///< only look whether it is there
  bool is_new = false;     ///< nobody in the namespace goes by the name, as find_by_name() said
  bool trusted_only = false;  ///< a preload of a secure process: default directories, marked files
};
/// Finds or loads one object. A new one is put into the batch and the namespace's list. With
/// no_load the result may be null.
Result<Module*> load_object(Linker& linker, Batch& batch, const LoadRequest& request);

// ---- closure.cpp
/// Loads the dependencies of `roots` breadth-first and writes the search list of the first root.
/// `missing` (may be null) is asked before a missing library ends the request.
using MissingCallback = bool (*)(void* context, Module* requester, const char* name,
                                 const Error& error);
Status load_closure(Linker& linker, Batch& batch, Module* const* roots, uint32_t root_count,
                    MissingCallback missing = nullptr, void* context = nullptr);
/// Finds the order of the root's closure anew.
Status sort_root(Linker& linker, Module& root, bool fresh);
/// Checks that every version the batch needs exists. Calls `report` for each that does not; gives
/// their number.
using VersionCallback = void (*)(void* context, const Error& error, bool weak);
uint32_t check_versions(Linker& linker, Module* const* modules, size_t count,
                        VersionCallback report, void* context);

// ---- scope.cpp
/// Room for `more` modules, so that appending them cannot fail.
[[nodiscard]] bool reserve_in_list(Linker& linker, SearchList& list, uint32_t more);
[[nodiscard]] bool append_to_list(Linker& linker, SearchList& list, Module& module);
[[nodiscard]] bool add_scope(Linker& linker, Module& module, SearchList* list, bool first);
[[nodiscard]] bool give_scopes(Linker& linker, Batch& batch);
/// Lets objects that were there before and belong to the new root's closure see its symbols.
[[nodiscard]] bool extend_scopes(Linker& linker, Module& root);
/// Gives an object whose opener goes away a list of its own: itself and its direct dependencies.
[[nodiscard]] bool make_own_list(Linker& linker, Module& module);
void remove_scope(Linker& linker, Module& module, const SearchList* list);
/// Takes out the lists of owners that are being closed (SearchList::leaving); an object that has no
/// list of its own gets one in place of the first to leave. False where there is none.
bool remove_leaving(Linker& linker, Module& module);
/// Takes a module out of a published list (its arrays are replaced where somebody may read).
void remove_from_list(Linker& linker, SearchList& list, const Module& module);
[[nodiscard]] bool add_to_global(Linker& linker, Namespace& space, const SearchList& closure);
void trace_scopes(Linker& linker, Module* const* modules, size_t count);
/// The lists of one object from index `from` on.
void trace_scope(Linker& linker, const Module& module, uint32_t from);

// ---- bind.cpp
/// The definition that `symbol` of `module` binds to. A weak reference may bind to nothing (symbol
/// null).
Result<Definition> bind_symbol(Linker& linker, Module& module, uint32_t symbol, Use use);
/// What is asked for by the symbol at `index` of `module`, whose name is `name`.
SymbolQuery query_of(const Module& module, uint32_t index, const char* name, Use use);
/// The address of a definition (of an IFUNC's resolver where it is one), checked against its
/// object. Not for TLS symbols.
Result<uint64_t> definition_address(const Linker& linker, const Definition& found);
/// The address that a reference gets: of an IFUNC, what its resolver gives now.
Result<uint64_t> resolved_address(const Linker& linker, const Definition& found);
/// Whether the loader itself may call what lies at a definition: it is code of its object.
Status check_callable(const Definition& found);
/// resolved_address() of a function that the loader itself is to call.
Result<uint64_t> callable_address(const Linker& linker, const Definition& found);
/// True where definition_address() succeeds.
inline bool is_sound(const Linker& linker, const Definition& found) {
  const elf::Symbol& symbol = *found.symbol;
  // A resolver lies in the object, so no absolute one is any.
  if (symbol.shndx == elf::kShnAbs) return symbol.type() != elf::kSttGnuIfunc;
  const Image& image = found.module->image;
  // The kernel's object may have its data outside its segments.
  if (symbol.value > image.end && found.module != linker.vdso) [[unlikely]]
    return false;
  return symbol.type() != elf::kSttGnuIfunc || image.executable(symbol.value);
}
/// True for nearly every definition: an object's own, inside of it, no IFUNC. Its address is its
/// value and the object's bias, as definition_address() would find at more length. (Section
/// indexes from SHN_ABS on are reserved.)
inline bool is_plain(const Definition& found) {
  const elf::Symbol& symbol = *found.symbol;
  return symbol.shndx != elf::kShnUndef && symbol.shndx < elf::kShnAbs &&
         symbol.value <= found.module->image.end && symbol.type() != elf::kSttGnuIfunc;
}
/// Lookup by name along scopes, as dlsym and libc ask for it.
Definition find_symbol(Linker& linker, SymbolQuery& query, SearchList* const* scope,
                       const Module* skip_until);
/// Tells the trace what a reference of `module` was bound to. `version` is for references whose
/// version nobody defines: the query does not know its name.
void trace_binding(const Linker& linker, const Module& module, const SymbolQuery& query,
                   const Definition& found, bool is_protected, const char* version = nullptr);
/// Records that `user` must keep `used` loaded (relocation dependency). What cannot be closed
/// itself makes `used` stay for good.
[[nodiscard]] bool note_late_use(Linker& linker, Module& user, Module& used);
[[nodiscard]] inline bool note_use(Linker& linker, Module& user, Module& used) {
  // Nothing loaded at start can be closed.
  if (&user == &used || used.kind != ModuleKind::kOpened || used.no_delete) return true;
  if (__atomic_load_n(&record_of(user).last_used, __ATOMIC_RELAXED) == &used) return true;
  return note_late_use(linker, user, used);
}
/// Decides an STB_GNU_UNIQUE definition: the namespace's first one wins.
Definition settle_unique(Linker& linker, Module& referrer, const elf::Symbol& reference,
                         const SymbolQuery& query, const Definition& found, Use use);

// ---- relocate.cpp
/// Makes the pages of PT_GNU_RELRO read-only.
Status protect_relro(Module& module);
Status relocate_module(Linker& linker, Batch& batch, Module& module, bool lazy);
/// Relocates the unrelocated modules of `list`, dependencies first, then protects them.
Status relocate_batch(Linker& linker, Batch& batch, Module* const* list, size_t count, bool lazy);

// ---- init.cpp
/// What an order is for. In that of a dlclose what the collection keeps has its place.
enum class SortFor : uint8_t { kStart, kClose, kEnd };
/// The init order of `root`: dependents before dependencies.
[[nodiscard]] bool sort_closure(Linker& linker, Module** list, uint32_t count, bool pin_first,
                                SortFor purpose);
/// Whether all of a relocated module's constructors lie in code, as far as its array tells before
/// any of them has run.
Status check_initialisers(const Linker& linker, const Module& module);
void run_initialisers(Linker& linker, Module& root);
void run_preinitialisers(Linker& linker);
/// False when its turn has been already, or its initialisers never ran.
bool run_finaliser(Linker& linker, Module& module);
/// All namespaces, at exit.
void run_all_finalisers(Linker& linker);

// ---- batch.cpp
/// The request's modules in the order in which finalisers would run: as many as it has, on the heap
/// (release_array). Null when out of memory.
Module** in_closing_order(Linker& linker, const Batch& batch);
/// Tells the trace that the module goes; it still has its TLS id, of which nothing is told unless
/// the module's request got as far as relocation.
void trace_removed(const Linker& linker, const Module& module, bool complete);
/// Takes back everything a failed request has done.
void roll_back(Linker& linker, Batch& batch);
/// The request's modules belong to the process from here on.
void commit(Linker& linker, Batch& batch);
/// Whether nobody holds any more what was taken out of the lists before.
bool no_reader(const Linker& linker);
/// Gives back a published array that nobody finds any more: now, or when no reader is left.
void retire_block(Linker& linker, void* block, size_t bytes, size_t align);
template <typename T>
void retire_array(Linker& linker, T* block, size_t count) {
  retire_block(linker, block, count * sizeof(T), alignof(T));
}
/// The same for an object that is in no list any more.
void retire_object(Linker& linker, Module& module);
/// Waits a moment for readers and gives back what is retired; what somebody still holds stays for
/// the next call.
void release_retired(Linker& linker);

/// Marks a lookup that takes no lock. While there is one thread the count need not be atomic.
class Reader {
 public:
  explicit Reader(const Linker& linker) : words_(*linker.open) {
    if (__atomic_load_n(&words_.threaded, __ATOMIC_RELAXED))
      __atomic_add_fetch(&words_.readers, 1, __ATOMIC_SEQ_CST);
    else
      count_alone(1);
  }
  ~Reader() {
    if (__atomic_load_n(&words_.threaded, __ATOMIC_RELAXED))
      __atomic_sub_fetch(&words_.readers, 1, __ATOMIC_ACQ_REL);
    else
      count_alone(UINT32_MAX);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

 private:
  void count_alone(uint32_t more) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&words_.readers, words_.readers + more, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
  }

  OpenWords& words_;
};

// ---- tls_setup.cpp
/// The first thread's block, with the blocks of all modules known by now; the thread pointer is
/// set.
Status place_start_up_tls(Linker& linker);
/// The same for the program's modules where auditors have needed the thread before they were
/// loaded.
void place_program_tls(Linker& linker);
/// Writes the initial bytes of the program's modules' blocks, once the modules are relocated.
void fill_program_tls(Linker& linker);

// ---- change.cpp
/// Brackets a change of the linker's data: no fork and no other change meanwhile
/// (Personality::begin_change), and the arena is open. Nests; never around initialisers and
/// finalisers.
void begin_change(Linker& linker);
void end_change(Linker& linker);
/// Begins a change only if no other thread is in one.
[[nodiscard]] bool try_change(Linker& linker);
class Change {
 public:
  explicit Change(Linker& linker) : linker_(linker) { begin_change(linker_); }
  ~Change() { end_change(linker_); }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

 private:
  Linker& linker_;
};

/// No fork and no change of others meanwhile; the arena stays closed. For what libc keeps locks of
/// its own for.
class Exclusion {
 public:
  explicit Exclusion(Linker& linker) : linker_(linker) {
    linker_.personality->begin_change(linker_);
  }
  ~Exclusion() { linker_.personality->end_change(linker_); }
  Exclusion(const Exclusion&) = delete;
  Exclusion& operator=(const Exclusion&) = delete;

 private:
  Linker& linker_;
};

/// A change of a few words that needs no protection but for the arena's sake: nothing where the
/// arena is open anyway.
class Opening {
 public:
  explicit Opening(Linker& linker) : linker_(linker.arena != nullptr ? &linker : nullptr) {
    if (linker_ != nullptr) [[unlikely]]
      begin_change(*linker_);
  }
  ~Opening() {
    if (linker_ != nullptr) [[unlikely]]
      end_change(*linker_);
  }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

 private:
  Linker* linker_;
};

/// The process's linker. Defined in start/; nothing else is a mutable global.
extern Linker* const the_linker;

}  // namespace prelude
