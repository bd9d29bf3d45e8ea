// Texts for people who call the loader by hand: --help, --version, usage errors, LD_SHOW_AUXV.
#pragma once

#include <prelude/base/writer.h>
#include <prelude/options/options.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace prelude::report {

/// A subdirectory of `glibc-hwcaps/` and what becomes of it.
struct HwcapsDirectory {
  enum class State : uint8_t {
    kUnsupported,        ///< not for this CPU
    kUnsupportedMasked,  ///< not for this CPU, and not in --glibc-hwcaps-mask
    kSearched,           ///< supported and searched
    kMasked,             ///< supported, but not in --glibc-hwcaps-mask
    kPrepended,          ///< from --glibc-hwcaps-prepend
  };
  std::string_view name = {};
  State state = State::kUnsupported;
};

struct HelpData {
  const char* loader = nullptr;        ///< argv[0]
  const char* interpreter = nullptr;   ///< the path programs name in PT_INTERP
  const char* library_path = nullptr;  ///< elements separated by `:` or `;`; null = none
  bool library_path_from_option = false;
  const char* cache = nullptr;  ///< path of the library cache; null = not used
  std::span<const std::string_view> system_directories = {};
  std::span<const HwcapsDirectory> hwcaps = {};  ///< in the order they are searched
};

void write_help(Writer& out, const HelpData& data);

/// `ld.so (Prelude) stable release version VERSION.` and more; tools parse the last word.
void write_version(Writer& out, std::string_view version);

/// `LD: missing program name` and the like, for stderr; the exit status is 1.
void write_usage_error(Writer& out, const char* loader, const UsageError& error);

/// Where the releases of glibc print the vector otherwise.
struct AuxvForm {
  bool labels_rseq = false;     ///< names for types 27 to 30
  bool prefixes_hwcap = false;  ///< 0x before AT_HWCAP
};
/// LD_SHOW_AUXV, for stdout. `auxv`: type and value in turn, ended by type 0.
void write_auxv(Writer& out, const uintptr_t* auxv, const AuxvForm& form);

}  // namespace prelude::report
