#include <gtest/gtest.h>
#include <prelude/options/options.h>
#include <prelude/trace/trace.h>

#include <deque>
#include <string>
#include <vector>

namespace prelude {
namespace {

/// Owns the vectors of a process.
class Start {
 public:
  Start(std::vector<std::string> argv, std::vector<std::string> envp)
      : argv_text_(std::move(argv)), envp_text_(std::move(envp)) {
    for (std::string& text : argv_text_) argv_.push_back(text.data());
    for (std::string& text : envp_text_) envp_.push_back(text.data());
    argv_.push_back(nullptr);
    envp_.push_back(nullptr);
  }
  ParsedOptions parse(bool direct, bool secure = false) {
    const Process process{static_cast<int>(argv_.size()) - 1, argv_.data(), envp_.data(), secure};
    ParsedOptions out;
    parse_options(process, direct, out);
    return out;
  }
  [[nodiscard]] std::vector<std::string> environment() const {
    std::vector<std::string> left;
    for (char* const* entry = envp_.data(); *entry != nullptr; ++entry) left.emplace_back(*entry);
    return left;
  }

 private:
  std::vector<std::string> argv_text_, envp_text_;
  std::vector<char*> argv_, envp_;
};

/// Keeps a process until the end: parsed options point into it.
Start& kept(std::vector<std::string> argv, std::vector<std::string> envp) {
  static std::deque<Start> starts;
  return starts.emplace_back(std::move(argv), std::move(envp));
}
ParsedOptions with_environment(std::vector<std::string> envp) {
  return kept({"prog"}, std::move(envp)).parse(false);
}
ParsedOptions with_arguments(std::vector<std::string> words, std::vector<std::string> envp = {}) {
  words.insert(words.begin(), "ld.so");
  return kept(std::move(words), std::move(envp)).parse(true);
}

std::vector<std::string> warnings(const ParsedOptions& parsed) {
  std::vector<std::string> words;
  for (int i = 0; i < parsed.warning_count; ++i)
    words.emplace_back(parsed.warnings[i].word, parsed.warnings[i].size);
  return words;
}

TEST(Environment, DefaultsWithoutVariables) {
  const Options options = with_environment({}).options;
  EXPECT_EQ(options.mode, Mode::kRun);
  EXPECT_FALSE(options.bind_now);
  EXPECT_TRUE(options.hints);
  EXPECT_EQ(options.library_path, nullptr);
  EXPECT_EQ(options.debug_mask, 0U);
  EXPECT_EQ(options.program_index, 0);
}

TEST(Environment, ReadsEveryText) {
  const Options options =
      with_environment({"LD_LIBRARY_PATH=/a:/b", "LD_PRELOAD=p.so", "LD_AUDIT=a.so",
                        "LD_DEBUG_OUTPUT=/tmp/x", "LD_ORIGIN_PATH=/o", "LD_TRACE_JSON=/tmp/j"})
          .options;
  EXPECT_STREQ(options.library_path, "/a:/b");
  EXPECT_FALSE(options.library_path_from_option);
  EXPECT_STREQ(options.env_preload, "p.so");
  EXPECT_STREQ(options.env_audit, "a.so");
  EXPECT_STREQ(options.debug_output, "/tmp/x");
  EXPECT_STREQ(options.origin_path, "/o");
  EXPECT_STREQ(options.trace_json, "/tmp/j");
}

TEST(Environment, EmptyTextCountsAsNotSet) {
  const Options options =
      with_environment({"LD_LIBRARY_PATH=", "LD_PRELOAD=", "LD_DEBUG_OUTPUT=", "LD_ORIGIN_PATH="})
          .options;
  EXPECT_EQ(options.library_path, nullptr);
  EXPECT_EQ(options.env_preload, nullptr);
  EXPECT_EQ(options.debug_output, nullptr);
  EXPECT_STREQ(options.origin_path, "");  // the root, as it were
}

TEST(Environment, FlagsThatNeedAValue) {
  const Options set =
      with_environment({"LD_BIND_NOW=1", "LD_BIND_NOT=x", "LD_WARN=yes", "LD_VERBOSE=0"}).options;
  EXPECT_TRUE(set.bind_now && set.bind_not && set.warn && set.verbose);
  const Options empty =
      with_environment({"LD_BIND_NOW=", "LD_BIND_NOT=", "LD_WARN=", "LD_VERBOSE="}).options;
  EXPECT_FALSE(empty.bind_now || empty.bind_not || empty.warn || empty.verbose);
}

TEST(Environment, FlagsWithAnyValue) {
  const Options options =
      with_environment({"LD_DYNAMIC_WEAK=", "LD_SHOW_AUXV=", "LD_TRACE_LOADED_OBJECTS="}).options;
  EXPECT_TRUE(options.dynamic_weak && options.show_auxv && options.trace_objects);
  EXPECT_EQ(options.trace_level, 0U);
}

TEST(Environment, TraceLevelIsANumber) {
  EXPECT_EQ(with_environment({"LD_TRACE_LOADED_OBJECTS=2"}).options.trace_level, 2U);
  EXPECT_EQ(with_environment({"LD_TRACE_LOADED_OBJECTS=yes"}).options.trace_level, 0U);
  EXPECT_EQ(with_environment({"LD_TRACE_LOADED_OBJECTS= \t+0x1F"}).options.trace_level, 31U);
  EXPECT_EQ(with_environment({"LD_TRACE_LOADED_OBJECTS=017"}).options.trace_level, 15U);
  EXPECT_EQ(with_environment({"LD_TRACE_LOADED_OBJECTS=0x"}).options.trace_level, 0U);
  EXPECT_EQ(with_environment({"LD_TRACE_LOADED_OBJECTS=-1"}).options.trace_level, UINT32_MAX);
  EXPECT_EQ(with_environment({"LD_TRACE_LOADED_OBJECTS=-0"}).options.trace_level, 0U);
  EXPECT_EQ(with_environment({"LD_TRACE_LOADED_OBJECTS=99999999999"}).options.trace_level,
            UINT32_MAX);
}

TEST(Environment, NotesThatThereMayBeTunables) {
  EXPECT_TRUE(with_environment({"GLIBC_TUNABLES="}).options.tunables);
  EXPECT_TRUE(with_environment({"LD_PREFER_MAP_32BIT_EXEC=1"}).options.tunables);
  EXPECT_FALSE(with_environment({"GLIBC_TUNABLE=", "LD_PREFER_MAP_32BIT=1"}).options.tunables);
  EXPECT_FALSE(with_environment({"GLIBC_TUNABLES=glibc.rtld.enable_secure=1"}).options.tunables);
}

TEST(Environment, HintsGoOffWithZeroOnly) {
  EXPECT_FALSE(with_environment({"LD_HINTS=0"}).options.hints);
  EXPECT_TRUE(with_environment({"LD_HINTS=1"}).options.hints);
  EXPECT_TRUE(with_environment({"LD_HINTS="}).options.hints);
}

TEST(Environment, LastCopyCounts) {  // measured, glibc 2.36
  const Options options = with_environment({"LD_LIBRARY_PATH=/a", "LD_BIND_NOW=1",
                                            "LD_LIBRARY_PATH=/b", "LD_BIND_NOW="})
                              .options;
  EXPECT_STREQ(options.library_path, "/b");
  EXPECT_FALSE(options.bind_now);
}

TEST(Environment, IgnoresWhatIsNoEntryOrNotOurs) {
  Start start({"prog"}, {"", "=x", "LD_PRELOAD", "LD_", "LD_=1", "LD_PRELOADX=a", "XLD_PRELOAD=b",
                         "LD_PROFILE=c", "L"});
  const Options options = start.parse(false).options;
  EXPECT_EQ(options.env_preload, nullptr);
  EXPECT_EQ(start.environment().size(), 9U);
}

TEST(DebugWords, SplitsAtColonCommaAndBlank) {
  const ParsedOptions parsed = with_environment({"LD_DEBUG=::scopes,tls unused:,statistics "});
  EXPECT_EQ(parsed.options.debug_mask,
            bit(Topic::kScopes) | bit(Topic::kTls) | bit(Topic::kUnused) | bit(Topic::kStatistics));
  EXPECT_EQ(parsed.warning_count, 0);
}

TEST(DebugWords, MostTopicsBringTheCalls) {
  const struct {
    const char* entry;
    Topic topic;
  } cases[] = {{"LD_DEBUG=libs", Topic::kLibs},         {"LD_DEBUG=reloc", Topic::kReloc},
               {"LD_DEBUG=files", Topic::kFiles},       {"LD_DEBUG=symbols", Topic::kSymbols},
               {"LD_DEBUG=bindings", Topic::kBindings}, {"LD_DEBUG=versions", Topic::kVersions}};
  for (const auto& item : cases)
    EXPECT_EQ(with_environment({item.entry}).options.debug_mask,
              bit(item.topic) | bit(Topic::kImpcalls))
        << item.entry;
}

TEST(DebugWords, AllLeavesThreeOut) {
  const Options options = with_environment({"LD_DEBUG=all"}).options;
  EXPECT_EQ(options.debug_mask,
            8191U & ~(bit(Topic::kStatistics) | bit(Topic::kUnused) | bit(Topic::kHelp)));
  EXPECT_FALSE(options.debug_help);
}

TEST(DebugWords, HelpAndJsonAreNoTopics) {
  const Options options = with_environment({"LD_DEBUG=help,json"}).options;
  EXPECT_TRUE(options.debug_help && options.debug_json);
  EXPECT_EQ(options.debug_mask, 0U);
}

TEST(DebugWords, JsonTakesTheOtherWords) {
  constexpr uint32_t kUnused = bit(Topic::kUnused), kScopes = bit(Topic::kScopes);
  Options options = with_environment({"LD_DEBUG=scopes,json:unused"}).options;
  EXPECT_EQ(options.json_mask, kScopes);
  EXPECT_EQ(options.debug_mask, kUnused);
  options = with_environment({"LD_DEBUG=json"}).options;
  EXPECT_EQ(options.debug_mask, 0U);
  EXPECT_NE(options.json_mask & bit(Topic::kLibs), 0U);
  EXPECT_EQ(options.json_mask & bit(Topic::kSymbols), 0U);
  options = with_environment({"LD_TRACE_JSON=/j", "LD_DEBUG=scopes"}).options;
  EXPECT_EQ(options.debug_mask, kScopes);
  EXPECT_NE(options.json_mask & bit(Topic::kLibs), 0U);
}

TEST(DebugWords, AMinusTakesAWordBackWhereTheReleaseHasIt) {
  ParsedOptions parsed = with_environment({"LD_DEBUG=-reloc,all,-files:-odd -help reloc"});
  const uint32_t all = parsed.options.debug_mask;
  EXPECT_NE(all & bit(Topic::kFiles), 0U);
  EXPECT_EQ(parsed.warning_count, 4);
  ASSERT_TRUE(parsed.takes_words_back);
  take_words_back(parsed);
  EXPECT_EQ(parsed.options.debug_mask, all & ~bit(Topic::kFiles));
  ASSERT_EQ(parsed.warning_count, 1);
  EXPECT_EQ(std::string_view(parsed.warnings[0].word, parsed.warnings[0].size), "-odd");
}

TEST(DebugWords, UnknownWordsAreNamed) {  // a semicolon does not separate: measured
  const ParsedOptions parsed = with_environment({"LD_DEBUG=bogus;x,, libs2", "LD_DEBUG=lib"});
  EXPECT_EQ(warnings(parsed), (std::vector<std::string>{"bogus;x", "libs2", "lib"}));
  EXPECT_EQ(parsed.options.debug_mask, 0U);
}

TEST(DebugWords, TooManyUnknownWordsAreCut) {
  const ParsedOptions parsed = with_environment({"LD_DEBUG=1:2:3:4:5:6:7:8:9:10:libs"});
  EXPECT_EQ(parsed.warning_count, kMaxDebugWarnings);
  EXPECT_NE(parsed.options.debug_mask, 0U);
}

TEST(Secure, NothingHasAnEffect) {
  Start start({"prog"},
              {"LD_LIBRARY_PATH=/a", "LD_PRELOAD=/p.so", "LD_AUDIT=a", "LD_DEBUG=all:what:help",
               "LD_DEBUG_OUTPUT=/x", "LD_BIND_NOW=1", "LD_BIND_NOT=1", "LD_WARN=1", "LD_VERBOSE=1",
               "LD_SHOW_AUXV=1", "LD_DYNAMIC_WEAK=1", "LD_ORIGIN_PATH=/o", "LD_TRACE_JSON=/j",
               "LD_TRACE_LOADED_OBJECTS=1", "LD_HINTS=1"});
  const ParsedOptions parsed = start.parse(false, true);
  const Options& options = parsed.options;
  EXPECT_TRUE(options.secure);
  EXPECT_EQ(options.library_path, nullptr);
  EXPECT_EQ(options.env_preload, nullptr);
  EXPECT_EQ(options.env_audit, nullptr);
  EXPECT_EQ(options.debug_output, nullptr);
  EXPECT_EQ(options.origin_path, nullptr);
  EXPECT_EQ(options.trace_json, nullptr);
  EXPECT_EQ(options.debug_mask, 0U);
  EXPECT_EQ(parsed.warning_count, 0);
  EXPECT_FALSE(options.debug_help || options.bind_now || options.bind_not || options.warn ||
               options.verbose || options.show_auxv || options.dynamic_weak ||
               options.trace_objects || options.hints);
  EXPECT_TRUE(options.refuse_trace);
  EXPECT_STREQ(options.secure_preload, "/p.so");
  EXPECT_TRUE(start.environment().empty());
}

TEST(Secure, ATunableAsksForIt) {
  for (const char* tunables :
       {"glibc.rtld.enable_secure=1", "a=b:glibc.rtld.enable_secure=0x01",
        "glibc.rtld.enable_secure=0:glibc.rtld.enable_secure=1", ":x:glibc.rtld.enable_secure=1"}) {
    Start start({"ld.so", "prog"}, {"LD_DEBUG=all:what", "LD_LIBRARY_PATH=/a", "A=1",
                                    std::string("GLIBC_TUNABLES=") + tunables, "LD_WARN=1"});
    const ParsedOptions parsed = start.parse(true);
    EXPECT_TRUE(parsed.options.secure && parsed.options.direct) << tunables;
    EXPECT_FALSE(parsed.options.hints || parsed.options.warn);
    EXPECT_EQ(parsed.options.library_path, nullptr);
    EXPECT_EQ(parsed.options.debug_mask, 0U);
    EXPECT_EQ(parsed.warning_count, 0);
    EXPECT_EQ(start.environment(), std::vector<std::string>{"A=1"});
  }
}

TEST(Secure, OtherTunablesDoNot) {
  for (const char* tunables :
       {"", ":", "glibc.rtld.enable_secure",
        "glibc.rtld.enable_secure=", "glibc.rtld.enable_secure=0", "glibc.rtld.enable_secure=2",
        "glibc.rtld.enable_secure=10", "glibc.rtld.enable_secure=1x", "glibc.rtld.enable_secure=1:",
        "glibc.rtld.enable_secure=1=1", "glibc.rtld.enable_secure=1:x",
        "glibc.rtld.enable_secure=1:glibc.rtld.enable_secure=0", "glibc.rtld.enable_securex=1",
        "xglibc.rtld.enable_secure=1", "glibc.rtld.enable_secure=0x"}) {
    Start start({"prog"}, {std::string("GLIBC_TUNABLES=") + tunables, "LD_WARN=1"});
    const ParsedOptions parsed = start.parse(false);
    EXPECT_FALSE(parsed.options.secure) << tunables;
    EXPECT_TRUE(parsed.options.warn);
    EXPECT_EQ(start.environment().size(), 2U);
  }
}

TEST(Secure, RemovesEveryUnsafeName) {
  const std::vector<std::string> unsafe = {"GCONV_PATH",
                                           "GETCONF_DIR",
                                           "HOSTALIASES",
                                           "LD_AUDIT",
                                           "LD_DEBUG",
                                           "LD_DEBUG_OUTPUT",
                                           "LD_DYNAMIC_WEAK",
                                           "LD_HWCAP_MASK",
                                           "LD_LIBRARY_PATH",
                                           "LD_ORIGIN_PATH",
                                           "LD_PRELOAD",
                                           "LD_PROFILE",
                                           "LD_SHOW_AUXV",
                                           "LOCALDOMAIN",
                                           "LOCPATH",
                                           "MALLOC_CHECK_",
                                           "MALLOC_TRACE",
                                           "NIS_PATH",
                                           "NLSPATH",
                                           "RESOLV_HOST_CONF",
                                           "RES_OPTIONS",
                                           "TMPDIR",
                                           "TZDIR",
                                           "GLIBC_TUNABLES",
                                           "LD_BIND_NOT",
                                           "LD_BIND_NOW",
                                           "LD_VERBOSE",
                                           "LD_WARN",
                                           "MALLOC_ARENA_MAX",
                                           "MALLOC_ARENA_TEST",
                                           "MALLOC_MMAP_MAX_",
                                           "MALLOC_MMAP_THRESHOLD_",
                                           "MALLOC_PERTURB_",
                                           "MALLOC_TOP_PAD_",
                                           "MALLOC_TRIM_THRESHOLD_",
                                           "LD_ANYTHING",
                                           "PRELUDE_CACHE",
                                           "PRELUDE_"};
  for (const std::string& name : unsafe) {
    Start start({"prog"}, {name + "=1", "A=1", name + "=2", name + "="});
    start.parse(false, true);
    EXPECT_EQ(start.environment(), std::vector<std::string>{"A=1"}) << name;
  }
}

TEST(Secure, KeepsTheRestInOrder) {
  const std::vector<std::string> kept = {"PATH=/bin", "TZ=UTC",   "LANG=C",    "=x",      "NOEQ",
                                         "",          "LD_DEBUG", "TMPDIRX=1", "xTZDIR=2"};
  std::vector<std::string> given = kept;
  given.insert(given.begin() + 2, "LD_PRELOAD=x");
  given.insert(given.begin(), "TZDIR=y");
  given.emplace_back("LD_PRELOAD=z");
  Start start({"prog"}, given);
  start.parse(false, true);
  EXPECT_EQ(start.environment(), kept);
}

TEST(Secure, NormalModeRemovesNothing) {
  Start start({"prog"}, {"LD_PRELOAD=x", "PRELUDE_X=1", "TZDIR=y"});
  start.parse(false);
  EXPECT_EQ(start.environment().size(), 3U);
}

TEST(CommandLine, IsNotReadUnderTheKernel) {
  const ParsedOptions parsed = Start({"prog", "--list", "--bogus"}, {}).parse(false);
  EXPECT_EQ(parsed.options.mode, Mode::kRun);
  EXPECT_EQ(parsed.usage.kind, UsageError::Kind::kNone);
}

TEST(CommandLine, QuestionsAreListings) {
  struct Case {
    const char* word;
    Question question;
    bool has_argument;
  };
  for (const Case& one : {Case{"--explain", Question::kSymbol, true},
                          {"--why", Question::kLibrary, true},
                          {"--graph", Question::kGraph, true},
                          {"--collisions", Question::kCollisions, false},
                          {"--stats", Question::kStatistics, false},
                          {"--init-order", Question::kInitOrder, false},
                          {"--simulate-dlopen", Question::kOpen, true},
                          {"--diff-env", Question::kDifference, true},
                          {"--cache-status", Question::kCaches, false}}) {
    const ParsedOptions parsed = with_arguments({one.word, "x", "prog"}, {});
    EXPECT_EQ(parsed.options.question, one.question) << one.word;
    EXPECT_EQ(parsed.options.mode, Mode::kList);
    EXPECT_EQ(parsed.options.program_index, one.has_argument ? 3 : 2);
    EXPECT_EQ(parsed.options.question_argument != nullptr, one.has_argument);
    EXPECT_FALSE(parsed.options.json);
    const auto bare = with_arguments({one.word}, {}).usage.kind;
    EXPECT_EQ(bare, one.has_argument ? UsageError::Kind::kUnrecognised
                                     : UsageError::Kind::kMissingProgram);
  }
}

TEST(CommandLine, TheLastQuestionCounts) {
  const Options options =
      with_arguments({"--why", "a", "--json", "--explain", "b", "--stats", "p"}, {}).options;
  EXPECT_EQ(options.question, Question::kStatistics);
  EXPECT_EQ(options.question_argument, nullptr);
  EXPECT_TRUE(options.json);
}

TEST(CommandLine, ATraceIsNoQuestion) {
  const Options options = with_arguments({"--trace", "/j", "p"}, {"LD_TRACE_JSON=/k"}).options;
  EXPECT_STREQ(options.trace_json, "/j");
  EXPECT_EQ(options.mode, Mode::kRun);
  EXPECT_NE(options.json_mask, 0U);
}

TEST(CommandLine, ReadsEveryText) {
  const Options options =
      with_arguments({"--library-path", "/l", "--glibc-hwcaps-prepend", "p", "--glibc-hwcaps-mask",
                      "m", "--inhibit-rpath", "i", "--audit", "a", "--preload", "q", "--argv0", "z",
                      "--inhibit-cache", "prog", "--list"},
                     {"LD_LIBRARY_PATH=/env", "LD_PRELOAD=e"})
          .options;
  EXPECT_STREQ(options.self, "ld.so");
  EXPECT_STREQ(options.library_path, "/l");
  EXPECT_TRUE(options.library_path_from_option);
  EXPECT_STREQ(options.hwcaps_prepend, "p");
  EXPECT_STREQ(options.hwcaps_mask, "m");
  EXPECT_STREQ(options.inhibit_rpath, "i");
  EXPECT_STREQ(options.option_audit[0], "a");
  EXPECT_STREQ(options.option_preload, "q");
  EXPECT_STREQ(options.env_preload, "e");
  EXPECT_STREQ(options.argv0, "z");
  EXPECT_TRUE(options.inhibit_cache);
  EXPECT_EQ(options.program_index, 16);
  EXPECT_EQ(options.mode, Mode::kRun);
}

TEST(CommandLine, EmptyLibraryPathReplacesTheVariable) {
  const Options options =
      with_arguments({"--library-path", "", "prog"}, {"LD_LIBRARY_PATH=/env"}).options;
  EXPECT_EQ(options.library_path, nullptr);
  EXPECT_TRUE(options.library_path_from_option);
}

TEST(CommandLine, EmptyListsStay) {
  const Options options =
      with_arguments({"--inhibit-rpath", "", "--glibc-hwcaps-mask", "", "prog"}).options;
  EXPECT_STREQ(options.inhibit_rpath, "");
  EXPECT_STREQ(options.hwcaps_mask, "");
}

TEST(CommandLine, LastModeCounts) {
  EXPECT_EQ(with_arguments({"--list", "--verify", "p"}).options.mode, Mode::kVerify);
  EXPECT_EQ(with_arguments({"--verify", "--list", "p"}).options.mode, Mode::kList);
  EXPECT_EQ(with_arguments({"--list-tunables", "--help"}).options.mode, Mode::kHelp);
  EXPECT_EQ(with_arguments({"--help", "--list-tunables"}).options.mode, Mode::kListTunables);
  EXPECT_EQ(with_arguments({"--help", "--verify"}).options.mode, Mode::kHelp);
  EXPECT_EQ(with_arguments({"--help", "--list", "prog"}).options.mode, Mode::kHelp);
}

TEST(CommandLine, InformationNeedsNoProgram) {
  for (const char* word : {"--help", "--version", "--list-tunables", "--list-diagnostics"})
    EXPECT_EQ(with_arguments({word}).usage.kind, UsageError::Kind::kNone) << word;
  EXPECT_EQ(with_arguments({"--help", "p"}).options.program_index, 2);
}

TEST(CommandLine, VersionWinsAtOnce) {
  const ParsedOptions parsed = with_arguments({"--version", "--bogus"});
  EXPECT_EQ(parsed.options.mode, Mode::kVersion);
  EXPECT_EQ(parsed.usage.kind, UsageError::Kind::kNone);
}

TEST(CommandLine, UnrecognisedWords) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--bogus", "p"},
                                                {"--library-path=/a", "p"},
                                                {"--library-path"},
                                                {"--help", "--bogus"},
                                                {"--list", "--argv0"},
                                                {"--list-diagnostics", "---"}}) {
    const ParsedOptions parsed = with_arguments(words);
    EXPECT_EQ(parsed.usage.kind, UsageError::Kind::kUnrecognised) << words.back();
    EXPECT_EQ(std::string(parsed.usage.option).substr(0, 2), "--");
  }
  EXPECT_STREQ(with_arguments({"--list", "--argv0"}).usage.option, "--argv0");
}

TEST(CommandLine, MissingProgram) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"--library-path", "x"},
                                                {"--argv0", "--list"},
                                                {"--"},
                                                {"--list"}})
    EXPECT_EQ(with_arguments(words).usage.kind, UsageError::Kind::kMissingProgram);
}

TEST(CommandLine, ProgramIsTheFirstWordWithoutTwoDashes) {
  EXPECT_EQ(with_arguments({"-h", "--list"}).options.program_index, 1);
  EXPECT_EQ(with_arguments({"-"}).options.program_index, 1);
  EXPECT_EQ(with_arguments({""}).options.program_index, 1);
  EXPECT_EQ(with_arguments({"--", "--list"}).options.program_index, 2);
  EXPECT_EQ(with_arguments({"--list", "--", "p"}).options.program_index, 3);
}

TEST(CommandLine, NoArgumentsAtAll) {
  const ParsedOptions parsed = Start({}, {}).parse(true);
  EXPECT_EQ(parsed.usage.kind, UsageError::Kind::kMissingProgram);
  EXPECT_EQ(parsed.options.self, nullptr);
}

}  // namespace
}  // namespace prelude
