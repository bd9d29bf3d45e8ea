// Errors are small values: a code, what it is about, numbers. No text is made here;
// report/ turns an Error into words at the edge.
#pragma once

#include <cstdint>

namespace prelude {

/// What went wrong. The words for each code stand in report/messages.cpp.
enum class Errc : uint16_t {
  kNone,
  // finding and opening
  kCannotOpen,  ///< "cannot open shared object file"; errno in sys_errno, 0 = not found anywhere
  kCannotReadData,  ///< header or program headers could not be read
  kFileTooShort,
  kNotRegularFile,
  kEmptyToken,   ///< a needed name that expands to nothing
  kSecureToken,  ///< object = a needed name with a token, of a secure program
  kOutOfMemory,
  // ELF header
  kBadMagic,
  kWrongClass,  ///< value = EI_CLASS found
  kBadDataEncoding,
  kBadIdentVersion,
  kBadVersion,
  kBadOsAbi,
  kBadAbiVersion,
  kBadPadding,
  kBadType,
  kWrongMachine,  ///< value = e_machine found
  kExecAsLibrary,
  kPieAsLibrary,
  kBadPhentsize,
  // segments
  kNoLoadSegments,
  kSegmentNotAligned,
  kCannotMapZeroFill,
  kCannotChangeProtection,
  kNoDynamic,
  kNoOpen,  ///< DF_1_NOOPEN
  kExecStackRefused,
  kRelrWithoutMarker,
  kCannotMapSegment,
  kTextrelWritable,
  kTextrelRestore,
  kRelroProtect,
  // any other field of the file: subject = field, value = found, context = what was expected
  kBadField,
  // relocation
  kUnknownRelocation,     ///< value = type
  kUnknownPltRelocation,  ///< value = type
  kUndefinedSymbol,       ///< subject = symbol, context = version or null
  kVersionNotFound,       ///< object = provider, subject = version, context = requester
  kWeakVersionNotFound,   ///< the same of a weak need
  kNoVersionTable,        ///< object = provider, context = requester
  kVersionRecordVerdef,   ///< value = record version
  kVersionRecordVerneed,  ///< value = record version
  kProtectedCopy,         ///< object = definer, subject = symbol
  kIsaLevelTooLow,
  kStaticTls,
  // dlfcn
  kInvalidMode,
  kInvalidModeParameter,
  kNotOpen,
  kInvalidNamespace,
  kInvalidTargetNamespace,
  kNoMoreNamespaces,
  kNextInUnknownCode,
  kUnsupportedRequest,
  kRecursiveInit,
  // the loader itself
  kSelfLoad,          ///< the loader was asked to load itself
  kUnknownLibc,       ///< subject = version found, context = versions served
  kUnknownLibcBuild,  ///< subject = version found, context = symbol that shows another layout
  kSystemCall,        ///< subject = call
  kOverwritten,       ///< what we know of an object has been written to by somebody else
  kInternal,          ///< subject = what
};

/// The file is not there, or there for another machine: no fault of anybody's.
constexpr bool is_absence(Errc code) {
  return code == Errc::kCannotOpen || code == Errc::kWrongClass || code == Errc::kWrongMachine;
}

/// The strings are borrowed. They live at least until the batch that failed is rolled back.
struct Error {
  Errc code = Errc::kNone;
  int32_t sys_errno = 0;
  const char* object = nullptr;  ///< file path, or the needed name where no file was found
  const char* subject = nullptr;
  const char* context = nullptr;
  uint64_t value = 0;
};

/// A field of a file that does not hold what it must. Out of line and away from the code that runs.
[[gnu::cold, gnu::noinline]] inline Error bad_field(const char* field, uint64_t value,
                                                    const char* expected) {
  return Error{.code = Errc::kBadField, .subject = field, .context = expected, .value = value};
}

}  // namespace prelude
