// Services after start: open, close, lookups without lock, thread-local access. The caller holds
// the loader's lock where a function changes anything; errors are values, raised by the
// personality.
#pragma once

#include <prelude/debugger/debugger.h>
#include <prelude/link/linker.h>

#include <cstdint>

namespace prelude::dl {

struct OpenRequest {
  const char* file = nullptr;  ///< "" = the namespace's first module
  uint32_t mode = 0;           ///< OpenMode bits
  Module* caller = nullptr;    ///< for RUNPATH and $ORIGIN
  Namespace* space = nullptr;
  bool for_auditor = false;   ///< see Batch
  bool trusted_only = false;  ///< see LoadRequest
};
/// The module, with one more reference; null only for kOpenNoLoad. On error everything is undone,
/// but the error's strings stay valid.
Result<Module*> open(Linker& linker, const OpenRequest& request);

/// Gives a reference back and unloads what nobody needs any more.
Status close(Linker& linker, Module& module);

/// True if the pointer is the link map of a module that is open.
bool is_open_handle(const Linker& linker, const void* handle);

/// The name of the object that a handle stood for before it was closed, or null.
const char* closed_name(const Linker& linker, const void* handle);

// ---- tell.cpp
/// The two moments of a removal at which a release may tell of it.
enum class Removal : uint8_t { kFirstClose, kUnload };
/// Called at both.
void tell_removal(Linker& linker, Namespace& space, Removal moment);
/// A failed request looks to auditors like a close of what it had brought.
void tell_failure(Linker& linker, const Batch& batch);
/// The end of a change, for debuggers, and for auditors that have `heard` of its beginning.
void announce_end(Linker& linker, Namespace& space, debugger::Stage stage, bool heard);

/// An address range and the object it belongs to.
struct FoundObject {
  uintptr_t start, end;
  LinkMap* map;
  uintptr_t eh_frame;  ///< address of the .eh_frame_hdr, 0 = none

  [[nodiscard]] Module& module() const { return module_of(*map); }
};
/// Ranges in ascending order. The count lies in the same block as the entries: whoever holds the
/// block never reads behind it.
struct ObjectTable {
  uint32_t capacity, count;
  FoundObject entries[1];  ///< really `capacity`

  /// The entry that holds the address, or null.
  [[nodiscard]] const FoundObject* find(uint64_t address) const {
    const FoundObject* low = entries;
    for (size_t left = count; left != 0;) {
      const size_t half = left / 2;
      const FoundObject& middle = low[half];
      if (address >= middle.end) {
        low = &middle + 1;
        left -= half + 1;
      } else if (address >= middle.start) {
        return &middle;
      } else {
        left = half;
      }
    }
    return nullptr;
  }
};
/// The objects of the start-up, which never go away.
extern const ObjectTable* fixed_objects;
inline const FoundObject* find_fixed(uint64_t address) {
  // Programs mostly ask for themselves, and lie below all others.
  const FoundObject& lowest = fixed_objects->entries[0];
  if (address < lowest.end) return address >= lowest.start ? &lowest : nullptr;
  return fixed_objects->find(address);
}

/// The index of address ranges changes with the lists, under the same lock. Objects that are there
/// from the start:
[[nodiscard]] bool index_start_up(Linker& linker);
/// Objects that a request has brought.
[[nodiscard]] bool index_opened(Linker& linker, Module* const* modules, size_t count);
/// Leaves these out, which are marked as removed.
void forget_removed(Module* const* gone, size_t count);
/// True if the pointer is the link map of a module that is there since a request has brought it.
/// For those who hold the lock.
bool is_opened_later(const void* map);
/// Among the objects opened later. Lock-free and async-signal-safe.
bool find_opened_object(uint64_t address, FoundObject& out);
/// Among all. Lock-free and async-signal-safe.
inline bool find_object(uint64_t address, FoundObject& out) {
  const FoundObject* const found = find_fixed(address);
  if (found == nullptr) return find_opened_object(address, out);
  out = *found;
  return true;
}

/// The link map alone, or null.
inline LinkMap* map_at(uint64_t address) {
  if (const FoundObject* const found = find_fixed(address); found != nullptr) return found->map;
  FoundObject found;
  return find_opened_object(address, found) ? found.map : nullptr;
}

/// The module alone, or null.
inline Module* module_at(uint64_t address) {
  LinkMap* const map = map_at(address);
  return map != nullptr ? &module_of(*map) : nullptr;
}

/// True if the pointer is the link map of a module of the index; it is not looked at itself.
/// Fastest when asked the same again, or when `address` lies in the module. Lock-free and
/// async-signal-safe.
bool is_indexed(const void* map, uint64_t address);

/// Where a call through a lazily bound PLT entry leads.
struct BoundCall {
  Definition found;  ///< no symbol: weak, and defined nowhere
  uint64_t address = 0;
};
/// Binds entry `index` of the module's PLT; an IFUNC resolver may run. Ends the process where
/// nothing defines the symbol. The slot is left as it is.
BoundCall bind_call(Linker& linker, Module& module, uint64_t index);
/// Puts the address into the slot, so that later calls come here no more; not into a slot that is
/// read-only.
void store_call(Module& module, uint64_t index, uint64_t address);

/// The calling thread's block of a module, or null when it has none yet. Never allocates.
void* tls_address_if_present(Linker& linker, Module& module);
/// DTV and static blocks for a new thread whose control block is at `block`; false = out of memory.
[[nodiscard]] bool tls_start_thread(Linker& linker, char* block, bool fresh);
void tls_end_thread(Linker& linker, char* block);
/// An event of Topic::kTls about the thread whose control block is at `block`.
inline void trace_thread_tls(const Linker& linker, EventKind kind, const void* block,
                             uint64_t value2 = 0, uint64_t value3 = 0, uint64_t value4 = 0) {
  if (!linker.tracer.wants(Topic::kTls)) [[likely]]
    return;
  linker.tracer.emit({.kind = kind,
                      .topic = Topic::kTls,
                      .value = reinterpret_cast<uintptr_t>(block),
                      .value2 = value2,
                      .value3 = value3,
                      .value4 = value4});
}

}  // namespace prelude::dl
