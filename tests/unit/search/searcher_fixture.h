// A Searcher over the fake kernel, with an opener and a trace that are easy to compare.
#pragma once

#include <gtest/gtest.h>
#include <prelude/search/search.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cache_builder.h"
#include "tests/fakes/sys_fake.h"

namespace prelude {
namespace fake = sys::fake;
using search::CacheBuilder;
using Texts = std::vector<std::string>;

inline constexpr const char* kSystem[] = {"/lib", "/usr/lib", nullptr};
inline constexpr const char* kHwcaps[] = {"v3", "v2", nullptr};
inline constexpr const char* kNoHwcaps[] = {nullptr};
inline constexpr const char* kCachePath = "/etc/ld.so.cache";

/// Opens through the fake kernel; files may be marked as of another machine, or broken.
struct TestOpener {
  std::set<std::string> skipped, failed, barred;
  Texts tried;
  std::string found;
  FoundBy source = FoundBy::kNone;  ///< of the last one tried

  static Verdict open(void* context, const char* path, FoundBy source) {
    auto& self = *static_cast<TestOpener*>(context);
    self.tried.emplace_back(path);
    self.source = source;
    const auto fd = sys::open_for_reading(path);
    if (!fd && self.barred.count(path) != 0) return Verdict::kBarred;
    if (!fd) return Verdict::kAbsent;
    sys::close(*fd);
    if (self.skipped.count(path) != 0) return Verdict::kSkipped;
    if (self.failed.count(path) != 0) return Verdict::kFailed;
    self.found = path;
    return Verdict::kAccepted;
  }
};

class SearcherTest : public testing::Test {
 protected:
  SearcherTest() {
    fake::reset();
    setup_ = {.lib_token = "lib/x86_64-linux-gnu",
              .platform_token = "haswell",
              .system_directories = kSystem,
              .hwcaps_supported = kNoHwcaps,
              .hwcaps_prepend = nullptr,
              .hwcaps_mask = nullptr,
              .cache_path = kCachePath,
              .cache_flags = search::kX86Flags,
              .cache_isa_level = 2,
              .library_path = nullptr,
              .library_path_source = "LD_LIBRARY_PATH",
              .secure = false};
    program_ = {.name = "./prog",
                .origin = "/opt/app",
                .rpath_cache = &program_lists_[0],
                .runpath_cache = &program_lists_[1],
                .is_main = true};
    memory_.resize(256 * 1024);
    heap_.start(memory_.data(), memory_.size(), nullptr, nullptr);
  }
  ~SearcherTest() override { EXPECT_EQ(fake::open_descriptors(), 0); }

  void start() { searcher_.start(setup_, heap_, tracer_); }
  void start_traced() {
    tracer_.listen(bit(Topic::kLibs), &SearcherTest::listen, this);
    start();
  }
  FoundBy find(const char* name) { return find(name, program_); }
  FoundBy find(const char* name, const Requester& requester) {
    return find(name, requester, &program_);
  }
  FoundBy find(const char* name, const Requester& requester, const Requester* main) {
    opener_.tried.clear();
    opener_.found.clear();
    trace_.clear();
    fake::clear_log();
    return searcher_.find(name, requester, main, &TestOpener::open, &opener_);
  }
  Texts tried(const char* name) {
    find(name);
    return opener_.tried;
  }
  static void listen(void* context, const Event& event) {
    auto& trace = static_cast<SearcherTest*>(context)->trace_;
    switch (event.kind) {
      case EventKind::kSearchPath:
        trace.push_back(std::string("path=") + event.name + " (" + event.detail + ")");
        break;
      case EventKind::kSearchCache:
        trace.push_back(std::string("cache=") + event.file);
        break;
      case EventKind::kTryFile:
        trace.push_back(std::string("try=") + event.file);
        break;
      case EventKind::kTryRefused:
        trace.push_back(std::string("refused=") + event.file + " (" + event.detail + ")");
        break;
      default:
        FAIL();
    }
  }
  Texts paths_traced() const {
    Texts paths;
    for (const std::string& line : trace_)
      if (line.starts_with("path=")) paths.push_back(line.substr(5));
    return paths;
  }

  SearchSetup setup_;
  Requester program_;
  DirectoryList* program_lists_[2] = {};
  TestOpener opener_;
  Texts trace_;
  Tracer tracer_;
  Searcher searcher_;

 private:
  std::vector<char> memory_;

 protected:
  Heap heap_;
};

}  // namespace prelude
