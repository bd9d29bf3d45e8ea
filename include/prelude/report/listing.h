// The lines of ldd: plain data in, text out. Everything goes to stdout but write_undefined.
#pragma once

#include <prelude/base/writer.h>

#include <cstdint>

namespace prelude::report {

struct ListedObject {
  const char* name = nullptr;  ///< as needed; empty for the program itself
  const char* path = nullptr;  ///< where it was found; null or empty = same as the name
  uint64_t address = 0;        ///< start of the mapping
  bool found = true;
};

/// `NAME => PATH (0xADDRESS)`, `PATH (0xADDRESS)` or `NAME => not found`.
void write_listed(Writer& out, const ListedObject& object);
void write_statically_linked(Writer& out);

/// ldd -v. Once, then per object its path and per needed version one line.
void write_versions_header(Writer& out);
void write_versions_object(Writer& out, const char* path);
struct NeededVersion {
  const char* file = nullptr;
  const char* version = nullptr;
  const char* path = nullptr;  ///< null = not found
  bool weak = false;
};
void write_needed_version(Writer& out, const NeededVersion& needed);

/// ldd -d and -r, for stderr (2.36 and its ldd; measured).
void write_undefined(Writer& out, const char* symbol, const char* version, const char* object);

/// LD_DEBUG=unused: the header once, then one line per object; the exit status is 1.
void write_unused_header(Writer& out);
void write_unused(Writer& out, const char* path);

/// `ld.so --list PROGRAM SYMBOL...`
void write_symbol_found(Writer& out, const char* name, uint64_t value, uint64_t object_base);

}  // namespace prelude::report
