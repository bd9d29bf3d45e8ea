// Whether others can walk over an object's symbols. Lookups of ours are bounded word by word;
// libc's dladdr is not.
#include <prelude/image/image.h>

namespace prelude {
namespace {

// Each symbol is in one chain at most: a walk with more steps than symbols has met one twice.
template <typename Elf>
bool gnu_chains_end(const BasicImage<Elf>& image) {
  const auto& hash = image.gnu_hash;
  uint64_t steps_left = image.symbol_limit;
  for (uint32_t b = 0; b < hash.bucket_count; ++b) {
    uint32_t index = hash.buckets[b];
    if (index == 0) continue;
    if (index < hash.first_symbol) return false;
    do {
      if (index >= image.symbol_limit || steps_left-- == 0) return false;
    } while ((hash.chain_zero[index++] & 1) == 0);
  }
  return true;
}

// Without any table the symbols are said to end where the strings begin.
template <typename Elf>
bool strings_end_symbols(const BasicImage<Elf>& image) {
  const auto from = reinterpret_cast<uintptr_t>(image.symbols);
  const auto to = reinterpret_cast<uintptr_t>(image.strings);
  return to <= from || (to - from) / sizeof(typename Elf::Symbol) <= image.symbol_limit;
}

}  // namespace

template <typename Elf>
bool symbols_are_walkable(const BasicImage<Elf>& image) {
  if (image.symbol_limit == 0) return false;
  if (image.gnu_hash.bloom != nullptr) return gnu_chains_end(image);
  if (image.sysv_hash.buckets == nullptr) return strings_end_symbols(image);
  const uint32_t chains = image.sysv_hash.buckets[-1];  // nchain stands before the buckets
  return chains == image.sysv_hash.chain_count;
}

#define PRELUDE_INSTANTIATE(Elf) template bool symbols_are_walkable(const BasicImage<Elf>&);
PRELUDE_FOR_EACH_CLASS(PRELUDE_INSTANTIATE)

}  // namespace prelude
