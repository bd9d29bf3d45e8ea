// Module ids, slots and the static layout.
#include <prelude/base/align.h>
#include <prelude/tls/tls.h>

#include <prelude/base/string.h>

extern "C" {
size_t prelude_tls_generation = 0;
}

namespace prelude {
namespace {

// Most programs have a few modules with TLS.
constexpr size_t kFirstSlots = 14, kMoreSlots = 62;

TlsSlotList* make_slots(Heap& heap, size_t count) {
  const size_t bytes = sizeof(TlsSlotList) + (count - 1) * sizeof(TlsSlot);
  auto* list = static_cast<TlsSlotList*>(heap.allocate(bytes));
  if (list != nullptr) list->length = count;
  return list;
}

}  // namespace

TlsSlot* TlsRegistry::slot(size_t id) const {
  for (TlsSlotList* list = first_; list != nullptr; list = list->next) {
    if (id < list->length) return &list->slots[id];
    id -= list->length;
  }
  return nullptr;
}

Module* TlsRegistry::module(size_t id) const {
  const TlsSlot* found = slot(id);
  return found == nullptr || found->map == nullptr ? nullptr : &module_of(*found->map);
}

bool TlsRegistry::add(Module& module, LinkMap& map, Heap& heap) {
  size_t id = max_id_ + 1;
  if (free_ids_ != 0)
    for (id = 1; id <= max_id_; ++id)
      if (TlsSlot* candidate = slot(id); candidate->map == nullptr) break;
  if (slot(id) == nullptr) {
    TlsSlotList* list = make_slots(heap, first_ == nullptr ? kFirstSlots : kMoreSlots);
    if (list == nullptr) return false;
    TlsSlotList** link = &first_;
    while (*link != nullptr) link = &(*link)->next;
    __atomic_store_n(link, list, __ATOMIC_RELEASE);
  }
  TlsSlot* taken = slot(id);
  taken->generation = prelude_tls_generation + 1;
  taken->map = &map;
  if (id <= max_id_)
    --free_ids_;
  else
    max_id_ = id;
  tls_of(module).module_id = id;
  return true;
}

void TlsRegistry::remove(Module& module) {
  TlsSegment& segment = tls_of(module);
  TlsSlot* taken = slot(segment.module_id);
  if (segment.module_id == 0 || taken == nullptr) return;
  give_back(segment);
  taken->map = nullptr;
  taken->generation = prelude_tls_generation + 1;
  if (segment.module_id == max_id_) {
    do {
      --max_id_;
      if (max_id_ != 0 && slot(max_id_)->map == nullptr) --free_ids_;
    } while (max_id_ != 0 && slot(max_id_)->map == nullptr);
  } else {
    ++free_ids_;
  }
  segment.module_id = 0;
}

void TlsRegistry::begin_at(size_t generation) {
  prelude_tls_generation = generation - 1;
  for (size_t id = 1; id <= max_id_; ++id)
    if (TlsSlot* const taken = slot(id); taken->map != nullptr) taken->generation = generation;
}

void TlsRegistry::publish_generation() {
  __atomic_store_n(&prelude_tls_generation, prelude_tls_generation + 1, __ATOMIC_RELEASE);
}

bool TlsRegistry::place_static(TlsSegment& segment) {
  const auto place =
      NativeTls::next_place(static_used_, {segment.memsz, segment.align, segment.first_byte});
  if (place.used > static_limit_ ||
      segment.align > (static_limit_ == UINT64_MAX ? UINT64_MAX : static_align_))
    return false;
  static_used_ = place.used;
  if (segment.align > static_align_) static_align_ = segment.align;
  segment.offset = place.offset;
  return true;
}

int64_t TlsRegistry::reserve_static(uint64_t bytes, uint64_t align) {
  if (align > static_align_) static_align_ = align;
  const uint64_t start = round_up(static_used_, align);
  static_used_ = start + bytes;
  return NativeTls::kBelow ? -static_cast<int64_t>(static_used_) : static_cast<int64_t>(start);
}

void TlsRegistry::close_static(uint64_t surplus, uint64_t tail) {
  static_limit_ = round_up(static_used_ + surplus, static_align_);
  static_size_ = static_limit_ + (NativeTls::kBelow ? tail : 0);
  start_used_ = static_used_;
}

}  // namespace prelude
