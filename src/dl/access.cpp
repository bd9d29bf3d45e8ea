// Entries from compiled code that may come on any thread at any time: lazy binding and TLS access.
#include <prelude/dl/dl.h>

#include <arch/native.h>

#include <prelude/reloc/apply.h>

namespace prelude::dl {
namespace {

char* thread_block() { return reinterpret_cast<char*>(arch::thread_pointer()); }

DtvEntry* dtv_of(const char* block) {
  return reinterpret_cast<DtvEntry*>(arch::read_tcb(block, arch::Native::kTcbDtv));
}
void set_dtv(char* block, DtvEntry* dtv) {
  arch::write_tcb(block, arch::Native::kTcbDtv, reinterpret_cast<uintptr_t>(dtv));
}

uint64_t address_of(Linker& linker, const Definition& found) {
  if (found.symbol == nullptr) return 0;
  if (is_plain(found)) [[likely]]
    return found.module->image.bias + found.symbol->value;
  const auto address = resolved_address(linker, found);
  if (!address) linker.fatal(linker, address.error());
  return *address;
}

// A call mostly returns into the object whose PLT it went through. Those of a request under way are
// in no index yet.
bool is_module(Linker& linker, const void* pointer, uint64_t return_address) {
  if (is_indexed(pointer, return_address)) return true;
  const Reader reader(linker);
  for (const Namespace* space : linker.spaces)
    for (const Module* module = space->first; module != nullptr; module = module->next)
      if (module->map == pointer) return true;
  return false;
}

// The PLT says which entry it wants; only those count that could have been prepared for it.
bool is_lazy_entry(const Module& module, uint64_t index) {
  const Image& image = module.image;
  if (index >= image.plt_relocation_count) return false;
  const elf::Relocation& rela = image.plt_relocations[index];
  if (arch::Native::kind_of(rela.type()) != arch::RelocKind::kJumpSlot ||
      rela.symbol() >= image.symbol_limit)
    return false;
  const bool closed = module.touches_relro(image.bias + rela.offset, sizeof(elf::Word));
  return image.writable(rela.offset, sizeof(elf::Word)) &&
         (!closed || module.plt_watch == PltWatch::kCalls);
}

}  // namespace

BoundCall bind_call(Linker& linker, Module& module, uint64_t index) {
  if (!is_lazy_entry(module, index))
    linker.fatal(linker, {.code = Errc::kBadField,
                          .object = module.path,
                          .subject = "PLT relocation index",
                          .context = "an entry of DT_JMPREL for a writable slot",
                          .value = index});
  BoundCall call;
  {
    const Reader reader(linker);
    const uint32_t symbol = module.image.plt_relocations[index].symbol();
    const auto bound = bind_symbol(linker, module, symbol, Use::kCall);
    if (!bound) linker.fatal(linker, bound.error());
    call.found = *bound;
  }
  call.address = address_of(linker, call.found);
  return call;
}

void store_call(Module& module, uint64_t index, uint64_t address) {
  auto* slot =
      static_cast<elf::Word*>(module.image.address(module.image.plt_relocations[index].offset));
  if (module.plt_watch == PltWatch::kCalls &&
      module.touches_relro(reinterpret_cast<uintptr_t>(slot), sizeof *slot))
    return;
  __atomic_store_n(slot, static_cast<elf::Word>(address), __ATOMIC_RELEASE);
}

namespace {

void* dynamic_block_if_present(const Linker& linker, const char* block, size_t id) {
  const DtvEntry* dtv = dtv_of(block);
  // A vector behind the slot's generation may hold an entry of the slot's former owner.
  const bool known = id <= dtv[-1].value && dtv[0].value >= linker.tls.slot_generation(id) &&
                     dtv[id].value != kTlsUnallocated;
  return known ? reinterpret_cast<void*>(dtv[id].value) : nullptr;
}

}  // namespace

void* tls_address_if_present(Linker& linker, Module& module) {
  const TlsSegment& tls = module.tls;
  if (tls.module_id == 0) return nullptr;
  if (tls.placed()) return thread_block() + tls.displacement();
  return dynamic_block_if_present(linker, thread_block(), tls.module_id);
}

bool tls_start_thread(Linker& linker, char* block, bool fresh) {
  const ThreadMemory& memory = linker.thread_memory;
  TlsThread* thread = nullptr;
  DtvEntry* dtv = dtv_of(block);
  if (fresh) {
    __atomic_store_n(&linker.open->threaded, true, __ATOMIC_RELAXED);
    linker.personality->thread_created(linker);
    thread = static_cast<TlsThread*>(memory.allocate(sizeof(TlsThread)));
    dtv = linker.tls.make_dtv(memory);
  } else {
    TlsRegistry::release_blocks(dtv, memory);
  }
  linker.personality->lock_tls(linker);
  bool ok =
      dtv != nullptr && (fresh ? thread != nullptr && linker.tls.enter_thread(*thread, block, dtv)
                               : linker.tls.catch_up(*TlsRegistry::thread_of(dtv)));
  if (DtvEntry* filled = ok ? linker.tls.initialise_thread(block, dtv, memory) : nullptr;
      filled != nullptr)
    set_dtv(block, filled);
  else
    ok = false;
  if (!ok && thread != nullptr && dtv != nullptr && TlsRegistry::thread_of(dtv) != nullptr)
    linker.tls.leave_thread(*thread);
  linker.personality->unlock_tls(linker);
  if (ok || !fresh) return ok;
  if (thread != nullptr) memory.release(thread);
  if (dtv != nullptr) memory.release(dtv - 1);
  return false;
}

void tls_end_thread(Linker& linker, char* block) {
  DtvEntry* dtv = dtv_of(block);
  if (dtv == nullptr) return;
  TlsThread* thread = TlsRegistry::thread_of(dtv);
  for (size_t id = 1; linker.tracer.wants(Topic::kTls) && id <= dtv[-1].value; ++id)
    if (void* const freed = block_to_free(dtv, id); freed != nullptr)
      trace_thread_tls(linker, EventKind::kTlsReleasedBlock, block, id,
                       reinterpret_cast<uintptr_t>(freed));
  linker.tls.release_thread(dtv, linker.initial_dtv, linker.thread_memory);
  if (thread == nullptr) return;
  linker.personality->lock_tls(linker);
  linker.tls.leave_thread(*thread);
  linker.personality->unlock_tls(linker);
  // The first thread ends like others when somebody joins it; its record is ours.
  if (thread != &linker.open->first_thread) linker.thread_memory.release(thread);
}

namespace {

void release_chain(const ThreadMemory& memory, void* chain) {
  while (chain != nullptr) {
    void* next = *static_cast<void**>(chain);
    memory.release(chain);
    chain = next;
  }
}

bool is_growing(const char* block) {
  const TlsThread* const thread = TlsRegistry::thread_of(dtv_of(block));
  return thread != nullptr && thread->growing;
}

DtvEntry* make_longer_dtv(Linker& linker, TlsThread* thread, size_t entries) {
  if (thread != nullptr) thread->growing = true;
  DtvEntry* longer = linker.tls.make_dtv(linker.thread_memory, entries);
  if (thread != nullptr) thread->growing = false;
  return longer;
}

struct TracedThread {
  const Linker& linker;
  const char* block;
};
void trace_dropped(const void* context, size_t id, const void* dropped) {
  const auto& thread = *static_cast<const TracedThread*>(context);
  trace_thread_tls(thread.linker, EventKind::kTlsDropped, thread.block, id,
                   reinterpret_cast<uintptr_t>(dropped));
}

// The DTV of the calling thread, long enough and new enough for the module. No lock is held while
// memory is asked for or given back: an allocator may use thread-local storage or wait for threads
// that do.
DtvEntry* current_dtv(Linker& linker, char* block, size_t id) {
  const ThreadMemory& memory = linker.thread_memory;
  linker.personality->lock_tls(linker);
  for (;;) {
    const size_t wanted = linker.tls.entries_wanted(dtv_of(block), id);
    if (wanted == 0) break;
    linker.personality->unlock_tls(linker);
    DtvEntry* old = dtv_of(block);
    DtvEntry* longer = make_longer_dtv(linker, TlsRegistry::thread_of(old), wanted);
    if (longer == nullptr) return nullptr;
    old = dtv_of(block);
    const bool use = old[-1].value < longer[-1].value;  // the allocation may have come here itself
    if (use) {
      trace_thread_tls(linker, EventKind::kTlsGrown, block, old[-1].value, longer[-1].value);
      TlsRegistry::move_dtv(longer, old);
      set_dtv(block, longer);
    }
    DtvEntry* spare = use ? old : longer;
    if (spare != linker.initial_dtv) memory.release(spare - 1);
    linker.personality->lock_tls(linker);
  }
  const TracedThread thread{linker, block};
  void* chain = linker.tls.refresh(dtv_of(block), id, trace_dropped, &thread);
  linker.personality->unlock_tls(linker);
  release_chain(memory, chain);
  return dtv_of(block);
}

// The block of the module in the calling thread, made now if it has none.
char* block_of(Linker& linker, char* block, size_t id) {
  // An allocator that counts in dynamic storage comes here for what it has, while the longer vector
  // waits for it.
  if (is_growing(block))
    if (void* present = dynamic_block_if_present(linker, block, id); present != nullptr)
      return static_cast<char*>(present);
  const uint64_t generation = linker.tls.generation_for(id);
  const bool behind = dtv_of(block)[0].value < generation;
  if (behind) trace_thread_tls(linker, EventKind::kTlsUpdated, block, id, generation);
  DtvEntry* dtv = current_dtv(linker, block, id);
  if (dtv == nullptr) return nullptr;
  if (dtv[id].value != kTlsUnallocated) return reinterpret_cast<char*>(dtv[id].value);
  if (!behind) trace_thread_tls(linker, EventKind::kTlsLazy, block, id);
  linker.personality->lock_tls(linker);
  Module* module = linker.tls.module(id);
  if (module != nullptr && module->tls.offset == kTlsNotPlaced)
    record_of(*module).dynamic_tls = true;
  const TlsSegment segment = module != nullptr ? module->tls : TlsSegment{};
  linker.personality->unlock_tls(linker);
  if (module == nullptr) return nullptr;
  void* to_free = nullptr;
  char* at = segment.placed() ? block + segment.displacement()
                              : make_tls_block(segment, linker.thread_memory, to_free);
  if (at == nullptr) return nullptr;
  if (to_free != nullptr)
    trace_thread_tls(linker, EventKind::kTlsAllocated, block, id, reinterpret_cast<uintptr_t>(at),
                     segment.memsz);
  else
    trace_thread_tls(linker, EventKind::kTlsStatic, block, id);
  dtv = dtv_of(block);
  if (dtv[id].value == kTlsUnallocated) {
    dtv[id].value = reinterpret_cast<uintptr_t>(at);
    block_to_free(dtv, id) = to_free;
  } else if (to_free != nullptr) {  // the allocator's own access was first
    trace_thread_tls(linker, EventKind::kTlsReentered, block, id);
    linker.thread_memory.release(to_free);
  }
  return reinterpret_cast<char*>(dtv[id].value);
}

}  // namespace

}  // namespace prelude::dl

