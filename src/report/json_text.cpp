#include <prelude/report/json_text.h>

#include "names.h"

namespace prelude::report {
namespace {

constexpr size_t kPieceSize = 128;

void escape_piece(void* context, const char* text, size_t bytes) {
  Writer& out = *static_cast<Writer*>(context);
  for (size_t i = 0; i < bytes; ++i) {
    if (text[i] == '"' || text[i] == '\\') out.put('\\');
    out.put(text[i]);
  }
}

}  // namespace

void put_json(Writer& out, const char* text) {
  char piece[kPieceSize];
  Writer escaping(piece, sizeof piece, escape_piece, &out);
  put_whole(escaping, text);
  escaping.flush();
}

Writer& Json::start(const char* key) {
  const uint64_t here = uint64_t{1} << depth_;
  if ((filled_ & here) != 0) out_.put(',');
  filled_ |= here;
  if (depth_ == 1) out_.put("\n");  // a line for each member of the outermost
  if (key != nullptr) put_json(out_.put('"'), key), out_.put("\":");
  return out_;
}

Json& Json::open(const char* key, bool is_array) {
  start(key).put(is_array ? '[' : '{');
  ++depth_;
  const uint64_t here = uint64_t{1} << depth_;
  filled_ &= ~here;
  arrays_ = is_array ? arrays_ | here : arrays_ & ~here;
  return *this;
}

Json& Json::object(const char* key) { return open(key, false); }
Json& Json::array(const char* key) { return open(key, true); }

Json& Json::close() {
  const bool is_array = (arrays_ >> depth_ & 1) != 0;
  --depth_;
  if (depth_ == 0) out_.put('\n');
  out_.put(is_array ? ']' : '}');
  if (depth_ == 0) out_.put('\n');
  return *this;
}

Json& Json::text(const char* key, const char* value) {
  Writer& out = start(key);
  if (value == nullptr) {
    out.put("null");
  } else {
    put_json(out.put('"'), value);
    out.put('"');
  }
  return *this;
}

Json& Json::number(const char* key, uint64_t value) {
  start(key).decimal(value);
  return *this;
}

Json& Json::boolean(const char* key, bool value) {
  start(key).put(value ? "true" : "false");
  return *this;
}

}  // namespace prelude::report
