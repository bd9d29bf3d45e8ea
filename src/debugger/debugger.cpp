#include <prelude/debugger/debugger.h>

#include <prelude/base/guarded.h>

#include <arch/probe.h>

namespace prelude::debugger {
namespace {

constinit RDebug* first_record = nullptr;
constinit RDebug* copy_of_first = nullptr;
constinit Guarded<BreakFunction> call_break;

RDebug& record_of(Namespace& space) { return space.index == 0 ? *first_record : space.debug; }

}  // namespace

void start(Linker& linker, RDebug& record, BreakFunction break_function, uint64_t loader_base) {
  first_record = &record;
  call_break = break_function;
  record.r_version = 1;
  record.r_brk = reinterpret_cast<uintptr_t>(break_function);
  record.r_ldbase = static_cast<elf::Word>(loader_base);
  record.r_map = linker.program->map;
  const Image& program = linker.program->image;
  if (program.debug_slot == 0 || !program.writable(program.debug_slot, sizeof(elf::Word))) return;
  *static_cast<elf::Word*>(program.address(program.debug_slot)) =
      reinterpret_cast<uintptr_t>(&record);
}

void follow(RDebug& copy) { copy_of_first = &copy; }

namespace {

RState state_after(Stage stage) {
  switch (stage) {
    case Stage::kInitStart:
    case Stage::kMapStart:
      return kRtAdd;
    case Stage::kUnmapStart:
      return kRtDelete;
    default:
      return kRtConsistent;
  }
}

// gdb reads the arguments: the namespace, its record, the first new object.
void pass_probe(Stage stage, uint32_t space, const RDebug* record, const LinkMap* opened) {
  switch (stage) {
    case Stage::kInitStart:
      PRELUDE_PROBE2(init_start, space, record);
      break;
    case Stage::kInitComplete:
      PRELUDE_PROBE2(init_complete, space, record);
      break;
    case Stage::kMapStart:
      PRELUDE_PROBE2(map_start, space, record);
      break;
    case Stage::kMapFailed:
      PRELUDE_PROBE2(map_failed, space, record);
      break;
    case Stage::kMapComplete:
      PRELUDE_PROBE3(map_complete, space, record, opened);
      break;
    case Stage::kRelocStart:
      PRELUDE_PROBE2(reloc_start, space, record);
      break;
    case Stage::kRelocComplete:
      PRELUDE_PROBE3(reloc_complete, space, record, opened);
      break;
    case Stage::kUnmapStart:
      PRELUDE_PROBE2(unmap_start, space, record);
      break;
    case Stage::kUnmapComplete:
      PRELUDE_PROBE2(unmap_complete, space, record);
      break;
  }
}

}  // namespace

void keep_record(Namespace& space) {
  if (first_record == nullptr || space.index == 0 || space.debug.r_version != 0) return;
  // A second namespace: the chain of records begins to count (r_version 2).
  RDebug& record = space.debug;
  record.r_version = 2;
  record.r_brk = first_record->r_brk;
  record.r_ldbase = first_record->r_ldbase;
  RDebug* last = first_record;
  while (last->r_next != nullptr) last = last->r_next;
  last->r_next = &record;
  first_record->r_version = 2;
}

void stop_unchanged() {
  if (first_record != nullptr) call_break();
}

void announce(Namespace& space, Stage stage, const Module* opened) {
  if (first_record == nullptr) return;
  keep_record(space);
  RDebug& record = record_of(space);
  // Between these two the list does not change: only the probes tell.
  if (stage != Stage::kRelocStart && stage != Stage::kRelocComplete) {
    record.r_map = map_of(space.first);
    record.r_state = state_after(stage);
    if (space.index == 0 && copy_of_first != nullptr) copy_of_first->r_state = record.r_state;
    call_break();
  }
  pass_probe(stage, space.index, &record, map_of(opened));
}

}  // namespace prelude::debugger
