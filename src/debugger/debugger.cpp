#include <prelude/debugger/debugger.h>

namespace prelude::debugger {
namespace {

constinit RDebug* first_record = nullptr;
constinit BreakFunction call_break = nullptr;

RDebug& record_of(Namespace& space) { return space.index == 0 ? *first_record : space.debug; }

}  // namespace

void start(Linker& linker, RDebug& record, BreakFunction break_function, uint64_t loader_base) {
  first_record = &record;
  call_break = break_function;
  record.r_version = 1;
  record.r_brk = reinterpret_cast<uint64_t>(break_function);
  record.r_ldbase = loader_base;
  record.r_map = linker.program;
  const Image& program = linker.program->image;
  if (program.debug_slot == 0) return;
  const LoadSegment* s = program.memory_segment(program.debug_slot, 8);
  if (s == nullptr || (s->flags & elf::kPfW) == 0) return;
  *static_cast<uint64_t*>(program.address(program.debug_slot)) =
      reinterpret_cast<uint64_t>(&record);
}

void announce(Namespace& space, RState state) {
  if (first_record == nullptr) return;
  RDebug& record = record_of(space);
  if (space.index != 0 && record.r_version == 0) {
    // A second namespace: the chain of records begins to count (r_version 2).
    record.r_version = 2;
    record.r_brk = first_record->r_brk;
    record.r_ldbase = first_record->r_ldbase;
    RDebug* last = first_record;
    while (last->r_next != nullptr) last = last->r_next;
    last->r_next = &record;
    first_record->r_version = 2;
  }
  record.r_map = space.first;
  record.r_state = state;
  call_break();
}

}  // namespace prelude::debugger
