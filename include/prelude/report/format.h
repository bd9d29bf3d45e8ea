// The small printf that libc reaches through the loader's exported print functions. Not for our own
// messages: those are built with Writer.
#pragma once

#include <prelude/base/writer.h>

#include <cstdarg>

namespace prelude::report {

/// Appends `format` with its arguments. Understands %s %c %d %i %u %x %p %%, the lengths l, ll, z,
/// Z and t, the flag 0, a width and a precision (number or *). Anything else is copied as it
/// stands.
void format_text(Writer& out, const char* format, va_list arguments);

}  // namespace prelude::report
