#include <prelude/report/json_text.h>

#include <gtest/gtest.h>

#include "text_of.h"

namespace prelude::report {
namespace {

TEST(Json, MembersAndElementsHaveCommas) {
  const std::string text = text_of([](Writer& out) {
    Json json(out);
    json.object().text("a", "x").number("b", 7).array("c");
    json.text(nullptr, "y").boolean(nullptr, true).object().close().array().close().close();
    json.text("d", nullptr).close();
  });
  EXPECT_EQ(text, "{\n\"a\":\"x\",\n\"b\":7,\n\"c\":[\"y\",true,{},[]],\n\"d\":null\n}\n");
}

TEST(Json, EmptyOnes) {
  EXPECT_EQ(text_of([](Writer& out) { Json(out).object().close(); }), "{\n}\n");
  EXPECT_EQ(text_of([](Writer& out) { Json(out).array().close(); }), "[\n]\n");
}

TEST(Json, NamesFromOutsideAreEscaped) {
  EXPECT_EQ(text_of([](Writer& out) { put_json(out, "a\"\\\n\x80"); }), "a\\\"\\\\\\\\x0a\\\\x80");
}

}  // namespace
}  // namespace prelude::report
