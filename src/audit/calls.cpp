// Calls through a PLT: where they lead, and each of them.
#include "auditors.h"

#include <prelude/dl/dl.h>

#include <arch/native.h>

namespace prelude::audit {
namespace {

constexpr uint32_t kNeither = kNoEnter | kNoLeave;

constexpr uint32_t bits_of(uint32_t auditor, uint32_t flags) {
  return (flags & kNeither) << (2 * auditor);
}

// Nobody is told of the call when it begins, so nobody is told of its end either.
bool all_silent(uint32_t silent) {
  for (uint32_t i = 0; i < auditor_count(); ++i)
    if ((silent & bits_of(i, kNoEnter)) == 0) return false;
  return true;
}

enum class When : uint8_t { kAtOnce, kAtFirstCall };

// Asks who has a say in the binding. `call` receives the address and the wishes.
void bind(AuditRecord& from, PltCall& call, When when) {
  AuditRecord* to = call.found.module->audit;
  call.flags = 0;
  call.silent = UINT32_MAX;
  if (to == nullptr || !(from.interesting || to->interesting)) return;
  Shown shown(call.found, call.address);
  for (uint32_t i = 0; i < auditor_count(); ++i) {
    State &state = from.states[i], &target = to->states[i];
    if ((state.bind_flags & kBindFrom) == 0 || (target.bind_flags & kBindTo) == 0) continue;
    if (const auto ask = functions_of(i).bind; ask != nullptr) {
      if (when == When::kAtOnce) call.flags |= kNeither;
      const uintptr_t value =
          ask(&shown.symbol, shown.index, &state.cookie, &target.cookie, &call.flags, shown.name);
      if (value != shown.symbol.value) {
        call.flags |= kAltered;
        shown.symbol.value = value;
      }
    }
    call.silent &= ~bits_of(i, kNeither);
    call.silent |= bits_of(i, call.flags);
  }
  call.address = shown.symbol.value;
}

// The entry's binding, found out at the first call. The slot's own result is published last:
// several threads may come here at once.
PltCall bound_call(Linker& linker, Module& module, uint64_t index, const Definition& found,
                   uint64_t address) {
  PltCall& kept = module.audit->calls[index];
  if (__atomic_load_n(&kept.complete, __ATOMIC_ACQUIRE) != 0) return kept;
  PltCall fresh{.found = found, .address = address, .flags = 0, .silent = 0, .complete = 1};
  bind(*module.audit, fresh, When::kAtFirstCall);
  if (linker.options->bind_not) fresh.complete = 0;
  kept.found = fresh.found;
  kept.address = fresh.address;
  kept.flags = fresh.flags;
  __atomic_store_n(&kept.silent, fresh.silent, __ATOMIC_RELAXED);
  __atomic_store_n(&kept.complete, fresh.complete, __ATOMIC_RELEASE);
  return fresh;
}

PltCall find_call(Linker& linker, Module& module, uint64_t index) {
  if (index < module.audit->call_count) {
    const PltCall& kept = module.audit->calls[index];
    if (__atomic_load_n(&kept.complete, __ATOMIC_ACQUIRE) != 0) return kept;
  }
  const dl::BoundCall bound = dl::bind_call(linker, module, index);
  if (bound.found.symbol == nullptr)
    return {.found = {}, .address = bound.address, .flags = 0, .silent = UINT32_MAX, .complete = 0};
  // The stub calls it in the program's place. Of an absolute address nothing is known.
  const bool absolute = bound.found.symbol->shndx == elf::kShnAbs;
  if (const Status callable = check_callable(bound.found); !absolute && !callable)
    linker.fatal(linker, callable.error());
  return bound_call(linker, module, index, bound.found, bound.address);
}

// The largest of the wishes; negative where nobody wants to see the return.
void note_frame(int64_t wish, int64_t& frame_bytes) {
  if (wish >= 0 && wish > frame_bytes) frame_bytes = wish;
}

}  // namespace

PltWatch Auditors::watch(Linker& linker, Module& module) {
  AuditRecord* record = module.audit;
  const Image& image = module.image;
  if (record == nullptr || image.plt_relocation_count == 0 ||
      linker.spaces[module.name_space]->auditing)
    return PltWatch::kNone;
  PltWatch watch = PltWatch::kNone;
  for (uint32_t i = 0; i < auditor_count(); ++i) {
    const Functions& f = functions_of(i);
    if ((record->states[i].bind_flags & kBindFrom) == 0) continue;
    if (f.bind != nullptr && watch == PltWatch::kNone) watch = PltWatch::kBindings;
    if (f.enter != nullptr || f.leave != nullptr) watch = PltWatch::kCalls;
  }
  if (watch == PltWatch::kNone) return watch;
  record->calls = linker.open_heap->make_array<PltCall>(image.plt_relocation_count);
  if (record->calls == nullptr) return PltWatch::kNone;
  record->call_count = image.plt_relocation_count;
  return watch;
}

namespace {

// What relocation has bound already, without being told again in a trace.
Result<Definition> found_before(Linker& linker, Module& module, uint32_t symbol) {
  const Tracer tracer = linker.tracer;
  linker.tracer.silence();
  const auto found = bind_symbol(linker, module, symbol, Use::kCall);
  linker.tracer = tracer;
  return found;
}

}  // namespace

void Auditors::slots_bound(Linker& linker, Module& module) {
  const Image& image = module.image;
  for (uint64_t i = 0; i < image.plt_relocation_count; ++i) {
    const elf::Relocation& rela = image.plt_relocations[i];
    if (arch::Native::kind_of(rela.type()) != arch::RelocKind::kJumpSlot) continue;
    const auto found = found_before(linker, module, rela.symbol());
    if (!found || found->symbol == nullptr) continue;
    auto* slot = static_cast<uintptr_t*>(image.address(rela.offset));
    PltCall call{.found = *found, .address = *slot, .flags = 0, .silent = 0, .complete = 0};
    bind(*module.audit, call, When::kAtOnce);
    if (call.address != *slot) *slot = static_cast<uintptr_t>(call.address);
  }
}

uint64_t Auditors::call_bound(Linker& linker, Module& module, uint64_t index,
                              const Definition& found, uint64_t address) {
  if (found.symbol == nullptr || index >= module.audit->call_count) return address;
  return bound_call(linker, module, index, found, address).address;
}

uint64_t Auditors::bound_at_once(Module& referrer, const Definition& found, uint64_t address) {
  if (referrer.audit == nullptr) return address;
  PltCall call{.found = found, .address = address, .flags = 0, .silent = 0, .complete = 0};
  bind(*referrer.audit, call, When::kAtOnce);
  return call.address;
}

namespace {

void* enter_call(Module& module, uint64_t index, arch::CallArguments& arguments,
                 int64_t& frame_bytes) {
  Linker& linker = *the_linker;
  const PltCall call = find_call(linker, module, index);
  uint64_t address = call.address;
  if (!all_silent(call.silent)) {
    PltCall& kept = module.audit->calls[index];
    Shown shown(call.found, call.address);
    const arch::VectorsBefore<8> before = arch::note_vectors(arguments);
    uint32_t flags = call.flags;
    for (uint32_t i = 0; i < auditor_count(); ++i) {
      const auto tell = functions_of(i).enter;
      if (tell == nullptr || (call.silent & bits_of(i, kNoEnter)) != 0) continue;
      long wish = -1;
      const uintptr_t value =
          tell(&shown.symbol, shown.index, &module.audit->states[i].cookie,
               &call.found.module->audit->states[i].cookie, &arguments, &flags, shown.name, &wish);
      if (value != shown.symbol.value) {
        flags |= kAltered;
        shown.symbol.value = value;
      }
      const uint32_t now = __atomic_or_fetch(&kept.silent, bits_of(i, flags), __ATOMIC_RELAXED);
      if ((now & bits_of(i, kNoLeave)) == 0) note_frame(wish, frame_bytes);
    }
    arch::settle_vectors(arguments, before);
    address = shown.symbol.value;
  } else if (!linker.options->bind_not) {
    dl::store_call(module, index, address);
  }
  return reinterpret_cast<void*>(address);
}

void leave_call(Module& module, uint64_t index, const arch::CallArguments& arguments,
                arch::CallResult& result) {
  const PltCall call = module.audit->calls[index];
  Shown shown(call.found, call.address);
  const arch::VectorsBefore<2> before = arch::note_vectors(result);
  for (uint32_t i = 0; i < auditor_count(); ++i) {
    const auto tell = functions_of(i).leave;
    if (tell == nullptr || (call.silent & bits_of(i, kNoLeave)) != 0) continue;
    tell(&shown.symbol, shown.index, &module.audit->states[i].cookie,
         &call.found.module->audit->states[i].cookie, &arguments, &result, shown.name);
  }
  arch::settle_vectors(result, before);
}

}  // namespace
}  // namespace prelude::audit

extern "C" void* prelude_call_enter(void* map, uint64_t index,
                                    prelude::arch::CallArguments* arguments, int64_t* frame_bytes) {
  return prelude::audit::enter_call(prelude::module_of(*static_cast<prelude::LinkMap*>(map)), index,
                                    *arguments, *frame_bytes);
}

extern "C" void prelude_call_leave(void* map, uint64_t index,
                                   const prelude::arch::CallArguments* arguments,
                                   prelude::arch::CallResult* result) {
  prelude::audit::leave_call(prelude::module_of(*static_cast<prelude::LinkMap*>(map)), index,
                             *arguments, *result);
}
