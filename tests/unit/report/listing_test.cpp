// Golden texts: `ldd`, `ldd -v`, `ldd -r`, `ldd -u` of glibc 2.36.
#include <gtest/gtest.h>
#include <prelude/report/listing.h>

#include "text_of.h"

namespace prelude::report {
namespace {

std::string listed(const ListedObject& object) {
  return text_of([&](Writer& out) { write_listed(out, object); });
}

TEST(Listing, Lines) {
  EXPECT_EQ(listed({.name = "linux-vdso.so.1", .address = 0x7effb6bbe000}),
            "\tlinux-vdso.so.1 (0x00007effb6bbe000)\n");
  EXPECT_EQ(listed({.name = "libc.so.6",
                    .path = "/lib/x86_64-linux-gnu/libc.so.6",
                    .address = 0x7effb69c9000}),
            "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007effb69c9000)\n");
  EXPECT_EQ(listed({.name = "/lib64/ld-linux-x86-64.so.2",
                    .path = "/lib64/ld-linux-x86-64.so.2",
                    .address = 0x7effb6bc0000}),
            "\t/lib64/ld-linux-x86-64.so.2 (0x00007effb6bc0000)\n");
  EXPECT_EQ(listed({.name = "libv.so", .found = false}), "\tlibv.so => not found\n");
  EXPECT_EQ(listed({.name = "", .path = "", .address = 0x5647349fa000}),
            "\t (0x00005647349fa000)\n");
  EXPECT_EQ(text_of(write_statically_linked), "\tstatically linked\n");
}

TEST(Listing, Versions) {
  EXPECT_EQ(text_of([](Writer& out) {
              write_versions_header(out);
              write_versions_object(out, "./vm");
              write_needed_version(out, {.file = "libv.so", .version = "V1"});
              write_needed_version(
                  out, {.file = "libc.so.6", .version = "GLIBC_2.34", .path = "/l/libc.so.6"});
              write_needed_version(
                  out, {.file = "libw.so", .version = "W", .path = "/l/libw.so", .weak = true});
            }),
            "\n\tVersion information:\n\t./vm:\n"
            "\t\tlibv.so (V1) => not found\n"
            "\t\tlibc.so.6 (GLIBC_2.34) => /l/libc.so.6\n"
            "\t\tlibw.so (W) [WEAK] => /l/libw.so\n");
}

TEST(Listing, UndefinedAndUnused) {
  EXPECT_EQ(text_of([](Writer& out) { write_undefined(out, "xx", nullptr, "./libv.so"); }),
            "undefined symbol: xx\t(./libv.so)\n");
  EXPECT_EQ(text_of([](Writer& out) { write_undefined(out, "vf", "V1", "./vm"); }),
            "undefined symbol: vf, version V1\t(./vm)\n");
  EXPECT_EQ(text_of([](Writer& out) {
              write_unused_header(out);
              write_unused(out, "./liba.so");
            }),
            "Unused direct dependencies:\n\t./liba.so\n");
}

TEST(Listing, SymbolFoundPrintsHexadecimal) {
  EXPECT_EQ(text_of([](Writer& out) { write_symbol_found(out, "b", 0x1109, 0x7f0000000000); }),
            "b found at 0x0000000000001109 in object at 0x00007f0000000000\n");
}

}  // namespace
}  // namespace prelude::report
