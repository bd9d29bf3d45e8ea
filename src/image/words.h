// How messages say what a field of a class must look like.
#pragma once

#include <prelude/elf/format.h>

namespace prelude {

template <typename Elf>
constexpr bool kIs64 = Elf::kClass == elf::kClass64;

template <typename Elf>
constexpr const char* kWordMultiple = kIs64<Elf> ? "a multiple of 8" : "a multiple of 4";
template <typename Elf>
constexpr const char* kWordBytes = kIs64<Elf> ? "8" : "4";
template <typename Elf>
constexpr const char* kSymbolBytes = kIs64<Elf> ? "24" : "16";
template <typename Elf>
constexpr const char* kRelocationBytes = kIs64<Elf> ? "24" : "8";

}  // namespace prelude
