// --list-diagnostics: `key=value` lines about system and loader. Values are hexadecimal integers or
// quoted strings, so that the text can be parsed line by line.
#pragma once

#include <prelude/base/writer.h>
#include <prelude/sys/sys.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace prelude::report {

/// key=0xVALUE
void write_fact(Writer& out, std::string_view key, uint64_t value);
/// key="VALUE" with \" \\ and three octal digits for what is not printable ASCII.
void write_fact(Writer& out, std::string_view key, std::string_view value);
/// key[0xINDEX]
void write_fact(Writer& out, std::string_view key, uint64_t index, std::string_view value);

struct DiagnosticsData {
  std::string_view dst_lib = {};  ///< value of $LIB
  uint64_t hwcap = 0, hwcap2 = 0;
  /// As from 2.41 on: with the two words below, and texts of the vector have a key of their own.
  bool newer = false;
  uint64_t hwcap3 = 0, hwcap4 = 0;
  std::string_view hwcaps_subdirs = {};  ///< all built-in ones, colon-separated, best first
  uint64_t hwcaps_subdirs_active = 0;    ///< bit i: the i-th of them is usable
  uint64_t page_size = 0;
  std::string_view platform = {};  ///< without data: there is none
  std::string_view loader_soname = {}, libc_soname = {};
  char* const* environment = nullptr;  ///< NULL-terminated
  std::string_view prefix = {}, interpreter = {}, sysconfdir = {};
  std::span<const std::string_view> system_directories = {};  ///< each ends in a slash
  std::string_view release = {}, version = {};
  const uintptr_t* auxv = nullptr;  ///< type and value in turn, ended by type 0
  const sys::SystemName* system = nullptr;
  /// Adds what only the machine knows (x86.cpu_features.*); may be null.
  void (*write_machine)(void* context, Writer& out) = nullptr;
  void* machine_context = nullptr;
};

void write_diagnostics(Writer& out, const DiagnosticsData& data);

}  // namespace prelude::report
