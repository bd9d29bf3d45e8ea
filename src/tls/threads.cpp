// What a thread needs: its DTV, its static blocks, dynamic blocks on first use.
#include <prelude/base/align.h>
#include <prelude/base/string.h>
#include <prelude/tls/tls.h>

namespace prelude {
namespace {

constexpr size_t kSpareEntries = 14;  // so that a few dlopens need no new vector

size_t generation_now() { return __atomic_load_n(&prelude_tls_generation, __ATOMIC_ACQUIRE); }

}  // namespace

// The block starts `first_byte` past an aligned address.
char* make_tls_block(const TlsSegment& segment, const ThreadMemory& memory, void*& to_free) {
  // Clearing the room for a large alignment would make its pages present.
  const bool used = memory.allocate_used != nullptr;
  const auto allocate = used ? memory.allocate_used : memory.allocate;
  const uint64_t bytes = segment.memsz + segment.align + sizeof(void*);
  if (bytes > SIZE_MAX) return nullptr;
  auto* raw = static_cast<char*>(allocate(static_cast<size_t>(bytes)));
  if (raw == nullptr) return nullptr;
  to_free = raw;
  const auto at = reinterpret_cast<uintptr_t>(raw);
  const uint64_t aligned = round_up(at - segment.first_byte, segment.align) + segment.first_byte;
  char* const block = raw + static_cast<size_t>(aligned - at);
  fill_tls_block(block, segment, used ? BlockMemory::kUsed : BlockMemory::kZero);
  return block;
}

void fill_tls_block(char* to, const TlsSegment& segment, BlockMemory memory) {
  copy_bytes(to, segment.image, segment.filesz);
  if (memory == BlockMemory::kUsed) fill_zero(to + segment.filesz, segment.memsz - segment.filesz);
}

DtvEntry* TlsRegistry::make_dtv(const ThreadMemory& memory, size_t entries) const {
  const size_t capacity = (entries > max_id_ ? entries : max_id_) + kSpareEntries;
  const size_t bytes = (capacity + 2) * sizeof(DtvEntry) + capacity * sizeof(void*);
  auto* raw = static_cast<DtvEntry*>(memory.allocate(bytes));
  if (raw == nullptr) return nullptr;
  raw[0].value = capacity;
  for (size_t i = 2; i < capacity + 2; ++i) raw[i].value = kTlsUnallocated;
  return raw + 1;
}

void TlsRegistry::move_dtv(DtvEntry* fresh, const DtvEntry* dtv) {
  fresh[-1].to_free = dtv[-1].to_free;
  copy_bytes(fresh, dtv, (dtv[-1].value + 1) * sizeof(DtvEntry));
  copy_bytes(&block_to_free(fresh, 1), &block_to_free(const_cast<DtvEntry*>(dtv), 1),
             dtv[-1].value * sizeof(void*));
}

DtvEntry* TlsRegistry::initialise_thread(char* tp, DtvEntry* dtv, const ThreadMemory& memory,
                                         BlockMemory before) const {
  if (dtv[-1].value < max_id_) {
    DtvEntry* longer = make_dtv(memory);
    if (longer == nullptr) return nullptr;
    move_dtv(longer, dtv);
    memory.release(dtv - 1);
    dtv = longer;
  }
  TlsThread* thread = thread_of(dtv);
  const bool fresh = thread != nullptr && thread->fresh;
  if (thread != nullptr) thread->fresh = false;
  size_t newest = 0;
  for (size_t id = 1; id <= dtv[-1].value; ++id) dtv[id] = {kTlsUnallocated, nullptr};
  for (size_t id = 1; id <= max_id_; ++id) {
    const TlsSlot* found = slot(id);
    if (found->map == nullptr) continue;
    if (found->generation > newest) newest = found->generation;
    const TlsSegment& segment = tls_of(module_of(*found->map));
    if (segment.offset == kTlsNotPlaced || segment.offset == kTlsForcedDynamic) continue;
    char* block = tp + segment.displacement();
    const bool zero = before == BlockMemory::kZero || (fresh && area_of(segment) != nullptr);
    fill_tls_block(block, segment, zero ? BlockMemory::kZero : BlockMemory::kUsed);
    dtv[id].value = reinterpret_cast<uintptr_t>(block);
  }
  // A slot of a batch that is still being loaded has a generation that is not published yet.
  const size_t published = generation_now();
  dtv[0].value = newest < published ? newest : published;
  return dtv;
}

void TlsRegistry::release_blocks(DtvEntry* dtv, const ThreadMemory& memory) {
  void** const blocks = &block_to_free(dtv, 1);
  for (size_t i = 0; i < dtv[-1].value; ++i) {
    if (blocks[i] == nullptr) continue;
    memory.release(blocks[i]);
    blocks[i] = nullptr;
  }
}

void TlsRegistry::release_thread(DtvEntry* dtv, const DtvEntry* keep,
                                 const ThreadMemory& memory) const {
  if (dtv == nullptr) return;
  release_blocks(dtv, memory);
  if (dtv != keep) memory.release(dtv - 1);
}

size_t TlsRegistry::entries_wanted(const DtvEntry* dtv, size_t id) const {
  // A refreshed vector counts as current for every module of its generation, not for this one
  // alone.
  const size_t needed = max_id_ > id ? max_id_ : id;
  return dtv[-1].value < needed ? needed : 0;
}

void* TlsRegistry::refresh(DtvEntry* dtv, size_t id, DropListener dropped,
                           const void* context) const {
  // Behind the present every later access would come here again.
  const size_t wanted = generation_for(id);
  if (dtv[0].value >= wanted) return nullptr;
  void* chain = nullptr;
  size_t index = 0;
  for (const TlsSlotList* list = first_; list != nullptr; list = list->next) {
    for (size_t k = 0; k < list->length; ++k, ++index) {
      const TlsSlot& entry = list->slots[k];
      if (index == 0 || index > dtv[-1].value || entry.generation > wanted ||
          entry.generation <= dtv[0].value)
        continue;
      if (void*& block = block_to_free(dtv, index); block != nullptr) {
        if (dropped != nullptr) dropped(context, index, block);
        *static_cast<void**>(block) = chain;
        chain = block;
        block = nullptr;
      }
      dtv[index] = {kTlsUnallocated, nullptr};
    }
  }
  dtv[0].value = wanted;
  return chain;
}

}  // namespace prelude
