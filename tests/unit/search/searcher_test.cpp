// The whole search over the fake kernel.
#include <algorithm>
#include <cstring>

#include "searcher_fixture.h"

namespace prelude {
namespace {

TEST_F(SearcherTest, CacheHitCostsOneMappingAndNothingElse) {
  fake::add_file(kCachePath, CacheBuilder().add("liba.so", "/usr/lib/liba.so").build());
  fake::add_file("/usr/lib/liba.so");
  start();
  EXPECT_EQ(find("liba.so"), FoundBy::kCache);
  EXPECT_EQ(opener_.found, "/usr/lib/liba.so");
  EXPECT_EQ(fake::log(), (Texts{"open_for_reading /etc/ld.so.cache", "status", "map_file", "close",
                                "open_for_reading /usr/lib/liba.so", "close"}));
  EXPECT_EQ(find("liba.so"), FoundBy::kCache);
  EXPECT_EQ(fake::log(), (Texts{"open_for_reading /usr/lib/liba.so", "close"}));
}

TEST_F(SearcherTest, CacheHitTakesNoHeap) {
  fake::add_file(kCachePath, CacheBuilder().add("liba.so", "/usr/lib/liba.so").build());
  fake::add_file("/usr/lib/liba.so");
  start();
  const auto* before = static_cast<char*>(heap_.allocate(16));
  EXPECT_EQ(find("liba.so"), FoundBy::kCache);
  EXPECT_EQ(static_cast<char*>(heap_.allocate(16)) - before, 16);
}

TEST_F(SearcherTest, OrderOfTheStages) {
  fake::add_file(kCachePath, CacheBuilder().add("liba.so", "/cached/liba.so").build());
  setup_.library_path = "/env";
  Requester library{.name = "/l.so", .runpath = "/run", .loader = &program_};
  program_.rpath = "/rpath";
  start();
  EXPECT_EQ(find("liba.so", library), FoundBy::kNone);
  EXPECT_EQ(opener_.tried, (Texts{"/env/liba.so", "/run/liba.so", "/cached/liba.so", "/lib/liba.so",
                                  "/usr/lib/liba.so"}));
  library.runpath = nullptr;
  EXPECT_EQ(find("libb.so", library), FoundBy::kNone);
  // /env, /lib and /usr/lib are known to be absent by now.
  EXPECT_EQ(opener_.tried, (Texts{"/rpath/libb.so"}));
}

TEST_F(SearcherTest, SaysWhichStageFound) {
  program_.rpath = "/rpath";
  setup_.library_path = "/env";
  const Requester library{.name = "/l.so", .runpath = "/run", .loader = &program_};
  for (const char* file : {"/rpath/libr.so", "/env/libe.so", "/run/libu.so", "/usr/lib/libd.so"})
    fake::add_file(file);
  start();
  EXPECT_EQ(find("libr.so"), FoundBy::kRpath);
  EXPECT_EQ(find("libe.so"), FoundBy::kLibraryPath);
  EXPECT_EQ(find("libu.so", library), FoundBy::kRunpath);
  EXPECT_EQ(find("libd.so"), FoundBy::kDefault);
  EXPECT_EQ(find("libx.so"), FoundBy::kNone);
}

TEST_F(SearcherTest, RpathChainGoesUpAndEndsWithMain) {
  for (const char* directory : {"/a", "/b", "/c", "/m", "/x"}) fake::add_directory(directory);
  program_.rpath = "/m";
  const Requester top{
      .name = "t", .rpath = "/a", .loader = nullptr};  // loaded by dlopen: no loader
  const Requester middle{.name = "m", .rpath = "/x", .runpath = "/b", .loader = &top};
  const Requester low{.name = "l", .rpath = "/c", .loader = &middle};
  start();
  find("liba.so", low);
  EXPECT_EQ((Texts{opener_.tried.begin(), opener_.tried.begin() + 3}),
            (Texts{"/c/liba.so", "/a/liba.so", "/m/liba.so"}));
  find("liba.so", middle);
  EXPECT_EQ(opener_.tried[0], "/b/liba.so");
}

TEST_F(SearcherTest, MainIsNotTriedTwice) {
  fake::add_directory("/m");
  program_.rpath = "/m";
  const Requester library{.name = "l", .loader = &program_};
  start();
  find("liba.so", library);
  EXPECT_EQ(std::count(opener_.tried.begin(), opener_.tried.end(), "/m/liba.so"), 1);
}

TEST_F(SearcherTest, EmptyRunpathStillHidesRpath) {
  program_.rpath = "/m";
  program_.runpath = "";
  start();
  EXPECT_EQ(tried("liba.so"), (Texts{"/lib/liba.so", "/usr/lib/liba.so"}));
}

TEST_F(SearcherTest, SeparatorsAndEmptyElements) {
  setup_.library_path = ":/tmp/a;b//:b:$ORIGIN/x/:/nope/$NOPE";
  program_.runpath = "/d1;/tmp::/d2";
  start();
  const Texts all = tried("l.so");
  EXPECT_EQ((Texts{all.begin(), all.begin() + 8}),
            (Texts{"l.so", "/tmp/a/l.so", "b/l.so", "/opt/app/x/l.so", "/nope/$NOPE/l.so",
                   "/d1;/tmp/l.so", "l.so", "/d2/l.so"}));
}

TEST_F(SearcherTest, UnknownOriginDropsTheElement) {
  setup_.library_path = "$ORIGIN/a:/b";
  program_.origin = nullptr;
  start();
  EXPECT_EQ(tried("l.so")[0], "/b/l.so");
}

TEST_F(SearcherTest, AbsentDirectoriesAreAskedOnce) {
  setup_.library_path = "/nope:/there:relative";
  fake::add_directory("/there");
  fake::add_directory("/lib");
  fake::add_directory("/usr/lib");
  start();
  find("a.so");
  EXPECT_EQ(fake::log(),
            (Texts{"open_for_reading /nope/a.so", "status_of /nope", "open_for_reading /there/a.so",
                   "status_of /there", "open_for_reading relative/a.so",
                   "open_for_reading /etc/ld.so.cache", "open_for_reading /lib/a.so",
                   "status_of /lib", "open_for_reading /usr/lib/a.so", "status_of /usr/lib"}));
  find("b.so");
  EXPECT_EQ(fake::log(), (Texts{"open_for_reading /there/b.so", "open_for_reading relative/b.so",
                                "open_for_reading /lib/b.so", "open_for_reading /usr/lib/b.so"}));
}

TEST_F(SearcherTest, BarredFileEndsItsList) {
  setup_.library_path = "near:/far";
  program_.runpath = "/gone:/far";
  fake::add_directory("/far");
  opener_.barred = {"near/a.so", "/gone/a.so"};
  start();
  // A directory that is not there bars nothing.
  const Texts all = tried("a.so");
  EXPECT_EQ((Texts{all.begin(), all.begin() + 4}),
            (Texts{"near/a.so", "/gone/a.so", "/far/a.so", "/lib/a.so"}));
}

TEST_F(SearcherTest, FileInPlaceOfADirectoryCountsAsAbsent) {
  setup_.library_path = "/file";
  fake::add_file("/file");
  start();
  EXPECT_EQ(tried("a.so")[0], "/file/a.so");
  EXPECT_TRUE(tried("b.so").empty());  // the default directories are absent too
}

TEST_F(SearcherTest, HwcapsSubdirectoriesComeFirst) {
  setup_.hwcaps_supported = kHwcaps;
  setup_.library_path = "/d";
  fake::add_file("/d/glibc-hwcaps/v2/a.so");
  fake::add_file("/d/a.so");
  fake::add_file("/d/b.so");
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kLibraryPath);
  EXPECT_EQ(opener_.tried, (Texts{"/d/glibc-hwcaps/v3/a.so", "/d/glibc-hwcaps/v2/a.so"}));
  EXPECT_EQ(tried("b.so"), (Texts{"/d/glibc-hwcaps/v2/b.so", "/d/b.so"}));
}

TEST_F(SearcherTest, OneQuestionForAllSubdirectories) {
  setup_.hwcaps_supported = kHwcaps;
  setup_.library_path = "/d";
  fake::add_file("/d/a.so");
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kLibraryPath);
  EXPECT_EQ(fake::log(), (Texts{"open_for_reading /d/glibc-hwcaps/v3/a.so",
                                "status_of /d/glibc-hwcaps", "open_for_reading /d/a.so", "close"}));
}

