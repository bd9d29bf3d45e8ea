// Relocation of the modules of a request: dependencies first, each object as a whole, protection
// last.
#include <prelude/link/linker.h>

#include <arch/native.h>

#include <prelude/base/align.h>
#include <prelude/base/string.h>
#include <prelude/reloc/apply.h>

namespace prelude {
namespace {

/// Argument of a dynamic TLS descriptor; lives as long as its module.
struct TlsDescriptorArgument {
  uintptr_t module, offset, generation;
};

[[gnu::cold]] Error about(Error error, const Module& module) {
  if (error.object == nullptr) error.object = module.path;
  return error;
}

// Text relocations: the segments that are not writable become so, without being executable
// meanwhile.
Status set_text_writable(Linker& linker, Module& module, bool writable) {
  const uint64_t page = linker.host.page_size;
  const Image& image = module.image;
  for (uint32_t i = 0; i < image.segment_count; ++i) {
    const LoadSegment& s = image.segments[i];
    if ((s.flags & elf::kPfW) != 0) continue;
    const uint64_t start = round_down(s.vaddr, page), end = round_up(s.vaddr + s.memsz, page);
    const int prot = writable ? sys::kProtRead | sys::kProtWrite : protection_of(s.flags);
    if (auto r = sys::protect(image.address(start), end - start, prot); !r)
      return Error{.code = writable ? Errc::kTextrelWritable : Errc::kTextrelRestore,
                   .sys_errno = sys::raw(r.error()),
                   .object = module.path};
  }
  return Done{};
}

// Writes the result of a resolver. In code, which is no longer writable when resolvers run, that
// takes a moment of write access again, without execution as ever.
Status store_bytes(Linker& linker, Module& module, uint64_t vaddr, const void* bytes,
                   size_t count) {
  const LoadSegment* s = module.image.memory_segment(vaddr, count);
  const bool in_text = s != nullptr && (s->flags & elf::kPfW) == 0;
  if (in_text) PRELUDE_TRY(set_text_writable(linker, module, true));
  copy_bytes(module.image.address(vaddr), bytes, count);
  if (in_text) PRELUDE_TRY(set_text_writable(linker, module, false));
  return Done{};
}

Status store_word(Linker& linker, Module& module, uint64_t vaddr, uint64_t value) {
  const auto word = static_cast<elf::Word>(value);
  return store_bytes(linker, module, vaddr, &word, sizeof word);
}

// A symbol's size is what its author wrote; what it counts too much is there to read as long as it
// lies in the last page of its segment.
bool mapped_for_copying(const Image& image, uint64_t vaddr, uint64_t bytes, uint64_t page) {
  const LoadSegment* s = image.memory_segment(vaddr, 0);
  if (s == nullptr) return false;
  const uint64_t end = round_up(s->vaddr + s->memsz, page);
  return bytes <= end - vaddr;
}

bool remark_overflow(Linker& linker, const Module& module, uint32_t symbol, const char* type) {
  const Image& image = module.image;
  if (linker.remark != nullptr)
    linker.remark(linker, "causes overflow in relocation", image.string(image.symbols[symbol].name),
                  type);
  return true;
}

Status run_resolver(Linker& linker, const PendingResolver& pending) {
  Module& module = *pending.module;
  const uint64_t target = arch::call_resolver(pending.resolver);
  const uint64_t value = target + static_cast<uint64_t>(pending.addend);
  if (pending.form == ResultForm::kWord) return store_word(linker, module, pending.slot, value);
  const bool relative = pending.form == ResultForm::kPcRelative32;
  const uint64_t wide = relative ? value - (module.image.bias + pending.slot) : value;
  const auto narrow = static_cast<uint32_t>(wide);
  const bool may_overflow = sizeof(elf::Word) > sizeof narrow;
  if (may_overflow &&
      wide != (relative ? static_cast<uint64_t>(static_cast<int32_t>(narrow)) : narrow))
    remark_overflow(linker, module, pending.symbol,
                    arch::Native::name_of(relative ? arch::RelocKind::kPcRelative32
                                                   : arch::RelocKind::kAbsolute32));
  return store_bytes(linker, module, pending.slot, &narrow, sizeof narrow);
}

class LiveBinder {
 public:
  LiveBinder(Linker& linker, Batch& batch, Module& module)
      : linker_(linker), batch_(batch), module_(module) {
    // A word that only ends there counts, too. Where every call is reported slots are never written
    // again.
    if (module.relro_end > module.relro_start && module.plt_watch != PltWatch::kCalls) {
      closed_start_ = module.relro_start - sizeof(elf::Word) + 1;
      closed_bytes_ = module.relro_end - closed_start_;
    }
  }

