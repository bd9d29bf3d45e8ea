// Objects with every table, as seeds of the targets that read whole files.
#pragma once

#include <tests/support/elf_builder.h>

#include <vector>

inline std::vector<std::vector<uint8_t>> elf_seeds() {
  using prelude::test::ElfBuilder;
  using prelude::test::HashTables;
  namespace elf = prelude::elf;
  std::vector<std::vector<uint8_t>> seeds;
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
      for (const uint32_t type : {8U, 1U, 2U, 6U, 10U, 16U, 17U, 18U, 32U, 33U, 36U})
        builder.rela(0x2408 + 8 * type, type, type == 8 ? 0 : 1 + type % 4, 0x1000);
      builder.rela(0x2500, 37, 0, 0x1000).plt_rela(0x2510, 7, 2, 0).plt_rela(0x2518, 37, 0, 0x1000);
      seeds.push_back(builder.build());
    }
  }
  return seeds;
}
