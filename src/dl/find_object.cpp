// The index of address ranges. Two buffers take turns: the writer fills the idle one and switches; a
// reader that was overtaken sees the version change and looks again. A handler that interrupts the writer
// finds the active buffer untouched.
#include <prelude/dl/dl.h>

#include <prelude/base/string.h>

namespace prelude::dl {
namespace {

struct Buffer {
  FoundObject* entries;
  size_t capacity;
  size_t count;
};
constinit Buffer buffers[2] = {};
constinit uint64_t version = 0;  // its lowest bit names the active buffer

uint64_t eh_frame_of(const Module& module) {
  return module.image.eh_frame_vaddr == 0 ? 0 : module.image.bias + module.image.eh_frame_vaddr;
}

size_t count_entries(const Linker& linker) {
  size_t count = 0;
  for (const Namespace* space : linker.spaces)
    for (const Module* m = space->first; m != nullptr; m = m->map.l_next)
      count += m->segments_contiguous ? 1 : m->image.segment_count;
  return count;
}

void put_sorted(Buffer& buffer, const FoundObject& entry) {
  size_t at = buffer.count++;
  for (; at > 0 && buffer.entries[at - 1].start > entry.start; --at) buffer.entries[at] = buffer.entries[at - 1];
  buffer.entries[at] = entry;
}

void put_module(Buffer& buffer, Module& module) {
  if (module.segments_contiguous) {
    put_sorted(buffer, {module.map_start, module.map_end, &module, eh_frame_of(module)});
    return;
  }
  for (uint32_t i = 0; i < module.image.segment_count; ++i) {
    const LoadSegment& s = module.image.segments[i];
    const uint64_t start = module.image.bias + s.vaddr;
    put_sorted(buffer, {start, start + s.memsz, &module, eh_frame_of(module)});
  }
}

}  // namespace

bool rebuild_index(Linker& linker) {
  const uint64_t now = __atomic_load_n(&version, __ATOMIC_RELAXED);
  Buffer& idle = buffers[(now + 1) & 1];
  const size_t wanted = count_entries(linker);
  if (wanted > idle.capacity) {
    // The old block stays: a late reader may still look at it. Doubling bounds the loss.
    const size_t capacity = wanted * 2 < 16 ? 16 : wanted * 2;
    auto* entries = linker.heap.make_array<FoundObject>(capacity);
    if (entries == nullptr) return false;
    idle.entries = entries;
    idle.capacity = capacity;
  }
  idle.count = 0;
  for (Namespace* space : linker.spaces)
    for (Module* module = space->first; module != nullptr; module = module->map.l_next)
      if (!module->removed && module->stands_for == nullptr) put_module(idle, *module);
  __atomic_store_n(&version, now + 1, __ATOMIC_RELEASE);
  return true;
}

bool find_object(uint64_t address, FoundObject& out) {
  for (;;) {
    const uint64_t seen = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
    const Buffer buffer = buffers[seen & 1];
    size_t low = 0, high = buffer.count;
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      if (buffer.entries[middle].end <= address)
        low = middle + 1;
      else
        high = middle;
    }
    bool found = false;
    if (low < buffer.count && buffer.entries[low].start <= address) {
      out = buffer.entries[low];
      found = address >= out.start && address < out.end;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&version, __ATOMIC_RELAXED) == seen) return found;
  }
}

}  // namespace prelude::dl