extern "C" void* prelude_tls_get_addr_slow(const void* pointer) {
  using namespace prelude;
  const auto& index = *static_cast<const TlsIndex*>(pointer);
  Linker& linker = *the_linker;
  char* address = dl::block_of(linker, dl::thread_block(), index.module);
  if (address == nullptr)
    linker.fatal(linker, {.code = Errc::kOutOfMemory, .object = "thread-local storage"});
  return address + index.offset;
}

extern "C" void* prelude_lazy_bind(void* pointer, uintptr_t index, uintptr_t return_address) {
  using namespace prelude;
  Linker& linker = *the_linker;
  // Who gets into a PLT elsewhere than at the start of an entry hands over any words of its stack.
  if (pointer == nullptr || !dl::is_module(linker, pointer, return_address))
    linker.fatal(linker, {.code = Errc::kBadField,
                          .object = linker.program->path,
                          .subject = "object that a PLT names",
                          .context = "one that binds its calls late",
                          .value = reinterpret_cast<uintptr_t>(pointer)});
  Module& module = module_of(*static_cast<LinkMap*>(pointer));
  const dl::BoundCall call = dl::bind_call(linker, module, index);
  uint64_t target = call.address;
  if (module.plt_watch != PltWatch::kNone) [[unlikely]]
    target = linker.auditor->call_bound(linker, module, index, call.found, target);
  if (!linker.options->bind_not) dl::store_call(module, index, target);
  return reinterpret_cast<void*>(target);
}
