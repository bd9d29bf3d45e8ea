// Objects with every table, as seeds of the targets that read whole files.
#pragma once

#include <tests/support/elf_builder.h>

#include <vector>

/// The relocation types that seeds have: one of words relative to the base, those with a symbol,
/// one of a chosen function.
struct SeedTypes {
  uint32_t relative, call, chosen;
  std::vector<uint32_t> with_symbol;
};
template <typename Elf>
SeedTypes seed_types() {
  if (Elf::kClass == prelude::elf::kClass32) return {8, 7, 42, {1, 2, 6, 14, 35, 36, 37, 38, 41}};
  return {8, 7, 37, {1, 2, 6, 10, 16, 17, 18, 32, 33, 36}};
}

template <typename Elf>
void add_elf_seeds(std::vector<std::vector<uint8_t>>& seeds) {
  using ElfBuilder = prelude::test::BasicElfBuilder<Elf>;
  using prelude::test::HashTables;
  namespace elf = prelude::elf;
  const SeedTypes types = seed_types<Elf>();
  for (const HashTables tables : {HashTables::kGnu, HashTables::kSysv, HashTables::kBoth}) {
    for (const bool rich : {false, true}) {
      ElfBuilder places;
      places.hash(tables);
      (void)places.build();
      ElfBuilder builder;
      builder.hash(tables).soname("libseed.so").needed("liba.so");
      builder.symbol({.name = "used", .shndx = 0, .version = 4});
      builder.symbol({.name = "f", .value = places.code(), .size = 8, .version = 2});
      builder.symbol({.name = "v",
                      .value = places.data(),
                      .size = 8,
                      .type = elf::kSttObject,
                      .version = 0x8003});
      builder.symbol({.name = "t", .value = 4, .size = 4, .type = elf::kSttTls});
      if (rich) {
        builder.version({.name = "libseed.so", .index = 1, .flags = elf::kVerFlagBase});
        builder.version({.name = "V1", .index = 2}).version({.name = "V2", .index = 3});
        builder.version({.name = "A1", .index = 4, .file = "liba.so"}).tls(8, 32, 16).relro(0x1000);
        builder.note({4, 0,    0, 0,    16, 0, 0, 0, 5, 0, 0, 0, 'G', 'N', 'U', 0,
                      2, 0x80, 0, 0xc0, 4,  0, 0, 0, 1, 0, 0, 0, 0,   0,   0,   0});
        builder.set(elf::kDtInitArray, places.data()).set(elf::kDtInitArraySz, 16);
        builder.set(elf::kDtFlags, elf::kDfSymbolic).set(elf::kDtDebug, 0);
        builder.relr(places.data() + 64).relr(0xff);
      }
      // Offsets shift with the tables: the object is built twice, the second time with the right
      // ones.
      builder.rela(0x2408 + 8 * types.relative, types.relative, 0, 0x1000);
      for (const uint32_t type : types.with_symbol)
        builder.rela(0x2408 + 8 * type, type, 1 + type % 4, 0x1000);
      builder.rela(0x2600, types.chosen, 0, 0x1000).plt_rela(0x2610, types.call, 2, 0);
      builder.plt_rela(0x2618, types.chosen, 0, 0x1000);
      seeds.push_back(builder.build());
    }
  }
}

/// Of both classes.
inline std::vector<std::vector<uint8_t>> elf_seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  add_elf_seeds<prelude::elf::Elf64>(seeds);
  add_elf_seeds<prelude::elf::Elf32>(seeds);
  return seeds;
}
/// Whether an input says that it is of the class of 32 bits.
inline bool is_narrow(const uint8_t* data, size_t size) {
  return size > prelude::elf::kIdentClass &&
         data[prelude::elf::kIdentClass] == prelude::elf::kClass32;
}
