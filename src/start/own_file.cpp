// `ld.so --keep-exe PROGRAM`: /proc/self/exe, and with it what the kernel shows of a process, is to
// be as if the kernel had started the program itself. The kernel names another file only when
// nothing of the one named so far is mapped any more, and that is this loader: its pages become
// copies that belong to no file.
#include "start.h"

#include <prelude/base/align.h>
#include <prelude/base/string.h>

namespace prelude::start {
namespace {

// The code that runs here is among the pages. Between the copy and the move nothing may write into
// our data: all that changes lies on the stack.
sys::Ret<Done> copy_pages(void* start, uint64_t bytes, int prot) {
  const auto copy = sys::map_anonymous(nullptr, bytes, sys::kProtRead | sys::kProtWrite, false);
  if (!copy) return copy.error();
  copy_bytes(*copy, start, bytes);
  // Never writable and executable together.
  const auto ready = sys::protect(*copy, bytes, prot);
  return ready ? sys::move_mapping(*copy, bytes, start) : ready;
}

sys::Ret<Done> leave_own_file() {
  const Image& self = linker.self->image;
  const uint64_t page = linker.host.page_size;
  for (uint32_t i = 0; i < self.segment_count; ++i) {
    const LoadSegment& s = self.segments[i];
    const uint64_t start = round_down(s.vaddr, page);
    const uint64_t end = round_up(s.vaddr + s.filesz, page);
    if (end == start) continue;
    const auto copied = copy_pages(self.address(start), end - start, protection_of(s.flags));
    if (!copied) return copied;
  }
  return Done{};
}

uint64_t end_of(const char* text) {
  return reinterpret_cast<uintptr_t>(text) + string_length(text) + 1;
}

// Arguments and environment lie on the stack one behind the other, as the kernel wrote them.
sys::ProcessView view_of_program() {
  const Process& process = world.stack.process;
  sys::ProcessView view{};
  view.code_start = view.data_start = UINT64_MAX;
  const Image& image = linker.program->image;
  for (uint32_t i = 0; i < image.segment_count; ++i) {
    const LoadSegment& s = image.segments[i];
    const uint64_t start = image.bias + s.vaddr, end = start + s.filesz;
    const bool data = (s.flags & elf::kPfW) != 0;
    uint64_t &low = data ? view.data_start : view.code_start,
             &high = data ? view.data_end : view.code_end;
    if (start < low) low = start;
    if (end > high) high = end;
  }
  if (view.code_end == 0) view.code_start = view.code_end = image.bias + image.low;
  if (view.data_end == 0) view.data_start = view.data_end = view.code_end;
  view.stack = reinterpret_cast<uintptr_t>(world.stack.argc_word);
  view.arguments_start = reinterpret_cast<uintptr_t>(world.program_word);
  view.arguments_end =
      end_of(process.argc > 1 ? process.argv[process.argc - 1] : world.program_word);
  view.environment_start = view.environment_end = view.arguments_end;
  for (char** entry = process.envp; *entry != nullptr; ++entry)
    view.environment_end = end_of(*entry);
  return view;
}

}  // namespace

void show_program() {
  if (world.program_file == nullptr)
    fail(linker, {.code = Errc::kOutOfMemory, .object = linker.program->path});
  const auto file = sys::open_for_reading(world.program_file);
  auto shown = file ? leave_own_file() : sys::Ret<Done>(file.error());
  if (shown) shown = sys::show_process(view_of_program(), *file);
  if (file) sys::close(*file);
  if (shown) return;
  fail(linker, {.code = Errc::kSystemCall,
                .sys_errno = sys::raw(shown.error()),
                .object = linker.program->path,
                .subject = "naming the program in /proc/self/exe"});
}

}  // namespace prelude::start
