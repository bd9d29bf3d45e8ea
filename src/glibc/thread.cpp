// struct pthread of the first thread.
#include "machine.h"
#include "shared_state.h"

#include <prelude/base/align.h>
#include <prelude/base/string.h>

namespace prelude::glibc {
namespace {

// From a mutex's link in the list to its lock.
constexpr long kRobustFutexOffset = sizeof(void*) == 8 ? -32 : -20;
constexpr uint32_t kRseqFailed = static_cast<uint32_t>(-2);

struct RseqPlace {
  char* area;
  uint32_t bytes;
};

RseqPlace rseq_place(const Layout& layout, char* block) {
  const Behaviour& b = layout.behaviour;
  if (b.rseq_in_pthread) return {thread_record(block) + layout.pthread.rseq_area, b.rseq_min_size};
  const uint64_t size = state().kernel.rseq_feature_size;
  return {block + state().rseq_displacement,
          static_cast<uint32_t>(size > b.rseq_min_size ? size : b.rseq_min_size)};
}

void register_rseq(const Layout& layout, char* block) {
  const RseqPlace place = rseq_place(layout, block);
  __rseq_offset = place.area - block;
  const bool wanted = state().tunables.number(state().tunables.ids().pthread_rseq, 1) != 0;
  auto* cpu_id = reinterpret_cast<uint32_t*>(place.area + 4);
  if (!wanted || !sys::register_rseq(place.area, place.bytes, kRseqSignature)) {
    *cpu_id = kRseqFailed;
    return;
  }
  __rseq_size = layout.behaviour.rseq_size_from_auxv
                    ? static_cast<uint32_t>(state().kernel.rseq_feature_size)
                    : layout.behaviour.rseq_feature_size;
  if (__rseq_size == 0) __rseq_size = 20;
}

}  // namespace

void reserve_rseq(Linker& linker) {
  // Where the release is not known yet, the area is kept in case it is needed.
  const Behaviour any{.rseq_min_size = 32, .rseq_min_align = 32};
  const Behaviour& b = state().layout != nullptr ? state().layout->behaviour : any;
  if (b.rseq_in_pthread) return;
  const KernelFacts& k = state().kernel;
  const uint64_t align = k.rseq_align > b.rseq_min_align ? k.rseq_align : b.rseq_min_align;
  const uint64_t size =
      k.rseq_feature_size > b.rseq_min_size ? k.rseq_feature_size : b.rseq_min_size;
  state().rseq_displacement = linker.tls.reserve_static(round_up(size, align), align);
}

void prepare_main_thread(Linker& linker, char* block) {
  State& s = state();
  s.main_thread = block;
  uint64_t stack_guard = 0;
  if (s.kernel.random != nullptr) copy_bytes(&stack_guard, s.kernel.random, sizeof stack_guard);
  stack_guard &= ~uint64_t{0xff};  // the byte that ends a string
  arch::write_tcb(block, arch::Native::kTcbStackGuard, stack_guard);
  arch::write_tcb(block, arch::Native::kTcbPointerGuard, pointer_key);
  __pointer_chk_guard = static_cast<uintptr_t>(pointer_key);
  fill_machine_words(block, stack_guard);
  if (s.layout == nullptr) return;
  const Pthread& f = s.layout->pthread;
  char* const record = thread_record(block);
  auto* head = &field<ListHead>(_rtld_global, s.layout->rtld_global.dl_stack_user);
  auto* node = &field<ListHead>(record, f.list);
  *node = {head, head};
  *head = {node, node};
  field<void*>(record, f.specific) = record + f.specific_1stblock;
  set<bool>(record, f.report_events, __nptl_initial_report_events);
  set<uint8_t>(record, f.user_stack, 1);
  set<int32_t>(record, f.stack_mode, s.layout->behaviour.stack_mode_value);
  set<void*>(record, f.stackblock_size, __libc_stack_end);
  update_tls(linker);
}

void start_main_thread(char* block) {
  const Layout& layout = *state().layout;
  const Pthread& f = layout.pthread;
  char* const record = thread_record(block);
  const int tid = sys::set_tid_address(record + layout.behaviour.tid_address);
  field<int32_t>(record, f.tid) = tid;
  if (present(f.joinstate)) field<int32_t>(record, f.joinstate) = layout.behaviour.joinstate_value;
  char* robust = record + f.robust_head;
  set<void*>(record, f.robust_prev, robust);
  field<void*>(record, f.robust_head) = robust;
  field<long>(robust, sizeof(void*)) = kRobustFutexOffset;
  (void)sys::set_robust_list(robust, 3 * sizeof(void*));
  register_rseq(layout, block);
}

}  // namespace prelude::glibc
