// The words for errors and warnings. Programs, test suites and scripts match these texts, so they
// are those of glibc to the byte wherever glibc has one.
#pragma once

#include <prelude/base/error.h>
#include <prelude/base/writer.h>

#include <cstdint>

namespace prelude::report {

/// TEXT of an error without object and errno: what dlerror puts behind the object's name.
/// Stays valid as long as `scratch`'s buffer is neither cleared nor written to.
const char* error_text(const Error& error, Writer& scratch);

/// The errno that goes with error_text; 0 = none.
int32_t error_errno(const Error& error);

/// `No such file or directory` for the few numbers that have words, else `Error N`.
void write_errno(Writer& out, int32_t number);

/// TEXT[: ERRNO TEXT].
void write_error(Writer& out, const Error& error);

/// OBJECT: TEXT[: ERRNO TEXT], as dlerror gives it; without an object no leading colon.
void write_dl_error(Writer& out, const Error& error);

/// Adds lines below the first one of a fatal message; see hints.h.
struct HintSource {
  void (*write)(void* context, Writer& out, const Error& error);
  void* context;
};

/// The line that ends a start-up, with its newline: `PROGRAM: OCCASION: OBJECT: TEXT[: ERRNO
/// TEXT]`.
void write_fatal(Writer& out, const char* program, const Error& error,
                 const HintSource* hints = nullptr);

/// The program can run on without the version that is missing, or ends with status 1.
bool is_version_error(Errc code);

/// The word between program and object: `symbol lookup error`, `version lookup error`, ...
const char* error_occasion(const Error& error);

/// Exit status of a start-up that failed with this error (127; 1 for version errors).
int exit_status(const Error& error);

// Warnings: one line each, the program runs on.

/// `source` is LD_PRELOAD, --preload or /etc/ld.so.preload.
void write_preload_failed(Writer& out, const char* name, const char* source, const Error& reason);
void write_audit_failed(Writer& out, const char* name, const Error& reason);
void write_audit_version(Writer& out, const char* name, int wanted, int supported);
void write_no_version_information(Writer& out, const char* program, const char* file,
                                  const char* requester);
void write_weak_version_missing(Writer& out, const char* program, const char* file,
                                const char* version, const char* requester);
void write_copy_size_differs(Writer& out, const char* program, const char* symbol);
void write_protected_copy(Writer& out, const char* symbol, const char* definer);
void write_protected_reference(Writer& out, const char* symbol, const char* definer);
/// `type` is the relocation's name, such as R_X86_64_32.
void write_relocation_overflow(Writer& out, const char* program, const char* symbol,
                               const char* type);
void write_cannot_execute(Writer& out, const char* loader, const char* file, int32_t number);

}  // namespace prelude::report
