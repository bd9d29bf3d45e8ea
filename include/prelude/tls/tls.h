// Thread-local storage (U. Drepper, "ELF Handling for Thread-Local Storage"): module ids, the
// static block below or above the thread pointer, the dynamic thread vector (DTV) and its growth.
#pragma once

#include <prelude/abi/link_map.h>
#include <prelude/base/array.h>
#include <prelude/base/guarded.h>
#include <prelude/base/heap.h>
#include <prelude/base/result.h>
#include <prelude/tls/variant.h>

#include <arch/native.h>

#include <cstddef>
#include <cstdint>

/// Read by __tls_get_addr's fast path.
extern "C" size_t prelude_tls_generation;

namespace prelude {

struct Module;

using NativeTls = TlsVariant<arch::Native>;
/// Offsets of blocks that have no place yet, and of those that are handed out dynamically somewhere
/// and must never get one.
inline constexpr int64_t kTlsNotPlaced = NativeTls::kNotPlaced;
inline constexpr int64_t kTlsForcedDynamic = NativeTls::kForcedDynamic;

/// The TLS segment of one module.
struct TlsSegment {
  const void* image = nullptr;  ///< initial bytes in memory
  uint64_t filesz = 0, memsz = 0, align = 1;
  uint64_t first_byte = 0;         ///< offset of the segment's start from an aligned address
  size_t module_id = 0;            ///< 0 = no TLS
  int64_t offset = kTlsNotPlaced;  ///< distance of the block from the thread pointer (variant.h)

  [[nodiscard]] bool placed() const { return NativeTls::is_placed(offset); }
  /// From the thread pointer to the block.
  [[nodiscard]] int64_t displacement() const { return NativeTls::displacement(offset); }
};
/// Where a Module keeps its segment (checked in link/module.h, which is above this module).
inline constexpr size_t kTlsOffsetInModule = 2 * sizeof(void*) + 8;
inline TlsSegment& tls_of(Module& module) {
  return *reinterpret_cast<TlsSegment*>(reinterpret_cast<std::byte*>(&module) + kTlsOffsetInModule);
}

/// One DTV slot. dtv[-1].value = capacity, dtv[0].value = generation.
struct DtvEntry {
  uintptr_t value;
  void* to_free;
};
inline constexpr uint64_t kTlsUnallocated = ~uintptr_t{0};
/// The block allocated for entry `id`, or null. It is kept behind the vector's last entry, and the
/// entry's own field stays null: a libc that uses a stack again frees what it finds there, with an
/// allocator that need not be the one it came from (C libraries of other namespaces share stacks).
inline void*& block_to_free(DtvEntry* dtv, size_t id) {
  return reinterpret_cast<void**>(dtv + dtv[-1].value + 1)[id - 1];
}

/// Slots by module id, in the layout thread debuggers read. Slot 0 is no module.
struct TlsSlot {
  size_t generation;
  LinkMap* map;  ///< null = free
};
struct TlsSlotList {
  size_t length;
  TlsSlotList* next;
  TlsSlot slots[1];  ///< really `length`
};

/// What a block's memory holds before it is filled. Zeros are not written, nor their pages touched.
enum class BlockMemory : uint8_t { kZero, kUsed };

/// Where blocks and DTVs come from: the loader's heap at first, libc's allocator once it runs.
struct ThreadMemory {
  Guarded<void* (*)(size_t bytes)> allocate;  ///< zeroed; null when out of memory
  Guarded<void (*)(void* block)> release;     ///< of any block it or an earlier allocator gave
  Guarded<void* (*)(size_t bytes)>
      allocate_used{};  ///< may hold anything; null: there is none such
};

/// How areas far from the thread pointer come into being.
enum class MapOutcome : uint8_t { kMapped, kOccupied, kNoMemory };
struct TlsMapper {
  /// Zeroed, never over something else.
  Guarded<MapOutcome (*)(uint64_t address, uint64_t bytes)> map;
  Guarded<void (*)(uint64_t address, uint64_t bytes)> unmap;
};

/// A part of the static TLS area that came too late for the room below the thread pointer. It lies
/// `distance` below the thread pointer, in a mapping of its own for each thread.
struct TlsArea {
  uint64_t distance, bytes, used;
  uint32_t tenants;
  bool recycled;  ///< had tenants before: its bytes are not zero
};

/// What the registry knows of a thread. dtv[-1].to_free points to it.
struct TlsThread {
  TlsThread* next;
  TlsThread* previous;
  char* block;   ///< its thread pointer
  size_t areas;  ///< how many it has mapped
  bool fresh;    ///< all of them are still zero
  bool growing;  ///< asks for the memory of a longer vector
};

struct TlsIndex {
  uintptr_t module, offset;
};

class TlsRegistry {
 public:
  constexpr TlsRegistry() = default;

