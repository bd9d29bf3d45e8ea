// What a thread needs: its DTV, its static blocks, dynamic blocks on first use.
#include <prelude/base/string.h>
#include <prelude/tls/tls.h>

namespace prelude {
namespace {

constexpr size_t kSpareEntries = 14;  // so that a few dlopens need no new vector

uint64_t generation_now() { return __atomic_load_n(&prelude_tls_generation, __ATOMIC_ACQUIRE); }

// An allocation that starts `first_byte` past an aligned address. The block to free goes to `to_free`.
char* allocate_block(const TlsSegment& segment, const ThreadMemory& memory, void*& to_free) {
  auto* raw = static_cast<char*>(memory.allocate(segment.memsz + segment.align));
  if (raw == nullptr) return nullptr;
  to_free = raw;
  const auto at = reinterpret_cast<uint64_t>(raw);
  const uint64_t aligned = ((at - segment.first_byte + segment.align - 1) & ~(segment.align - 1)) + segment.first_byte;
  return raw + (aligned - at);
}

}  // namespace

void fill_tls_block(char* to, const TlsSegment& segment) {
  copy_bytes(to, segment.image, segment.filesz);
  fill_zero(to + segment.filesz, segment.memsz - segment.filesz);
}

DtvEntry* TlsRegistry::make_dtv(const ThreadMemory& memory) const {
  const size_t capacity = max_id_ + kSpareEntries;
  auto* raw = static_cast<DtvEntry*>(memory.allocate((capacity + 2) * sizeof(DtvEntry)));
  if (raw == nullptr) return nullptr;
  raw[0].value = capacity;
  for (size_t i = 2; i < capacity + 2; ++i) raw[i].value = kTlsUnallocated;
  return raw + 1;
}

namespace {

// Moves the entries to a longer vector. The initial one is abandoned, not freed.
DtvEntry* grow_dtv(DtvEntry* dtv, size_t wanted, const DtvEntry* keep, const ThreadMemory& memory) {
  const size_t capacity = wanted + kSpareEntries, old = dtv[-1].value;
  auto* raw = static_cast<DtvEntry*>(memory.allocate((capacity + 2) * sizeof(DtvEntry)));
  if (raw == nullptr) return nullptr;
  copy_bytes(raw, dtv - 1, (old + 2) * sizeof(DtvEntry));
  raw[0].value = capacity;
  for (size_t i = old + 2; i < capacity + 2; ++i) raw[i].value = kTlsUnallocated;
  if (dtv != keep) memory.release(dtv - 1);
  return raw + 1;
}

}  // namespace

DtvEntry* TlsRegistry::initialise_thread(char* tp, DtvEntry* dtv, const ThreadMemory& memory) const {
  if (dtv[-1].value < max_id_) {
    dtv = grow_dtv(dtv, max_id_, nullptr, memory);
    if (dtv == nullptr) return nullptr;
  }
  size_t newest = 0;
  for (size_t id = 1; id <= dtv[-1].value; ++id) dtv[id] = {kTlsUnallocated, nullptr};
  for (size_t id = 1; id <= max_id_; ++id) {
    const TlsSlot* found = slot(id);
    if (found->generation > newest) newest = found->generation;
    if (found->module == nullptr) continue;
    const TlsSegment& segment = tls_of(*found->module);
    if (segment.offset == 0 || segment.offset == kTlsForcedDynamic) continue;
    char* block = tp - segment.offset;
    fill_tls_block(block, segment);
    dtv[id].value = reinterpret_cast<uint64_t>(block);
  }
  // A slot of a batch that is still being loaded has a generation that is not published yet.
  const uint64_t published = generation_now();
  dtv[0].value = newest < published ? newest : published;
  return dtv;
}

void TlsRegistry::release_thread(DtvEntry* dtv, const DtvEntry* keep, const ThreadMemory& memory) const {
  if (dtv == nullptr) return;
  for (size_t id = 1; id <= dtv[-1].value; ++id)
    if (dtv[id].to_free != nullptr) memory.release(dtv[id].to_free);
  if (dtv != keep) memory.release(dtv - 1);
}

DtvEntry* TlsRegistry::update_dtv(DtvEntry* dtv, size_t id, const DtvEntry* keep, const ThreadMemory& memory) const {
  const size_t wanted = slot_generation(id);
  if (dtv[0].value >= wanted) return dtv;
  size_t index = 0;
  for (TlsSlotList* list = first_; list != nullptr; list = list->next) {
    for (size_t k = 0; k < list->length; ++k, ++index) {
      const TlsSlot& entry = list->slots[k];
      if (index == 0 || entry.generation > wanted || entry.generation <= dtv[0].value) continue;
      if (index > dtv[-1].value) {
        if (entry.module == nullptr) continue;
        dtv = grow_dtv(dtv, max_id_ > index ? max_id_ : index, keep, memory);
        if (dtv == nullptr) return nullptr;
      }
      if (dtv[index].to_free != nullptr) memory.release(dtv[index].to_free);
      dtv[index] = {kTlsUnallocated, nullptr};
    }
  }
  dtv[0].value = wanted;
  return dtv;
}

char* TlsRegistry::block(DtvEntry* dtv, Module& module, char* tp, const ThreadMemory& memory) const {
  TlsSegment& segment = tls_of(module);
  DtvEntry& entry = dtv[segment.module_id];
  if (entry.value != kTlsUnallocated) return reinterpret_cast<char*>(entry.value);  // NOLINT
  if (segment.offset > 0) {
    char* at = tp - segment.offset;
    entry.value = reinterpret_cast<uint64_t>(at);
    return at;
  }
  segment.offset = kTlsForcedDynamic;
  char* at = allocate_block(segment, memory, entry.to_free);
  if (at == nullptr) return nullptr;
  fill_tls_block(at, segment);
  entry.value = reinterpret_cast<uint64_t>(at);
  return at;
}

}  // namespace prelude
