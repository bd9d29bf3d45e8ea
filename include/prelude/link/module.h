// Module: an object that takes part in the process. Its link map, which libc, gdb and the program
// hold, lies elsewhere: they write into it.
#pragma once

#include <prelude/abi/link_map.h>
#include <prelude/base/array.h>
#include <prelude/base/guarded.h>
#include <prelude/image/image.h>
#include <prelude/link/auditor.h>
#include <prelude/search/search.h>
#include <prelude/symbols/symbols.h>
#include <prelude/tls/tls.h>

#include <cstddef>
#include <cstdint>

namespace prelude {

/// How an object came in. The values are those libc reads.
enum class ModuleKind : uint8_t { kProgram = 0, kNeeded = 1, kOpened = 2 };

struct Module {
  SymbolTable symbols;  ///< first member: see symbol_table_of()
  TlsSegment tls;       ///< second: see tls_of()
  LookupRecord record;
  Image image;

  // What walks over all objects look at lies together.
  alignas(64) LinkMap* map;  ///< a LinkMapRecord's
  Module *next, *prev;       ///< its namespace's list, in the order of l_next
  uint32_t name_space;       ///< index of its namespace
  uint32_t open_count;       ///< dlopen references
  uint32_t index;            ///< position in a request's or a walk's list (scratch)
  ModuleKind kind;
  bool visited;  ///< scratch of graph walks
  bool in_walk;  ///< part of the list being sorted; its needs are in the list being made
  bool removed;  ///< being closed
  bool no_delete;
  bool in_new_batch;        ///< loaded by the request that is under way
  bool dependencies_known;  ///< `needed` is filled
  bool global;              ///< in the global scope of its namespace
  bool relocated, init_called, fini_pending;
  bool is_self, is_vdso;
  bool segments_contiguous;
  bool origin_owned;
  bool bind_now;  ///< resolved mode of its PLT
  bool plt_lazy;  ///< its PLT slots were prepared for lazy binding
  PltWatch plt_watch;
  bool deepbind;
  bool phdr_owned;
  bool gave_unique;         ///< one of its definitions is the namespace's unique one
  uint32_t path_hash;       ///< of hashed_path
  uint64_t kept_in;         ///< the last collection that found it needed (Linker::collection)
  const char* hashed_path;  ///< what l_name was when somebody last asked; programs may replace it
  uint32_t scope_count, scope_capacity;

  Array<Module*> used;    ///< relocation dependencies: objects that must stay while this one does
  Array<Module*> needed;  ///< direct dependencies in DT_NEEDED order (filtees before the rest)
  Array<Module*> sorted;  ///< its whole closure in init order, once it was the root of a request
  uint64_t device, inode;
  Module* next_in_files;  ///< see FileTable
  SearchList** scope;     ///< null-terminated: lists searched for its references, in order

  const char* path;    ///< file as found; argv[0] for the program. Owned.
  NameNode* names;     ///< needed names, soname; the first is the name it was loaded by
  const char* origin;  ///< directory for $ORIGIN, null = unknown; owned where origin_owned
  Module*
      stands_for;  ///< the loader's own module, of which this is the namesake in another namespace
  Module* loader;  ///< the object whose need brought it in
  Requester requester;  ///< search facts of this object as a requester
  DirectoryList* rpath_list;
  DirectoryList* runpath_list;

  SearchList closure;          ///< its own breadth-first closure: scope of dlsym(handle)
  SearchList self_list;        ///< only itself: DT_SYMBOLIC
  SearchList* local_scope[2];  ///< {&closure, null}

  uint64_t map_start, map_end;      ///< addresses
  uint64_t relro_start, relro_end;  ///< addresses, page-rounded; equal = none
  AuditRecord* audit;               ///< null = no auditor knows of it
  uint64_t call_seal;               ///< see seal_of_calls()

  [[nodiscard]] bool contains(uint64_t address) const {
    return address >= map_start && address < map_end;
  }
  /// True where RELRO closes some of these bytes.
  [[nodiscard]] bool touches_relro(uint64_t address, uint64_t bytes) const {
    return address < relro_end && address + bytes > relro_start;
  }
};
static_assert(offsetof(Module, symbols) == 0);
static_assert(offsetof(Module, tls) == kTlsOffsetInModule);

inline LinkMapRecord& record_of(const Module& module) {
  return *reinterpret_cast<LinkMapRecord*>(module.map);
}
/// Null for null.
inline LinkMap* map_of(const Module* module) { return module != nullptr ? module->map : nullptr; }

/// The seal (base/guarded.h) of what says which initialisers and finalisers are called. Set when
/// the object is decoded, compared before they are called.
inline uint64_t seal_of_calls(const Module& module) {
  const Image& image = module.image;
  return seal_of(reinterpret_cast<uintptr_t>(&module), image.bias, image.init, image.fini,
                 image.init_array.vaddr, image.init_array.count, image.fini_array.vaddr,
                 image.fini_array.count, image.preinit_array.vaddr, image.preinit_array.count);
}

/// True when `address` lies in a PT_LOAD of the module (not only between two).
bool address_in_segments(const Module& module, uint64_t address);
/// True when `name` is one of the module's names.
bool has_name(const Module& module, const char* name);

}  // namespace prelude
