// Whether others can walk over an object's symbols. Lookups of ours are bounded word by word;
// libc's dladdr is not.
#include <prelude/image/image.h>

namespace prelude {
namespace {

// Each symbol is in one chain at most: a walk with more steps than symbols has met one twice.
bool gnu_chains_end(const Image& image) {
  const GnuHashFacts& hash = image.gnu_hash;
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
bool strings_end_symbols(const Image& image) {
  const auto from = reinterpret_cast<uint64_t>(image.symbols);
  const auto to = reinterpret_cast<uint64_t>(image.strings);
  return to <= from || (to - from) / sizeof(elf::Symbol) <= image.symbol_limit;
}

}  // namespace

bool symbols_are_walkable(const Image& image) {
  if (image.symbol_limit == 0) return false;
  if (image.gnu_hash.bloom != nullptr) return gnu_chains_end(image);
  if (image.sysv_hash.buckets == nullptr) return strings_end_symbols(image);
  const uint32_t chains = image.sysv_hash.buckets[-1];  // nchain stands before the buckets
  return chains == image.sysv_hash.chain_count;
}

}  // namespace prelude
