// Texts and blank lines as glibc 2.36 prints them (measured; tests/unit/report holds recordings).
// The reasons of kTryRefused are those of glibc 2.43.
#include "debug_lines.h"

#include <prelude/report/format.h>

#include "names.h"

namespace prelude::report {
namespace {

constexpr size_t kAddressDigits = 16;
constexpr size_t kPidWidth = 10;
constexpr size_t kFormatBufferSize = 256;

Writer& put_prefix(Writer& out, int pid) {
  return out.decimal(static_cast<uint64_t>(pid), kPidWidth).put(":\t");
}

/// Puts the prefix before each line of a text that comes in pieces.
struct LinePrefixer {
  Writer& out;
  int pid;
  bool at_line_start = true;

  static void on_text(void* context, const char* text, size_t bytes) {
    static_cast<LinePrefixer*>(context)->add({text, bytes});
  }
  void add(std::string_view text) {
    for (const char c : text) {
      if (at_line_start) put_prefix(out, pid);
      out.put(c);
      at_line_start = c == '\n';
    }
  }
};

/// Writes lines; every one begins with the process id.
class Lines {
 public:
  Lines(Writer& out, int pid) : out_(out), pid_(pid) {}

  Writer& begin() { return put_prefix(out_, pid_); }
  Writer& begin(const char* text) { return begin().put(text); }
  void end() { out_.put('\n'); }
  void end(const char* text) { out_.put(text).put('\n'); }
  void blank() {
    begin();
    end();
  }
  [[nodiscard]] Writer& out() const { return out_; }
  [[nodiscard]] int pid() const { return pid_; }

