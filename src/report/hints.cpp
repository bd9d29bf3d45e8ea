#include <prelude/report/hints.h>

#include "names.h"

namespace prelude::report {
namespace {

constexpr size_t kMaxChain = 8;
constexpr size_t kMaxTried = 12;
constexpr size_t kMaxScope = 8;
constexpr int kMaxVersions = 12;
constexpr uint32_t kMaxNames = 65536;     // names looked at
constexpr uint64_t kMaxWork = 4'000'000;  // table cells computed, about 10 ms
constexpr size_t kHintNameLimit = 256;
constexpr uint32_t kMaxEdits = 4;

Writer& put_hint_name(Writer& out, const char* name) {
  return put_name(out, present(name) ? name : "(the program)", kHintNameLimit);
}

/// `libz` of `libz.so.1`; the whole name where there is no `.so`.
std::string_view stem_of(std::string_view name) {
  for (size_t i = 0; i + 3 <= name.size(); ++i)
    if (name[i] == '.' && name[i + 1] == 's' && name[i + 2] == 'o') return {name.data(), i};
  return name;
}

/// Remembers the nearest name in a buffer of its own: what a source gives may not last.
class Nearest {
 public:
  enum class Kind : uint8_t { kLibrary, kSymbol };

  Nearest(std::string_view wanted, Kind kind)
      : wanted_(wanted), stem_(stem_of(wanted)), kind_(kind), best_(allowed_edits() + 1) {}

  void look(const NameSource& source) {
    if (source.next == nullptr || wanted_.empty()) return;
    std::string_view name;
    uint64_t work = 0;
    for (uint32_t i = 0; i < kMaxNames && work < kMaxWork && best_ != 0; ++i) {
      if (!source.next(source.context, name)) break;
      work += consider(name);
    }
  }
  [[nodiscard]] std::string_view found() const { return {name_, size_}; }

 private:
  [[nodiscard]] uint32_t allowed_edits() const {
    // All libraries begin alike: that tells nothing.
    const size_t shared = kind_ == Kind::kLibrary && stem_.starts_with("lib") ? 3 : 0;
    const auto third = static_cast<uint32_t>((stem_.size() - shared) / 3);
    return third > kMaxEdits ? kMaxEdits : third;
  }
  /// The same library in another version is what is meant most often: it wins over any other name.
  [[nodiscard]] bool same_library(std::string_view name) const {
    return kind_ == Kind::kLibrary && stem_of(name) == stem_;
  }
  uint64_t consider(std::string_view name) {
    if (name.empty() || name == wanted_ || name.size() > sizeof name_) return 1;
    if (same_library(name)) {
      keep(name, 0);
      return 1;
    }
    if (best_ <= 1) return 1;  // only the same library could be better
    const uint32_t distance = edit_distance(wanted_, name, best_ - 1);
    if (distance < best_) keep(name, distance);
    return wanted_.size() * (2 * uint64_t{best_} + 1);
  }
  void keep(std::string_view name, uint32_t distance) {
    best_ = distance;
    size_ = name.size();
    copy_bytes(name_, name.data(), size_);
  }

