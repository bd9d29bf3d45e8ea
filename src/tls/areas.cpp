// Static TLS that comes after start. Code of the initial-exec model adds one constant to the thread
// pointer, in every thread, so a block must lie at the same distance from each thread pointer.
// There is only the surplus, then the thread's stack. What does not fit there goes to an
// area far away, where the address space of every thread is free at that distance; each thread,
// running or new, gets its own mapping there.
#include <prelude/base/align.h>
#include <prelude/tls/tls.h>

namespace prelude {
namespace {

constexpr uint64_t kPage = arch::Native::kLargestPageSize;  // a multiple of it is asked for
// Where addresses have 32 bits there is little that is far: what is occupied is passed over.
constexpr bool kWide = sizeof(void*) == sizeof(uint64_t);
constexpr uint64_t kFirstDistance = kWide ? uint64_t{16} << 40 : uint64_t{1} << 30;
constexpr uint64_t kLastDistance = kWide ? uint64_t{100} << 40 : uint64_t{3} << 30;
// Where thread pointers are low (stacks without a limit put all mappings below 24 TiB) there is
// less room that far: then nearer, up to kFirstDistance, where the program's own mappings may come.
constexpr uint64_t kNearDistance = kWide ? uint64_t{64} << 30 : uint64_t{128} << 20;
// Far enough that the areas of threads whose stacks are neighbours do not meet those of the next
// distance.
constexpr uint64_t kStep = kWide ? uint64_t{16} << 30 : uint64_t{16} << 20;
// Small modules share an area. More would keep threads with small stacks from having areas of their
// own.
constexpr uint64_t kSmallestArea = uint64_t{16} << 10;
constexpr uint64_t kLowestAddress = uint64_t{1} << 20;
constexpr int kTries = 512;
// The default of glibc.rtld.optional_static_tls.
constexpr uint64_t kOptionalBytes = 512;

struct PageRange {
  uint64_t start, bytes;
};

PageRange pages_of(const TlsArea& area, const char* block) {
  const uint64_t start = reinterpret_cast<uintptr_t>(block) - area.distance;
  const uint64_t first = round_down(start, kPage);
  return {first, round_up(start + area.bytes, kPage) - first};
}

MapOutcome map_for(const TlsMapper& mapper, const TlsArea& area, const char* block) {
  if (mapper.map == nullptr) return MapOutcome::kNoMemory;
  if (reinterpret_cast<uintptr_t>(block) < area.distance + kLowestAddress)
    return MapOutcome::kOccupied;
  const PageRange range = pages_of(area, block);
  return mapper.map(range.start, range.bytes);
}

void unmap_for(const TlsMapper& mapper, const TlsArea& area, const char* block) {
  const PageRange range = pages_of(area, block);
  mapper.unmap(range.start, range.bytes);
}

}  // namespace

MapOutcome TlsRegistry::map_everywhere(const TlsArea& area) {
  for (TlsThread* thread = *threads_; thread != nullptr; thread = thread->next) {
    const MapOutcome outcome = map_for(mapper_, area, thread->block);
    if (outcome == MapOutcome::kMapped) continue;
    for (const TlsThread* done = *threads_; done != thread; done = done->next)
      unmap_for(mapper_, area, done->block);
    return outcome;
  }
  return MapOutcome::kMapped;
}

bool TlsRegistry::out_of_reach(uint64_t distance) const {
  if (distance >= kLastDistance) return true;
  for (const TlsThread* thread = *threads_; thread != nullptr; thread = thread->next)
    if (reinterpret_cast<uintptr_t>(thread->block) < distance + kLowestAddress) return true;
  return false;
}

bool TlsRegistry::add_area(uint64_t bytes, Heap& heap) {
  if (!areas_.reserve(heap, areas_.size() + 1)) return false;
  // A thread whose areas could not be mapped when it started again must not be given later ones
  // only.
  for (TlsThread* thread = *threads_; thread != nullptr; thread = thread->next)
    if (!catch_up(*thread)) return false;
  if (next_distance_ == 0) next_distance_ = kFirstDistance;
  TlsArea area{0, bytes, 0, 0, false};
  for (int tries = 0; tries < kTries; ++tries) {
    if (!near_ && out_of_reach(next_distance_)) {
      near_ = true;
      next_distance_ = kNearDistance;
    }
    if (near_ && next_distance_ >= kFirstDistance) return false;
    area.distance = next_distance_;
    next_distance_ += kStep + round_up(bytes, kStep);
    const MapOutcome outcome = map_everywhere(area);
    if (outcome == MapOutcome::kOccupied) continue;
    if (outcome == MapOutcome::kNoMemory) return false;
    for (TlsThread* thread = *threads_; thread != nullptr; thread = thread->next) ++thread->areas;
    return areas_.push(heap, area);
  }
  return false;
}

bool TlsRegistry::place_in(TlsArea& area, TlsSegment& segment) {
  const uint64_t phase = segment.first_byte & (segment.align - 1);
  const uint64_t at = round_up(area.used < phase ? 0 : area.used - phase, segment.align) + phase;
  if (at > area.bytes || segment.memsz > area.bytes - at) return false;
  area.used = at + segment.memsz;
  ++area.tenants;
  segment.offset = NativeTls::displacement(static_cast<int64_t>(at - area.distance));
  return true;
}

bool TlsRegistry::place_optional(TlsSegment& segment) {
  if (static_limit_ == UINT64_MAX) return false;
  const uint64_t before = static_used_;
  if (segment.memsz > kOptionalBytes - optional_used_ || !place_static(segment)) return false;
  if (optional_used_ + (static_used_ - before) > kOptionalBytes) {
    static_used_ = before;
    segment.offset = kTlsNotPlaced;
    return false;
  }
  optional_used_ += static_used_ - before;
  ++late_tenants_;
  return true;
}

bool TlsRegistry::place_late(TlsSegment& segment, Heap& heap) {
  if (static_limit_ == UINT64_MAX) return place_static(segment);
  if (segment.align > static_align_) return false;
  if (place_static(segment)) {
    ++late_tenants_;
    return true;
  }
  for (TlsArea& area : areas_)
    if (place_in(area, segment)) return true;
  if (segment.memsz > kStep) return false;
  const uint64_t wanted = round_up(segment.memsz + 2 * segment.align, kPage);
  return add_area(wanted < kSmallestArea ? kSmallestArea : wanted, heap) &&
         place_in(areas_.back(), segment);
}

const TlsArea* TlsRegistry::area_of(const TlsSegment& segment) const {
  const auto below = static_cast<uint64_t>(-segment.displacement());
  for (const TlsArea& area : areas_)
    if (below <= area.distance && area.distance - below < area.bytes) return &area;
  return nullptr;
}

// Room is used again when the last tenant of a place has gone.
void TlsRegistry::give_back(const TlsSegment& segment) {
  if (!segment.placed() || static_limit_ == UINT64_MAX) return;
  if (auto* area = const_cast<TlsArea*>(area_of(segment)); area != nullptr) {
    if (--area->tenants != 0) return;
    area->used = 0;
    area->recycled = true;
    return;
  }
  const auto offset = static_cast<uint64_t>(segment.offset);
  const bool late = NativeTls::kBelow ? offset > start_used_ : offset >= start_used_;
  if (late && late_tenants_ != 0 && --late_tenants_ == 0) {
    static_used_ = start_used_;
    optional_used_ = 0;
  }
}

void TlsRegistry::fill_everywhere(const TlsSegment& segment) const {
  const TlsArea* area = area_of(segment);
  const bool clean = area != nullptr && !area->recycled;
  for (const TlsThread* thread = *threads_; thread != nullptr; thread = thread->next)
    fill_tls_block(thread->block + segment.displacement(), segment,
                   clean ? BlockMemory::kZero : BlockMemory::kUsed);
}

bool TlsRegistry::catch_up(TlsThread& thread) {
  for (; thread.areas < areas_.size(); ++thread.areas)
    if (map_for(mapper_, areas_[thread.areas], thread.block) != MapOutcome::kMapped) return false;
  return true;
}

bool TlsRegistry::enter_thread(TlsThread& thread, char* block, DtvEntry* dtv) {
  thread = {.next = *threads_,
            .previous = nullptr,
            .block = block,
            .areas = 0,
            .fresh = true,
            .growing = false};
  if (!catch_up(thread)) {
    while (thread.areas-- != 0) unmap_for(mapper_, areas_[thread.areas], block);
    return false;
  }
  if (*threads_ != nullptr) (*threads_)->previous = &thread;
  *threads_ = &thread;
  dtv[-1].to_free = &thread;
  return true;
}

void TlsRegistry::leave_thread(TlsThread& thread) {
  for (size_t i = 0; i < thread.areas; ++i) unmap_for(mapper_, areas_[i], thread.block);
  if (thread.previous != nullptr)
    thread.previous->next = thread.next;
  else
    *threads_ = thread.next;
  if (thread.next != nullptr) thread.next->previous = thread.previous;
}

void TlsRegistry::keep_threads(bool (*lives)(const TlsThread& thread)) {
  for (TlsThread* thread = *threads_; thread != nullptr;) {
    TlsThread* const next = thread->next;
    if (!lives(*thread)) leave_thread(*thread);
    thread = next;
  }
}

}  // namespace prelude
