#include <prelude/report/help.h>

#include "names.h"

namespace prelude::report {
namespace {

struct Element {
  std::string_view text;
  bool last;
};

/// The list's element at `at`; `at` moves behind it. An empty element is the current directory.
Element next_element(const char*& at) {
  const char* start = at;
  while (*at != 0 && *at != ':' && *at != ';') ++at;
  size_t size = static_cast<size_t>(at - start);
  while (size > 1 && start[size - 1] == '/') --size;
  const bool last = *at == 0;
  if (!last) ++at;
  return {size == 0 ? std::string_view(".") : std::string_view(start, size), last};
}

bool seen_before(const char* list, const char* element_start, std::string_view text) {
  for (const char* at = list; at < element_start;)
    if (next_element(at).text == text) return true;
  return false;
}

void put_library_path(Writer& out, const HelpData& data) {
  if (!present(data.library_path)) return;
  for (const char* at = data.library_path;;) {
    const char* start = at;
    const Element element = next_element(at);
    if (!seen_before(data.library_path, start, element.text))
      out.put("  ")
          .escaped(element.text)
          .put(data.library_path_from_option ? " (--library-path)\n" : " (LD_LIBRARY_PATH)\n");
    if (element.last) break;
  }
}

void put_search_path(Writer& out, const HelpData& data) {
  out.put("\nShared library search path:\n");
  put_library_path(out, data);
  if (data.cache != nullptr) put_name(out.put("  (libraries located via "), data.cache).put(")\n");
  for (const std::string_view directory : data.system_directories)
    out.put("  ").escaped(directory).put(" (system search path)\n");
}

void put_hwcaps(Writer& out, std::span<const HwcapsDirectory> hwcaps) {
  if (hwcaps.empty()) {
    out.put("\nNo subdirectories of glibc-hwcaps directories are searched.\n");
    return;
  }
  out.put("\nSubdirectories of glibc-hwcaps directories, in priority order:\n");
  for (const HwcapsDirectory& directory : hwcaps) {
    out.put("  ").escaped(directory.name);
    switch (directory.state) {
      case HwcapsDirectory::State::kUnsupported:
        break;
      case HwcapsDirectory::State::kUnsupportedMasked:
        out.put(" (masked)");
        break;
      case HwcapsDirectory::State::kSearched:
        out.put(" (supported, searched)");
        break;
      case HwcapsDirectory::State::kMasked:
        out.put(" (supported, masked)");
        break;
      case HwcapsDirectory::State::kPrepended:
        out.put(" (searched)");
        break;
    }
    out.put("\n");
  }
}

}  // namespace

void write_help(Writer& out, const HelpData& data) {
  put_name(out.put("Usage: "), data.loader);
  out.put(
      " [OPTION]... EXECUTABLE-FILE [ARGS-FOR-PROGRAM...]\n"
      "This is Prelude, the dynamic linker: it loads the shared libraries a program\n"
      "needs and starts the program.  The kernel normally calls it by itself, because\n"
      "the program names it as its interpreter.\n"
      "\n"
      "Called by hand it runs EXECUTABLE-FILE with this interpreter, whatever the file\n"
      "names, and the options below hold for that one program and not for the programs\n"
      "it starts.\n"
      "\n"
      "  --list                show the libraries the program gets, do not run it\n"
      "  --verify              check that the file is a dynamic program; status 0 if so,\n"
      "                        2 if it can be loaded but names no interpreter, else 1\n"
      "  --keep-exe            let /proc/self/exe name the program, not this loader\n"
      "                        (takes CAP_CHECKPOINT_RESTORE in the user namespace)\n"
      "  --inhibit-cache       do not use the library cache\n"
      "  --library-path PATH   search PATH instead of what LD_LIBRARY_PATH says\n"
      "  --glibc-hwcaps-prepend LIST\n"
      "                        search the glibc-hwcaps subdirectories in LIST first\n"
      "  --glibc-hwcaps-mask LIST\n"
      "                        of the built-in subdirectories use only those in LIST\n"
      "  --inhibit-rpath LIST  ignore RPATH and RUNPATH of the objects in LIST\n"
      "  --audit LIST          load the objects in LIST as auditors\n"
      "  --preload LIST        load the objects in LIST before all others\n"
      "  --argv0 STRING        let the program see STRING as its argv[0]\n"
      "  --trace FILE          write what the loader does to FILE, for chrome://tracing\n"
      "  --explain SYMBOL      tell for each reference to SYMBOL which objects were asked,\n"
      "                        which one is taken, and why not the others\n"
      "  --why LIB             tell who needs LIB, through which chain, and how it was found\n"
      "  --init-order          show the order of initialisers and finalisers\n"
      "  --collisions          show names that several objects define, and which one wins\n"
      "  --stats               count objects, relocations, lookups, bytes\n"
      "  --graph FILE          draw the dependencies into FILE, an HTML page\n"
      "  --simulate-dlopen LIB show what dlopen of LIB would load, bind and initialise\n"
      "  --diff-env VAR=VALUE  show what libraries and bindings VAR=VALUE would change;\n"
      "                        VAR alone: what its absence would\n"
      "  --cache-status        tell which libraries the caches knew, and why not the others\n"
      "  --json                the answer to one of the questions above as JSON\n"
      "  --list-tunables       show all tunables with their limits\n"
      "  --list-diagnostics    show facts about system and loader, for bug reports\n"
      "  --help                show this text\n"
      "  --version             show the version\n"
      "\nThis program interpreter self-identifies as: ");
  put_name(out, data.interpreter).put("\n");
  put_search_path(out, data);
  put_hwcaps(out, data.hwcaps);
}

void write_version(Writer& out, std::string_view version) {
  out.put("ld.so (Prelude) stable release version ").put(version).put(".\n");
  out.put("A dynamic linker that serves the C library of that version.\n");
}

void write_usage_error(Writer& out, const char* loader, const UsageError& error) {
  put_name(out, loader);
  if (error.kind == UsageError::Kind::kUnrecognised)
    put_name(out.put(": unrecognized option '"), error.option).put("'\n");
  else
    out.put(": missing program name\n");
  put_name(out.put("Try '"), loader).put(" --help' for more information.\n");
}

}  // namespace prelude::report
