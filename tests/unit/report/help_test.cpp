// Golden texts: the system's loader (glibc 2.36) with --help, --list-diagnostics, LD_SHOW_AUXV=1.
// The description and the words for the options in --help are ours.
#include <gtest/gtest.h>
#include <prelude/report/diagnostics.h>
#include <prelude/report/help.h>

#include <cstdio>

#include "text_of.h"

namespace prelude::report {
namespace {

constexpr std::string_view kSystemDirectories[] = {"/lib/x86_64-linux-gnu", "/usr/lib"};
constexpr HwcapsDirectory kHwcaps[] = {{"pp", HwcapsDirectory::State::kPrepended},
                                       {"x86-64-v5", HwcapsDirectory::State::kUnsupported},
                                       {"x86-64-v4", HwcapsDirectory::State::kUnsupportedMasked},
                                       {"x86-64-v3", HwcapsDirectory::State::kSearched},
                                       {"x86-64-v2", HwcapsDirectory::State::kMasked}};

TEST(Help, FirstLineAndSearchPath) {
  const HelpData data{.loader = "LD",
                      .interpreter = "/lib64/ld-linux-x86-64.so.2",
                      .library_path = ":/a::;b/:",
                      .cache = "/etc/ld.so.cache",
                      .system_directories = kSystemDirectories,
                      .hwcaps = kHwcaps};
  const std::string text = text_of([&](Writer& out) { write_help(out, data); });
  EXPECT_EQ(text.find("Usage: LD [OPTION]... EXECUTABLE-FILE [ARGS-FOR-PROGRAM...]\n"), 0U);
  const std::string tail =
      "\nThis program interpreter self-identifies as: /lib64/ld-linux-x86-64.so.2\n"
      "\nShared library search path:\n"
      "  . (LD_LIBRARY_PATH)\n"
      "  /a (LD_LIBRARY_PATH)\n"
      "  b (LD_LIBRARY_PATH)\n"
      "  (libraries located via /etc/ld.so.cache)\n"
      "  /lib/x86_64-linux-gnu (system search path)\n"
      "  /usr/lib (system search path)\n"
      "\nSubdirectories of glibc-hwcaps directories, in priority order:\n"
      "  pp (searched)\n"
      "  x86-64-v5\n"
      "  x86-64-v4 (masked)\n"
      "  x86-64-v3 (supported, searched)\n"
      "  x86-64-v2 (supported, masked)\n";
  ASSERT_GT(text.size(), tail.size());
  EXPECT_EQ(text.substr(text.size() - tail.size()), tail);
}

TEST(Help, VersionEndsTheFirstLine) {
  const std::string text = text_of([](Writer& out) { write_version(out, "2.36"); });
  EXPECT_EQ(text.find("ld.so (Prelude) stable release version 2.36.\n"), 0U);
}

TEST(Help, UsageErrors) {
  EXPECT_EQ(text_of([](Writer& out) {
              write_usage_error(out, "LD", {UsageError::Kind::kUnrecognised, "--foo"});
            }),
            "LD: unrecognized option '--foo'\nTry 'LD --help' for more information.\n");
  EXPECT_EQ(text_of([](Writer& out) {
              write_usage_error(out, "LD", {UsageError::Kind::kMissingProgram, nullptr});
            }),
            "LD: missing program name\nTry 'LD --help' for more information.\n");
}

uint64_t address_of(const char* text) { return reinterpret_cast<uint64_t>(text); }

TEST(Auxv, Table) {
  const uint64_t auxv[] = {
      33, 0x7fe4bc04a000,          51, 1776, 16, 0x178bfbff, 6,  4096, 3, 0x40, 7, 0, 23, 0,
      31, address_of("/bin/true"), 27, 0x1c, 22, 0,          43, 0x21, 0, 0};
  EXPECT_EQ(text_of([&](Writer& out) { write_auxv(out, auxv, {}); }),
            "AT_SYSINFO_EHDR:      0x7fe4bc04a000\n"
            "AT_MINSIGSTKSZ:       1776\n"
            "AT_HWCAP:             178bfbff\n"
            "AT_PAGESZ:            4096\n"
            "AT_PHDR:              0x40\n"
            "AT_BASE:              0x0\n"
            "AT_SECURE:            0\n"
            "AT_EXECFN:            /bin/true\n"
            "AT_??? (0x1b): 0x1c\n"
            "AT_L1D_CACHEGEOMETRY: 0x21\n");
}

TEST(Auxv, LabelsAndPrefixOfLaterReleases) {
  const uint64_t auxv[] = {16, 0x178bfbff, 27, 28, 28, 32, 29, 1, 30, 2, 0, 0};
  EXPECT_EQ(text_of([&](Writer& out) {
              write_auxv(out, auxv, {.labels_rseq = true, .prefixes_hwcap = false});
            }),
            "AT_HWCAP:             178bfbff\n"
            "AT_RSEQ_FEATURE_SIZE: 28\n"
            "AT_RSEQ_ALIGN:        32\n"
            "AT_HWCAP3:            0x1\n"
            "AT_HWCAP4:            0x2\n");
  EXPECT_EQ(text_of([&](Writer& out) { write_auxv(out, auxv, {.prefixes_hwcap = true}); }),
            "AT_HWCAP:             0x178bfbff\n"
            "AT_??? (0x1b): 0x1c\n"
            "AT_??? (0x1c): 0x20\n"
            "AT_??? (0x1d): 0x1\n"
            "AT_??? (0x1e): 0x2\n");
}

TEST(Diagnostics, EnvironmentHidesValues) {
  char secret[] = "SECRET=x", lang[] = "LANG=a\"\\b\n", no_equals[] = "NOEQ", nameless[] = "=x",
       empty[] = "", ld[] = "LD_=1", ldx[] = "LDX=1";
  char* const environment[] = {secret, lang, no_equals, nameless, empty, ld, ldx, nullptr};
  DiagnosticsData data;
  data.environment = environment;
  const std::string text = text_of([&](Writer& out) { write_diagnostics(out, data); });
  const size_t start = text.find("env");
  EXPECT_EQ(text.substr(start, text.find("path.prefix") - start),
            "env_filtered[0x0]=\"SECRET\"\n"
            "env[0x1]=\"LANG=a\\\"\\\\b\\012\"\n"
            "env[0x2]=\"NOEQ\"\n"
            "env_filtered[0x3]=\"\"\n"
            "env[0x4]=\"\"\n"
            "env[0x5]=\"LD_=1\"\n"
            "env_filtered[0x6]=\"LDX\"\n");
}

TEST(Diagnostics, KeysInOrder) {
  const uint64_t auxv[] = {6, 0x1000, 15, address_of("x86_64"), 0, 0};
  sys::SystemName system{};
  snprintf(system.sysname, sizeof system.sysname, "Linux");
  DiagnosticsData data{.dst_lib = "lib/x86_64-linux-gnu",
                       .hwcap = 2,
                       .hwcap2 = 2,
                       .hwcaps_subdirs = "v3:v2",
                       .hwcaps_subdirs_active = 3,
                       .page_size = 4096,
                       .platform = "x86_64",
                       .loader_soname = "ld-linux-x86-64.so.2",
                       .libc_soname = "libc.so.6",
                       .prefix = "/usr",
                       .interpreter = "/lib64/ld-linux-x86-64.so.2",
                       .sysconfdir = "/etc",
                       .system_directories = kSystemDirectories,
                       .release = "stable",
                       .version = "2.36",
                       .auxv = auxv,
                       .system = &system};
  data.write_machine = [](void*, Writer& out) {
    write_fact(out, "x86.cpu_features.isa_1", uint64_t{7});
  };
  EXPECT_EQ(text_of([&](Writer& out) { write_diagnostics(out, data); }),
            "dl_dst_lib=\"lib/x86_64-linux-gnu\"\n"
            "dl_hwcap=0x2\n"
            "dl_hwcap2=0x2\n"
            "dl_hwcaps_subdirs=\"v3:v2\"\n"
            "dl_hwcaps_subdirs_active=0x3\n"
            "dl_pagesize=0x1000\n"
            "dl_platform=\"x86_64\"\n"
            "dso.ld=\"ld-linux-x86-64.so.2\"\n"
            "dso.libc=\"libc.so.6\"\n"
            "path.prefix=\"/usr\"\n"
            "path.rtld=\"/lib64/ld-linux-x86-64.so.2\"\n"
            "path.sysconfdir=\"/etc\"\n"
            "path.system_dirs[0x0]=\"/lib/x86_64-linux-gnu\"\n"
            "path.system_dirs[0x1]=\"/usr/lib\"\n"
            "version.release=\"stable\"\n"
            "version.version=\"2.36\"\n"
            "auxv[0x0].a_type=0x6\n"
            "auxv[0x0].a_val=0x1000\n"
            "auxv[0x1].a_type=0xf\n"
            "auxv[0x1].a_val=\"x86_64\"\n"
            "uname.sysname=\"Linux\"\n"
            "uname.nodename=\"\"\n"
            "uname.release=\"\"\n"
            "uname.version=\"\"\n"
            "uname.machine=\"\"\n"
            "uname.domainname=\"\"\n"
            "x86.cpu_features.isa_1=0x7\n");
}

}  // namespace
}  // namespace prelude::report
