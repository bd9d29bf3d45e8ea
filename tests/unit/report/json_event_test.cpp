#include "src/report/json_event.h"

#include <gtest/gtest.h>
#include <algorithm>

#include "text_of.h"

namespace prelude::report {
namespace {

constexpr JsonStamp kStamp{.ns = 1234567, .pid = 10, .tid = 11};

std::string json(const Event& event) {
  return text_of([&](Writer& out) { write_json_event(out, kStamp, event); });
}

TEST(JsonEvent, Start) {
  EXPECT_EQ(text_of([](Writer& out) { write_json_start(out, 10); }),
            "[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":10,\"tid\":10,"
            "\"args\":{\"name\":\"prelude\"}}");
}

TEST(JsonEvent, BeginAndEnd) {
  EXPECT_EQ(json({.kind = EventKind::kRelocBegin,
                  .topic = Topic::kReloc,
                  .object = "/l/a.so",
                  .value = 1}),
            ",\n{\"name\":\"relocate /l/a.so\",\"cat\":\"reloc\",\"ph\":\"B\",\"ts\":1234.567,"
            "\"pid\":10,\"tid\":11,\"args\":{\"object\":\"/l/a.so\",\"lazy\":1}}");
  EXPECT_EQ(json({.kind = EventKind::kRelocEnd, .topic = Topic::kReloc, .object = "/l/a.so"}),
            ",\n{\"name\":\"relocate\",\"cat\":\"reloc\",\"ph\":\"E\",\"ts\":1234.567,"
            "\"pid\":10,\"tid\":11,\"args\":{\"object\":\"/l/a.so\"}}");
}

TEST(JsonEvent, InstantWithReason) {
  EXPECT_EQ(json({.kind = EventKind::kTryRefused,
                  .topic = Topic::kLibs,
                  .file = "/l/a.so",
                  .detail = "no such file"}),
            ",\n{\"name\":\"refused /l/a.so\",\"cat\":\"libs\",\"ph\":\"i\",\"ts\":1234.567,"
            "\"pid\":10,\"tid\":11,\"s\":\"t\",\"args\":{\"file\":\"/l/a.so\","
            "\"reason\":\"no such file\"}}");
}

TEST(JsonEvent, StringsAreEscaped) {
  const std::string text =
      json({.kind = EventKind::kTryFile, .topic = Topic::kLibs, .file = "a\"b\\c\n\xff\xc3\xa9"});
  EXPECT_NE(text.find("\"file\":\"a\\\"b\\\\c\\\\x0a\\\\xff\xc3\xa9\""), std::string::npos) << text;
}

TEST(JsonEvent, EveryKindBalancesItsBraces) {
  for (int kind = 0; kind <= static_cast<int>(EventKind::kError); ++kind) {
    const std::string text = json({.kind = static_cast<EventKind>(kind), .topic = Topic::kFiles});
    EXPECT_EQ(text.substr(0, 3), ",\n{");
    EXPECT_EQ(text.substr(text.size() - 2), "}}");
    EXPECT_EQ(std::count(text.begin(), text.end(), '"') % 2, 0) << text;
  }
}

}  // namespace
}  // namespace prelude::report
