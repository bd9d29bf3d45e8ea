#include <prelude/report/format.h>

#include <prelude/base/string.h>

namespace prelude::report {
namespace {

constexpr size_t kMaxField = 4096;  // a width from a broken format must not keep us busy

struct Directive {
  bool zero_pad = false;
  bool left = false;
  bool wide = false;  // 64-bit argument
  bool has_precision = false;
  size_t width = 0;
  size_t precision = 0;
};

/// va_list as a struct member: passing it on by reference works on every machine.
struct Arguments {
  va_list list;
};

size_t number_or_star(const char*& at, Arguments& arguments) {
  if (*at == '*') {
    ++at;
    const int given = va_arg(arguments.list, int);
    return given < 0 ? 0 : static_cast<size_t>(given);
  }
  size_t value = 0;
  for (; *at >= '0' && *at <= '9'; ++at)
    if (value < kMaxField) value = value * 10 + static_cast<size_t>(*at - '0');
  return value;
}

Directive parse(const char*& at, Arguments& arguments) {
  Directive result;
  for (; *at == '0' || *at == '-'; ++at) (*at == '0' ? result.zero_pad : result.left) = true;
  result.width = number_or_star(at, arguments);
  if (result.width > kMaxField) result.width = kMaxField;
  if (*at == '.') {
    ++at;
    result.has_precision = true;
    result.precision = number_or_star(at, arguments);
  }
  for (; *at == 'l' || *at == 'z' || *at == 'Z' || *at == 't'; ++at) result.wide = true;
  return result;
}

void put_field(Writer& out, std::string_view text, const Directive& directive, bool negative) {
  const size_t used = text.size() + (negative ? 1 : 0);
  const size_t fill = directive.width > used ? directive.width - used : 0;
  const bool zeros = directive.zero_pad && !directive.left;
  if (!zeros && !directive.left)
    for (size_t i = 0; i < fill; ++i) out.put(' ');
  if (negative) out.put('-');
  if (zeros)
    for (size_t i = 0; i < fill; ++i) out.put('0');
  out.put(text);
  if (directive.left)
    for (size_t i = 0; i < fill; ++i) out.put(' ');
}

void put_integer(Writer& out, uint64_t value, unsigned base, const Directive& directive,
                 bool negative) {
  char digits[24];
  char* at = digits + sizeof digits;
  do {
    const auto digit = static_cast<unsigned>(value % base);
    *--at = static_cast<char>(digit < 10 ? '0' + digit : 'a' + digit - 10);
    value /= base;
  } while (value != 0);
  put_field(out, {at, static_cast<size_t>(digits + sizeof digits - at)}, directive, negative);
}

void put_signed(Writer& out, const Directive& directive, Arguments& arguments) {
  const int64_t value = directive.wide ? va_arg(arguments.list, long) : va_arg(arguments.list, int);
  const auto bits = static_cast<uint64_t>(value);
  put_integer(out, value < 0 ? 0 - bits : bits, 10, directive, value < 0);
}

void put_unsigned(Writer& out, unsigned base, const Directive& directive, Arguments& arguments) {
  const uint64_t value =
      directive.wide ? va_arg(arguments.list, unsigned long) : va_arg(arguments.list, unsigned);
  put_integer(out, value, base, directive, false);
}

void put_string(Writer& out, Directive directive, Arguments& arguments) {
  const char* text = va_arg(arguments.list, const char*);
  if (text == nullptr) text = "(null)";
  size_t size = 0;
  while ((!directive.has_precision || size < directive.precision) && text[size] != 0) ++size;
  directive.zero_pad = false;
  put_field(out, {text, size}, directive, false);
}

void put_pointer(Writer& out, const Directive& directive, Arguments& arguments) {
  out.put("0x");
  put_integer(out, reinterpret_cast<uintptr_t>(va_arg(arguments.list, void*)), 16, directive,
              false);
}

}  // namespace

void format_text(Writer& out, const char* format, va_list given) {
  Arguments arguments;
  va_copy(arguments.list, given);
  for (const char* at = format; *at != 0; ++at) {
    const char* start = at;
    while (*at != 0 && *at != '%') ++at;
    if (at != start) out.put(std::string_view(start, static_cast<size_t>(at - start)));
    if (*at == 0) break;
    const char* directive_start = at++;
    const Directive directive = parse(at, arguments);
    if (*at == 0) {
      out.put(directive_start);
      break;
    }
    switch (*at) {
      case 's':
        put_string(out, directive, arguments);
        break;
      case 'c':
        out.put(static_cast<char>(va_arg(arguments.list, int)));
        break;
      case 'd':
      case 'i':
        put_signed(out, directive, arguments);
        break;
      case 'u':
        put_unsigned(out, 10, directive, arguments);
        break;
      case 'x':
        put_unsigned(out, 16, directive, arguments);
        break;
      case 'p':
        put_pointer(out, directive, arguments);
        break;
      case '%':
        out.put('%');
        break;
      default:
        out.put(std::string_view(directive_start, static_cast<size_t>(at + 1 - directive_start)));
    }
  }
  va_end(arguments.list);
}

}  // namespace prelude::report
