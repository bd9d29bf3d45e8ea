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

// The linker lets relative relocations remain only; the built object is tested for that.
[[gnu::always_inline]] inline void relocate_self(uint64_t base) {
  const elf::Relocation* rela = nullptr;
  const uint64_t* relr = nullptr;
  uint64_t rela_bytes = 0, relr_bytes = 0;
  for (const elf::Dynamic* entry = _DYNAMIC; entry->tag != elf::kDtNull; ++entry) {
    const uint64_t value = entry->value;
    if (entry->tag == elf::kDtRela) rela = reinterpret_cast<const elf::Relocation*>(base + value);
    if (entry->tag == elf::kDtRelaSz) rela_bytes = value;
    if (entry->tag == elf::kDtRelr) relr = reinterpret_cast<const uint64_t*>(base + value);
    if (entry->tag == elf::kDtRelrSz) relr_bytes = value;
  }
  // NOLINTBEGIN(clang-analyzer-core.NullDereference): the link editor's own tables are sound
  for (uint64_t i = 0; i < rela_bytes / sizeof(elf::Relocation); ++i)
    *reinterpret_cast<uint64_t*>(base + rela[i].offset) =
        base + static_cast<uint64_t>(rela[i].addend);
  uint64_t* next = nullptr;
  for (uint64_t i = 0; i < relr_bytes / 8; ++i) {
    uint64_t word = relr[i];
    if ((word & 1) == 0) {
      next = reinterpret_cast<uint64_t*>(base + word);
      *next++ += base;
      continue;
    }
    uint64_t* at = next;
    for (word >>= 1; word != 0; word >>= 1, ++at)
      if ((word & 1) != 0) *at += base;
    next += 63;
  }
  // NOLINTEND(clang-analyzer-core.NullDereference)
}

}  // namespace

extern "C" void prelude_start(uint64_t* stack, prelude::arch::Handover* out) {
  const uint64_t started = prelude::arch::cycles();
  // This page is read now and written soon: written first it takes one fault.
  prelude::arch::write_fault(const_cast<prelude::elf::Dynamic*>(_DYNAMIC));
  relocate_self(reinterpret_cast<uint64_t>(&__ehdr_start));
  asm volatile("" ::: "memory");
  prelude::start::run(stack, started, *out);
}