 private:
  Writer& out_;
  int pid_;
};

Writer& address(Writer& out, const char* label, uint64_t value) {
  return out.put(label).put("0x").hex(value, kAddressDigits);
}

void search_path(Lines& lines, const Event& event) {
  Writer& out = put_whole(lines.begin(" search path="), event.name);
  if (event.detail != nullptr) put_whole(out.put("\t\t("), event.detail).put(")");
  lines.end();
}

void file_needed(Lines& lines, const Event& event) {
  lines.blank();
  Writer& out = put_object(lines.begin("file="), event.name, event.ns);
  out.put(event.value == 1 ? ";  dynamically loaded by " : ";  needed by ");
  put_object(out, event.object, event.ns2);
  lines.end(event.value == 2 ? " (relocation dependency)" : "");
  if (event.value == 2) lines.blank();
}

void file_mapped(Lines& lines, const Event& event) {
  Writer& first = lines.begin();
  address(address(first, "  dynamic: ", event.value), "  base: ", event.value2);
  address(first, "   size: ", event.value3);
  lines.end();
  Writer& second = lines.begin();
  address(address(second, "    entry: ", event.value4), "  phdr: ", event.value5);
  second.put("  phnum:   ").decimal(event.value6, kAddressDigits);
  lines.end();
  lines.blank();
}

void reloc_begin(Lines& lines, const Event& event) {
  lines.blank();
  put_whole(lines.begin("relocation processing: "), event.object);
  lines.end(event.value == 1 ? " (lazy)" : "");
}

void file_flags(Lines& lines, const Event& event) {
  lines.blank();
  lines.begin("WARNING: Unsupported flag value(s) of 0x").hex(event.value);
  lines.end(" in DT_FLAGS_1.");
}

void file_opened(Lines& lines, const Event& event) {
  Writer& out = put_object(lines.begin("opening file="), event.file, event.ns);
  out.put("; direct_opencount=").decimal(event.value);
  lines.end();
  lines.blank();
}

void file_closing(Lines& lines, const Event& event) {
  lines.blank();
  Writer& out = put_whole(lines.begin("closing file="), event.file);
  out.put("; direct_opencount=").decimal(event.value);
  lines.end();
}

void file_auxiliary(Lines& lines, const Event& event) {
  Writer& out = put_whole(lines.begin("load auxiliary object="), event.name);
  put_whole(out.put(" requested by file="), event.object);
  lines.end();
}

void version_check(Lines& lines, const Event& event) {
  Writer& out = put_whole(lines.begin("checking for version `"), event.name);
  put_object(out.put("' in file "), event.file, event.ns);
  put_object(out.put(" required by file "), event.object, event.ns2);
  lines.end();
}

void symbol_lookup(Lines& lines, const Event& event) {
  Writer& out = put_whole(lines.begin("symbol="), event.name);
  put_object(out.put(";  lookup in file="), event.file, event.ns);
  lines.end();
}

void binding(Lines& lines, const Event& event) {
  Writer& out = put_object(lines.begin("binding file "), event.object, event.ns);
  put_object(out.put(" to "), event.file, event.ns2);
  out.put(event.value == 1 ? ": protected symbol `" : ": normal symbol `");
  put_whole(out, event.name).put("'");
  if (event.detail != nullptr) put_whole(out.put(" ["), event.detail).put("]");
  lines.end();
}

void no_delete(Lines& lines, const Event& event) {
  if (event.value == 1) {
    put_object(lines.begin("activating NODELETE for "), event.file, event.ns);
  } else {
    Writer& out = put_object(lines.begin("marking "), event.file, event.ns).put(" as NODELETE");
    if (event.detail != nullptr) put_whole(out.put(" due to "), event.detail);
    if (event.object != nullptr) put_object(out, event.object, event.ns2);
  }
  lines.end();
}

void scope_list(Lines& lines, const Event& event) {
  Writer& out = lines.begin(" scope ").decimal(event.value).put(":");
  if (present(event.name)) put_whole(out.put(" "), event.name);
  lines.end();
}

/// Initialisers, finalisers: a line between two blank ones.
void call(Lines& lines, const char* text, const Event& event) {
  lines.blank();
  Writer& out = lines.begin(text);
  if (event.kind == EventKind::kFini)
    put_object(out, event.object, event.ns);
  else
    put_whole(out, event.object);
  lines.end();
  lines.blank();
}

void count(Lines& lines, const char* label, uint64_t value) {
  lines.begin(label).decimal(value);
  lines.end();
}

uint64_t per_mille(uint64_t part, uint64_t total) {
  constexpr uint64_t kLargest = UINT64_MAX / 1000;  // of a product that does not overflow
  return part <= kLargest ? part * 1000 / total : total < 1000 ? 1000 : part / (total / 1000);
}

/// `LABEL: N cycles (P%)`, one digit behind the point, cut and not rounded.
void share(Lines& lines, const char* label, uint64_t part, uint64_t total) {
  const uint64_t tenths = total == 0 ? 0 : per_mille(part, total);
  Writer& out = lines.begin(label).decimal(part);
  out.put(" cycles (").decimal(tenths / 10).put(".").decimal(tenths % 10).put("%)");
  lines.end();
}

void statistics_start(Lines& lines, const Event& event) {
  lines.blank();
  lines.begin("runtime linker statistics:");
  lines.end();
  lines.begin("  total startup time in dynamic loader: ").decimal(event.value).put(" cycles");
  lines.end();
  share(lines, "            time needed for relocation: ", event.value2, event.value);
  count(lines, "                 number of relocations: ", event.value3);
  count(lines, "      number of relocations from cache: ", event.value4);
  count(lines, "        number of relative relocations: ", event.value5);
  share(lines, "           time needed to load objects: ", event.value6, event.value);
}

void statistics_end(Lines& lines, const Event& event) {
  lines.blank();
  lines.begin("runtime linker statistics:");
  lines.end();
  count(lines, "           final number of relocations: ", event.value);
  count(lines, "final number of relocations from cache: ", event.value2);
}

void tls(Lines& lines, const Event& event, TlsDetail detail) {
  char text[kFormatBufferSize];
  LinePrefixer prefixer{lines.out(), lines.pid()};
  Writer out(text, sizeof text, LinePrefixer::on_text, &prefixer);
  if (write_tls_text(out, event, detail)) out.put('\n');
  out.flush();
}

void error(Lines& lines, const Event& event) {
  Writer& out = put_whole(lines.begin(), event.object);
  put_whole(out.put(": error: "), event.name);
  put_whole(out.put(": "), event.detail);
  lines.end(event.value == 1 ? " (fatal)" : " (continued)");
}

void named(Lines& lines, const char* text, const char* name, const char* tail = "") {
  put_whole(lines.begin(text), name);
  lines.end(tail);
}

void object(Lines& lines, const char* text, const char* name, int64_t ns, const char* tail = "") {
  put_object(lines.begin(text), name, ns);
  lines.end(tail);
}

void blank_object(Lines& lines, const char* text, const char* name, int64_t ns, const char* tail) {
  lines.blank();
  object(lines, text, name, ns, tail);
}

void plain(Lines& lines, const char* text) { named(lines, text, nullptr); }

}  // namespace

// NOLINTNEXTLINE(readability-function-size): one case for each kind of event
void write_event_lines(Writer& out, int pid, const Event& e, TlsDetail detail) {
  Lines lines(out, pid);
  switch (e.kind) {
    case EventKind::kSearchBegin:
      object(lines, "find library=", e.name, e.ns, "; searching");
      break;
    case EventKind::kSearchPath:
      search_path(lines, e);
      break;
    case EventKind::kSearchCache:
      named(lines, " search cache=", e.file);
      break;
    case EventKind::kTryFile:
      named(lines, "  trying file=", e.file);
      break;
    case EventKind::kTryRefused:
      named(lines, "    (", e.detail, ")");
      break;
    case EventKind::kSearchEnd:
      lines.blank();
      break;
    case EventKind::kFileNeeded:
      file_needed(lines, e);
      break;
    case EventKind::kFileMapping:
      object(lines, "file=", e.name, e.ns, ";  generating link map");
      break;
    case EventKind::kFileMapped:
      file_mapped(lines, e);
      break;
    case EventKind::kFileOpened:
      file_opened(lines, e);
      break;
    case EventKind::kFileClosing:
      file_closing(lines, e);
      break;
    case EventKind::kFileAuxiliary:
      file_auxiliary(lines, e);
      break;
    case EventKind::kFileNoName:
      named(lines, "cannot load auxiliary `", e.name,
            "' because of empty dynamic string token substitution");
      break;
    case EventKind::kFileFlags1:
      file_flags(lines, e);
      break;
    case EventKind::kAuditorUnused:
      object(lines, "file=", e.file, e.ns,
             "; audit interface function la_version returned zero; ignored.");
      break;
    case EventKind::kFileRemoved:
      blank_object(lines, "file=", e.file, e.ns, ";  destroying link map");
      break;
    case EventKind::kVersionCheck:
      version_check(lines, e);
      break;
    case EventKind::kRelocBegin:
      reloc_begin(lines, e);
      break;
    case EventKind::kSymbolLookup:
      symbol_lookup(lines, e);
      break;
    case EventKind::kBinding:
      binding(lines, e);
      break;
    case EventKind::kNoDelete:
      no_delete(lines, e);
      break;
    case EventKind::kScopesBegin:
      lines.blank();
      plain(lines, "Initial object scopes");
      break;
    case EventKind::kScopeObject:
      object(lines, "object=", e.object, e.ns);
      break;
    case EventKind::kScopeList:
      scope_list(lines, e);
      break;
    case EventKind::kScopeNone:
      plain(lines, " no scope");
      break;
    case EventKind::kScopesEnd:
      lines.blank();
      break;
    case EventKind::kScopeGlobal:
      blank_object(lines, "add ", e.file, e.ns, " to global scope");
      break;
    case EventKind::kPreinit:
      call(lines, "calling preinit: ", e);
      break;
    case EventKind::kInit:
      call(lines, "calling init: ", e);
      break;
    case EventKind::kFini:
      call(lines, "calling fini: ", e);
      break;
    case EventKind::kStatisticsStart:
      statistics_start(lines, e);
      break;
    case EventKind::kStatisticsEnd:
      statistics_end(lines, e);
      break;
    case EventKind::kTlsBlock:
    case EventKind::kTlsFreed:
    case EventKind::kTlsAssigned:
    case EventKind::kTlsReleased:
    case EventKind::kTlsLimit:
    case EventKind::kTlsFilled:
    case EventKind::kTlsUpdated:
    case EventKind::kTlsGrown:
    case EventKind::kTlsDropped:
    case EventKind::kTlsLazy:
    case EventKind::kTlsStatic:
    case EventKind::kTlsAllocated:
    case EventKind::kTlsReentered:
    case EventKind::kTlsReleasedBlock:
      tls(lines, e, detail);
      break;
    case EventKind::kError:
      error(lines, e);
      break;
    case EventKind::kRelocEnd:
    case EventKind::kInitEnd:
      break;  // for timelines only
  }
}

void write_debug_lines(Writer& out, int pid, const char* format, va_list arguments) {
  LinePrefixer prefixer{out, pid};
  char piece[kFormatBufferSize];
  Writer text(piece, sizeof piece, LinePrefixer::on_text, &prefixer);
  format_text(text, format, arguments);
  text.flush();
}

}  // namespace prelude::report