TEST_F(SearcherTest, QuestionIsNotRepeated) {
  setup_.hwcaps_supported = kHwcaps;
  setup_.library_path = "/d";
  fake::add_file("/d/glibc-hwcaps/v2/x.so");
  fake::add_file("/d/a.so");
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kLibraryPath);
  EXPECT_EQ(fake::log(),
            (Texts{"open_for_reading /d/glibc-hwcaps/v3/a.so", "status_of /d/glibc-hwcaps",
                   "status_of /d/glibc-hwcaps/v3", "open_for_reading /d/glibc-hwcaps/v2/a.so",
                   "status_of /d/glibc-hwcaps/v2", "open_for_reading /d/a.so", "close"}));
}

TEST_F(SearcherTest, OtherMachineIsPassedOver) {
  setup_.library_path = "/d32:/d64";
  fake::add_file("/d32/a.so");
  fake::add_file("/d64/a.so");
  opener_.skipped = {"/d32/a.so"};
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kLibraryPath);
  EXPECT_EQ(opener_.found, "/d64/a.so");
  EXPECT_EQ(fake::count("status_of"), 0);
}

TEST_F(SearcherTest, BrokenFileEndsTheSearch) {
  setup_.library_path = "/d1:/d2";
  fake::add_file("/d1/a.so");
  fake::add_file("/d2/a.so");
  opener_.failed = {"/d1/a.so"};
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kFailed);
  EXPECT_EQ(opener_.tried, Texts{"/d1/a.so"});
}

