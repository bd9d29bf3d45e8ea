// Golden texts: glibc 2.36 (Debian 12), recorded from runs with damaged files; marked "ours" where
// glibc has no such message.
#include <gtest/gtest.h>
#include <prelude/report/messages.h>

#include "text_of.h"

namespace prelude::report {
namespace {

std::string fatal(const char* program, const Error& error) {
  return text_of([&](Writer& out) { write_fatal(out, program, error); });
}
std::string dl_error(const Error& error) {
  return text_of([&](Writer& out) { write_dl_error(out, error); });
}
Error file_error(Errc code, const char* object, int32_t number = 0) {
  return {.code = code, .sys_errno = number, .object = object};
}

TEST(Messages, FatalFileErrors) {
  const char* file = "/tmp/d/libv.so";
  const std::string start = "./vmd: error while loading shared libraries: /tmp/d/libv.so: ";
  const auto text = [&](Errc code) { return fatal("./vmd", file_error(code, file)); };
  EXPECT_EQ(text(Errc::kBadMagic), start + "invalid ELF header\n");
  EXPECT_EQ(text(Errc::kBadDataEncoding), start + "ELF file data encoding not little-endian\n");
  EXPECT_EQ(text(Errc::kBadIdentVersion),
            start + "ELF file version ident does not match current one\n");
  EXPECT_EQ(text(Errc::kBadVersion), start + "ELF file version does not match current one\n");
  EXPECT_EQ(text(Errc::kBadOsAbi), start + "ELF file OS ABI invalid\n");
  EXPECT_EQ(text(Errc::kBadAbiVersion), start + "ELF file ABI version invalid\n");
  EXPECT_EQ(text(Errc::kBadPadding), start + "nonzero padding in e_ident\n");
  EXPECT_EQ(text(Errc::kBadType), start + "only ET_DYN and ET_EXEC can be loaded\n");
  EXPECT_EQ(text(Errc::kBadPhentsize), start + "ELF file's phentsize not the expected size\n");
  EXPECT_EQ(text(Errc::kCannotReadData), start + "cannot read file data\n");
  EXPECT_EQ(text(Errc::kFileTooShort), start + "file too short\n");
}

TEST(Messages, FatalErrorsWithErrno) {
  EXPECT_EQ(fatal("./vmd", file_error(Errc::kCannotReadData, "/d/libv.so", 21)),
            "./vmd: error while loading shared libraries: /d/libv.so: cannot read file data: "
            "Error 21\n");
  EXPECT_EQ(fatal("./vmd", file_error(Errc::kCannotOpen, "libv.so", 2)),
            "./vmd: error while loading shared libraries: libv.so: cannot open shared object "
            "file: No such file or directory\n");
  EXPECT_EQ(fatal("nofile", file_error(Errc::kCannotOpen, "nofile")),
            "nofile: error while loading shared libraries: nofile: cannot open shared object "
            "file\n");
  // Skipped by the search, so the words are those of a library that is nowhere.
  EXPECT_EQ(dl_error(file_error(Errc::kWrongMachine, "libv.so")),
            "libv.so: cannot open shared object file: No such file or directory");
}

TEST(Messages, ErrnoWords) {
  const auto words = [](int32_t number) {
    return text_of([&](Writer& out) { write_errno(out, number); });
  };
  EXPECT_EQ(words(1), "Operation not permitted");
  EXPECT_EQ(words(2), "No such file or directory");
  EXPECT_EQ(words(5), "Input/output error");
  EXPECT_EQ(words(12), "Cannot allocate memory");
  EXPECT_EQ(words(13), "Permission denied");
  EXPECT_EQ(words(22), "Invalid argument");
  EXPECT_EQ(words(40), "Error 40");
}

TEST(Messages, WrongClass) {
  Error error = file_error(Errc::kWrongClass, "libv.so");
  error.value = 1;
  EXPECT_EQ(dl_error(error), "libv.so: wrong ELF class: ELFCLASS32");
  error.value = 2;
  EXPECT_EQ(dl_error(error), "libv.so: wrong ELF class: ELFCLASS64");
}

TEST(Messages, UndefinedSymbol) {
  Error error{.code = Errc::kUndefinedSymbol, .object = "./vm", .subject = "vf", .context = "V1"};
  EXPECT_EQ(fatal("./vm", error),
            "./vm: symbol lookup error: ./vm: undefined symbol: vf, version V1\n");
  error.context = nullptr;
  EXPECT_EQ(dl_error(error), "./vm: undefined symbol: vf");
  EXPECT_EQ(exit_status(error), 127);
}

TEST(Messages, VersionNotFound) {
  const Error error{
      .code = Errc::kVersionNotFound, .object = "./libv.so", .subject = "V1", .context = "./vm"};
  EXPECT_EQ(fatal("./vm", error), "./vm: ./libv.so: version `V1' not found (required by ./vm)\n");
  EXPECT_EQ(exit_status(error), 1);
  EXPECT_STREQ(error_occasion(error), "version lookup error");
}

TEST(Messages, RelocationTypes) {
  Error error = file_error(Errc::kUnknownRelocation, "./a.so");
  error.value = 7;
  EXPECT_EQ(dl_error(error), "./a.so: unexpected reloc type 0x07");
  error.code = Errc::kUnknownPltRelocation;
  error.value = 0xfe;
  EXPECT_EQ(dl_error(error), "./a.so: unexpected PLT reloc type 0xfe");
  error.value = 0x100;
  EXPECT_EQ(dl_error(error), "./a.so: unexpected PLT reloc type 0x00000100");
}

TEST(Messages, LinesWithoutOccasion) {
  EXPECT_EQ(fatal("ignored", file_error(Errc::kSelfLoad, "/lib64/ld-linux-x86-64.so.2")),
            "ld-linux-x86-64.so.2: loader cannot load itself\n");
  EXPECT_EQ(fatal("./p", file_error(Errc::kIsaLevelTooLow, "")),
            "./p: CPU ISA level is lower than required\n");
  EXPECT_EQ(fatal("./p", file_error(Errc::kIsaLevelTooLow, "/l/a.so")),
            "/l/a.so: CPU ISA level is lower than required\n");
}

TEST(Messages, OverwrittenRecord) {  // ours
  EXPECT_EQ(
      fatal("./p", file_error(Errc::kOverwritten, "/l/a.so")),
      "./p: error while loading shared libraries: /l/a.so: the record of its initialisers and "
      "finalisers was overwritten in memory\n");
}

TEST(Messages, DlErrors) {
  EXPECT_EQ(dl_error(file_error(Errc::kInvalidMode, "libm.so.6", 22)),
            "libm.so.6: invalid mode for dlopen(): Invalid argument");
  EXPECT_EQ(dl_error(file_error(Errc::kInvalidTargetNamespace, "libm.so.6", 22)),
            "libm.so.6: invalid target namespace in dlmopen(): Invalid argument");
  EXPECT_EQ(dl_error(file_error(Errc::kInvalidNamespace, nullptr, 22)),
            "invalid namespace: Invalid argument");
  EXPECT_EQ(dl_error(file_error(Errc::kUnsupportedRequest, nullptr)), "unsupported dlinfo request");
  EXPECT_EQ(dl_error(file_error(Errc::kPieAsLibrary, "./m")),
            "./m: cannot dynamically load position-independent executable");
}

TEST(Messages, BadFieldNamesFileFieldValueExpectation) {  // ours
  const Error error{.code = Errc::kBadField,
                    .object = "./a.so",
                    .subject = "DT_STRTAB",
                    .context = "an address inside a loaded segment",
                    .value = 0xdead0};
  EXPECT_EQ(dl_error(error),
            "./a.so: DT_STRTAB is 0xdead0, expected an address inside a loaded segment");
}

TEST(Messages, InternalError) {  // ours
  const Error error{.code = Errc::kInternal, .subject = "stage out of order"};
  EXPECT_EQ(fatal("./p", error),
            "./p: prelude: internal error: stage out of order (please report)\n");
}

TEST(Messages, NamesAreEscaped) {
  EXPECT_EQ(dl_error(file_error(Errc::kBadMagic, "a\x1b[2J\n.so")),
            "a\\x1b[2J\\x0a.so: invalid ELF header");
}

TEST(Messages, EveryCodeHasWords) {
  for (int code = 0; code <= static_cast<int>(Errc::kInternal); ++code) {
    const Error error{.code = static_cast<Errc>(code), .subject = "x"};
    EXPECT_NE(text_of([&](Writer& out) { write_error(out, error); }), "(null)") << code;
  }
}

TEST(Messages, ErrorTextComposesInScratch) {
  char buffer[16];
  Writer scratch(buffer, sizeof buffer);
  EXPECT_STREQ(error_text({.code = Errc::kNotOpen}, scratch), "shared object not open");
  const Error error{.code = Errc::kUndefinedSymbol, .subject = "abcdefgh"};
  EXPECT_STREQ(error_text(error, scratch), "undefined symbo");
}

TEST(Messages, HintsFollowTheFirstLine) {
  const HintSource hints{[](void*, Writer& out, const Error&) { out.put("  hint\n"); }, nullptr};
  EXPECT_EQ(text_of([&](Writer& out) {
              write_fatal(out, "p", file_error(Errc::kBadMagic, "f"), &hints);
            }),
            "p: error while loading shared libraries: f: invalid ELF header\n  hint\n");
}

TEST(Warnings, PreloadAndAudit) {
  const Error missing = file_error(Errc::kCannotOpen, "nono", 2);
  EXPECT_EQ(
      text_of([&](Writer& out) { write_preload_failed(out, "nono", "LD_PRELOAD", missing); }),
      "ERROR: ld.so: object 'nono' from LD_PRELOAD cannot be preloaded (cannot open shared object "
      "file): ignored.\n");
  const Error symbol{.code = Errc::kUndefinedSymbol, .subject = "la_version"};
  EXPECT_EQ(text_of([&](Writer& out) { write_audit_failed(out, "./liba.so", symbol); }),
            "ERROR: ld.so: object './liba.so' cannot be loaded as audit interface: undefined "
            "symbol: la_version; ignored.\n");
  EXPECT_EQ(text_of([](Writer& out) { write_audit_version(out, "M", 3, 2); }),
            "ERROR: audit interface 'M' requires version 3 (maximum supported version 2); "
            "ignored.\n");
}

TEST(Warnings, Others) {
  EXPECT_EQ(
      text_of([](Writer& out) { write_no_version_information(out, "./vm", "./libv.so", "./vm"); }),
      "./vm: ./libv.so: no version information available (required by ./vm)\n");
  EXPECT_EQ(text_of([](Writer& out) { write_copy_size_differs(out, "p", "s"); }),
            "p: Symbol `s' has different size in shared object, consider re-linking\n");
  EXPECT_EQ(text_of([](Writer& out) { write_relocation_overflow(out, "p", "s", "R_X86_64_32"); }),
            "p: Symbol `s' causes overflow in R_X86_64_32 relocation\n");
}

}  // namespace
}  // namespace prelude::report
