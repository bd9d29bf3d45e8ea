// What auditors and debuggers are told of a change, in the order that the libc's release has.
#include <prelude/dl/dl.h>

namespace prelude::dl {
namespace {

void tell_closes(Linker& linker, const Batch& batch) {
  const size_t count = batch.modules.size();
  Module** const list = in_closing_order(linker, batch);
  if (list == nullptr) return;
  for (size_t i = 0; i < count; ++i) linker.auditor->closed(linker, *list[i]);
  linker.heap.release_array(list, count);
}

}  // namespace

void tell_removal(Linker& linker, Namespace& space, Removal moment) {
  if (linker.auditor == nullptr) return;
  const bool early = linker.personality->audit_rules().removal_before_close;
  if (early == (moment == Removal::kFirstClose))
    linker.auditor->activity(linker, space, Activity::kDelete);
}

void tell_failure(Linker& linker, const Batch& batch) {
  Namespace& space = *batch.space;
  const AuditRules rules = linker.personality->audit_rules();
  // Compat: 2.41 ends the addition before it begins to take back.
  if (rules.debugger_first && !batch.mapping_announced)
    debugger::announce(space, debugger::Stage::kMapComplete, batch.root);
  if (linker.auditor == nullptr || !batch.announced) return;
  if (rules.complete_when_relocated) linker.auditor->activity(linker, space, Activity::kConsistent);
  tell_removal(linker, space, Removal::kFirstClose);
  tell_closes(linker, batch);
  tell_removal(linker, space, Removal::kUnload);
}

void announce_end(Linker& linker, Namespace& space, debugger::Stage stage, bool heard) {
  const bool tell = heard && linker.auditor != nullptr;
  const bool debugger_first = !tell || linker.personality->audit_rules().debugger_first;
  if (debugger_first) debugger::announce(space, stage);
  if (tell) linker.auditor->activity(linker, space, Activity::kConsistent);
  if (!debugger_first) debugger::announce(space, stage);
}

}  // namespace prelude::dl
