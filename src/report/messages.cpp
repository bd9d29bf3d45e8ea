// Texts: glibc 2.36 as measured (tests/unit/report/messages_test.cpp holds the recordings).
#include <prelude/report/messages.h>

#include "names.h"

namespace prelude::report {
namespace {

constexpr int32_t kNoSuchFile = 2;

/// Codes whose words do not depend on the error's data; null for the others.
const char* fixed_file_text(Errc code) {
  switch (code) {
    case Errc::kNone:
      return "no error";
    case Errc::kCannotOpen:
    // A file for another machine is skipped by the search, and then nothing is found.
    case Errc::kWrongMachine:
      return "cannot open shared object file";
    case Errc::kCannotReadData:
      return "cannot read file data";
    case Errc::kFileTooShort:
      return "file too short";
    case Errc::kNotRegularFile:
      return "not a regular file";
    case Errc::kEmptyToken:
      return "empty dynamic string token substitution";
    case Errc::kSecureToken:
      return "DST not allowed in SUID/SGID programs";
    case Errc::kOutOfMemory:
      return "cannot create shared object descriptor";
    case Errc::kBadMagic:
      return "invalid ELF header";
    case Errc::kBadDataEncoding:
      return "ELF file data encoding not little-endian";
    case Errc::kBadIdentVersion:
      return "ELF file version ident does not match current one";
    case Errc::kBadVersion:
      return "ELF file version does not match current one";
    case Errc::kBadOsAbi:
      return "ELF file OS ABI invalid";
    case Errc::kBadAbiVersion:
      return "ELF file ABI version invalid";
    case Errc::kBadPadding:
      return "nonzero padding in e_ident";
    case Errc::kBadType:
      return "only ET_DYN and ET_EXEC can be loaded";
    case Errc::kExecAsLibrary:
      return "cannot dynamically load executable";
    case Errc::kPieAsLibrary:
      return "cannot dynamically load position-independent executable";
    case Errc::kBadPhentsize:
      return "ELF file's phentsize not the expected size";
    case Errc::kNoLoadSegments:
      return "object file has no loadable segments";
    case Errc::kSegmentNotAligned:
      return "ELF load command address/offset not page-aligned";
    case Errc::kCannotMapZeroFill:
      return "cannot map zero-fill pages";
    case Errc::kCannotChangeProtection:
      return "cannot change memory protections";
    case Errc::kNoDynamic:
      return "object file has no dynamic section";
    case Errc::kNoOpen:
      return "shared object cannot be dlopen()ed";
    case Errc::kExecStackRefused:
      return "cannot enable executable stack as shared object requires";
    case Errc::kRelrWithoutMarker:
      return "DT_RELR without GLIBC_ABI_DT_RELR dependency";
    case Errc::kCannotMapSegment:
      return "failed to map segment from shared object";
    default:
      return nullptr;
  }
}

const char* fixed_text(Errc code) {
  switch (code) {
    case Errc::kTextrelWritable:
      return "cannot make segment writable for relocation";
    case Errc::kTextrelRestore:
      return "cannot restore segment prot after reloc";
    case Errc::kRelroProtect:
      return "cannot apply additional memory protection after relocation";
    case Errc::kIsaLevelTooLow:
      return "CPU ISA level is lower than required";
    case Errc::kProtectedCopy:
      return "error due to GNU_PROPERTY_1_NEEDED_INDIRECT_EXTERN_ACCESS";
    case Errc::kStaticTls:
      return "cannot allocate memory in static TLS block";
    case Errc::kInvalidMode:
      return "invalid mode for dlopen()";
    case Errc::kInvalidModeParameter:
      return "invalid mode parameter";
    case Errc::kNotOpen:
      return "shared object not open";
    case Errc::kInvalidNamespace:
      return "invalid namespace";
    case Errc::kInvalidTargetNamespace:
      return "invalid target namespace in dlmopen()";
    case Errc::kNoMoreNamespaces:
      return "no more namespaces available for dlmopen()";
    case Errc::kNextInUnknownCode:
      return "RTLD_NEXT used in code not dynamically loaded";
    case Errc::kUnsupportedRequest:
      return "unsupported dlinfo request";
    case Errc::kRecursiveInit:
      return "recursive initialization of a shared object";
    case Errc::kSelfLoad:
      return "loader cannot load itself";
    case Errc::kOverwritten:
      return "the record of its initialisers and finalisers was overwritten in memory";
    default:
      return fixed_file_text(code);
  }
}

void compose_undefined(Writer& out, const Error& error) {
  put_name(out.put("undefined symbol: "), error.subject);
  if (error.context != nullptr) put_name(out.put(", version "), error.context);
}

void compose_version(Writer& out, const Error& error) {
  if (error.code == Errc::kWeakVersionNotFound) out.put("weak ");
  put_name(out.put("version `"), error.subject);
  put_name(out.put("' not found (required by "), error.context).put(")");
}

void compose_bad_field(Writer& out, const Error& error) {
  put_name(out, error.subject).put(" is 0x").hex(error.value);
  if (present(error.context)) put_name(out.put(", expected "), error.context);
}

void compose_unknown_libc(Writer& out, const Error& error) {
  put_name(out.put("unsupported C library version "), error.subject);
  if (present(error.context)) put_name(out.put(" (supported: "), error.context).put(")");
}

void compose_relocation_type(Writer& out, const char* text, uint64_t type) {
  constexpr uint64_t kTwoDigits = 0xff;
  out.put(text).put(" reloc type 0x").hex(type, type > kTwoDigits ? 8 : 2);
}

void compose(Writer& out, const Error& error) {
  switch (error.code) {
    case Errc::kWrongClass:
      out.put("wrong ELF class: ELFCLASS").put(error.value == 2 ? "64" : "32");
      break;
    case Errc::kBadField:
      compose_bad_field(out, error);
      break;
    case Errc::kUnknownRelocation:
      compose_relocation_type(out, "unexpected", error.value);
      break;
    case Errc::kUnknownPltRelocation:
      compose_relocation_type(out, "unexpected PLT", error.value);
      break;
    case Errc::kUndefinedSymbol:
      compose_undefined(out, error);
      break;
    case Errc::kVersionNotFound:
    case Errc::kWeakVersionNotFound:
      compose_version(out, error);
      break;
    case Errc::kNoVersionTable:
      put_name(out.put("no version information available (required by "), error.context).put(")");
      break;
    case Errc::kVersionRecordVerdef:
      out.put("unsupported version ").decimal(error.value).put(" of Verdef record");
      break;
    case Errc::kVersionRecordVerneed:
      out.put("unsupported version ").decimal(error.value).put(" of Verneed record");
      break;
    case Errc::kUnknownLibc:
      compose_unknown_libc(out, error);
      break;
    case Errc::kUnknownLibcBuild:
      put_name(out.put("unsupported build of C library version "), error.subject);
      put_name(out.put(" ("), error.context).put(" shows another layout than known)");
      break;
    case Errc::kSystemCall:
      put_name(out, error.subject).put(" failed");
      break;
    case Errc::kInternal:
      put_name(out.put("internal error: "), error.subject).put(" (please report)");
      break;
    default:
      out.put(fixed_text(error.code));
      break;
  }
}

Writer& put_program(Writer& out, const char* program) { return put_name(out, program).put(": "); }

}  // namespace

const char* error_text(const Error& error, Writer& scratch) {
  if (const char* text = fixed_text(error.code); text != nullptr) return text;
  scratch.clear();
  compose(scratch, error);
  return scratch.c_str();
}

int32_t error_errno(const Error& error) {
  return error.code == Errc::kWrongMachine ? kNoSuchFile : error.sys_errno;
}

void write_errno(Writer& out, int32_t number) {
  switch (number) {
    case 12:
      out.put("Cannot allocate memory");
      break;
    case 22:
      out.put("Invalid argument");
      break;
    case kNoSuchFile:
      out.put("No such file or directory");
      break;
    case 1:
      out.put("Operation not permitted");
      break;
    case 5:
      out.put("Input/output error");
      break;
    case 13:
      out.put("Permission denied");
      break;
    default:
      out.put("Error ").signed_decimal(number);
      break;
  }
}

void write_error(Writer& out, const Error& error) {
  compose(out, error);
  if (const int32_t number = error_errno(error); number != 0) write_errno(out.put(": "), number);
}

void write_dl_error(Writer& out, const Error& error) {
  if (present(error.object)) put_name(out, error.object).put(": ");
  write_error(out, error);
}

bool is_version_error(Errc code) {
  return code == Errc::kVersionNotFound || code == Errc::kWeakVersionNotFound ||
         code == Errc::kNoVersionTable;
}

const char* error_occasion(const Error& error) {
  if (error.code == Errc::kUndefinedSymbol) return "symbol lookup error";
  if (is_version_error(error.code)) return "version lookup error";
  return "error while loading shared libraries";
}

int exit_status(const Error& error) { return is_version_error(error.code) ? 1 : 127; }

void write_fatal(Writer& out, const char* program, const Error& error, const HintSource* hints) {
  switch (error.code) {
    case Errc::kIsaLevelTooLow:
      put_program(out, present(error.object) ? error.object : program);
      break;
    case Errc::kSelfLoad:
      // The reference names itself by soname here, not by the path it was started with.
      put_program(out, present(error.object) ? base_name(error.object) : program);
      break;
    case Errc::kProtectedCopy:
      put_program(put_program(put_program(out, program), error.subject), error.object);
      break;
    case Errc::kInternal:
      put_program(out, program).put("prelude: ");
      break;
    default:
      put_program(out, program);
      if (!is_version_error(error.code)) out.put(error_occasion(error)).put(": ");
      if (present(error.object)) put_program(out, error.object);
      break;
  }
  write_error(out, error);
  out.put("\n");
  if (hints != nullptr) hints->write(hints->context, out, error);
}

}  // namespace prelude::report
