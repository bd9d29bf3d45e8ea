// The one-line warnings of messages.h.
#include <prelude/report/messages.h>

#include "names.h"

namespace prelude::report {
namespace {

constexpr size_t kReasonSize = 1024;

void put_reason(Writer& out, const Error& reason) {
  char buffer[kReasonSize];
  Writer scratch(buffer, sizeof buffer);
  // The reference leaves the errno out of these two lines.
  out.put(error_text(reason, scratch));
}

/// execve(2), "ERRORS".
const char* execute_errno_name(int32_t number) {
  switch (number) {
    case 1:
      return "EPERM";
    case 2:
      return "ENOENT";
    case 5:
      return "EIO";
    case 7:
      return "E2BIG";
    case 8:
      return "ENOEXEC";
    case 11:
      return "EAGAIN";
    case 12:
      return "ENOMEM";
    case 13:
      return "EACCES";
    case 14:
      return "EFAULT";
    case 20:
      return "ENOTDIR";
    case 21:
      return "EISDIR";
    case 22:
      return "EINVAL";
    case 23:
      return "ENFILE";
    case 24:
      return "EMFILE";
    case 26:
      return "ETXTBSY";
    case 36:
      return "ENAMETOOLONG";
    case 40:
      return "ELOOP";
    case 80:
      return "ELIBBAD";
    default:
      return nullptr;
  }
}

Writer& put_symbol(Writer& out, const char* program, const char* symbol) {
  return put_name(put_name(out, program).put(": Symbol `"), symbol).put("' ");
}

}  // namespace

void write_preload_failed(Writer& out, const char* name, const char* source, const Error& reason) {
  put_name(out.put("ERROR: ld.so: object '"), name).put("' from ").put(source);
  put_reason(out.put(" cannot be preloaded ("), reason);
  out.put("): ignored.\n");
}

void write_audit_failed(Writer& out, const char* name, const Error& reason) {
  put_name(out.put("ERROR: ld.so: object '"), name);
  put_reason(out.put("' cannot be loaded as audit interface: "), reason);
  out.put("; ignored.\n");
}

void write_audit_version(Writer& out, const char* name, int wanted, int supported) {
  put_name(out.put("ERROR: audit interface '"), name).put("' requires version ");
  out.signed_decimal(wanted).put(" (maximum supported version ").signed_decimal(supported);
  out.put("); ignored.\n");
}

void write_no_version_information(Writer& out, const char* program, const char* file,
                                  const char* requester) {
  put_name(put_name(out, program).put(": "), file);
  put_name(out.put(": no version information available (required by "), requester).put(")\n");
}

void write_weak_version_missing(Writer& out, const char* program, const char* file,
                                const char* version, const char* requester) {
  put_name(put_name(out, program).put(": "), file);
  put_name(out.put(": weak version `"), version);
  put_name(out.put("' not found (required by "), requester).put(")\n");
}

void write_copy_size_differs(Writer& out, const char* program, const char* symbol) {
  put_symbol(out, program, symbol)
      .put("has different size in shared object, consider re-linking\n");
}

void write_protected_copy(Writer& out, const char* symbol, const char* definer) {
  put_name(out.put("warning: copy relocation against non-copyable protected symbol `"), symbol);
  put_name(out.put("' in `"), definer).put("'\n");
}

void write_protected_reference(Writer& out, const char* symbol, const char* definer) {
  put_name(out.put("warning: direct reference to protected function `"), symbol);
  put_name(out.put("' in `"), definer).put("' may break pointer equality\n");
}

void write_relocation_overflow(Writer& out, const char* program, const char* symbol,
                               const char* type) {
  put_symbol(out, program, symbol).put("causes overflow in ").put(type).put(" relocation\n");
}

void write_cannot_execute(Writer& out, const char* loader, const char* file, int32_t number) {
  put_name(put_name(out, loader).put(": cannot execute "), file).put(": ");
  if (const char* name = execute_errno_name(number); name != nullptr)
    out.put(name);
  else
    out.signed_decimal(number);
  out.put("\n");
}

}  // namespace prelude::report
