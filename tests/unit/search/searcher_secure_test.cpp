// Secure mode: stricter than glibc 2.36, which still searches relative RPATH elements.
#include "searcher_fixture.h"

namespace prelude {
namespace {

TEST_F(SearcherTest, SecureTakesAbsolutePathsOnly) {
  setup_.secure = true;
  setup_.library_path = "/env";
  setup_.hwcaps_prepend = "x";
  program_.runpath = "good::./x:$LIB:/abs:$ORIGIN:/y/$ORIGIN";
  start();
  EXPECT_EQ(tried("a.so"), (Texts{"/abs/a.so", "/lib/a.so", "/usr/lib/a.so"}));
}

TEST_F(SearcherTest, SecureOriginInSystemDirectory) {
  setup_.secure = true;
  program_.origin = "/usr/lib/app";
  program_.runpath = "$ORIGIN/../../../tmp:$ORIGIN/x";
  start();
  EXPECT_EQ(tried("a.so")[0], "/usr/lib/app/x/a.so");
}

TEST_F(SearcherTest, SecureRefusesRelativeCacheEntry) {
  setup_.secure = true;
  fake::add_file(kCachePath, CacheBuilder().add("a.so", "x/a.so").build());
  start();
  EXPECT_EQ(tried("a.so")[0], "/lib/a.so");
}

TEST_F(SearcherTest, ExpandInSecureMode) {
  setup_.secure = true;
  start();
  EXPECT_FALSE(searcher_.expand("$ORIGIN/b.so", "/home/x"));
  EXPECT_FALSE(searcher_.expand("$LIB/b.so", nullptr));
  EXPECT_STREQ(*searcher_.expand("$ORIGIN/b.so", "/usr/lib/x"), "/usr/lib/x/b.so");
  EXPECT_STREQ(*searcher_.expand("lib$PLATFORM.so", nullptr), "libhaswell.so");
}

}  // namespace
}  // namespace prelude
