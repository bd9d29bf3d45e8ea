// glibc's tunables: GLIBC_TUNABLES and the older variables that alias some of them, read for libc,
// which fetches them by number. Numbers, defaults and the strictness of the parser differ between
// releases, so the environment is read when the libc in use is known.
//
// Nothing is copied and nothing written while no tunable is set: defaults stay in a constant table,
// what the user set stands in a small array that refers to the environment strings
// (CVE-2023-4911 was a copy of them).
#pragma once

#include <prelude/base/writer.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "layout.h"

namespace prelude::glibc {

enum class TunableType : uint8_t { kInt32 = 0, kUint64 = 1, kSize = 2, kString = 3 };

/// 2.36: what secure mode does to it. Ours ignores every tunable there.
enum class TunableSecurity : uint8_t { kErase = 0, kIgnore = 1, kNone = 2 };

struct TunableRow {
  uint16_t name;   ///< offset into the table's text
  uint16_t alias;  ///< likewise; 0 = none
  uint8_t type;    ///< a TunableType
  uint8_t security;
  uint64_t min, max, standard;
};

/// Numbers of the tunables that the loader itself reads; kAbsent where the release lacks one.
struct TunableIds {
  uint16_t rtld_nns = kAbsent;
  uint16_t rtld_optional_static_tls = kAbsent;
  uint16_t rtld_dynamic_sort = kAbsent;
  uint16_t rtld_enable_secure = kAbsent;
  uint16_t rtld_execstack = kAbsent;
  uint16_t pthread_rseq = kAbsent;
  uint16_t mem_decorate_maps = kAbsent;
  uint16_t cpu_hwcaps = kAbsent;
  uint16_t cpu_hwcap_mask = kAbsent;
  uint16_t cpu_prefer_map_32bit_exec = kAbsent;
  uint16_t cpu_x86_data_cache_size = kAbsent;
  uint16_t cpu_x86_shared_cache_size = kAbsent;
  uint16_t cpu_x86_non_temporal_threshold = kAbsent;
  uint16_t cpu_x86_memset_non_temporal_threshold = kAbsent;
  uint16_t cpu_x86_rep_movsb_threshold = kAbsent;
  uint16_t cpu_x86_rep_stosb_threshold = kAbsent;
};

struct TunableTable {
  const TunableRow* rows = nullptr;
  uint16_t count = 0;
  const char* text = nullptr;
  TunableIds ids;

  [[nodiscard]] std::string_view name(unsigned id) const { return text + rows[id].name; }
  [[nodiscard]] std::string_view alias(unsigned id) const { return text + rows[id].alias; }
  [[nodiscard]] TunableType type(unsigned id) const { return TunableType{rows[id].type}; }
};

/// An empty table for releases that are not served.
TunableTable find_tunable_table(int minor);

/// What the parser has to say about the environment; glibc 2.39+ prints it, see print_warning.
struct TunableWarning {
  std::string_view text;  ///< the whole of GLIBC_TUNABLES, or the value of `tunable`
  uint16_t tunable = kAbsent;
};

/// In place of the table's value and bounds when listing: what the loader computed itself.
struct TunableListing {
  uint16_t tunable;
  uint64_t value, min, max;
};

class Tunables {
 public:
  static constexpr size_t kMaxTunables = 48;
  static constexpr size_t kMaxWarnings = 4;

  constexpr Tunables() = default;

  /// Reads `envp` (NULL-terminated, may be null) by the rules of `layout`. The strings must live as
  /// long as this object. With `secure` nothing is read: all tunables keep their defaults.
  void start(const Layout& layout, char** envp, bool secure);

  /// What __tunable_get_val does: stores 4 or 8 bytes or, for a string, a pointer in the release's
  /// form (2.36: the text, which ends at ':' or NUL; later: to {text, length}); then calls
  /// `callback` with the address of the value if the user set it. Unknown numbers do nothing.
  void get(unsigned id, void* out, void (*callback)(void*)) const;
  [[nodiscard]] bool is_initialized(unsigned id) const { return find(id) != nullptr; }

  /// The value of a number tunable; `otherwise` where the release has none of that name.
  [[nodiscard]] uint64_t number(unsigned id, uint64_t otherwise = 0) const;
  /// The value of a string tunable; data() is null when not set.
  [[nodiscard]] std::string_view string(unsigned id) const;

  [[nodiscard]] const TunableTable& table() const { return table_; }
  [[nodiscard]] const TunableIds& ids() const { return table_.ids; }

  /// 2.41+: glibc.rtld.enable_secure=1 was given: the process is to run in secure mode, and no
  /// other tunable counts.
  [[nodiscard]] bool asks_for_secure_mode() const { return asks_for_secure_mode_; }

  [[nodiscard]] size_t warning_count() const { return warning_count_; }
  void print_warning(size_t index, Writer& out) const;

  /// The lines of --list-tunables, in the order of the release's own loader.
  void list(Writer& out, const TunableListing* computed, size_t computed_count) const;

 private:
  struct Value {  // laid out as glibc's tunable_val_t: a number, or a string in either form
    union {
      uint64_t number;
      const char* text;
    };
    size_t length;
  };
  struct Override {
    uint16_t tunable;
    Value value;
  };
  struct Candidate {  // an assignment seen but not yet accepted
    std::string_view text;
    [[nodiscard]] bool seen() const { return text.data() != nullptr; }
  };

  [[nodiscard]] const Override* find(unsigned id) const;
  [[nodiscard]] unsigned find_name(std::string_view name) const;
  [[nodiscard]] unsigned find_alias(std::string_view name) const;
  bool assign(unsigned id, std::string_view value);
  void set(unsigned id, const Value& value);
  void warn(std::string_view text, uint16_t tunable);
  void read_variable(std::string_view name, std::string_view value, Candidate* aliases);
  void read_lenient(std::string_view text);
  void read_strict(std::string_view text);
  void list_one(Writer& out, unsigned id, const TunableListing* computed, size_t count) const;

  TunableTable table_;
  bool strict_ = false;
  bool string_pair_ = false;
  bool asks_for_secure_mode_ = false;
  uint8_t warning_count_ = 0;
  uint16_t override_count_ = 0;
  Override overrides_[kMaxTunables] = {};
  TunableWarning warnings_[kMaxWarnings] = {};
};

/// Prints the warnings on standard error.
[[gnu::cold]] void say_warnings(const Tunables& tunables);

struct ParsedNumber {
  uint64_t value = 0;
  size_t length = 0;  ///< characters used
};

/// As glibc reads numbers: blanks, a sign, 0x and 0 prefixes; too large becomes the maximum.
ParsedNumber parse_tunable_number(std::string_view text);

}  // namespace prelude::glibc
