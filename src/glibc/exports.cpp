// Functions exported under the names libc, sanitizers and debuggers import. A few lines each.
#include "shared_state.h"

#include <prelude/base/align.h>
#include <prelude/base/string.h>
#include <prelude/dl/dl.h>

namespace {

using prelude::Linker;
using prelude::LinkMap;
using prelude::Module;
using prelude::module_of;
using prelude::the_linker;
using prelude::glibc::state;

// <dlfcn.h>'s Dl_serinfo: a header, then {name, flags} pairs, then the texts.
struct SearchPathEntry {
  char* name;
  uint32_t flags;
};
struct SearchPathInfo {
  size_t size;
  uint32_t count;
  SearchPathEntry entries[1];
};

struct SearchPathWriter {
  SearchPathInfo* info;
  char* text;
  size_t text_bytes = 0;
  uint32_t count = 0;
};

void write_directory(void* context, const char* path, prelude::FoundBy) {
  auto& out = *static_cast<SearchPathWriter*>(context);
  size_t bytes = prelude::string_length(path);
  if (bytes > 1 && path[bytes - 1] == '/') --bytes;
  if (out.info != nullptr) {
    char* at = out.text + out.text_bytes;
    prelude::copy_bytes(at, path, bytes);
    at[bytes] = 0;
    out.info->entries[out.count] = {
        at, 0};  // Compat: 2.36 gives no LA_SER_* flags, tests/system/dlfcn_test.py
  }
  out.text_bytes += bytes + 1;
  ++out.count;
}

constexpr bool kBelow = prelude::NativeTls::kBelow;

// Of a block that _dl_allocate_tls has allocated itself.
void*& address_to_free(void* block) {
  char* const record = prelude::glibc::thread_record(block);
  return *reinterpret_cast<void**>(kBelow ? record + state().layout->pthread.size
                                          : record - sizeof(void*));
}

// libc asserts that a thread that cannot be made has left ENOMEM in errno: in that of the C library
// that asks.
[[gnu::cold, gnu::noinline]] void set_no_memory(const void* caller) {
  constexpr int kNoMemory = 12;
  const Module* libc = prelude::dl::module_at(reinterpret_cast<uintptr_t>(caller));
  if (libc == nullptr) return;
  auto place = reinterpret_cast<int* (*)()>(prelude::glibc::function_of(*libc, "__errno_location"));
  if (place != nullptr) *place() = kNoMemory;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): names of the ABI
extern "C" {

PRELUDE_EXPORT void _dl_mcount(uintptr_t, uintptr_t) {}
PRELUDE_EXPORT void __rtld_version_placeholder() {}

PRELUDE_EXPORT void* _dl_allocate_tls(void* block) {
  Linker& linker = *the_linker;
  void* raw = nullptr;
  if (block == nullptr) {
    const uint64_t align = linker.tls.static_align(), size = linker.tls.static_size();
    const uint64_t tail = prelude::glibc::record_bytes();
    // With the word for the address to free at the record's outer end.
    const uint64_t below = kBelow ? size - tail : tail + sizeof(void*);
    const uint64_t bytes = size + align + (kBelow ? sizeof(void*) : below);
    raw = state().functions.calloc(size_t{1}, static_cast<size_t>(bytes));
    if (raw == nullptr) return nullptr;
    block =
        reinterpret_cast<void*>(prelude::round_up(reinterpret_cast<uintptr_t>(raw) + below, align));
    address_to_free(block) = raw;
  }
  if (prelude::dl::tls_start_thread(linker, static_cast<char*>(block), true)) {
    prelude::dl::trace_thread_tls(linker, prelude::EventKind::kTlsFilled, block);
    return block;
  }
  if (raw != nullptr) state().functions.free(raw);
  set_no_memory(__builtin_return_address(0));
  return nullptr;
}

// The second argument differs between releases and is not needed: a call from libc means "all of
// it".
PRELUDE_EXPORT void* _dl_allocate_tls_init(void* block, bool) {
  if (block == nullptr) return nullptr;
  return prelude::dl::tls_start_thread(*the_linker, static_cast<char*>(block), false) ? block
                                                                                      : nullptr;
}

PRELUDE_EXPORT void _dl_deallocate_tls(void* block, bool free_block) {
  prelude::dl::trace_thread_tls(*the_linker, prelude::EventKind::kTlsFreed, block,
                                free_block ? 1U : 0U);
  prelude::dl::tls_end_thread(*the_linker, static_cast<char*>(block));
  if (free_block) state().functions.free(address_to_free(block));
}

PRELUDE_EXPORT void _dl_get_tls_static_info(size_t* size, size_t* align) {
  *size = static_cast<size_t>(the_linker->tls.static_size());
  *align = static_cast<size_t>(the_linker->tls.static_align());
}

PRELUDE_EXPORT LinkMap* _dl_find_dso_for_object(uintptr_t address) {
  Module* module = prelude::dl::module_at(address);
  if (module == nullptr) return nullptr;
  prelude::glibc::show_symbols(*state().layout, *module);
  return module->map;
}

PRELUDE_EXPORT void _dl_rtld_di_serinfo(LinkMap* map, void* pointer, bool counting) {
  Linker& linker = *the_linker;
  auto* info = static_cast<SearchPathInfo*>(pointer);
  SearchPathWriter out{};
  if (!counting) {
    out.info = info;
    out.text = reinterpret_cast<char*>(&info->entries[info->count]);
  }
  const prelude::Change change(linker);
  linker.searcher.for_each_directory(module_of(*map).requester, &linker.program->requester,
                                     write_directory, &out, prelude::Searcher::Absent::kLeftOut);
  if (!counting) return;
  info->count = out.count;
  info->size =
      offsetof(SearchPathInfo, entries) + out.count * sizeof(SearchPathEntry) + out.text_bytes;
}

PRELUDE_EXPORT void __tunable_get_val(unsigned id, void* out, void (*callback)(void*)) {
  state().tunables.get(id, out, callback);
}
PRELUDE_EXPORT bool __tunable_is_initialized(unsigned id) {
  return state().tunables.is_initialized(id);
}

PRELUDE_EXPORT void _dl_audit_preinit(LinkMap* program) {
  if (the_linker->auditor != nullptr && program != nullptr)
    the_linker->auditor->program_starts(module_of(*program));
}
PRELUDE_EXPORT void _dl_audit_symbind_alt(LinkMap* referrer, const prelude::elf::Symbol* symbol,
                                          uintptr_t* value, LinkMap* definer) {
  if (the_linker->auditor != nullptr)
    *value = static_cast<uintptr_t>(the_linker->auditor->found_by_name(
        module_of(*referrer), {symbol, &module_of(*definer)}, *value));
}

// Makes the stack of one thread executable; gives an errno value.
PRELUDE_EXPORT int __nptl_change_stack_perm(char* thread) {
  return prelude::glibc::open_thread_stack(thread);
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
