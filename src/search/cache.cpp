#include "cache.h"

#include <prelude/base/string.h>

namespace prelude::search {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kOldMagic = "ld.so-1.7.0"sv;
constexpr std::string_view kNewMagic = "glibc-ld.so.cache1.1"sv;
constexpr size_t kOldHeaderBytes = 16;
constexpr size_t kOldEntryBytes = 12;
constexpr size_t kNewHeaderBytes = 48;
constexpr size_t kNewHeaderAlign = 8;
constexpr uint32_t kExtensionMagic = 0xEAA42174;
constexpr size_t kSectionBytes = 16;
constexpr uint32_t kTagHwcaps = 1;
constexpr uint32_t kFlagAnyElf = 1;  // flags of an entry that any machine may use

constexpr uint8_t kEndianMask = 3;
constexpr uint8_t kEndianNative = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 2 : 3;

// hwcap of an entry below glibc-hwcaps/: bit 62, the ISA level, and an index.
constexpr uint32_t kNamedMark = uint32_t{1} << 30;
constexpr uint32_t kIsaLevelMask = (uint32_t{1} << 10) - 1;

uint32_t word_at(const char* at) {
  uint32_t word;
  copy_bytes(&word, at, sizeof word);
  return word;
}

bool begins_with(const char* bytes, size_t size, std::string_view magic) {
  return size >= magic.size() && std::string_view(bytes, magic.size()) == magic;
}

/// Where the new header stands; `size` when there is none.
size_t new_header_offset(const char* bytes, size_t size) {
  if (!begins_with(bytes, size, kOldMagic)) return 0;
  if (size < kOldHeaderBytes) return size;
  const size_t count = word_at(bytes + kOldHeaderBytes - sizeof(uint32_t));
  if (count > (size - kOldHeaderBytes) / kOldEntryBytes) return size;
  const size_t end = kOldHeaderBytes + count * kOldEntryBytes;
  const size_t aligned = (end + kNewHeaderAlign - 1) & ~(kNewHeaderAlign - 1);
  return aligned < size ? aligned : size;
}

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Wraps as ldconfig's int does, so that both agree about the order of very long numbers.
uint32_t read_number(const char*& at) {
  uint32_t number = 0;
  for (; is_digit(*at); ++at) number = number * 10 + static_cast<uint32_t>(*at - '0');
  return number;
}

}  // namespace

int compare_names(const char* a, const char* b) {
  while (*a != 0) {
    if (is_digit(*a) && is_digit(*b)) {
      const uint32_t x = read_number(a);
      const uint32_t y = read_number(b);
      if (x != y) return static_cast<int32_t>(x - y) < 0 ? -1 : 1;
    } else if (is_digit(*a) != is_digit(*b)) {
      return is_digit(*a) ? 1 : -1;
    } else if (*a != *b) {
      return *a - *b;
    } else {
      ++a;
      ++b;
    }
  }
  return *a - *b;
}

std::optional<CacheView> CacheView::decode(const char* bytes, size_t size) {
  const size_t start = new_header_offset(bytes, size);
  CacheView view;
  view.base_ = bytes + start;
  const size_t room = size - start;
  if (room < kNewHeaderBytes || !begins_with(view.base_, room, kNewMagic)) return {};

  view.count_ = word_at(view.base_ + 20);
  const auto endian = static_cast<uint8_t>(static_cast<uint8_t>(view.base_[28]) & kEndianMask);
  const uint32_t extensions = word_at(view.base_ + 32);
  if (endian != 0 && endian != kEndianNative) return {};
  if (view.count_ > (room - kNewHeaderBytes) / sizeof(Entry)) return {};
  view.entries_ = view.base_ + kNewHeaderBytes;

  view.string_limit_ = room;
  while (view.string_limit_ > 0 && view.base_[view.string_limit_ - 1] != 0) --view.string_limit_;
  if (extensions != 0 && !view.decode_extensions(bytes, size, extensions)) return {};
  return view;
}

