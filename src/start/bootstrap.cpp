// The first C++ code: relocates the loader itself. Until that is done nothing here may touch a
// global through a pointer in data, a vtable, a string table, or a function of another file.
#include "start.h"

#include <arch/native.h>

#include <prelude/elf/format.h>

// NOLINTBEGIN(readability-identifier-naming): names of the linker
extern "C" {
[[gnu::visibility("hidden")]] extern const prelude::elf::FileHeader __ehdr_start;
[[gnu::visibility("hidden")]] extern const prelude::elf::Dynamic _DYNAMIC[];
}
// NOLINTEND(readability-identifier-naming)

namespace {

using namespace prelude;

// Addends stand in the entries or in place, as the class of the build has it.
template <typename Entry>
[[gnu::always_inline]] inline void apply(uintptr_t base, const Entry& relative) {
  auto* at = reinterpret_cast<uintptr_t*>(base + relative.offset);
  if constexpr (requires { relative.addend; })
    *at = base + static_cast<uintptr_t>(relative.addend);
  else
    *at += base;
}

// The linker lets relative relocations remain only; the built object is tested for that.
[[gnu::always_inline]] inline void relocate_self(uintptr_t base) {
  constexpr bool kAddends = elf::Native::kHasAddends;
  const elf::Relocation* table = nullptr;
  const uintptr_t* relr = nullptr;
  uint64_t table_bytes = 0, relr_bytes = 0;
  for (const elf::Dynamic* entry = _DYNAMIC; entry->tag != elf::kDtNull; ++entry) {
    const uintptr_t value = entry->value;
    if (entry->tag == (kAddends ? elf::kDtRela : elf::kDtRel))
      table = reinterpret_cast<const elf::Relocation*>(base + value);
    if (entry->tag == (kAddends ? elf::kDtRelaSz : elf::kDtRelSz)) table_bytes = value;
    if (entry->tag == elf::kDtRelr) relr = reinterpret_cast<const uintptr_t*>(base + value);
    if (entry->tag == elf::kDtRelrSz) relr_bytes = value;
  }
  // NOLINTBEGIN(clang-analyzer-core.NullDereference): the link editor's own tables are sound
  for (uint64_t i = 0; i < table_bytes / sizeof(elf::Relocation); ++i) apply(base, table[i]);
  uintptr_t* next = nullptr;
  for (uint64_t i = 0; i < relr_bytes / sizeof(uintptr_t); ++i) {
    uintptr_t word = relr[i];
    if ((word & 1) == 0) {
      next = reinterpret_cast<uintptr_t*>(base + word);
      *next++ += base;
      continue;
    }
    uintptr_t* at = next;
    for (word >>= 1; word != 0; word >>= 1, ++at)
      if ((word & 1) != 0) *at += base;
    next += sizeof(uintptr_t) * 8 - 1;
  }
  // NOLINTEND(clang-analyzer-core.NullDereference)
}

}  // namespace

extern "C" void prelude_start(uintptr_t* stack, prelude::arch::Handover* out) {
  const uint64_t started = prelude::arch::cycles();
  // This page is read now and written soon: written first it takes one fault.
  prelude::arch::write_fault(const_cast<prelude::elf::Dynamic*>(_DYNAMIC));
  relocate_self(reinterpret_cast<uintptr_t>(&__ehdr_start));
  asm volatile("" ::: "memory");
  prelude::start::run(stack, started, *out);
}
