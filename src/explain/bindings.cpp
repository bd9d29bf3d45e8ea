// What a module's references bind to, found without relocating it: for ldd -d, -r and -u, and for
// the report of a start-up that failed on a symbol.
#include <prelude/explain/bindings.h>

#include <arch/native.h>

namespace prelude::explain {
namespace {

using arch::RelocKind;

bool names_symbol(RelocKind kind) {
  return kind != RelocKind::kNone && kind != RelocKind::kRelative && kind != RelocKind::kIndirect;
}

class Scan {
 public:
  Scan(Linker& linker, Module& module, BindingCallback each, void* context)
      : linker_(linker), module_(module), each_(each), context_(context) {}

  bool table(const elf::Relocation* entries, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i)
      if (!entry(entries[i])) return false;
    return true;
  }

 private:
  bool entry(const elf::Relocation& rela) {
    const RelocKind kind = arch::Native::kind_of(rela.type());
    const uint32_t symbol = rela.symbol();
    if (!names_symbol(kind) || symbol == 0 || symbol >= module_.image.symbol_limit) return true;
    // One reference after the other to the same symbol is looked up once, as when relocating.
    const Use use = use_of(kind);
    if (symbol == last_symbol_ && use == last_use_) return true;
    last_symbol_ = symbol;
    last_use_ = use;
    return each_(context_, {module_, module_.image.symbols[symbol], use,
                            bind_symbol(linker_, module_, symbol, use)});
  }

  Linker& linker_;
  Module& module_;
  BindingCallback each_;
  void* context_;
  uint32_t last_symbol_ = 0;
  Use last_use_ = Use::kData;
};

Status check_types(const Module& module, const elf::Relocation* entries, uint64_t count,
                   Errc code) {
  for (uint64_t i = 0; i < count; ++i)
    if (arch::Native::kind_of(entries[i].type()) == RelocKind::kUnknown)
      return Error{.code = code, .object = module.path, .value = entries[i].type()};
  return Done{};
}

}  // namespace

Status check_relocation_types(const Module& module, bool with_plt) {
  const Image& image = module.image;
  PRELUDE_TRY(
      check_types(module, image.relocations, image.relocation_count, Errc::kUnknownRelocation));
  if (!with_plt && !module.bind_now) return Done{};
  return check_types(module, image.plt_relocations, image.plt_relocation_count,
                     Errc::kUnknownPltRelocation);
}

void for_each_binding(Linker& linker, Module& module, bool with_plt, BindingCallback each,
                      void* context) {
  Scan scan(linker, module, each, context);
  if (!scan.table(module.image.relocations, module.image.relocation_count)) return;
  if (with_plt || module.bind_now)
    (void)scan.table(module.image.plt_relocations, module.image.plt_relocation_count);
}

}  // namespace prelude::explain
