// What auditors are told of modules and namespaces, and of symbols found by name.
#include "auditors.h"

#include <prelude/audit/audit.h>

namespace prelude::audit {
namespace {

// In pages of their own, read-only but for the moment of an addition. These words are closed with
// the loader's other constant data when start-up ends: all auditors are known by then.
PRELUDE_CLOSED_AFTER_START constinit Functions* functions = nullptr;
PRELUDE_CLOSED_AFTER_START constinit uint32_t used = 0;

PRELUDE_CLOSED_AFTER_START constinit Auditors the_auditors;

bool in_auditor(const Linker& linker, const Module& module) {
  return linker.spaces[module.name_space]->auditing;
}

}  // namespace

Auditor& auditors() { return the_auditors; }

bool add(const Functions& fresh) {
  constexpr size_t kBytes = 4096;
  static_assert(kMostAuditors * sizeof(Functions) <= kBytes);
  constexpr int kOpen = sys::kProtRead | sys::kProtWrite;
  if (used == kMostAuditors) return false;
  if (functions == nullptr) {
    const auto page = sys::map_anonymous(nullptr, kBytes, kOpen, false);
    if (!page) return false;
    functions = static_cast<Functions*>(*page);
  } else if (!sys::protect(functions, kBytes, kOpen)) {
    return false;
  }
  functions[used++] = fresh;
  return static_cast<bool>(sys::protect(functions, kBytes, sys::kProtRead));
}

const Functions& functions_of(uint32_t auditor) { return functions[auditor]; }
uint32_t auditor_count() { return used; }
uint32_t Auditors::count() const { return used; }

Shown::Shown(const Definition& found, uint64_t address)
    : symbol(*found.symbol),
      index(static_cast<uint32_t>(found.symbol - found.module->image.symbols)),
      name(found.module->image.string(found.symbol->name)) {
  symbol.value = static_cast<elf::Word>(address);
  if (name == nullptr) name = "";
}

AuditRecord* record_of(Linker& linker, Module& module) {
  if (module.audit != nullptr) return module.audit;
  auto* record = linker.open_heap->make<AuditRecord>();
  if (record == nullptr) return nullptr;
  for (State& state : record->states) state.cookie = reinterpret_cast<uintptr_t>(module.map);
  const Opening opening(linker);
  module.audit = record;
  return record;
}

const char* Auditors::look_for(Linker& linker, const Module& requester, const char* name,
                               NameSource source) {
  if (requester.audit == nullptr || in_auditor(linker, requester)) return name;
  for (uint32_t i = 0; i < used && name != nullptr; ++i)
    if (functions[i].search != nullptr)
      name = functions[i].search(name, &requester.audit->states[i].cookie,
                                 static_cast<uint32_t>(source));
  return name;
}

void Auditors::opened(Linker& linker, Module& module) {
  if (used == 0 || in_auditor(linker, module)) return;
  AuditRecord* record = record_of(linker, module);
  if (record == nullptr) return;
  if (module.stands_for != nullptr && !linker.personality->audit_rules().loader_in_each_space)
    return;
  for (uint32_t i = 0; i < used; ++i) {
    if (functions[i].open == nullptr) continue;
    State& state = record->states[i];
    state.bind_flags = functions[i].open(module.map, module.name_space, &state.cookie);
    record->interesting = record->interesting || state.bind_flags != 0;
  }
}

void Auditors::closed(Linker& linker, Module& module) {
  if (module.audit == nullptr || in_auditor(linker, module)) return;
  for (uint32_t i = 0; i < used; ++i)
    if (functions[i].close != nullptr) functions[i].close(&module.audit->states[i].cookie);
}

void Auditors::forget(Linker& linker, Module& module) {
  AuditRecord* record = module.audit;
  module.audit = nullptr;
  linker.open_heap->release_array(record->calls, record->call_count);
  linker.open_heap->release(record, sizeof(AuditRecord), alignof(AuditRecord));
}

void Auditors::activity(Linker& linker, Namespace& space, Activity what) {
  // The first module stands for its namespace.
  if (used == 0 || space.auditing || space.first == nullptr) return;
  AuditRecord* record = record_of(linker, *space.first);
  if (record == nullptr) return;
  for (uint32_t i = 0; i < used; ++i)
    if (functions[i].activity != nullptr)
      functions[i].activity(&record->states[i].cookie, static_cast<uint32_t>(what));
}

void Auditors::program_starts(Module& program) {
  if (program.audit == nullptr) return;
  for (uint32_t i = 0; i < used; ++i)
    if (functions[i].preinit != nullptr) functions[i].preinit(&program.audit->states[i].cookie);
}

uint64_t Auditors::found_by_name(Module& referrer, const Definition& found, uint64_t address) {
  AuditRecord* from = referrer.audit;
  AuditRecord* to = found.module->audit;
  if (from == nullptr || to == nullptr || !(from->interesting || to->interesting)) return address;
  Shown shown(found, address);
  uint32_t altered = 0;
  for (uint32_t i = 0; i < used; ++i) {
    State &state = from->states[i], &target = to->states[i];
    // Compat: one side's wish is enough here, unlike for calls (glibc 2.36, tests/system/audit).
    const bool wanted = (state.bind_flags & kBindFrom) != 0 || (target.bind_flags & kBindTo) != 0;
    if (functions[i].bind == nullptr || !wanted) continue;
    uint32_t flags = altered | kByName;
    const uintptr_t value = functions[i].bind(&shown.symbol, shown.index, &state.cookie,
                                              &target.cookie, &flags, shown.name);
    if (value == shown.symbol.value) continue;
    altered = kAltered;
    shown.symbol.value = value;
  }
  return shown.symbol.value;
}

}  // namespace prelude::audit
