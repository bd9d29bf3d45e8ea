// Namespaces for which libc's own table has no room. The table has two readers: a thread debugger,
// which wants no namespaces, and dl_iterate_phdr, which takes a caller of such a namespace for one
// of the first. So the C library of such a namespace gets another definition of that symbol.
#include "shared_state.h"

#include <prelude/base/align.h>
#include <prelude/dl/dl.h>

namespace prelude::glibc {
namespace {

// <link.h>'s struct dl_phdr_info.
struct PhdrInfo {
  elf::Word bias;
  const char* name;
  const void* phdr;
  uint16_t phnum;
  unsigned long long adds, subs;
  size_t tls_module;
  void* tls_block;
};
static_assert(sizeof(PhdrInfo) == (sizeof(void*) == 8 ? 64 : 40));

using PhdrCallback = int (*)(PhdrInfo* info, size_t bytes, void* data);

PhdrInfo describe(Linker& linker, Module& module) {
  const Module& real = module.stands_for != nullptr ? *module.stands_for : module;
  PhdrInfo info{};
  info.bias = real.map->l_addr;
  info.name = module.map->l_name;
  info.phdr = real.image.phdr;
  info.phnum = real.image.phnum;
  info.adds = __atomic_load_n(&linker.adds, __ATOMIC_ACQUIRE);
  info.subs = __atomic_load_n(&linker.removals, __ATOMIC_ACQUIRE);
  info.tls_module = module.tls.module_id;
  info.tls_block = dl::tls_address_if_present(linker, module);
  return info;
}

// An exception or the end of a thread may leave through iterate_phdr(), whose frame has this for
// its personality (Itanium C++ ABI: Exception Handling, 1.6.2): what a destructor would do is done
// here, as no code of ours has landing pads.
extern "C" [[gnu::used, gnu::visibility("hidden")]] int prelude_reader_left(int, int actions,
                                                                            uint64_t, void*,
                                                                            void*) {
  constexpr int kCleanupPhase = 2, kContinueUnwind = 8;
  if ((actions & kCleanupPhase) != 0)
    __atomic_fetch_sub(&the_linker->open->readers, 1, __ATOMIC_RELEASE);
  return kContinueUnwind;
}

// Counted as a reader: what is closed meanwhile is not given back before the end.
[[gnu::noinline]] int iterate_phdr(PhdrCallback callback, void* data) {
#ifndef __cpp_exceptions               // hosted builds have the compiler's own
  constexpr int kRelativeWord = 0x1b;  // DW_EH_PE_pcrel, DW_EH_PE_sdata4
  asm volatile(".cfi_personality %c0, prelude_reader_left" : : "i"(kRelativeWord));
#endif
  Linker& linker = *the_linker;
  const Module* caller = dl::module_at(reinterpret_cast<uintptr_t>(__builtin_return_address(0)));
  const Namespace& space = *linker.spaces[caller != nullptr ? caller->name_space : 0];
  const Reader reader(linker);
  Module* module = __atomic_load_n(&space.first, __ATOMIC_ACQUIRE);
  while (module != nullptr) {
    PhdrInfo info = describe(linker, *module);
    if (const int result = callback(&info, sizeof info, data); result != 0) return result;
    module = __atomic_load_n(&module->next, __ATOMIC_ACQUIRE);
  }
  return 0;
}

}  // namespace

Status give_own_iteration(const Module& libc) {
  SymbolQuery query = make_query("dl_iterate_phdr");
  query.newest = true;
  auto* symbol = const_cast<elf::Symbol*>(find_in_object(libc.record, query));
  if (symbol == nullptr) return Done{};
  const auto start = reinterpret_cast<uintptr_t>(symbol);
  const LoadSegment* segment =
      libc.image.memory_segment(start - libc.image.bias, sizeof(elf::Symbol));
  if (segment == nullptr) return Done{};
  const uint64_t page = state().kernel.page_size, first = round_down(start, page);
  const uint64_t bytes = round_up(start + sizeof(elf::Symbol), page) - first;
  void* const at = reinterpret_cast<void*>(first);
  auto changed = sys::protect(at, bytes, sys::kProtRead | sys::kProtWrite);
  if (changed) {
    // An absolute one: its value is the address, wherever the library lies.
    symbol->shndx = elf::kShnAbs;
    symbol->value = reinterpret_cast<uintptr_t>(&iterate_phdr);
    changed = sys::protect(at, bytes, protection_of(segment->flags));
  }
  if (changed) return Done{};
  return Error{.code = Errc::kCannotChangeProtection,
               .sys_errno = sys::raw(changed.error()),
               .object = libc.path};
}

}  // namespace prelude::glibc
