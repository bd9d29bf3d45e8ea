// Where traces go: one write an event, files by process id, descriptors that get lost.
#include <gtest/gtest.h>
#include <prelude/report/debug_text.h>
#include <prelude/report/json_trace.h>

#include "tests/fakes/sys_fake.h"

namespace prelude::report {
namespace {

namespace fake = sys::fake;

constexpr Event kTry{.kind = EventKind::kTryFile, .topic = Topic::kLibs, .file = "/l/a.so"};
constexpr char kTryLine[] = "      1234:\t  trying file=/l/a.so\n";

class TraceOutput : public testing::Test {
 protected:
  void SetUp() override {
    fake::reset();
    fake::add_directory("/tmp");
  }
  void TearDown() override { fake::reset(); }
};

TEST_F(TraceOutput, DebugGoesToStandardError) {
  DebugText text;
  text.start(nullptr);
  text.print(kTry);
  EXPECT_EQ(fake::output(2), kTryLine);
  EXPECT_EQ(fake::output(1), "");
}

TEST_F(TraceOutput, OneWriteForAnEventOfManyLines) {
  DebugText text;
  text.start(nullptr);
  text.print({.kind = EventKind::kStatisticsStart, .topic = Topic::kStatistics, .value = 1});
  EXPECT_EQ(fake::count("write_all"), 1);
}

TEST_F(TraceOutput, LongTextLosesNothing) {
  const std::string name(5000, 'n');
  DebugText text;
  text.start(nullptr);
  text.print({.kind = EventKind::kTryFile, .topic = Topic::kLibs, .file = name.c_str()});
  EXPECT_EQ(fake::output(2), "      1234:\t  trying file=" + name + "\n");
}

TEST_F(TraceOutput, DebugFileIsOpenedAtTheFirstEvent) {
  DebugText text;
  text.start("/tmp/out");
  EXPECT_EQ(fake::count("open_for_trace"), 0);
  text.print(kTry);
  text.print(kTry);
  EXPECT_EQ(fake::count("open_for_trace /tmp/out.1234"), 1);
  EXPECT_EQ(fake::content("/tmp/out.1234"), std::string(kTryLine) + kTryLine);
  EXPECT_EQ(fake::output(2), "");
}

TEST_F(TraceOutput, FallsBackToStandardErrorAndDoesNotTryAgain) {
  fake::fail_path("open_for_trace", "/tmp/out.1234", sys::kEACCES);
  DebugText text;
  text.start("/tmp/out");
  text.print(kTry);
  text.print(kTry);
  EXPECT_EQ(fake::output(2), std::string(kTryLine) + kTryLine);
  EXPECT_EQ(fake::count("open_for_trace"), 1);
}

TEST_F(TraceOutput, NothingIsWrittenWithoutFallback) {
  DebugText text;
  text.start(nullptr, -1);
  text.print(kTry);
  EXPECT_EQ(fake::count("write_all"), 0);
}

void call_printf(DebugText* text, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  debug_printf(*text, format, arguments);
  va_end(arguments);
}

TEST_F(TraceOutput, PrintfOfLibc) {
  DebugText text;
  text.start(nullptr);
  call_printf(&text, "\ninitialize program: %s\n\n", "./m");
  EXPECT_EQ(fake::output(2),
            "      1234:\t\n      1234:\tinitialize program: ./m\n      1234:\t\n");
  EXPECT_EQ(fake::count("write_all"), 1);
}

TEST_F(TraceOutput, ListensToATracer) {
  DebugText text;
  text.start(nullptr);
  Tracer tracer;
  ASSERT_TRUE(tracer.listen(bit(Topic::kFiles), DebugText::on_event, &text));
  tracer.emit(kTry);
  EXPECT_EQ(fake::output(2), "");
}

TEST_F(TraceOutput, AForkedChildGetsItsOwnFile) {
  TraceFile file;
  file.start("/t", TraceFile::Naming::kWithPid, nullptr);
  const int parent = file.descriptor(10);
  EXPECT_EQ(file.descriptor(10), parent);
  const int child = file.descriptor(11);
  EXPECT_EQ(fake::count("open_for_trace /t.10"), 1);
  EXPECT_EQ(fake::count("open_for_trace /t.11"), 1);
  EXPECT_EQ(fake::open_descriptors(), 1);  // the child gave up the parent's
  sys::write_all(child, "c", 1);
  EXPECT_EQ(fake::content("/t.11"), "c");
}

TEST_F(TraceOutput, ADescriptorThatBecameAnotherFileIsLeftAlone) {
  fake::add_file("/data");
  TraceFile file;
  file.start("/t", TraceFile::Naming::kWithPid, nullptr);
  const int first = file.descriptor(10);
  sys::close(first);
  const auto other = sys::open_for_trace("/data");
  ASSERT_TRUE(other.ok());
  const int second = file.descriptor(10);
  EXPECT_NE(second, *other);
  sys::write_all(second, "x", 1);
  EXPECT_EQ(fake::content("/data"), "");
  EXPECT_EQ(fake::content("/t.10"), "x");
  EXPECT_EQ(fake::open_descriptors(), 2);
}

TEST_F(TraceOutput, PlainNameForTheFirstProcessOnly) {
  const auto header = [](int fd, int) { sys::write_all(fd, "[", 1); };
  TraceFile file;
  file.start("/t", TraceFile::Naming::kWithPidIfTaken, header);
  file.descriptor(10);
  EXPECT_EQ(fake::content("/t"), "[");
  file.descriptor(11);
  EXPECT_EQ(fake::content("/t.11"), "[");
  file.descriptor(10);  // back in the parent of a vfork
  EXPECT_EQ(fake::content("/t"), "[");
  EXPECT_EQ(fake::count("open_for_trace /t.10"), 0);
}

TEST_F(TraceOutput, JsonIsCompleteAfterFinish) {
  JsonTrace json;
  json.start("/t.json");
  json.write(kTry);
  json.finish();
  json.write(kTry);  // dropped
  json.finish();
  const std::string text = fake::content("/t.json");
  EXPECT_EQ(text.substr(0, 3), "[\n{");
  EXPECT_EQ(text.substr(text.size() - 5), "}}\n]\n");
  EXPECT_EQ(fake::count("write_all"), 3);
}

TEST_F(TraceOutput, JsonLeavesAFileWithContentAlone) {
  fake::add_file("/t.json", "mine");
  JsonTrace json;
  json.start("/t.json");
  json.write(kTry);
  EXPECT_EQ(fake::content("/t.json"), "mine");
  EXPECT_EQ(fake::content("/t.json.1234").substr(0, 3), "[\n{");
}

TEST_F(TraceOutput, JsonWithoutAFileIsSilent) {
  fake::fail("open_for_trace", sys::kEACCES, 0, 100);
  JsonTrace json;
  json.start("/t.json");
  json.write(kTry);
  json.finish();
  EXPECT_EQ(fake::count("write_all"), 0);
}

}  // namespace
}  // namespace prelude::report