TEST_F(SearcherTest, StaleCacheEntryFallsThrough) {
  fake::add_file(kCachePath, CacheBuilder().add("a.so", "/gone/a.so").build());
  fake::add_file("/usr/lib/a.so");
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kDefault);
  EXPECT_EQ(opener_.tried, (Texts{"/gone/a.so", "/lib/a.so", "/usr/lib/a.so"}));
}

TEST_F(SearcherTest, NoDefaultLibraries) {
  fake::add_file(
      kCachePath,
      CacheBuilder().add("a.so", "/usr/lib/sub/a.so").add("b.so", "/usr/library/b.so").build());
  fake::add_file("/usr/lib/sub/a.so");
  fake::add_file("/usr/lib/a.so");
  fake::add_file("/usr/library/b.so");
  program_.no_default_libraries = true;
  start_traced();
  EXPECT_EQ(find("a.so"), FoundBy::kNone);
  EXPECT_EQ(trace_, (Texts{"cache=/etc/ld.so.cache", "try=/usr/lib/sub/a.so"}));
  EXPECT_EQ(find("b.so"), FoundBy::kCache);
}

TEST_F(SearcherTest, SystemOnlyAsksNothingElse) {
  fake::add_file(kCachePath, CacheBuilder().add("a.so", "/cached/a.so").build());
  setup_.library_path = "/env";
  program_.rpath = "/r";
  start();
  Requester preload = program_;
  preload.system_only = true;
  EXPECT_EQ(find("a.so", preload), FoundBy::kNone);
  EXPECT_EQ(opener_.tried, (Texts{"/lib/a.so", "/usr/lib/a.so"}));
}

TEST_F(SearcherTest, ProgramIsLookedForInTheCacheAlone) {  // measured: `ld.so --library-path . m`
  fake::add_file(kCachePath, CacheBuilder().add("libc.so.6", "/lib/libc.so.6").build());
  fake::add_file("/lib/libc.so.6");
  setup_.library_path = ".:$ORIGIN";
  start_traced();
  EXPECT_EQ(find("m", Requester{}, nullptr), FoundBy::kNone);
  EXPECT_EQ(trace_, Texts{"cache=/etc/ld.so.cache"});
  EXPECT_EQ(find("libc.so.6", Requester{}, nullptr), FoundBy::kCache);
  EXPECT_EQ(tried("m")[0], "./m");
}

TEST_F(SearcherTest, CacheIsOptional) {
  setup_.cache_path = nullptr;
  start_traced();
  find("a.so");
  EXPECT_EQ(fake::count("open_for_reading /etc"), 0);
  for (const std::string& line : trace_) EXPECT_FALSE(line.starts_with("cache="));
}

TEST_F(SearcherTest, BadCacheIsAsAbsent) {
  fake::add_file(kCachePath, "glibc-ld.so.cache1.0 or something else");
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kNone);
  EXPECT_EQ(fake::mappings(), 0);
  find("b.so");
  EXPECT_EQ(fake::count("open_for_reading /etc/ld.so.cache"), 0);
}

