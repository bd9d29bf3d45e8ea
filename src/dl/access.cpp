// Entries from compiled code that may come on any thread at any time: lazy binding and TLS access.
#include <prelude/dl/dl.h>

#include <arch/native.h>

#include <prelude/base/string.h>
#include <prelude/reloc/apply.h>

namespace prelude::dl {
namespace {

char* thread_block() { return reinterpret_cast<char*>(arch::thread_pointer()); }

DtvEntry* dtv_of(const char* block) {
  return reinterpret_cast<DtvEntry*>(arch::read_tcb(block, arch::Native::kTcbDtv));  // NOLINT
}
void set_dtv(char* block, DtvEntry* dtv) {
  arch::write_tcb(block, arch::Native::kTcbDtv, reinterpret_cast<uint64_t>(dtv));
}

uint64_t address_of(Linker& linker, const Definition& found) {
  if (found.symbol == nullptr) return 0;
  const auto address = definition_address(linker, found);
  if (!address) linker.fatal(linker, address.error());
  if (found.symbol->type() != elf::kSttGnuIfunc || found.symbol->shndx == elf::kShnAbs) return *address;
  return reinterpret_cast<uint64_t (*)()>(*address)();  // NOLINT(performance-no-int-to-ptr)
}

// The PLT says which entry it wants; only those count that could have been prepared for it.
bool is_lazy_entry(const Module& module, uint64_t index) {
  const Image& image = module.image;
  if (index >= image.plt_rela_count) return false;
  const elf::Rela& rela = image.plt_rela[index];
  if (arch::Native::kind_of(rela.type()) != arch::RelocKind::kJumpSlot || rela.symbol() >= image.symbol_limit)
    return false;
  const LoadSegment* s = image.memory_segment(rela.offset, sizeof(uint64_t));
  const uint64_t address = image.bias + rela.offset;
  const bool closed = address < module.relro_end && address + sizeof(uint64_t) > module.relro_start;
  return s != nullptr && (s->flags & elf::kPfW) != 0 && !closed;
}

}  // namespace

void* tls_address_if_present(Linker& linker, Module& module) {
  const size_t id = module.tls.module_id;
  if (id == 0) return nullptr;
  char* block = thread_block();
  const DtvEntry* dtv = dtv_of(block);
  // A vector behind the slot's generation may hold an entry of the slot's former owner.
  if (id <= dtv[-1].value && dtv[0].value >= linker.tls.slot_generation(id) && dtv[id].value != kTlsUnallocated)
    return reinterpret_cast<void*>(dtv[id].value);  // NOLINT(performance-no-int-to-ptr)
  return module.tls.offset > 0 ? block - module.tls.offset : nullptr;
}

bool tls_start_thread(Linker& linker, char* block, bool fresh) {
  DtvEntry* dtv = dtv_of(block);
  if (fresh) {
    dtv = linker.tls.make_dtv(linker.thread_memory);
    if (dtv == nullptr) return false;
  }
  linker.personality->lock_tls(linker);
  dtv = linker.tls.initialise_thread(block, dtv, linker.thread_memory);
  linker.personality->unlock_tls(linker);
  if (dtv == nullptr) return false;
  set_dtv(block, dtv);
  return true;
}

void tls_end_thread(Linker& linker, char* block) {
  linker.tls.release_thread(dtv_of(block), linker.initial_dtv, linker.thread_memory);
}

}  // namespace prelude::dl

extern "C" void* prelude_tls_get_addr_slow(const void* pointer) {
  using namespace prelude;
  const auto& index = *static_cast<const TlsIndex*>(pointer);
  Linker& linker = *the_linker;
  char* block = dl::thread_block();
  linker.personality->lock_tls(linker);
  char* address = nullptr;
  DtvEntry* dtv = linker.tls.update_dtv(dl::dtv_of(block), index.module, linker.initial_dtv, linker.thread_memory);
  if (dtv != nullptr) {
    dl::set_dtv(block, dtv);
    Module* module = linker.tls.module(index.module);
    if (module != nullptr) address = linker.tls.block(dtv, *module, block, linker.thread_memory);
  }
  linker.personality->unlock_tls(linker);
  if (address == nullptr)
    linker.fatal(linker, {.code = Errc::kOutOfMemory, .object = "thread-local storage"});
  return address + index.offset;
}

extern "C" void* prelude_lazy_bind(void* pointer, uint64_t index) {
  using namespace prelude;
  Linker& linker = *the_linker;
  auto& module = *static_cast<Module*>(pointer);
  const Image& image = module.image;
  if (!dl::is_lazy_entry(module, index))
    linker.fatal(linker, {.code = Errc::kBadField, .object = module.path, .subject = "PLT relocation index",
                          .context = "an entry of DT_JMPREL for a writable slot", .value = index});
  const elf::Rela& rela = image.plt_rela[index];
  Definition found;
  {
    const Reader reader(linker);
    const auto bound = bind_symbol(linker, module, rela.symbol(), Use::kCall);
    if (!bound) linker.fatal(linker, bound.error());
    found = *bound;
  }
  const uint64_t target = dl::address_of(linker, found);
  if (!linker.options->bind_not)
    __atomic_store_n(static_cast<uint64_t*>(image.address(rela.offset)), target, __ATOMIC_RELEASE);
  return reinterpret_cast<void*>(target);  // NOLINT(performance-no-int-to-ptr)
}
