// The first thread: static TLS layout of everything loaded at start, its block, the thread pointer.
#include <prelude/link/linker.h>

#include <arch/native.h>

#include <prelude/base/align.h>

namespace prelude {

namespace {

MapOutcome map_area(uint64_t address, uint64_t bytes) {
  void* at = reinterpret_cast<void*>(address);
  const auto mapped = sys::map_anonymous_exactly(at, bytes, sys::kProtRead | sys::kProtWrite);
  if (mapped) return MapOutcome::kMapped;
  return mapped.error() == sys::kEEXIST ? MapOutcome::kOccupied : MapOutcome::kNoMemory;
}

void unmap_area(uint64_t address, uint64_t bytes) {
  (void)sys::unmap(reinterpret_cast<void*>(address), bytes);
}

}  // namespace

Status place_start_up_tls(Linker& linker) {
  const Error no_memory{.code = Errc::kOutOfMemory, .object = linker.program->path};
  TlsRegistry& tls = linker.tls;
  for (size_t id = 1; id <= tls.max_module_id(); ++id)
    if (Module* module = tls.module(id); module != nullptr && !tls.place_static(module->tls))
      return no_memory;
  linker.personality->reserve_tls(linker);
  const uint64_t tail = linker.personality->thread_block_bytes(linker);
  tls.close_static(linker.personality->tls_surplus(linker), tail);
  tls.publish_generation();

  // The thread pointer is aligned and lies between the static area and the thread control block.
  // The word at the block's other end is kept for the address to free, as thread libraries expect.
  const uint64_t align = tls.static_align();
  const uint64_t below = NativeTls::kBelow ? tls.static_size() - tail : tail + sizeof(void*);
  const uint64_t bytes = tls.static_size() + (NativeTls::kBelow ? 0 : below) + align + 64;
  auto* raw = static_cast<char*>(linker.open_heap->allocate_for_ever(bytes, 64));
  if (raw == nullptr) return no_memory;
  const uint64_t tp_address = round_up(reinterpret_cast<uintptr_t>(raw) + below, align);
  char* tp = reinterpret_cast<char*>(tp_address);
  linker.initial_dtv = tls.make_dtv(linker.thread_memory);
  if (linker.tracer.wants(Topic::kTls))
    linker.tracer.emit({.kind = EventKind::kTlsBlock, .topic = Topic::kTls, .value = tp_address});
  tls.set_mapper({map_area, unmap_area});
  tls.keep_list_at(linker.open->threads);
  if (linker.initial_dtv == nullptr ||
      !tls.enter_thread(linker.open->first_thread, tp, linker.initial_dtv))
    return no_memory;
  arch::write_tcb(tp, arch::Native::kTcbSelf, tp_address);
  arch::write_tcb(tp, arch::Native::kTcbHeaderSelf, tp_address);
  arch::write_tcb(tp, arch::Native::kTcbDtv, reinterpret_cast<uintptr_t>(linker.initial_dtv));
  linker.personality->prepare_thread(linker, tp);
  if (auto r = sys::set_thread_pointer(tp); !r)
    return Error{.code = Errc::kSystemCall,
                 .sys_errno = sys::raw(r.error()),
                 .object = linker.program->path,
                 .subject = "arch_prctl"};
  linker.personality->thread_started(linker, tp);
  linker.thread_placed = true;
  for (size_t id = 1; id <= tls.max_module_id(); ++id) {
    Module* module = tls.module(id);
    if (module != nullptr) linker.personality->module_changed(linker, *module);
  }
  return Done{};
}

void place_program_tls(Linker& linker) {
  TlsRegistry& tls = linker.tls;
  linker.personality->lock_tls(linker);
  for (size_t id = 1; id <= tls.max_module_id(); ++id) {
    Module* module = tls.module(id);
    if (module == nullptr || module->name_space != 0 || module->tls.offset != kTlsNotPlaced)
      continue;
    // What cannot be placed is left to be allocated dynamically.
    if (tls.place_late(module->tls, linker.heap))
      linker.personality->module_changed(linker, *module);
  }
  tls.publish_generation();
  linker.personality->unlock_tls(linker);
}

void fill_program_tls(Linker& linker) {
  const TlsRegistry& tls = linker.tls;
  for (size_t id = 1; id <= tls.max_module_id(); ++id) {
    const Module* module = tls.module(id);
    if (module != nullptr && module->name_space == 0 && module->tls.placed())
      tls.fill_everywhere(module->tls);
  }
}

}  // namespace prelude
