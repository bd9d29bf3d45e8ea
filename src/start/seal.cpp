// Memory that is to stay as it is: code, constant data and RELRO of everything that is there from
// the start are sealed (mseal, Linux 6.10), so that no later call can make them writable, move or
// replace them. For secure programs, and where LD_SEAL asks for it. Not for everybody: filters of
// system calls end a process for a call that their authors did not know.
#include "start.h"

#include <prelude/base/align.h>

#include <string_view>

namespace prelude::start {
namespace {

// Whether no filter of system calls is in force; when in doubt there is one.
[[gnu::noinline]] bool unfiltered() {
  const auto fd = sys::open_for_reading("/proc/self/status");
  if (!fd) return false;
  char text[4096];
  const auto got = sys::read_at(*fd, text, sizeof text, 0);
  sys::close(*fd);
  if (!got) return false;
  const std::string_view status(text, *got), field = "\nSeccomp:\t0\n";
  for (size_t at = 0; at + field.size() <= status.size(); ++at)
    if (__builtin_memcmp(text + at, field.data(), field.size()) == 0) return true;
  return false;
}

bool seal_range(uint64_t start, uint64_t end) {
  if (end <= start) return true;
  return sys::seal(reinterpret_cast<void*>(start), end - start).ok();
}

bool seal_module(const Module& module, uint64_t page) {
  const Image& image = module.image;
  if (image.text_relocations) return true;  // late IFUNC results may go into its code
  for (uint32_t i = 0; i < image.segment_count; ++i) {
    const LoadSegment& s = image.segments[i];
    const uint64_t start = round_down(image.bias + s.vaddr, page);
    const uint64_t end = round_up(image.bias + s.vaddr + s.memsz, page);
    if ((s.flags & elf::kPfW) == 0 && !seal_range(start, end)) return false;
  }
  return seal_range(module.relro_start, module.relro_end);
}

}  // namespace

void seal_objects() {
  if (!unfiltered()) return;
  for (const Module* module = linker.base_space.first; module != nullptr; module = module->next)
    if (!module->is_vdso && !seal_module(*module, linker.host.page_size)) return;
}

}  // namespace prelude::start
