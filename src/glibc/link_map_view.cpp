// libc's view of a module: the private part of struct link_map.
#include "shared_state.h"

namespace prelude::glibc {
namespace {

// l_info: pointers to the entries of the dynamic section, by tag.
void fill_info(const Layout& layout, Module& module) {
  auto* info = &field<const elf::Dynamic*>(module.map, layout.link_map.l_info);
  const Image& image = module.image;
  for (uint32_t i = 0; i < image.dynamic_count; ++i) {
    const uint16_t slot = layout.info.slot(image.dynamic[i].tag);
    if (present(slot) && slot < layout.info.count) info[slot] = &image.dynamic[i];
  }
}

// Tags whose values become addresses in memory.
constexpr int64_t kAddressTags[] = {elf::kDtPltGot, elf::kDtHash,   elf::kDtStrTab, elf::kDtSymTab,
                                    elf::kDtRela,   elf::kDtRel,    elf::kDtJmpRel, elf::kDtRelr,
                                    elf::kDtVerSym, elf::kDtGnuHash};

// Compat: programs that read their own dynamic section find addresses there, not offsets (systemd
// looks for its RUNPATH so). Only where the file says that it may be written; else libc adds the
// bias itself. Nobody else of the loader needs these values any more. tests/system/rows_test.py
bool holds_addresses(const Image& image) {
  return kAddressesInDynamic && (image.dynamic_flags & elf::kPfW) != 0 &&
         image.writable(image.dynamic_vaddr, image.dynamic_size);
}

bool put_addresses(const Layout& layout, Module& module) {
  const Image& image = module.image;
  if (!holds_addresses(image)) return false;
  auto* info = &field<elf::Dynamic*>(module.map, layout.link_map.l_info);
  for (const int64_t tag : kAddressTags)
    if (const uint16_t slot = layout.info.slot(tag); present(slot) && info[slot] != nullptr)
      info[slot]->value += static_cast<elf::Word>(image.bias);
  return true;
}

void fill_hash(const LinkMapFields& fields, Module& module) {
  const Image& image = module.image;
  if (image.gnu_hash.bloom != nullptr) {
    const auto& hash = image.gnu_hash;
    set<uint32_t>(module.map, fields.l_nbuckets, hash.bucket_count);
    set<uint32_t>(module.map, fields.l_gnu_bitmask_idxbits, hash.bloom_mask);
    set<uint32_t>(module.map, fields.l_gnu_shift, hash.bloom_shift);
    set<const void*>(module.map, fields.l_gnu_bitmask, hash.bloom);
    set<const void*>(module.map, fields.l_gnu_buckets, hash.buckets);
    set<const void*>(module.map, fields.l_gnu_chain_zero, hash.chain_zero);
  } else if (image.sysv_hash.buckets != nullptr) {
    // The chain shares its place with the GNU buckets, the buckets with the GNU chain.
    set<uint32_t>(module.map, fields.l_nbuckets, image.sysv_hash.bucket_count);
    set<const void*>(module.map, fields.l_gnu_chain_zero, image.sysv_hash.buckets);
    set<const void*>(module.map, fields.l_gnu_buckets, image.sysv_hash.chains);
  }
  set<const void*>(module.map, fields.l_versyms, image.versym);
}

void fill_tls(const LinkMapFields& fields, Module& module) {
  const TlsSegment& tls = module.tls;
  if (tls.memsz == 0) return;
  set<const void*>(module.map, fields.l_tls_initimage, tls.image);
  set_word(module.map, fields.l_tls_initimage_size, tls.filesz);
  set_word(module.map, fields.l_tls_blocksize, tls.memsz);
  set_word(module.map, fields.l_tls_align, tls.align);
  set_word(module.map, fields.l_tls_firstbyte_offset, tls.first_byte);
}

}  // namespace

void fill_link_map(const Layout& layout, Module& module) {
  const LinkMapFields& f = layout.link_map;
  // With auditors it is filled when the object comes in, and again when all is known.
  const bool again = field<void*>(module.map, f.l_real) != nullptr;
  set<void*>(module.map, f.l_real,
             (module.stands_for != nullptr ? module.stands_for : &module)->map);
  set<long>(module.map, f.l_ns, static_cast<long>(module.name_space));
  set<const void*>(module.map, f.l_libname, module.names);
  fill_info(layout, module);
  set<const void*>(module.map, f.l_phdr, module.image.phdr);
  set_word(module.map, f.l_entry, module.image.bias + module.image.entry);
  set<uint16_t>(module.map, f.l_phnum, module.image.phnum);
  set<uint16_t>(module.map, f.l_ldnum,
                static_cast<uint16_t>(module.image.dynamic_size / sizeof(elf::Dynamic)));
  set<void*>(module.map, f.l_loader, map_of(module.loader));
  fill_hash(f, module);
  set_bits(module.map, f.l_type, static_cast<uint8_t>(module.kind));
  set_bits(module.map, f.l_contiguous, module.segments_contiguous ? 1 : 0);
  // A stand-in shares the section of the real one, which lies in writable memory.
  if (!again) {
    const bool addresses = module.stands_for != nullptr || put_addresses(layout, module);
    set_bits(module.map, f.l_ld_readonly, addresses ? 0 : 1);
  }
  set_bits(module.map, f.l_relocated, 1);
  set_bits(module.map, f.l_init_called, 1);
  set_bits(module.map, f.l_main_map, module.kind == ModuleKind::kProgram ? 1 : 0);
  set<const char*>(module.map, f.l_origin, module.origin);
  set_word(module.map, f.l_map_start, module.map_start);
  set_word(module.map, f.l_map_end, module.map_end);
  set_word(module.map, f.l_text_end, module.map_end);
  set_word(module.map, f.l_scope_max, 4);
  field<void*>(module.map, f.l_local_scope) = &module.closure;
  if (present(f.l_file_id)) {
    field<uint64_t>(module.map, f.l_file_id) = module.device;
    field<uint64_t>(module.map, static_cast<uint16_t>(f.l_file_id + 8)) = module.inode;
  }
  set<uint32_t>(module.map, f.l_flags_1, static_cast<uint32_t>(module.image.flags_1));
  set<uint32_t>(module.map, f.l_flags, static_cast<uint32_t>(module.image.flags));
  set_word(module.map, f.l_relro_addr, module.image.relro_vaddr);
  set_word(module.map, f.l_relro_size, module.image.relro_size);
  fill_tls(f, module);
  update_link_map(layout, module);
}

void update_link_map(const Layout& layout, Module& module) {
  const LinkMapFields& f = layout.link_map;
  field<void*>(module.map, f.l_searchlist) = module.closure.modules;
  field<uint32_t>(module.map, static_cast<uint16_t>(f.l_searchlist + kWord)) = module.closure.count;
  set<const void*>(module.map, f.l_scope, module.scope);
  set<uint32_t>(module.map, f.l_direct_opencount, module.open_count);
  set_bits(module.map, f.l_global, module.global ? 1 : 0);
  set<size_t>(module.map, f.l_tls_modid, module.tls.module_id);
  set<ptrdiff_t>(module.map, f.l_tls_offset, static_cast<ptrdiff_t>(module.tls.offset));
}

namespace {

// Relocations of the object's own may have been in the section since its tables were checked.
bool leads_to(const Image& image, const elf::Dynamic& entry, const void* table) {
  const uint64_t bias = holds_addresses(image) ? 0 : image.bias;
  return reinterpret_cast<void*>(entry.value + bias) == table;
}

// Where there is no other table, libc takes the number of symbols from this one.
bool counts_symbols(const Image& image, const elf::Dynamic* hash) {
  if (image.gnu_hash.bloom != nullptr || hash == nullptr) return true;
  return image.sysv_hash.buckets != nullptr && leads_to(image, *hash, image.sysv_hash.buckets - 2);
}

}  // namespace

void show_symbols(const Layout& layout, Module& module) {
  LinkMapRecord& record = record_of(module);
  if (record.shown) return;
  record.shown = true;
  static constexpr elf::Dynamic kNothing{};
  auto* info = &field<const elf::Dynamic*>(module.map, layout.link_map.l_info);
  const auto entry = [&](int64_t tag) -> const elf::Dynamic*& {
    return info[layout.info.slot(tag)];
  };
  const auto fill = [&](int64_t tag) -> const elf::Dynamic& {
    if (entry(tag) == nullptr) entry(tag) = &kNothing;
    return *entry(tag);
  };
  const Image& image = module.image;
  // Compat: these three are read unasked (glibc 2.36).
  const elf::Dynamic &symbols = fill(elf::kDtSymTab), &strings = fill(elf::kDtStrTab);
  const bool strings_end = fill(elf::kDtStrSz).value <= image.strings_size;
  const bool has_gnu_hash = entry(elf::kDtGnuHash) != nullptr;
  if (strings_end && leads_to(image, symbols, image.symbols) &&
      leads_to(image, strings, image.strings) &&
      has_gnu_hash == (image.gnu_hash.bloom != nullptr) &&
      counts_symbols(image, entry(elf::kDtHash)) && symbols_are_walkable(image))
    return;
  fill(elf::kDtGnuHash);  // with it the buckets count
  set<uint32_t>(module.map, layout.link_map.l_nbuckets, 0);
}

}  // namespace prelude::glibc