  // The same symbol is often referenced several times in a row.
  const Bound* bind(uint32_t symbol, Use use) {
    return symbol == last_symbol_ && use == last_use_ ? &bound_ : bind_anew(symbol, use);
  }

  bool call_resolver(uint64_t address, uint64_t& result) {
    result = arch::call_resolver(address);
    return true;
  }

  bool defer(uint64_t slot, int64_t addend, const Bound& bound, ResultForm form) {
    if (pending_.push(linker_.heap,
                      {&module_, slot, addend, bound.value, bound.module, form, last_symbol_}))
      return true;
    return fail({.code = Errc::kOutOfMemory});
  }

  bool copy(void* to, uint32_t symbol, const Bound& bound) {
    const uint64_t room = module_.image.symbols[symbol].size;
    const uint64_t bytes = bound.size < room ? bound.size : room;
    if (room != bound.size && (room < bound.size || linker_.options->warn))
      remark("has different size in shared object, consider re-linking", symbol);
    const Image& from = bound.module->image;
    if (!mapped_for_copying(from, bound.value - from.bias, bytes, linker_.host.page_size))
      return fail({.code = Errc::kBadField,
                   .object = bound.module->path,
                   .subject = "st_size of a copied symbol",
                   .context = "bytes inside the object",
                   .value = bytes});
    copy_bytes(to, reinterpret_cast<const void*>(bound.value), bytes);
    return true;
  }

  bool tls_module(const Bound& bound, uint64_t& id) {
    if (!check_tls(bound)) return false;
    id = bound.module->tls.module_id;
    return true;
  }

  bool tls_offset(const Bound& bound, int64_t& from_tp) {
    if (!check_tls(bound)) return false;
    Module& owner = *bound.module;
    if (owner.tls.offset == kTlsNotPlaced && !place(owner, Place::kNeeded)) return false;
    if (!owner.tls.placed()) return fail({.code = Errc::kStaticTls, .object = owner.path});
    from_tp = owner.tls.displacement();
    return true;
  }

  bool tls_descriptor(elf::Word* slot, const Bound& bound, int64_t addend) {
    if (bound.undefined) {
      store(slot, prelude_tlsdesc_undefined_weak, static_cast<uint64_t>(addend));
      return true;
    }
    if (!check_tls(bound)) return false;
    const TlsSegment& tls = bound.module->tls;
    if (tls.offset == kTlsNotPlaced && !place(*bound.module, Place::kOptional)) return false;
    const uint64_t offset = bound.value + static_cast<uint64_t>(addend);
    if (tls.placed()) {
      store(slot, prelude_tlsdesc_static, offset + static_cast<uint64_t>(tls.displacement()));
      return true;
    }
    auto* argument = linker_.heap.make<TlsDescriptorArgument>();
    if (argument == nullptr) return fail({.code = Errc::kOutOfMemory});
    *argument = {tls.module_id, static_cast<uintptr_t>(offset),
                 linker_.tls.slot_generation(tls.module_id)};
    store(slot, prelude_tlsdesc_dynamic, reinterpret_cast<uintptr_t>(argument));
    return true;
  }

  bool store_result(uint64_t vaddr, uint64_t value) {
    const Status status = store_word(linker_, module_, vaddr, value);
    return status || fail(status.error());
  }

