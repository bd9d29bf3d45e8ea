// The traces are those of glibc 2.36 on Debian 12, without its legacy hwcaps directories.
#include "searcher_fixture.h"

namespace prelude {
namespace {

TEST_F(SearcherTest, TraceOfTheFirstAndLaterSearches) {
  setup_.hwcaps_supported = kHwcaps;
  program_.rpath = "/nonexist:/d1:/d2";
  fake::add_file("/d1/glibc-hwcaps/v2/x.so");
  fake::add_file("/d1/a.so");
  fake::add_file("/d2/b.so");
  start_traced();
  EXPECT_EQ(find("a.so"), FoundBy::kRpath);
  EXPECT_EQ(
      trace_,
      (Texts{"path=/nonexist/glibc-hwcaps/v3:/nonexist/glibc-hwcaps/v2:/nonexist:/d1/glibc-hwcaps/"
             "v3:/d1/glibc-hwcaps/v2:/d1:/d2/glibc-hwcaps/v3:/d2/glibc-hwcaps/v2:/d2 (RPATH from "
             "file ./prog)",
             "try=/nonexist/glibc-hwcaps/v3/a.so",
             "refused=/nonexist/glibc-hwcaps/v3/a.so (no such file)",
             "try=/nonexist/glibc-hwcaps/v2/a.so",
             "refused=/nonexist/glibc-hwcaps/v2/a.so (no such file)", "try=/nonexist/a.so",
             "refused=/nonexist/a.so (no such file)", "try=/d1/glibc-hwcaps/v3/a.so",
             "refused=/d1/glibc-hwcaps/v3/a.so (no such file)", "try=/d1/glibc-hwcaps/v2/a.so",
             "refused=/d1/glibc-hwcaps/v2/a.so (no such file)", "try=/d1/a.so"}));
  EXPECT_EQ(find("b.so"), FoundBy::kRpath);
  EXPECT_EQ(paths_traced(),
            Texts{"/d1/glibc-hwcaps/v2:/d1:/d2/glibc-hwcaps/v3:/d2/glibc-hwcaps/v2:/d2 (RPATH "
                  "from file ./prog)"});
  EXPECT_EQ(find("b.so"), FoundBy::kRpath);
  EXPECT_EQ(paths_traced(), Texts{"/d1/glibc-hwcaps/v2:/d1:/d2 (RPATH from file ./prog)"});
}

TEST_F(SearcherTest, TraceOfRelativeAndRootDirectories) {
  setup_.hwcaps_supported = kHwcaps;
  setup_.library_path = ":d2//:/";
  start_traced();
  find("a.so");
  EXPECT_EQ(paths_traced()[0],
            "glibc-hwcaps/v3:glibc-hwcaps/v2::d2/glibc-hwcaps/v3:d2/glibc-hwcaps/v2:d2:/"
            "glibc-hwcaps/v3:/glibc-hwcaps/v2:/ (LD_LIBRARY_PATH)");
  find("a.so");
  EXPECT_EQ(paths_traced()[0],
            "glibc-hwcaps/v3:glibc-hwcaps/v2::d2/glibc-hwcaps/v3:d2/glibc-hwcaps/v2:d2:/ "
            "(LD_LIBRARY_PATH)");
}

TEST_F(SearcherTest, TraceShowsAnEmptyLibraryPathButNoEmptyRunpath) {
  setup_.library_path = "/nope";
  program_.runpath = "/nope2";
  fake::add_directory("/lib");
  start_traced();
  find("a.so");
  EXPECT_EQ(paths_traced(), (Texts{"/nope (LD_LIBRARY_PATH)", "/nope2 (RUNPATH from file ./prog)",
                                   "/lib:/usr/lib (system search path)"}));
  find("a.so");
  EXPECT_EQ(paths_traced(), (Texts{" (LD_LIBRARY_PATH)", "/lib (system search path)"}));
}

TEST_F(SearcherTest, TraceNamesTheSourceThatCameFirst) {
  setup_.library_path = "/usr/lib:d1:/lib:/run:d2";
  setup_.library_path_source = "--library-path";
  program_.runpath = "/nope:/run";
  start_traced();
  find("a.so");
  EXPECT_EQ(paths_traced(), (Texts{"/usr/lib (system search path)", "d1 (--library-path)",
                                   "/lib (system search path)", "/run (RUNPATH from file ./prog)",
                                   "d2 (--library-path)", "/nope (RUNPATH from file ./prog)",
                                   " (system search path)"}));
}

}  // namespace
}  // namespace prelude
