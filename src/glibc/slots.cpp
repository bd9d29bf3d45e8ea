// The functions libc reaches through _rtld_global_ro. Each converts an error value into libc's
// exception at its outermost frame, when nothing of the loader's state is held any more.
#include "shared_state.h"

#include <prelude/base/string.h>
#include <prelude/dl/dl.h>
#include <prelude/report/messages.h>

#include <cstdarg>

namespace prelude::glibc {
namespace {

constexpr long kNamespaceCaller = -2, kNamespaceNew = -1;
constexpr uint32_t kBindingMask = 3;

Module* caller_of(Linker& linker, const void* address) {
  Module* const module = dl::module_at(reinterpret_cast<uintptr_t>(address));
  return module != nullptr ? module : linker.program;
}

// A dlopen that failed. The hint is the linker's until the lock is given up.
[[noreturn]] void raise_open(Linker& linker, const Error& error) {
  char hint[2048];
  Writer copy(hint, sizeof hint);
  if (is_absence(error.code) && linker.missing_explained != nullptr)
    copy.put(linker.missing_explained);
  const char* text = copy.c_str();
  const Raised raised = make_exception(error);
  unlock_load(linker);
  if (*text == 0) raise(report::error_errno(error), raised, nullptr);
  raise(0, add_lines(raised, report::error_errno(error), text), nullptr);
}

[[noreturn]] void raise_unlocked(Linker& linker, const Error& error) {
  const Raised raised = make_exception(error);
  const int32_t number = report::error_errno(error);
  unlock_load(linker);
  raise(number, raised, nullptr);
}

// The namespace a request is for; null if the number is none.
Namespace* space_for(Linker& linker, long nsid, const Module* caller) {
  if (nsid == kNamespaceNew) {
    const Change change(linker);
    if (state().layout->behaviour.stops_unchanged) debugger::stop_unchanged();
    return new_namespace(linker);
  }
  if (nsid == kNamespaceCaller) return linker.spaces[caller->name_space];
  if (nsid < 0 || static_cast<size_t>(nsid) >= linker.spaces.size()) return nullptr;
  Namespace* space = linker.spaces[static_cast<size_t>(nsid)];
  return space->first == nullptr ? nullptr : space;
}

void* slot_open(const char* file, int mode, const void* caller_address, long nsid, int, char**,
                char**) {
  Linker& linker = *the_linker;
  const auto flags = static_cast<uint32_t>(mode);
  if ((flags & kBindingMask) == 0)
    raise(22, make_exception({.code = Errc::kInvalidMode, .object = file}), nullptr);
  lock_load(linker);
  Module* caller = caller_of(linker, caller_address);
  Namespace* space = space_for(linker, nsid, caller);
  if (space == nullptr)
    raise_unlocked(linker,
                   {.code = Errc::kInvalidTargetNamespace, .sys_errno = 22, .object = file});
  // Compat: a path for a given namespace is nobody's name (glibc 2.36: traces, auditors).
  if (nsid != kNamespaceCaller && contains(file, '/') && !contains(file, '$')) caller = nullptr;
  const auto opened =
      dl::open(linker, {.file = file, .mode = flags, .caller = caller, .space = space});
  if (space->first == nullptr) {
    const Opening opening(linker);
    drop_if_empty(linker, *space);
  }
  if (!opened) raise_open(linker, opened.error());
  update_tls(linker);
  unlock_load(linker);
  return map_of(*opened);
}

void slot_close(void* handle) {
  Linker& linker = *the_linker;
  lock_load(linker);
  if (!dl::is_open_handle(linker, handle)) {
    const char* name = dl::closed_name(linker, handle);
    raise_unlocked(linker, {.code = Errc::kNotOpen, .object = name != nullptr ? name : ""});
  }
  const Status status = dl::close(linker, module_of(*static_cast<LinkMap*>(handle)));
  if (!status) raise_unlocked(linker, status.error());
  update_tls(linker);
  unlock_load(linker);
}

constexpr int kFlagAddDependency = 1, kFlagNewest = 2;

[[noreturn, gnu::cold]] void refuse_definition(const Linker& linker, const Definition& found) {
  raise(0, make_exception(definition_address(linker, found).error()), "symbol lookup error");
}

// Gives null where the reference does not insist.
[[gnu::cold]] LinkMap* nothing_found(Linker& linker, const char* name, const Module& referrer,
                                     const elf::Symbol* wanted, const FoundVersion* version) {
  if ((wanted != nullptr && wanted->binding() == elf::kStbWeak) ||
      linker.tracer.wants(Topic::kUnused))
    return nullptr;
  const Error error{.code = Errc::kUndefinedSymbol,
                    .object = referrer.path,
                    .subject = name,
                    .context = version != nullptr ? version->name : nullptr};
  if (linker.tracer.wants(Topic::kErrors)) linker.trace_error(linker, error);
  raise(0, make_exception(error), "symbol lookup error");
}

// The lists to search, as libc has read them in a link map. Where that may have been written to by
// others they are what it said when it was filled: the referrer's scope, or an object's own
// closure.
SearchList* const* scope_meant(Linker& linker, const Module& referrer, SearchList** given) {
  if (linker.arena == nullptr || given == referrer.scope) [[likely]]
    return given;
  auto* const map = reinterpret_cast<LinkMap*>(reinterpret_cast<std::byte*>(given) -
                                               state().layout->link_map.l_local_scope);
  if (!dl::is_open_handle(linker, map))
    linker.fatal(linker, {.code = Errc::kOverwritten, .object = referrer.path});
  return module_of(*map).local_scope;
}

LinkMap* slot_lookup(const char* name, LinkMap* map, const elf::Symbol** reference,
                     SearchList** scope, const FoundVersion* version, int type_class, int flags,
                     LinkMap* skip) {
  Linker& linker = *the_linker;
  Module& referrer = module_of(*map);
  SymbolQuery query = make_query(name);
  query.newest = version == nullptr && (flags & kFlagNewest) != 0;
  query.function_call = (type_class & 1) != 0;
  if (version != nullptr) {
    query.version = linker.version_names.find(version->name, version->hash);
    // What nobody defines can still be asked for; the trace is to name it.
    if (query.version == 0 && linker.tracer.wants(Topic::kBindings)) [[unlikely]] {
      const Opening opening(linker);
      query.version = linker.version_names.intern(linker.heap, version->name, version->hash);
    }
    query.versioned = true;
    query.version_hidden = version->hidden != 0;
  }
  // libc's dlsym holds the load lock here, so no list can change meanwhile.
  Definition found = find_symbol(linker, query, scope_meant(linker, referrer, scope),
                                 skip != nullptr ? &module_of(*skip) : nullptr);
  if (found.symbol != nullptr && found.symbol->binding() == elf::kStbGnuUnique)
    found = settle_unique(linker, referrer, *found.symbol, query, found, Use::kData);
  if (found.symbol == nullptr) {
    const elf::Symbol* wanted = *reference;
    *reference = nullptr;
    return nothing_found(linker, name, referrer, wanted, version);
  }
  // libc computes the address itself and calls what is an IFUNC resolver.
  if (found.symbol->type() != elf::kSttTls && !is_sound(linker, found))
    refuse_definition(linker, found);
  if ((flags & kFlagAddDependency) != 0 && found.module != &referrer)
    (void)note_use(linker, referrer, *found.module);
  if (linker.tracer.any()) {
    const char* wanted = version != nullptr ? version->name : nullptr;
    trace_binding(linker, referrer, query, found, false, wanted);
  }
  *reference = found.symbol;
  return found.module->map;
}

void slot_error_free(void* text) {
  if (text != nullptr && state().functions.free != nullptr) state().functions.free(text);
}

void* slot_tls_get_addr_soft(LinkMap* map) {
  return dl::tls_address_if_present(*the_linker, module_of(*map));
}

void slot_nothing() {}

// The words of the result are those of an entry, in the same order.
static_assert(sizeof(dl::FoundObject) == 4 * sizeof(void*) &&
              offsetof(FindObjectResult, eh_frame) - offsetof(FindObjectResult, map_start) ==
                  offsetof(dl::FoundObject, eh_frame));

int slot_find_object(void* address, FindObjectResult* out) {
  auto& object = *reinterpret_cast<dl::FoundObject*>(&out->map_start);
  if (!dl::find_object(reinterpret_cast<uintptr_t>(address), object)) return -1;
  out->flags = 0;
  if constexpr (sizeof(void*) != sizeof(uint64_t)) {
    const Image& image = object.module().image;
    out->data_base[0] = image.pltgot == 0 ? nullptr : image.address(image.pltgot);
  }
  return 0;
}

// Fortified printf asks whether a format string can have been written to.
int slot_readonly_area(const void* start, size_t bytes) {
  constexpr int kReadOnly = 0, kWritable = 1, kNotFound = 2;
  dl::FoundObject found;
  const auto address = reinterpret_cast<uintptr_t>(start);
  if (!dl::find_object(address, found)) return kNotFound;
  const Module& module = found.module();
  const LoadSegment* s = module.image.memory_segment(address - module.image.bias, bytes);
  if (s == nullptr) return kNotFound;
  const bool relro = address >= module.relro_start && address + bytes <= module.relro_end;
  return (s->flags & elf::kPfW) == 0 || relro ? kReadOnly : kWritable;
}

void slot_debug_printf(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report::debug_printf(*state().debug_text, format, arguments);
  va_end(arguments);
}

}  // namespace

void fill_slots(const Layout& layout) {
  const RtldGlobalRo& f = layout.rtld_global_ro;
  std::byte* ro = _rtld_global_ro;
  set(ro, f.dl_debug_printf, &slot_debug_printf);
  set(ro, f.dl_mcount, &slot_nothing);
  set(ro, f.dl_lookup_symbol_x, &slot_lookup);
  set(ro, f.dl_open, &slot_open);
  set(ro, f.dl_close, &slot_close);
  set(ro, f.dl_catch_error, &catch_errors);
  set(ro, f.dl_error_free, &slot_error_free);
  set(ro, f.dl_tls_get_addr_soft, &slot_tls_get_addr_soft);
  set(ro, f.dl_libc_freeres, &slot_nothing);
  set(ro, f.dl_find_object, &slot_find_object);
  set(ro, f.dl_readonly_area, &slot_readonly_area);
}

}  // namespace prelude::glibc