  /// Gives the module an id and a slot for the next generation.
  [[nodiscard]] bool add(Module& module, LinkMap& map, Heap& heap);
  /// Takes the slot away, also one that was never published; the id is used again.
  void remove(Module& module);
  /// The modules there are count as of this generation, which the next call publishes. For the
  /// start-up's, before there is a thread.
  void begin_at(size_t generation);
  /// Makes all slots added or removed since the last call visible.
  void publish_generation();

  /// Places a block in the static area; false when it does not fit any more.
  [[nodiscard]] bool place_static(TlsSegment& segment);
  /// Places the block of a module whose references can do without, after start: in a small part of
  /// the surplus kept for such.
  [[nodiscard]] bool place_optional(TlsSegment& segment);
  /// Places a block after start: in the surplus, else in an area, which every known thread gets.
  /// False when it is out of memory or aligned beyond what thread pointers are.
  [[nodiscard]] bool place_late(TlsSegment& segment, Heap& heap);
  /// Writes the initial bytes of a block placed late, in every known thread.
  void fill_everywhere(const TlsSegment& segment) const;
  /// Reserves `bytes` (a personality's own block) and gives where it lies from the thread pointer.
  int64_t reserve_static(uint64_t bytes, uint64_t align);
  /// Ends the start-up layout: from here on only the surplus is left. `tail` = bytes of the thread
  /// control block, which lies at the other side of the thread pointer.
  void close_static(uint64_t surplus, uint64_t tail);

  /// Incl. surplus; where blocks lie below the thread pointer also the tail.
  [[nodiscard]] uint64_t static_size() const { return static_size_; }
  [[nodiscard]] uint64_t static_align() const { return static_align_; }
  [[nodiscard]] uint64_t static_used() const { return static_used_; }
  [[nodiscard]] size_t max_module_id() const { return max_id_; }
  [[nodiscard]] TlsSlotList* slots() { return first_; }
  [[nodiscard]] Module* module(size_t id) const;
  [[nodiscard]] size_t slot_generation(size_t id) const {
    const TlsSlot* const found =
        first_ != nullptr && id < first_->length ? &first_->slots[id] : slot(id);
    return found == nullptr ? 0 : found->generation;
  }

  void set_mapper(const TlsMapper& mapper) { mapper_ = mapper; }
  /// Where the list of threads begins, from now on: threads come and go at any time. Before the
  /// first one.
  void keep_list_at(TlsThread*& head) { threads_ = &head; }
  /// From here on the thread takes part in late placement. False when its areas cannot be mapped.
  [[nodiscard]] bool enter_thread(TlsThread& thread, char* block, DtvEntry* dtv);
  /// Maps the areas that came while the thread's stack lay idle.
  [[nodiscard]] bool catch_up(TlsThread& thread);
  /// The thread is gone: its areas are unmapped.
  void leave_thread(TlsThread& thread);
  /// Forgets the threads of which `lives` says no: a fork leaves them behind.
  void keep_threads(bool (*lives)(const TlsThread& thread));
  static TlsThread* thread_of(const DtvEntry* dtv) {
    return static_cast<TlsThread*>(dtv[-1].to_free);
  }
  [[nodiscard]] const Array<TlsArea>& areas() const { return areas_; }