TEST_F(SearcherTest, CacheThatCannotBeReadIsAsAbsent) {
  const std::string good = CacheBuilder().add("a.so", "/x/a.so").build();
  for (const char* call : {"open_for_reading", "status", "map_file"}) {
    fake::reset();
    fake::add_file(kCachePath, good);
    fake::fail(call, sys::kEIO);
    Searcher searcher;
    searcher.start(setup_, heap_, tracer_);
    EXPECT_EQ(searcher.find("a.so", program_, &program_, &TestOpener::open, &opener_),
              FoundBy::kNone);
    EXPECT_EQ(fake::mappings(), 0);
  }
  fake::reset();
  fake::add_directory(kCachePath);
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kNone);
}

TEST_F(SearcherTest, FactsOfTheCache) {
  start();
  EXPECT_EQ(searcher_.cache_facts().state, CacheState::kAbsent);
  fake::add_file(kCachePath, "neither form");
  searcher_.revalidate_cache();
  EXPECT_EQ(searcher_.cache_facts().state, CacheState::kUnusable);
  const std::string good = CacheBuilder().add("a.so", "/x/a.so").add("b.so", "/x/b.so").build();
  fake::replace_file(kCachePath, good);
  searcher_.revalidate_cache();
  const CacheFacts facts = searcher_.cache_facts();
  EXPECT_EQ(facts.state, CacheState::kUsable);
  EXPECT_STREQ(facts.path, kCachePath);
  EXPECT_EQ(facts.entries, 2U);
  EXPECT_EQ(facts.bytes, good.size());
  setup_.cache_path = nullptr;
  start();
  EXPECT_EQ(searcher_.cache_facts().path, nullptr);
  EXPECT_EQ(searcher_.cache_facts().state, CacheState::kNotAsked);
}

TEST_F(SearcherTest, RevalidationSeesANewCache) {
  fake::add_file(kCachePath, CacheBuilder().add("a.so", "/old/a.so").build());
  fake::add_file("/old/a.so");
  fake::add_file("/new/a.so");
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kCache);
  fake::clear_log();
  searcher_.revalidate_cache();
  EXPECT_TRUE(fake::log().empty()) << "nobody looks before a search gets there";
  EXPECT_EQ(find("a.so"), FoundBy::kCache);
  EXPECT_EQ(fake::log().front(), "status_of /etc/ld.so.cache");
  fake::replace_file(kCachePath, CacheBuilder().add("a.so", "/new/a.so").build());
  EXPECT_EQ(find("a.so"), FoundBy::kCache);
  EXPECT_EQ(opener_.found, "/old/a.so");
  searcher_.revalidate_cache();
  EXPECT_EQ(find("a.so"), FoundBy::kCache);
  EXPECT_EQ(opener_.found, "/new/a.so");
  EXPECT_EQ(fake::mappings(), 1);
}

TEST_F(SearcherTest, RevalidationSeesAppearingAndVanishingCaches) {
  fake::add_file("/x/a.so");
  start();
  EXPECT_EQ(find("a.so"), FoundBy::kNone);
  fake::add_file(kCachePath, CacheBuilder().add("a.so", "/x/a.so").build());
  searcher_.revalidate_cache();
  EXPECT_EQ(find("a.so"), FoundBy::kCache);
  fake::remove(kCachePath);
  searcher_.revalidate_cache();
  EXPECT_EQ(find("a.so"), FoundBy::kNone);
  EXPECT_EQ(fake::mappings(), 0);
}

TEST_F(SearcherTest, ExpandGivesTheTextItselfWithoutToken) {
  start();
  const char* text = "/a/b.so";
  EXPECT_EQ(*searcher_.expand(text, "/o"), text);
}

TEST_F(SearcherTest, ExpandOrRefuse) {
  start();
  EXPECT_STREQ(*searcher_.expand("$ORIGIN/b.so", "/o"), "/o/b.so");
  EXPECT_STREQ(*searcher_.expand("lib$PLATFORM.so", nullptr), "libhaswell.so");
  const auto refused = searcher_.expand("$ORIGIN/b.so", nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kEmptyToken);
  EXPECT_STREQ(refused.error().object, "$ORIGIN/b.so");
  EXPECT_FALSE(searcher_.expand("$ORIGIN", ""));
}

