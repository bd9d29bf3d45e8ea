// Loading of the auditors that LD_AUDIT, --audit, DT_AUDIT and DT_DEPAUDIT of the program name,
// after the program and before anything else.
#include "start.h"

#include <prelude/audit/audit.h>
#include <prelude/report/messages.h>

namespace prelude::start {
namespace {

void report_refusal(const char* name, const audit::Loaded& loaded) {
  char buffer[1024];
  Writer out(buffer, sizeof buffer, to_stderr);
  if (loaded.outcome == audit::Outcome::kTooNew) {
    // Compat: glibc 2.36 writes this line like one of its trace.
    constexpr size_t kPidColumns = 10;
    out.decimal(static_cast<uint64_t>(sys::process_id()), kPidColumns).put(":\t");
    report::write_audit_version(out, name, static_cast<int>(loaded.version),
                                static_cast<int>(audit::kInterfaceVersion));
  } else if (loaded.outcome == audit::Outcome::kFailed) {
    report::write_audit_failed(out, name, loaded.error);
  }
  out.flush();
}

void load_one(const char* name) {
  if (linker.options->secure && !is_plain_name(name)) return;
  const audit::Loaded loaded = audit::load(linker, name, linker.options->secure);
  report_refusal(name, loaded);
  audit::drop(linker, loaded);
}

void load_list(const char* text) {
  while (text != nullptr && *text != 0) {
    const char* end = text;
    while (*end != 0 && *end != ':') ++end;
    const auto size = static_cast<size_t>(end - text);
    char* name = size != 0 ? linker.heap.copy_string(text, size) : nullptr;
    if (name != nullptr) {
      load_one(name);
      linker.heap.release(name, size + 1, 1);
    }
    text = *end == ':' ? end + 1 : end;
  }
}

void load_named_by_program(int64_t tag) {
  const Image& image = linker.program->image;
  for_each_dynamic(image, tag, [&](uint64_t offset) {
    load_list(image.string(offset));
    return true;
  });
}

}  // namespace

bool wants_auditors() {
  const Options& options = *linker.options;
  return options.env_audit != nullptr || options.option_audit[0] != nullptr ||
         linker.program->image.names_auditors;
}

void load_auditors() {
  Auditor& auditors = audit::auditors();
  linker.auditor = &auditors;
  linker.watched_stub = reinterpret_cast<void*>(+prelude_watched_call);
  world.search.every_candidate = true;
  linker.personality->expect_auditors(linker);
  if (const Status status = place_start_up_tls(linker); !status) fail(linker, status.error());
  world.early_thread = true;
  load_list(linker.options->env_audit);
  for (const char* list : linker.options->option_audit) load_list(list);
  load_named_by_program(elf::kDtAudit);
  load_named_by_program(elf::kDtDepAudit);
  if (auditors.count() == 0) {
    linker.auditor = nullptr;
    world.search.every_candidate = false;
    return;
  }
  auditors.opened(linker, *linker.program);
  auditors.opened(linker, *linker.self);
}

void tell_of_start() {
  if (linker.auditor != nullptr)
    linker.auditor->activity(linker, linker.base_space, Activity::kAdd);
}

// Compat: behind the preloads (glibc 2.36).
void show_vdso() {
  if (linker.vdso != nullptr) linker.auditor->opened(linker, *linker.vdso);
}

}  // namespace prelude::start
