#include "tunables.h"

#include <prelude/glibc/personality.h>
#include <prelude/options/assignments.h>

#include <iterator>

namespace prelude::glibc {
namespace {

#include "machine_tunables.inc"

constexpr std::string_view kVariable = "GLIBC_TUNABLES";

// Sorts out almost every variable of an environment by one look at its first letter.
constexpr bool may_begin_variable(char first) {
  return first == 'G' || first == 'M' || first == 'L';
}

template <size_t kRows>
constexpr bool aliases_can_be_found(const TunableRow (&rows)[kRows], const char* text) {
  for (const TunableRow& row : rows)
    if (row.alias != 0 && !may_begin_variable(text[row.alias])) return false;
  return kRows <= Tunables::kMaxTunables;
}
#define PRELUDE_CHECK(minor) static_assert(aliases_can_be_found(kRows##minor, kText##minor));
PRELUDE_TUNABLE_RELEASES(PRELUDE_CHECK)
#undef PRELUDE_CHECK

using options::find_any;
using options::part;

int digit_of(char c, unsigned base) {
  if (c >= '0' && c <= '9') return c - '0' < static_cast<int>(base) ? c - '0' : -1;
  if (base != 16) return -1;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool in_range(TunableType type, uint64_t value, uint64_t min, uint64_t max) {
  if (type != TunableType::kInt32) return value >= min && value <= max;
  const auto number = static_cast<int64_t>(value);
  return number >= static_cast<int64_t>(min) && number <= static_cast<int64_t>(max);
}

}  // namespace

TunableTable find_tunable_table(int minor) {
  switch (minor) {
#define PRELUDE_CASE(minor) \
  case minor:               \
    return {kRows##minor, std::size(kRows##minor), kText##minor, kIds##minor};
    PRELUDE_TUNABLE_RELEASES(PRELUDE_CASE)
#undef PRELUDE_CASE
    default:
      return {};
  }
}

ParsedNumber parse_tunable_number(std::string_view text) {
  size_t at = 0;
  const auto peek = [&](size_t ahead) {
    return at + ahead < text.size() ? text[at + ahead] : '\0';
  };
  while (peek(0) == ' ' || peek(0) == '\t') ++at;
  const bool negative = peek(0) == '-';
  if (negative || peek(0) == '+') ++at;
  if (!is_digit(peek(0))) return {0, at};
  unsigned base = 10;
  if (peek(0) == '0') {
    const bool hex = peek(1) == 'x' || peek(1) == 'X';
    base = hex ? 16 : 8;
    if (hex) at += 2;
  }
  uint64_t value = 0;
  for (int digit = digit_of(peek(0), base); digit >= 0; digit = digit_of(peek(0), base)) {
    if (__builtin_mul_overflow(value, uint64_t{base}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(digit), &value))
      return {UINT64_MAX, at};
    ++at;
  }
  return {negative ? 0 - value : value, at};
}

void Tunables::start(const Layout& layout, char** envp, bool secure) {
  table_ = find_tunable_table(layout.minor);
  strict_ = layout.behaviour.tunables_strict;
  string_pair_ = layout.behaviour.tunable_string_pair;
  if (secure || envp == nullptr) return;
  Candidate aliases[kMaxTunables] = {};  // filled by strict releases only
  for (; *envp != nullptr; ++envp) {
    const char* line = *envp;
    if (!may_begin_variable(line[0])) continue;
    size_t name_size = 0;
    while (line[name_size] != 0 && line[name_size] != '=') ++name_size;
    if (line[name_size] == 0) continue;
    read_variable({line, name_size}, line + name_size + 1, aliases);
  }
  if (asks_for_secure_mode_) {
    override_count_ = 0;
    return;
  }
  // The newer name has precedence over its alias wherever it stands.
  for (unsigned id = 0; id < table_.count; ++id) {
    if (!aliases[id].seen() || is_initialized(id)) continue;
    if (!assign(id, aliases[id].text)) warn(aliases[id].text, static_cast<uint16_t>(id));
  }
}

void Tunables::read_variable(std::string_view name, std::string_view value, Candidate* aliases) {
  if (name == kVariable) {
    if (strict_)
      read_strict(value);
    else
      read_lenient(value);
    return;
  }
  const unsigned id = find_alias(name);
  if (id == kAbsent) return;
  // Compat: of a variable given twice 2.36 takes the first valid one, later releases the last.
  if (strict_)
    aliases[id].text = value;
  else if (!is_initialized(id))
    assign(id, value);
}

// 2.36: parts without '=' are skipped, everything between '=' and ':' is the value.
void Tunables::read_lenient(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t name_end = find_any(text, at, '=', ':');
    if (name_end == text.size()) return;
    if (text[name_end] == ':') {
      at = name_end + 1;
      continue;
    }
    const size_t value_end = find_any(text, name_end + 1, ':', ':');
    const unsigned id = find_name(part(text, at, name_end));
    if (id != kAbsent) assign(id, part(text, name_end + 1, value_end));
    at = value_end + 1;
  }
}

void Tunables::read_strict(std::string_view text) {
  if (text.empty()) return;
  Candidate found[kMaxTunables] = {};
  const bool valid =
      options::for_each_assignment(text, [&](std::string_view name, std::string_view value) {
        if (const unsigned id = find_name(name); id != kAbsent) found[id].text = value;
      });
  if (!valid) {
    warn(text, kAbsent);
    return;
  }
  const unsigned secure = table_.ids.rtld_enable_secure;
  if (secure != kAbsent && found[secure].seen()) {
    const std::string_view value = found[secure].text;
    const ParsedNumber number = parse_tunable_number(value);
    if (number.length == value.size() && number.value == 1) {
      asks_for_secure_mode_ = true;
      return;
    }
  }
  for (unsigned id = 0; id < table_.count; ++id) {
    if (!found[id].seen()) continue;
    if (!assign(id, found[id].text)) warn(found[id].text, static_cast<uint16_t>(id));
  }
}

// False when the value is not a number where one is needed (only newer releases mind). A number
// out of range is not an error: it is ignored.
bool Tunables::assign(unsigned id, std::string_view value) {
  const TunableType type = table_.type(id);
  if (type == TunableType::kString) {
    Value text = {};
    text.text = value.data();
    text.length = value.size();
    set(id, text);
    return true;
  }
  const ParsedNumber parsed = parse_tunable_number(value);
  if (strict_ && parsed.length != value.size()) return false;
  uint64_t number = parsed.value;
  if (strict_ && type == TunableType::kInt32)
    number = static_cast<uint64_t>(int64_t{static_cast<int32_t>(number)});
  if (in_range(type, number, table_.rows[id].min, table_.rows[id].max)) {
    Value result = {};
    result.number = number;
    set(id, result);
  }
  return true;
}

void Tunables::set(unsigned id, const Value& value) {
  size_t at = 0;
  while (at < override_count_ && overrides_[at].tunable != id) ++at;
  if (at == kMaxTunables) return;
  if (at == override_count_) ++override_count_;
  overrides_[at] = {static_cast<uint16_t>(id), value};
}

void Tunables::warn(std::string_view text, uint16_t tunable) {
  if (!strict_ || warning_count_ == kMaxWarnings) return;
  warnings_[warning_count_++] = {text, tunable};
}

const Tunables::Override* Tunables::find(unsigned id) const {
  for (size_t i = 0; i < override_count_; ++i)
    if (overrides_[i].tunable == id) return &overrides_[i];
  return nullptr;
}

unsigned Tunables::find_name(std::string_view name) const {
  for (unsigned id = 0; id < table_.count; ++id)
    if (table_.name(id) == name) return id;
  return kAbsent;
}

unsigned Tunables::find_alias(std::string_view name) const {
  if (name.size() < 2) return kAbsent;
  for (unsigned id = 0; id < table_.count; ++id) {
    const uint16_t alias = table_.rows[id].alias;
    // Two letters spare most variables the measuring of every alias.
    if (alias != 0 && table_.text[alias] == name[0] && table_.text[alias + 1] == name[1] &&
        table_.alias(id) == name)
      return id;
  }
  return kAbsent;
}

void Tunables::get(unsigned id, void* out, void (*callback)(void*)) const {
  static constexpr Value kUnset = {};
  if (id >= table_.count) return;
  const Override* set_by_user = find(id);
  switch (table_.type(id)) {
    case TunableType::kInt32:
      *static_cast<int32_t*>(out) = static_cast<int32_t>(number(id));
      break;
    case TunableType::kUint64:
      *static_cast<uint64_t*>(out) = number(id);
      break;
    case TunableType::kSize:
      *static_cast<size_t*>(out) = static_cast<size_t>(number(id));
      break;
    case TunableType::kString: {
      const Value& value = set_by_user != nullptr ? set_by_user->value : kUnset;
      *static_cast<const void**>(out) =
          string_pair_ ? static_cast<const void*>(&value) : static_cast<const void*>(value.text);
      break;
    }
  }
  if (set_by_user != nullptr && callback != nullptr)
    callback(const_cast<Value*>(&set_by_user->value));
}

uint64_t Tunables::number(unsigned id, uint64_t otherwise) const {
  if (id >= table_.count) return otherwise;
  const Override* set_by_user = find(id);
  return set_by_user != nullptr ? set_by_user->value.number : table_.rows[id].standard;
}

std::string_view Tunables::string(unsigned id) const {
  const Override* set_by_user = id < table_.count ? find(id) : nullptr;
  if (set_by_user == nullptr) return {};
  return {set_by_user->value.text, set_by_user->value.length};
}

void Tunables::print_warning(size_t index, Writer& out) const {
  const TunableWarning& warning = warnings_[index];
  if (warning.tunable == kAbsent) {
    out.put("WARNING: ld.so: invalid GLIBC_TUNABLES `").put(warning.text).put("': ignored.\n");
    return;
  }
  out.put("WARNING: ld.so: invalid GLIBC_TUNABLES value `").put(warning.text);
  out.put("' for option `").put(table_.name(warning.tunable)).put("': ignored.\n");
}

void Tunables::list(Writer& out, const TunableListing* computed, size_t computed_count) const {
  for (unsigned id = 0; id < table_.count; ++id) list_one(out, id, computed, computed_count);
}

void Tunables::list_one(Writer& out, unsigned id, const TunableListing* computed,
                        size_t count) const {
  out.put(table_.name(id)).put(':');
  const TunableType type = table_.type(id);
  if (type == TunableType::kString) {
    if (is_initialized(id)) out.put(' ').put(string(id));
    out.put('\n');
    return;
  }
  TunableListing line = {static_cast<uint16_t>(id), number(id), table_.rows[id].min,
                         table_.rows[id].max};
  for (size_t i = 0; i < count; ++i)
    if (computed[i].tunable == id) line = computed[i];
  const auto put_number = [&](uint64_t value) {
    if (type == TunableType::kInt32)
      out.signed_decimal(static_cast<int32_t>(value));
    else
      out.put("0x").hex(value);
  };
  out.put(' ');
  put_number(line.value);
  out.put(" (min: ");
  put_number(line.min);
  out.put(", max: ");
  put_number(line.max);
  out.put(")\n");
}

bool wants_low_addresses(char** envp) {
  const Layout& newest = layouts()[layout_count() - 1];
  Tunables tunables;
  tunables.start(newest, envp, false);
  return tunables.number(tunables.ids().cpu_prefer_map_32bit_exec) != 0;
}

}  // namespace prelude::glibc