/// Offsets of the directory and of its sections count from the start of the file, unlike all others
/// (seen in files written by `ldconfig -c compat`).
bool CacheView::decode_extensions(const char* file, size_t file_size, uint32_t offset) {
  if (offset % sizeof(uint32_t) != 0 || offset > file_size || file_size - offset < 8) return false;
  if (word_at(file + offset) != kExtensionMagic) return false;
  const uint32_t sections = word_at(file + offset + 4);
  if (sections > (file_size - offset - 8) / kSectionBytes) return false;
  for (uint32_t i = 0; i < sections; ++i) {
    const char* section = file + offset + 8 + i * kSectionBytes;
    const uint32_t start = word_at(section + 8);
    const uint32_t bytes = word_at(section + 12);
    if (start > file_size || bytes > file_size - start) return false;
    if (word_at(section) != kTagHwcaps) continue;
    if (start % sizeof(uint32_t) != 0 || bytes % sizeof(uint32_t) != 0) return false;
    hwcap_names_ = file + start;
    hwcap_count_ = bytes / static_cast<uint32_t>(sizeof(uint32_t));
  }
  return true;
}

CacheView::Entry CacheView::entry(uint32_t index) const {
  Entry entry;
  copy_bytes(&entry, entries_ + size_t{index} * sizeof entry, sizeof entry);
  return entry;
}

const char* CacheView::string(uint32_t offset) const {
  return offset < string_limit_ ? base_ + offset : nullptr;
}

/// The entries that compare equal. False when there is none, or a key is bad.
bool CacheView::equal_range(const char* name, uint32_t& first, uint32_t& end) const {
  uint32_t low = 0;
  uint32_t high = count_;
  // First entry whose key is not greater than `name` (descending order).
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    const char* key = string(entry(middle).key);
    if (key == nullptr) return false;
    if (compare_names(name, key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  first = end = low;
  while (end < count_) {
    const char* key = string(entry(end).key);
    if (key == nullptr || compare_names(name, key) != 0) break;
    ++end;
  }
  return end > first;
}

CacheView::Rank CacheView::named_rank(uint64_t hwcap, const CacheQuery& query) const {
  const auto high = static_cast<uint32_t>(hwcap >> 32);
  const auto index = static_cast<uint32_t>(hwcap);
  if ((high & ~kIsaLevelMask) != kNamedMark) return 0;  // legacy, skipped since glibc 2.37
  if ((high & kIsaLevelMask) > query.isa_level || index >= hwcap_count_) return 0;
  const char* name = string(word_at(hwcap_names_ + size_t{index} * sizeof(uint32_t)));
  if (name == nullptr) return 0;
  return query.hwcaps.priority_of({name, string_length(name)});
}

CacheView::Rank CacheView::rank(const Entry& entry, const CacheQuery& query) const {
  const auto flags = static_cast<uint32_t>(entry.flags);
  if (flags != query.flags && flags != kFlagAnyElf) return 0;
  if (entry.hwcap != 0) return named_rank(entry.hwcap, query);
  const Rank plain = Rank{query.hwcaps.count} + 1;
  return flags == query.flags ? plain : plain + 1;
}

const char* CacheView::find(const char* name, const CacheQuery& query) const {
  uint32_t index, end;
  if (!equal_range(name, index, end)) return nullptr;
  const char* best = nullptr;
  Rank best_rank = 0;
  for (; index < end; ++index) {
    const Entry candidate = entry(index);
    const char* path = string(candidate.value);
    // "lib.so.01" and "lib.so.1" compare equal, but are two names.
    if (path == nullptr || !equal(string(candidate.key), name)) continue;
    const Rank candidate_rank = rank(candidate, query);
    if (candidate_rank == 0 || (best != nullptr && candidate_rank >= best_rank)) continue;
    best = path;
    best_rank = candidate_rank;
  }
  return best;
}

}  // namespace prelude::search
