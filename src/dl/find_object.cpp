// The index of address ranges. Two buffers take turns: the writer fills the idle one and switches;
// a reader that was overtaken sees the version change and looks again. A handler that interrupts
// the writer finds the active buffer untouched.
#include <prelude/dl/dl.h>

#include <prelude/base/string.h>

#include <algorithm>

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

void put_module(Buffer& buffer, Module& module) {
  if (module.segments_contiguous) {
    buffer.entries[buffer.count++] = {module.map_start, module.map_end, &module,
                                      eh_frame_of(module)};
    return;
  }
  for (uint32_t i = 0; i < module.image.segment_count; ++i) {
    const LoadSegment& s = module.image.segments[i];
    const uint64_t start = module.image.bias + s.vaddr;
    buffer.entries[buffer.count++] = {start, start + s.memsz, &module, eh_frame_of(module)};
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
  std::sort(idle.entries, idle.entries + idle.count,
            [](const FoundObject& a, const FoundObject& b) { return a.start < b.start; });
  __atomic_store_n(&version, now + 1, __ATOMIC_RELEASE);
  return true;
}

namespace {

// Where the last search ended: unwinding asks for the same object again and again. Only a guess.
constinit uint32_t last_hit = 0;

// The first entry that ends above the address.
size_t first_above(const Buffer& buffer, uint64_t address) {
  size_t low = 0, count = buffer.count;
  while (count != 0) {
    const size_t half = count / 2;
    if (buffer.entries[low + half].end <= address) {
      low += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return low;
}

}  // namespace

bool find_object(uint64_t address, FoundObject& out) {
  for (;;) {
    const uint64_t seen = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
    const Buffer& buffer = buffers[seen & 1];
    size_t at = __atomic_load_n(&last_hit, __ATOMIC_RELAXED);
    const auto holds = [&](size_t i) {
      return i < buffer.count &&
             address - buffer.entries[i].start < buffer.entries[i].end - buffer.entries[i].start;
    };
    bool found = holds(at);
    if (!found) {
      at = first_above(buffer, address);
      found = holds(at);
      if (found) __atomic_store_n(&last_hit, static_cast<uint32_t>(at), __ATOMIC_RELAXED);
    }
    if (found) out = buffer.entries[at];
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&version, __ATOMIC_RELAXED) == seen) return found;
  }
}

}  // namespace prelude::dl