  bool overflow(uint32_t symbol, const char* type) {
    return remark_overflow(linker_, module_, symbol, type);
  }

  bool lazy(elf::Word* slot) {
    // The file's word is the address of the PLT entry's second half; anything else binds at once,
    // as do slots that will be read-only by the first call.
    if (reinterpret_cast<uintptr_t>(slot) - closed_start_ < closed_bytes_) return false;
    if (*slot - code_start_ >= code_bytes_ && !find_code(*slot)) return false;
    *slot += static_cast<elf::Word>(module_.image.bias);
    return true;
  }

  [[gnu::cold, gnu::noinline]] bool fail(const Error& error) {
    error_ = about(error, module_);
    return false;
  }

  /// Calls the IFUNC resolvers that were put off until the rest of the object was ready. Those of
  /// objects that are not relocated yet wait for the end of the batch.
  bool settle_pending() {
    bool ok = true;
    for (const PendingResolver& pending : pending_) {
      if (pending.definer != &module_ && !pending.definer->relocated) {
        if (!batch_.pending.push(linker_.heap, pending)) ok = fail({.code = Errc::kOutOfMemory});
        continue;
      }
      if (const Status status = run_resolver(linker_, pending); !status) ok = fail(status.error());
    }
    pending_.release(linker_.heap);
    return ok;
  }

  [[nodiscard]] const Error& error() const { return error_; }

 private:
  enum class Place : uint8_t { kNeeded, kOptional };

  // Gives a module that came after start its place in the static area. False: out of memory.
  bool place(Module& owner, Place how) {
    TlsRegistry& tls = linker_.tls;
    linker_.personality->lock_tls(linker_);
    if (record_of(owner).dynamic_tls) owner.tls.offset = kTlsForcedDynamic;
    const bool placed =
        owner.tls.offset == kTlsNotPlaced &&
        (how == Place::kNeeded ? tls.place_late(owner.tls, linker_.heap)
                               : owner.in_new_batch && tls.place_optional(owner.tls));
    linker_.personality->unlock_tls(linker_);
    if (!placed) return true;
    linker_.personality->module_changed(linker_, owner);
    return batch_.start_up || batch_.late_tls.push(linker_.heap, &owner) ||
           fail({.code = Errc::kOutOfMemory});
  }

  bool find_code(uint64_t vaddr) {
    const LoadSegment* segment = module_.image.memory_segment(vaddr, 1);
    if (segment == nullptr || (segment->flags & elf::kPfX) == 0) return false;
    code_start_ = segment->vaddr;
    code_bytes_ = segment->memsz;
    return true;
  }

  static void store(elf::Word* slot, void (*entry)(), uint64_t argument) {
    slot[0] = reinterpret_cast<uintptr_t>(entry);
    slot[1] = static_cast<elf::Word>(argument);
  }

  const Bound* bind_anew(uint32_t symbol, Use use) {
    const auto found = bind_symbol(linker_, module_, symbol, use);
    if (!found) [[unlikely]] {
      fail(found.error());
      return nullptr;
    }
    last_ = *found;
    if (!take_plain(use) && !describe(use)) return nullptr;
    last_symbol_ = symbol;
    last_use_ = use;
    return &bound_;
  }

  bool take_plain(Use use) {
    if (last_.symbol == nullptr || use == Use::kTls || !is_plain(last_)) return false;
    bound_ = {.value = last_.module->image.bias + last_.symbol->value,
              .size = last_.symbol->size,
              .module = last_.module};
    return true;
  }

  // Turns the definition last found into what the loop needs.
  [[gnu::noinline]] bool describe(Use use) {
    bound_ = {};
    if (last_.symbol == nullptr) {
      bound_.undefined = true;
      return true;
    }
    const elf::Symbol& symbol = *last_.symbol;
    bound_.module = last_.module;
    bound_.size = symbol.size;
    if (use == Use::kTls) {
      bound_.value = symbol.value;
      return true;
    }
    if (symbol.shndx == elf::kShnUndef && symbol.value == 0) {
      // Compat: symbol 0 means the object's start (glibc 2.36).
      bound_.value = module_.image.bias;
      return true;
    }
    const auto address = definition_address(linker_, last_);
    if (!address) return fail(address.error());
    bound_.value = *address;
    bound_.resolver = symbol.type() == elf::kSttGnuIfunc;
    return true;
  }