  std::string_view wanted_, stem_;
  Kind kind_;
  uint32_t best_;
  size_t size_ = 0;
  char name_[kHintNameLimit];
};

void put_nearest(Writer& out, const char* wanted, const NameSource& source, Nearest::Kind kind) {
  if (!present(wanted)) return;
  Nearest nearest(wanted, kind);
  nearest.look(source);
  if (!nearest.found().empty())
    out.put("  did you mean ").escaped(nearest.found(), kHintNameLimit).put("?\n");
}

void put_chain(Writer& out, std::span<const char* const> chain) {
  if (chain.empty()) return;
  put_hint_name(out.put("  needed by "), chain[0]);
  const size_t shown = chain.size() < kMaxChain ? chain.size() : kMaxChain;
  for (size_t i = 1; i + 1 < shown; ++i) put_hint_name(out.put(", needed by "), chain[i]);
  if (shown < chain.size()) out.put(", ...");
  if (chain.size() > 1) put_hint_name(out.put(", needed by "), chain.back());
  out.put("\n");
}

const char* words_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNoSuchFile:
      return "no such file";
    case Refusal::kNotAllowed:
      return "permission denied";
    case Refusal::kNoDescriptor:
      return "too many open files";
    case Refusal::kNotRegular:
      return "not a regular file";
    case Refusal::kNotElf:
      return "not an ELF file";
    case Refusal::kWrongClass:
      return "wrong ELF class (32-bit against 64-bit)";
    case Refusal::kWrongMachine:
      return "built for another kind of machine";
    case Refusal::kNotInCache:
      return "no entry";
    case Refusal::kDefaultDirs:
      return "in a default directory, which the requester excludes";
    case Refusal::kOther:
      return "not usable";
  }
  return "";
}

bool tells_of_file(Refusal refusal) {
  return refusal != Refusal::kNoSuchFile && refusal != Refusal::kNotInCache;
}

void put_tried(Writer& out, const TriedPath& tried) {
  put_hint_name(out.put("  tried "), tried.path);
  if (present(tried.source)) put_name(out.put(" ("), tried.source, kHintNameLimit).put(")");
  out.put(": ");
  if (present(tried.detail))
    put_name(out, tried.detail, kHintNameLimit);
  else
    out.put(words_of(tried.refusal));
  out.put("\n");
}

void put_more(Writer& out, uint64_t count, const char* what) {
  if (count != 0) out.put("  ... and ").decimal(count).put(what);
}

}  // namespace

void write_missing_library_hints(Writer& out, const MissingLibrary& missing) {
  put_chain(out, missing.chain);
  // A file that is there but does not fit tells more than one that is not there.
  size_t shown = 0;
  for (const bool existing : {true, false})
    for (const TriedPath& tried : missing.tried)
      if (tells_of_file(tried.refusal) == existing && shown < kMaxTried) {
        put_tried(out, tried);
        ++shown;
      }
  put_more(out, missing.tried.size() - shown + missing.tried_left_out, " more places\n");
  put_nearest(out, missing.name, missing.names, Nearest::Kind::kLibrary);
}

void write_missing_symbol_hints(Writer& out, const MissingSymbol& missing) {
  if (present(missing.provider_versions)) {
    put_hint_name(out.put("  "), missing.provider).put(" has it in version ");
    put_name(out, missing.provider_versions, kHintNameLimit).put("\n");
  } else if (present(missing.provider)) {
    put_hint_name(out.put("  expected in "), missing.provider).put(", which does not define it\n");
  }
  if (!missing.scope.empty()) {
    out.put("  searched in");
    const size_t shown = missing.scope.size() < kMaxScope ? missing.scope.size() : kMaxScope;
    for (size_t i = 0; i < shown; ++i)
      put_hint_name(out.put(i == 0 ? " " : ", "), missing.scope[i]);
    const uint64_t rest = missing.scope.size() - shown;
    if (rest != 0) out.put(" and ").decimal(rest).put(" more");
    out.put("\n");
  }
  put_nearest(out, missing.name, missing.names, Nearest::Kind::kSymbol);
}

void write_missing_version_hints(Writer& out, const MissingVersion& missing) {
  if (missing.names.next == nullptr) return;
  std::string_view name;
  int shown = 0;
  bool more = false;
  while (!more && missing.names.next(missing.names.context, name)) {
    if (shown == kMaxVersions) {
      more = true;
    } else {
      if (shown++ == 0) put_hint_name(out.put("  "), missing.provider).put(" defines");
      out.put(" ").escaped(name, kHintNameLimit);
    }
  }
  if (shown == 0)
    put_hint_name(out.put("  "), missing.provider).put(" defines no versions");
  else if (more)
    out.put(" ...");
  out.put("\n");
}

}  // namespace prelude::report
