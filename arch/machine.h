// What shared code may ask of a machine. Each arch/<machine>/traits.h has one struct of constexpr
// data that satisfies Machine, so host tests can look at every machine.
#pragma once

#include <arch/reloc_kind.h>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace prelude::arch {

template <typename T>
concept Machine = requires(uint32_t type, uint8_t symbol_other, RelocKind kind, uint64_t word,
                           const uint8_t* code, size_t bytes) {
  { T::kMachine } -> std::convertible_to<uint16_t>;
  { T::kElfClass } -> std::convertible_to<uint8_t>;
  { T::kPageSize } -> std::convertible_to<uint64_t>;
  { T::kLargestPageSize } -> std::convertible_to<uint64_t>;
  { T::kTlsBelowThreadPointer } -> std::convertible_to<bool>;
  { T::kTlsFirstOffset } -> std::convertible_to<uint64_t>;
  { T::kTlsNotPlaced } -> std::convertible_to<int64_t>;
  { T::kUsesRela } -> std::convertible_to<bool>;
  { T::kName } -> std::convertible_to<const char*>;
  { T::kPlatform } -> std::convertible_to<const char*>;
  { T::kSizeRemarkIndent } -> std::convertible_to<const char*>;
  { T::kLibToken } -> std::convertible_to<const char*>;
  { T::kMultiarch } -> std::convertible_to<const char*>;
  { T::kLoaderPath } -> std::convertible_to<const char*>;
  { T::kLoaderSoname } -> std::convertible_to<const char*>;
  { T::kVdsoName } -> std::convertible_to<const char*>;
  { T::kCacheFlags } -> std::convertible_to<uint32_t>;
  { T::kSystemDirectories[0] } -> std::convertible_to<const char*>;
  { T::kTcbDtv } -> std::convertible_to<size_t>;
  { T::kTcbStackGuard } -> std::convertible_to<size_t>;
  { T::kTcbPointerGuard } -> std::convertible_to<size_t>;
  { T::kRelativeType } -> std::convertible_to<uint32_t>;
  { T::kAddsToSlots } -> std::convertible_to<bool>;
  { T::kGlobalPointer } -> std::convertible_to<const char*>;
  { T::kCallsInitAndFini } -> std::convertible_to<bool>;
  { T::kGotModule } -> std::convertible_to<size_t>;
  { T::kGotStub } -> std::convertible_to<size_t>;
  { T::begins_plt_words(word, word) } -> std::same_as<bool>;
  { T::kTlsOffsetBias } -> std::convertible_to<uint64_t>;
  { T::binds_at_once(symbol_other) } -> std::same_as<bool>;
  { T::uses_offset(code, bytes, type) } -> std::same_as<bool>;
  { T::kind_of(type) } -> std::same_as<RelocKind>;
  { T::name_of(kind) } -> std::convertible_to<const char*>;
};

}  // namespace prelude::arch
