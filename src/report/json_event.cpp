#include "json_event.h"

#include <prelude/report/json_text.h>

#include "names.h"

namespace prelude::report {
namespace {

/// The members of "args".
class Arguments {
 public:
  explicit Arguments(Writer& out) : out_(out) {}

  void text(const char* key, const char* value) {
    if (value == nullptr) return;
    start(key).put('"');
    put_json(out_, value);
    out_.put('"');
  }
  void number(const char* key, uint64_t value) { start(key).decimal(value); }
  /// Addresses as text: a double cannot hold them.
  void address(const char* key, uint64_t value) { start(key).put("\"0x").hex(value).put('"'); }

 private:
  Writer& start(const char* key) {
    if (count_++ != 0) out_.put(',');
    return out_.put('"').put(key).put("\":");
  }

  Writer& out_;
  int count_ = 0;
};

const char* kind_name(EventKind kind) {
  switch (kind) {
    case EventKind::kSearchBegin:
    case EventKind::kSearchEnd:
      return "search";
    case EventKind::kSearchPath:
      return "search path";
    case EventKind::kSearchCache:
      return "search cache";
    case EventKind::kTryFile:
      return "try file";
    case EventKind::kTryRefused:
      return "refused";
    case EventKind::kFileNeeded:
      return "needed";
    case EventKind::kFileMapping:
      return "map";
    case EventKind::kFileMapped:
      return "mapped";
    case EventKind::kFileOpened:
      return "opened";
    case EventKind::kFileClosing:
      return "closing";
    case EventKind::kFileAuxiliary:
      return "auxiliary";
    case EventKind::kFileNoName:
      return "empty name";
    case EventKind::kFileFlags1:
      return "unsupported flags";
    case EventKind::kAuditorUnused:
      return "auditor unused";
    case EventKind::kFileRemoved:
      return "removed";
    case EventKind::kVersionCheck:
      return "version check";
    case EventKind::kRelocBegin:
    case EventKind::kRelocEnd:
      return "relocate";
    case EventKind::kSymbolLookup:
      return "lookup";
    case EventKind::kBinding:
      return "binding";
    case EventKind::kNoDelete:
      return "nodelete";
    case EventKind::kScopesBegin:
      return "scopes";
    case EventKind::kScopeObject:
      return "scope of";
    case EventKind::kScopeList:
      return "scope";
    case EventKind::kScopeNone:
      return "no scope";
    case EventKind::kScopesEnd:
      return "scopes end";
    case EventKind::kScopeGlobal:
      return "global scope";
    case EventKind::kPreinit:
      return "preinit";
    case EventKind::kInit:
    case EventKind::kInitEnd:
      return "init";
    case EventKind::kFini:
      return "fini";
    case EventKind::kStatisticsStart:
      return "statistics";
    case EventKind::kStatisticsEnd:
      return "final statistics";
    case EventKind::kTlsBlock:
      return "thread block";
    case EventKind::kTlsFreed:
      return "thread block freed";
    case EventKind::kTlsAssigned:
      return "tls id";
    case EventKind::kTlsReleased:
      return "tls id released";
    case EventKind::kTlsLimit:
      return "tls ids of the start";
    case EventKind::kTlsFilled:
      return "thread block filled";
    case EventKind::kTlsUpdated:
      return "tls vector updated";
    case EventKind::kTlsGrown:
      return "tls vector grown";
    case EventKind::kTlsDropped:
      return "tls block dropped";
    case EventKind::kTlsLazy:
      return "tls first use";
    case EventKind::kTlsStatic:
      return "tls block static";
    case EventKind::kTlsAllocated:
      return "tls block";
    case EventKind::kTlsReentered:
      return "tls block came meanwhile";
    case EventKind::kTlsReleasedBlock:
      return "tls block freed";
    case EventKind::kError:
      return "error";
  }
  return "event";
}

const char* topic_name(Topic topic) {
  switch (topic) {
    case Topic::kLibs:
      return "libs";
    case Topic::kImpcalls:
      return "init";
    case Topic::kBindings:
      return "bindings";
    case Topic::kSymbols:
      return "symbols";
    case Topic::kVersions:
      return "versions";
    case Topic::kReloc:
      return "reloc";
    case Topic::kFiles:
      return "files";
    case Topic::kStatistics:
      return "statistics";
    case Topic::kScopes:
      return "scopes";
    case Topic::kTls:
      return "tls";
    case Topic::kSecurity:
      return "security";
    default:
      return "other";
  }
}

char phase(EventKind kind) {
  switch (kind) {
    case EventKind::kSearchBegin:
    case EventKind::kRelocBegin:
    case EventKind::kInit:
      return 'B';
    case EventKind::kSearchEnd:
    case EventKind::kRelocEnd:
    case EventKind::kInitEnd:
      return 'E';
    default:
      return 'i';
  }
}

const char* subject_of(const Event& event) {
  if (present(event.name)) return event.name;
  if (present(event.file)) return event.file;
  return event.object;
}

void put_numbers(Arguments& arguments, const Event& event) {
  switch (event.kind) {
    case EventKind::kFileMapped:
      arguments.address("dynamic", event.value);
      arguments.address("base", event.value2);
      arguments.number("size", event.value3);
      arguments.address("entry", event.value4);
      arguments.address("phdr", event.value5);
      arguments.number("phnum", event.value6);
      break;
    case EventKind::kFileOpened:
    case EventKind::kFileClosing:
      arguments.number("opencount", event.value);
      break;
    case EventKind::kTlsBlock:
    case EventKind::kTlsFreed:
    case EventKind::kTlsFilled:
      arguments.address("thread_pointer", event.value);
      break;
    case EventKind::kTlsAssigned:
    case EventKind::kTlsReleased:
      arguments.number("id", event.value);
      break;
    case EventKind::kTlsLimit:
      arguments.number("limit", event.value);
      break;
    case EventKind::kTlsGrown:
      arguments.address("thread_pointer", event.value);
      arguments.number("before", event.value2);
      arguments.number("entries", event.value3);
      break;
    case EventKind::kTlsUpdated:
      arguments.address("thread_pointer", event.value);
      arguments.number("id", event.value2);
      arguments.number("generation", event.value3);
      break;
    case EventKind::kTlsDropped:
    case EventKind::kTlsLazy:
    case EventKind::kTlsStatic:
    case EventKind::kTlsAllocated:
    case EventKind::kTlsReentered:
    case EventKind::kTlsReleasedBlock:
      arguments.address("thread_pointer", event.value);
      arguments.number("id", event.value2);
      if (event.value3 != 0) arguments.address("block", event.value3);
      if (event.value4 != 0) arguments.number("size", event.value4);
      break;
    case EventKind::kFileFlags1:
      arguments.address("flags", event.value);
      break;
    case EventKind::kFileNeeded:
      arguments.number("dynamically_loaded", event.value == 1);
      break;
    case EventKind::kRelocBegin:
      arguments.number("lazy", event.value);
      break;
    case EventKind::kBinding:
      arguments.number("protected", event.value);
      break;
    case EventKind::kScopeList:
      arguments.number("index", event.value);
      break;
    case EventKind::kError:
      arguments.number("fatal", event.value);
      break;
    case EventKind::kStatisticsStart:
      arguments.number("total_cycles", event.value);
      arguments.number("relocation_cycles", event.value2);
      arguments.number("relocations", event.value3);
      arguments.number("cached", event.value4);
      arguments.number("relative", event.value5);
      arguments.number("load_cycles", event.value6);
      break;
    case EventKind::kStatisticsEnd:
      arguments.number("relocations", event.value);
      arguments.number("cached", event.value2);
      break;
    default:
      break;
  }
}

void put_arguments(Writer& out, const Event& event) {
  Arguments arguments(out);
  arguments.text("object", event.object);
  arguments.text("file", event.file);
  const bool has_version = event.kind == EventKind::kVersionCheck;
  arguments.text(has_version ? "version" : "name", event.name);
  arguments.text(event.kind == EventKind::kBinding ? "version" : "reason", event.detail);
  if (event.ns != 0) arguments.number("namespace", static_cast<uint64_t>(event.ns));
  put_numbers(arguments, event);
}

void put_time(Writer& out, uint64_t ns) {
  out.decimal(ns / 1000).put('.').decimal(ns % 1000, 3, '0');
}

}  // namespace

void write_json_event(Writer& out, const JsonStamp& stamp, const Event& event) {
  write_json_object(out.put(",\n"), stamp, event);
}

void write_json_object(Writer& out, const JsonStamp& stamp, const Event& event) {
  const char kind = phase(event.kind);
  out.put("{\"name\":\"").put(kind_name(event.kind));
  if (const char* subject = subject_of(event); present(subject) && kind != 'E')
    put_json(out.put(' '), subject);
  out.put("\",\"cat\":\"").put(topic_name(event.topic)).put("\",\"ph\":\"").put(kind);
  put_time(out.put("\",\"ts\":"), stamp.ns);
  out.put(",\"pid\":").decimal(static_cast<uint64_t>(stamp.pid));
  out.put(",\"tid\":").decimal(static_cast<uint64_t>(stamp.tid));
  if (kind == 'i') out.put(",\"s\":\"t\"");
  out.put(",\"args\":{");
  put_arguments(out, event);
  out.put("}}");
}

void write_json_start(Writer& out, int pid) {
  out.put("[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":")
      .decimal(static_cast<uint64_t>(pid));
  out.put(",\"tid\":").decimal(static_cast<uint64_t>(pid));
  out.put(",\"args\":{\"name\":\"prelude\"}}");
}

}  // namespace prelude::report