TEST_F(SearcherTest, ListsDirectories) {
  setup_.library_path = ":/env/";
  program_.rpath = "/m";
  const Requester library{.name = "l", .origin = "/l", .rpath = "$ORIGIN", .loader = &program_};
  Texts listed;
  const auto note = [](void* context, const char* path, FoundBy source) {
    static_cast<Texts*>(context)->push_back(std::to_string(static_cast<int>(source)) + path);
  };
  start();
  searcher_.for_each_directory(library, &program_, note, &listed);
  EXPECT_EQ(listed, (Texts{"2/l", "2/m", "3.", "3/env", "6/lib", "6/usr/lib"}));
  listed.clear();
  program_.runpath = "/run";
  program_.no_default_libraries = true;
  searcher_.for_each_directory(program_, &program_, note, &listed);
  EXPECT_EQ(listed, (Texts{"3.", "3/env", "4/run"}));
  EXPECT_TRUE(fake::log().empty());
}

TEST_F(SearcherTest, ListsAreKeptInSlotsAndGivenBack) {
  program_.runpath = "/run";
  start();
  find("a.so");
  DirectoryList* list = program_lists_[1];
  ASSERT_NE(list, nullptr);
  find("b.so");
  EXPECT_EQ(program_lists_[1], list);
  searcher_.release_list(list);
  program_lists_[1] = nullptr;
  find("c.so");
  EXPECT_EQ(program_lists_[1], list);  // the same block again
  searcher_.release_list(nullptr);
}

TEST_F(SearcherTest, AnOpenerKnowsTheStage) {
  setup_.library_path = "/env";
  program_.runpath = "/run";
  start();
  const struct {
    const char* file;
    FoundBy stage;
  } cases[] = {{"/env/a.so", FoundBy::kLibraryPath},
               {"/run/b.so", FoundBy::kRunpath},
               {"/usr/lib/c.so", FoundBy::kDefault}};
  for (const auto& one : cases) {
    fake::add_file(one.file);
    EXPECT_EQ(find(strrchr(one.file, '/') + 1), one.stage);
    EXPECT_EQ(opener_.source, one.stage) << one.file;
  }
}

TEST_F(SearcherTest, AuditorsAreFoundByTheProgramsRunpath) {
  program_.runpath = "/run";
  Requester loader{.name = "ld.so"};
  fake::add_file("/run/audit.so");
  start();
  EXPECT_EQ(find("audit.so", loader), FoundBy::kNone);
  loader.for_auditor = true;
  EXPECT_EQ(find("audit.so", loader), FoundBy::kRpath);
  EXPECT_EQ(opener_.found, "/run/audit.so");
}

TEST_F(SearcherTest, EveryCandidateIsShownToThoseWhoWatch) {
  setup_.hwcaps_supported = kHwcaps;
  setup_.every_candidate = true;
  start();
  EXPECT_EQ(tried("a.so"), (Texts{"/lib/glibc-hwcaps/v3/a.so", "/lib/glibc-hwcaps/v2/a.so",
                                  "/lib/a.so", "/usr/lib/glibc-hwcaps/v3/a.so",
                                  "/usr/lib/glibc-hwcaps/v2/a.so", "/usr/lib/a.so"}));
}

TEST_F(SearcherTest, OutOfMemoryIsSaidNotCrashed) {
  setup_.library_path = "/env:$ORIGIN/abcdefghijklmnopqrstuvwxyz";
  setup_.hwcaps_supported = kHwcaps;
  program_.rpath = "/r";
  fake::add_file("/usr/lib/a.so");
  tracer_.listen(bit(Topic::kLibs), &SearcherTest::listen, this);
  int outcomes[2] = {};
  for (size_t bytes = 16; bytes < 8192; bytes += 16) {
    std::unique_ptr<char, void (*)(void*)> block(static_cast<char*>(aligned_alloc(4096, 8192)),
                                                 &free);
    memset(block.get(), 0, 8192);
    Heap heap;
    heap.start(block.get(), bytes, nullptr, nullptr);
    program_lists_[0] = program_lists_[1] = nullptr;
    Searcher searcher;
    searcher.start(setup_, heap, tracer_);
    const FoundBy by = searcher.find("a.so", program_, &program_, &TestOpener::open, &opener_);
    EXPECT_TRUE(by == FoundBy::kOutOfMemory || by == FoundBy::kDefault);
    ++outcomes[by == FoundBy::kDefault ? 1 : 0];
  }
  EXPECT_GT(outcomes[0], 0);
  EXPECT_GT(outcomes[1], 0);
}

}  // namespace
}  // namespace prelude