  // A symbol that is none of TLS is the fault of who refers to it.
  bool check_tls(const Bound& bound) {
    if (bound.module->tls.module_id != 0 && bound.value <= bound.module->tls.memsz) return true;
    const bool is_tls = last_.symbol != nullptr && last_.symbol->type() == elf::kSttTls;
    return fail({.code = Errc::kBadField,
                 .object = is_tls ? bound.module->path : module_.path,
                 .subject = "TLS symbol value",
                 .context = "an offset inside a PT_TLS segment",
                 .value = bound.value});
  }

  void remark(const char* what, uint32_t symbol) {
    const char* name = module_.image.string(module_.image.symbols[symbol].name);
    if (linker_.remark != nullptr)
      linker_.remark(linker_, what, name != nullptr ? name : "?", nullptr);
  }

  Linker& linker_;
  Batch& batch_;
  Module& module_;
  Definition last_;
  Bound bound_;  // what last_ means
  uint32_t last_symbol_ = UINT32_MAX;
  Use last_use_ = Use::kData;
  uint64_t code_start_ = 0, code_bytes_ = 0;      // where the last lazy slot pointed, vaddr
  uint64_t closed_start_ = 0, closed_bytes_ = 0;  // addresses of slots that RELRO covers
  Error error_;
  Array<PendingResolver> pending_;
};

constexpr uint64_t kPltWords = 3;

// What the PLT hands on and where it jumps (psABI x86-64 5.2, RISC-V "Program Linkage Table").
void prepare_lazy(const Linker& linker, Module& module) {
  auto* got = static_cast<elf::Word*>(module.image.address(module.image.pltgot));
  got[arch::Native::kGotModule] = reinterpret_cast<uintptr_t>(module.map);
  const bool watched = module.plt_watch == PltWatch::kCalls;
  got[arch::Native::kGotStub] =
      reinterpret_cast<uintptr_t>((watched ? linker.watched_stub : linker.lazy_stub).get());
}

// Whether DT_PLTGOT leads to the words that the PLT uses.
bool has_plt_words(const Image& image) {
  return image.pltgot != 0 && image.plt_relocation_count != 0 &&
         arch::Native::begins_plt_words(*static_cast<const elf::Word*>(image.address(image.pltgot)),
                                        image.dynamic_vaddr);
}

// Nobody has business in PLT0 of an object bound at once. A wrong pointer that leads there shall
// end in the stub, which knows no object 0, and not at address 0. The words lie beside slots that
// have been written.
void close_plt(const Linker& linker, const Module& module) {
  auto* got = static_cast<elf::Word*>(module.image.address(module.image.pltgot));
  constexpr size_t kModule = arch::Native::kGotModule, kStub = arch::Native::kGotStub;
  const elf::Word stub = kStub == 0 ? 0 : got[kStub];  // begins_plt_words() has seen the first
  if ((got[kModule] | stub) == 0) got[kStub] = reinterpret_cast<uintptr_t>(linker.lazy_stub.get());
}

// Compat: the calls of an auditor are not reported to the others, its eager bindings are (glibc
// 2.36).
void watch_module(Linker& linker, const Batch& batch, Module& module, bool lazy) {
  if (batch.for_auditor && lazy && !module.bind_now) return;
  module.plt_watch = linker.auditor->watch(linker, module);
  if (batch.for_auditor && module.plt_watch == PltWatch::kCalls)
    module.plt_watch = PltWatch::kBindings;
}

bool has_pending(const Batch& batch, const Module& module) {
  for (const PendingResolver& pending : batch.pending)
    if (pending.module == &module) return true;
  return false;
}

}  // namespace

Status protect_relro(Module& module) {
  if (module.relro_end <= module.relro_start) return Done{};
  const uint64_t bytes = module.relro_end - module.relro_start;
  void* start = reinterpret_cast<void*>(module.relro_start);
  if (auto r = sys::protect(start, bytes, sys::kProtRead); !r)
    return Error{
        .code = Errc::kRelroProtect, .sys_errno = sys::raw(r.error()), .object = module.path};
  return Done{};
}

Status relocate_module(Linker& linker, Batch& batch, Module& module, bool lazy) {
  if (module.relocated) return Done{};
  const Image& image = module.image;
  if (linker.auditor != nullptr) watch_module(linker, batch, module, lazy);
  const bool at_once = module.bind_now && module.plt_watch != PltWatch::kCalls;
  const bool use_lazy = lazy && !at_once && has_plt_words(image);
  if (linker.tracer.wants(Topic::kReloc))
    linker.tracer.emit({.kind = EventKind::kRelocBegin,
                        .topic = Topic::kReloc,
                        .object = module.path,
                        .value = lazy && !module.bind_now ? 1U : 0U});
  if (image.text_relocations && linker.options->secure)
    return Error{.code = Errc::kBadField,
                 .object = module.path,
                 .subject = "DT_TEXTREL",
                 .context = "no text relocations in a secure program"};
  if (image.text_relocations) PRELUDE_TRY(set_text_writable(linker, module, true));
  LiveBinder binder(linker, batch, module);
  const WriteWindow window(image, image.text_relocations);
  if (use_lazy) {
    if (!window.holds(image.pltgot, kPltWords * sizeof(elf::Word)))
      return Error{.code = Errc::kBadField,
                   .object = module.path,
                   .subject = "DT_PLTGOT",
                   .context = "an address in a writable segment",
                   .value = image.pltgot};
  }
  Relocator<LiveBinder> relocator(image, window, binder);
  const bool ok = relocator.run_plain(use_lazy);
  if (image.text_relocations) PRELUDE_TRY(set_text_writable(linker, module, false));
  // After the relocations, none of which has any business in these slots; before the first
  // resolver, which may call through the PLT; and again after the results have been stored.
  if (ok && use_lazy) prepare_lazy(linker, module);
  if (!ok || !relocator.run_indirect() || !binder.settle_pending()) return binder.error();
  if (use_lazy)
    prepare_lazy(linker, module);
  else if (has_plt_words(image) && window.holds(image.pltgot, kPltWords * sizeof(elf::Word)))
    close_plt(linker, module);
  linker.statistics.relocations += relocator.counts().symbolic;
  linker.statistics.relative_relocations += relocator.counts().relative;
  module.relocated = true;
  module.plt_lazy = use_lazy;
  if (linker.tracer.wants(Topic::kReloc))
    linker.tracer.emit(
        {.kind = EventKind::kRelocEnd, .topic = Topic::kReloc, .object = module.path});
  return Done{};
}

namespace {

// The last who may write to the module's slots are auditors.
Status finish_slots(Linker& linker, Module& module) {
  if (module.plt_watch != PltWatch::kNone && !module.plt_lazy)
    linker.auditor->slots_bound(linker, module);
  return protect_relro(module);
}

}  // namespace

Status relocate_batch(Linker& linker, Batch& batch, Module* const* list, size_t count, bool lazy) {
  for (size_t i = count; i-- > 0;) {
    Module& module = *list[i];
    if (module.relocated) continue;
    PRELUDE_TRY(relocate_module(linker, batch, module, lazy));
    if (!has_pending(batch, module)) PRELUDE_TRY(finish_slots(linker, module));
  }
  if (batch.pending.empty()) return Done{};
  for (const PendingResolver& pending : batch.pending) PRELUDE_TRY(run_resolver(linker, pending));
  for (size_t i = 0; i < count; ++i)
    if (has_pending(batch, *list[i])) PRELUDE_TRY(finish_slots(linker, *list[i]));
  batch.pending.clear();
  return Done{};
}

}  // namespace prelude