  /// A DTV for a new thread (entries unallocated), or null.
  [[nodiscard]] DtvEntry* make_dtv(const ThreadMemory& memory, size_t entries = 0) const;
  /// Fills the static blocks of the thread whose pointer is `tp` and the DTV entries.
  [[nodiscard]] DtvEntry* initialise_thread(char* tp, DtvEntry* dtv, const ThreadMemory& memory,
                                            BlockMemory before = BlockMemory::kUsed) const;
  /// Frees the dynamic blocks of a thread.
  static void release_blocks(DtvEntry* dtv, const ThreadMemory& memory);
  /// The same, and the DTV itself where it is not `keep`.
  void release_thread(DtvEntry* dtv, const DtvEntry* keep, const ThreadMemory& memory) const;
  /// Entries a vector must have before refresh() for the module `id`; 0 = the present one will do.
  [[nodiscard]] size_t entries_wanted(const DtvEntry* dtv, size_t id) const;
  /// Moves the entries to the longer vector `fresh`, which make_dtv() gave.
  static void move_dtv(DtvEntry* fresh, const DtvEntry* dtv);
  /// The generation that a DTV must have for the module: the present, or its own if that is still
  /// to come.
  [[nodiscard]] size_t generation_for(size_t id) const {
    const size_t own = slot_generation(id);
    const size_t published = __atomic_load_n(&prelude_tls_generation, __ATOMIC_ACQUIRE);
    return own < published ? published : own;
  }
  /// Hears of each block that goes; the lock of TLS bookkeeping is held.
  using DropListener = void (*)(const void* context, size_t id, const void* block);
  /// Brings a DTV that is long enough up to generation_for(id). Gives a chain of blocks to free,
  /// linked through their first words.
  [[nodiscard]] void* refresh(DtvEntry* dtv, size_t id, DropListener dropped = nullptr,
                              const void* context = nullptr) const;

 private:
  [[nodiscard]] TlsSlot* slot(size_t id) const;
  [[nodiscard]] bool place_in(TlsArea& area, TlsSegment& segment);
  [[nodiscard]] bool add_area(uint64_t bytes, Heap& heap);
  [[nodiscard]] bool out_of_reach(uint64_t distance) const;
  [[nodiscard]] MapOutcome map_everywhere(const TlsArea& area);
  void give_back(const TlsSegment& segment);
  [[nodiscard]] const TlsArea* area_of(const TlsSegment& segment) const;

  TlsSlotList* first_ = nullptr;
  size_t max_id_ = 0;
  size_t free_ids_ = 0;  ///< ids below max_id_ whose slot is empty
  Array<TlsArea> areas_;
  TlsThread* own_threads_ = nullptr;
  TlsThread** threads_ = &own_threads_;
  TlsMapper mapper_;
  uint64_t next_distance_ = 0;
  bool near_ = false;          ///< the far distances are used up
  uint64_t start_used_ = 0;    ///< static_used_ when start-up was over
  uint32_t late_tenants_ = 0;  ///< modules in the surplus
  uint64_t optional_used_ = 0;
  uint64_t static_used_ = arch::Native::kTlsFirstOffset, static_size_ = 0,
           static_limit_ = UINT64_MAX, static_align_ = 64;
};

/// Allocates a dynamic block and fills it; the address to free goes to `to_free`. Null = out of
/// memory.
char* make_tls_block(const TlsSegment& segment, const ThreadMemory& memory, void*& to_free);
/// Makes a block what the segment says: the TLS image, the rest zero.
void fill_tls_block(char* to, const TlsSegment& segment, BlockMemory memory);

}  // namespace prelude
