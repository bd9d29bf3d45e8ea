// Golden texts: recorded from glibc 2.36 with LD_DEBUG (process id 4237 put in), except the
// refusals of tried files, which are those of 2.43.
#include <gtest/gtest.h>
#include <prelude/report/debug_text.h>

#include "src/report/debug_lines.h"
#include "text_of.h"

namespace prelude::report {
namespace {

constexpr int kPid = 4237;
#define P "      4237:\t"

std::string lines(const Event& event) {
  return text_of([&](Writer& out) { write_event_lines(out, kPid, event); });
}
std::string lines(EventKind kind) { return lines({.kind = kind, .topic = Topic::kLibs}); }

std::string printed(const char* format, ...) __attribute__((format(printf, 1, 2)));
std::string printed(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text =
      text_of([&](Writer& out) { write_debug_lines(out, kPid, format, arguments); });
  va_end(arguments);
  return text;
}

constexpr Topic kTls = Topic::kTls;
std::string tls_line(Event event, TlsDetail detail) {
  event.value = 0xab;
  return text_of([&](Writer& out) { write_event_lines(out, kPid, event, detail); });
}

TEST(DebugLines, TlsOfThreads) {
  constexpr TlsDetail kThreads = TlsDetail::kThreads;
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsBlock, .topic = kTls}, kThreads),
            P "TCB allocated: 0xab\n");
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsFreed, .topic = kTls, .value2 = 1}, kThreads),
            P "TCB deallocating: 0xab (dealloc_tcb=1)\n");
  for (const EventKind kind :
       {EventKind::kTlsAssigned, EventKind::kTlsReleased, EventKind::kTlsLimit,
        EventKind::kTlsFilled, EventKind::kTlsUpdated, EventKind::kTlsGrown, EventKind::kTlsDropped,
        EventKind::kTlsLazy, EventKind::kTlsStatic, EventKind::kTlsAllocated,
        EventKind::kTlsReentered, EventKind::kTlsReleasedBlock})
    EXPECT_EQ(tls_line({.kind = kind, .topic = kTls}, kThreads), "");
}

// Recorded from glibc 2.44.
TEST(DebugLines, TlsInAllItsDetail) {
  constexpr TlsDetail kAll = TlsDetail::kAll;
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsBlock, .topic = kTls}, kAll),
            P "tls: allocate TCB 0xab\n");
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsFreed, .topic = kTls}, kAll),
            P "tls: deallocate TCB 0xab (dealloc_tcb=0)\n");
  EXPECT_EQ(
      tls_line({.kind = EventKind::kTlsAssigned, .topic = kTls, .file = "./a.so", .ns = 1}, kAll),
      P "tls: assign modid 171 to ./a.so [1]\n");
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsReleased, .topic = kTls, .file = "./a.so"}, kAll),
            P "tls: release modid 171 from ./a.so [0]\n");
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsLimit, .topic = kTls}, kAll),
            P "tls: initial modid limit set to 171\n");
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsFilled, .topic = kTls}, kAll),
            P "tls: TLS initialized for TCB 0xab\n");
  EXPECT_EQ(
      tls_line({.kind = EventKind::kTlsUpdated, .topic = kTls, .value2 = 2, .value3 = 6}, kAll),
      P "tls: modid 2 update DTV to generation 6; TCB=0xab\n");
  EXPECT_EQ(
      tls_line({.kind = EventKind::kTlsGrown, .topic = kTls, .value2 = 15, .value3 = 46}, kAll),
      P "tls: DTV resized for TCB 0xab: oldsize=15, newsize=46\n");
  EXPECT_EQ(
      tls_line({.kind = EventKind::kTlsDropped, .topic = kTls, .value2 = 2, .value3 = 0xcd}, kAll),
      P "tls: DTV update for TCB 0xab: modid 2 deallocated block 0xcd\n");
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsLazy, .topic = kTls, .value2 = 2}, kAll),
            P "tls: modid 2 lazy allocation; TCB=0xab\n");
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsStatic, .topic = kTls, .value2 = 2}, kAll),
            P "tls: modid 2 using static TLS; TCB=0xab\n");
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsAllocated,
                      .topic = kTls,
                      .value2 = 2,
                      .value3 = 0xcd,
                      .value4 = 56},
                     kAll),
            P "tls: allocate block 0xcd for modid 2; size=56, TCB=0xab\n");
  EXPECT_EQ(tls_line({.kind = EventKind::kTlsReentered, .topic = kTls, .value2 = 2}, kAll),
            P "tls: modid 2 reentrant usage; TCB=0xab\n");
  EXPECT_EQ(
      tls_line({.kind = EventKind::kTlsReleasedBlock, .topic = kTls, .value2 = 2, .value3 = 0xcd},
               kAll),
      P "tls: deallocate block 0xcd for modid 2; TCB=0xab\n");
}

TEST(DebugLines, Search) {
  constexpr Topic topic = Topic::kLibs;
  EXPECT_EQ(lines({.kind = EventKind::kSearchBegin, .topic = topic, .name = "libc.so.6"}),
            P "find library=libc.so.6 [0]; searching\n");
  EXPECT_EQ(lines({.kind = EventKind::kSearchPath,
                   .topic = topic,
                   .name = "/a:/b",
                   .detail = "RUNPATH from file ./mr"}),
            P " search path=/a:/b\t\t(RUNPATH from file ./mr)\n");
  EXPECT_EQ(lines({.kind = EventKind::kSearchCache, .topic = topic, .file = "/etc/ld.so.cache"}),
            P " search cache=/etc/ld.so.cache\n");
  EXPECT_EQ(lines({.kind = EventKind::kTryFile, .topic = topic, .file = "./libc.so.6"}),
            P "  trying file=./libc.so.6\n");
  EXPECT_EQ(lines({.kind = EventKind::kTryRefused, .topic = topic, .detail = "no such file"}),
            P "    (no such file)\n");
  EXPECT_EQ(lines(EventKind::kSearchEnd), P "\n");
}

TEST(DebugLines, Files) {
  constexpr Topic topic = Topic::kFiles;
  Event needed{
      .kind = EventKind::kFileNeeded, .topic = topic, .object = "./m", .name = "./libb.so"};
  EXPECT_EQ(lines(needed), P "\n" P "file=./libb.so [0];  needed by ./m [0]\n");
  needed.value = 1;
  EXPECT_EQ(lines(needed), P "\n" P "file=./libb.so [0];  dynamically loaded by ./m [0]\n");
  needed.value = 2;
  EXPECT_EQ(lines(needed),
            P "\n" P "file=./libb.so [0];  needed by ./m [0] (relocation dependency)\n" P "\n");
  EXPECT_EQ(lines({.kind = EventKind::kFileMapping, .topic = topic, .name = "libc.so.6"}),
            P "file=libc.so.6 [0];  generating link map\n");
  EXPECT_EQ(lines({.kind = EventKind::kFileMapped,
                   .topic = topic,
                   .value = 0x00007f6768932b60,
                   .value2 = 0x00007f6768760000,
                   .value3 = 0x1e1f50,
                   .value4 = 0x00007f6768787410,
                   .value5 = 0x00007f6768760040,
                   .value6 = 14}),
            P
            "  dynamic: 0x00007f6768932b60  base: 0x00007f6768760000   size: "
            "0x00000000001e1f50\n" P
            "    entry: 0x00007f6768787410  phdr: 0x00007f6768760040  phnum:                 "
            "14\n" P "\n");
  EXPECT_EQ(
      lines({.kind = EventKind::kFileOpened, .topic = topic, .file = "./libb.so", .value = 1}),
      P "opening file=./libb.so [0]; direct_opencount=1\n" P "\n");
  EXPECT_EQ(
      lines({.kind = EventKind::kFileClosing, .topic = topic, .file = "./libb.so", .value = 1}),
      P "\n" P "closing file=./libb.so; direct_opencount=1\n");
  EXPECT_EQ(lines({.kind = EventKind::kFileRemoved, .topic = topic, .file = "./libb.so"}),
            P "\n" P "file=./libb.so [0];  destroying link map\n");
  EXPECT_EQ(lines({.kind = EventKind::kFileFlags1, .topic = topic, .value = 0x402}),
            P "\n" P "WARNING: Unsupported flag value(s) of 0x402 in DT_FLAGS_1.\n");
  EXPECT_EQ(lines({.kind = EventKind::kFileAuxiliary,
                   .topic = topic,
                   .object = "./libaux.so",
                   .name = "liba.so"}),
            P "load auxiliary object=liba.so requested by file=./libaux.so\n");
  EXPECT_EQ(
      lines({.kind = EventKind::kFileNoName, .topic = topic, .name = "$ORIGIN/a"}),
      P "cannot load auxiliary `$ORIGIN/a' because of empty dynamic string token substitution\n");
}

TEST(DebugLines, VersionsRelocationSymbols) {
  EXPECT_EQ(lines({.kind = EventKind::kVersionCheck,
                   .topic = Topic::kVersions,
                   .object = "./vm",
                   .file = "./libv.so",
                   .name = "V1"}),
            P "checking for version `V1' in file ./libv.so [0] required by file ./vm [0]\n");
  EXPECT_EQ(lines({.kind = EventKind::kRelocBegin,
                   .topic = Topic::kReloc,
                   .object = "/bin/true",
                   .value = 1}),
            P "\n" P "relocation processing: /bin/true (lazy)\n");
  EXPECT_EQ(lines({.kind = EventKind::kRelocBegin, .topic = Topic::kReloc, .object = "/l/ld.so"}),
            P "\n" P "relocation processing: /l/ld.so\n");
  EXPECT_EQ(lines(EventKind::kRelocEnd), "");
  EXPECT_EQ(lines({.kind = EventKind::kSymbolLookup,
                   .topic = Topic::kSymbols,
                   .file = "/bin/true",
                   .name = "_res"}),
            P "symbol=_res;  lookup in file=/bin/true [0]\n");
}

TEST(DebugLines, Bindings) {
  Event binding{.kind = EventKind::kBinding,
                .topic = Topic::kBindings,
                .object = "./libb.so",
                .file = "/l/libc.so.6",
                .name = "__cxa_finalize",
                .detail = "GLIBC_2.2.5"};
  EXPECT_EQ(lines(binding), P
            "binding file ./libb.so [0] to /l/libc.so.6 [0]: normal symbol `__cxa_finalize' "
            "[GLIBC_2.2.5]\n");
  binding.detail = nullptr;
  binding.value = 1;
  binding.ns2 = 3;
  EXPECT_EQ(lines(binding), P
            "binding file ./libb.so [0] to /l/libc.so.6 [3]: protected symbol "
            "`__cxa_finalize'\n");
  Event mark{.kind = EventKind::kNoDelete, .topic = Topic::kBindings, .file = "./libb.so"};
  EXPECT_EQ(lines(mark), P "marking ./libb.so [0] as NODELETE\n");
  mark.detail = "unique symbol";
  EXPECT_EQ(lines(mark), P "marking ./libb.so [0] as NODELETE due to unique symbol\n");
  mark.value = 1;
  EXPECT_EQ(lines(mark), P "activating NODELETE for ./libb.so [0]\n");
}

TEST(DebugLines, ScopesOfAStart) {
  constexpr Topic topic = Topic::kScopes;
  EXPECT_EQ(lines(EventKind::kScopesBegin) +
                lines({.kind = EventKind::kScopeObject, .topic = topic, .object = "./m"}) +
                lines({.kind = EventKind::kScopeList, .topic = topic, .name = "./m ./liba.so"}) +
                lines(EventKind::kScopesEnd) +
                lines({.kind = EventKind::kScopeObject, .topic = topic, .object = "/l/ld.so"}) +
                lines(EventKind::kScopeNone) + lines(EventKind::kScopesEnd),
            P "\n" P "Initial object scopes\n" P "object=./m [0]\n" P " scope 0: ./m ./liba.so\n" P
              "\n" P "object=/l/ld.so [0]\n" P " no scope\n" P "\n");
  EXPECT_EQ(lines({.kind = EventKind::kScopeGlobal, .topic = topic, .file = "./libb.so"}),
            P "\n" P "add ./libb.so [0] to global scope\n");
}

TEST(DebugLines, Calls) {
  EXPECT_EQ(lines({.kind = EventKind::kInit, .topic = Topic::kImpcalls, .object = "/l/libc.so.6"}),
            P "\n" P "calling init: /l/libc.so.6\n" P "\n");
  EXPECT_EQ(lines({.kind = EventKind::kPreinit, .topic = Topic::kImpcalls, .object = "./m"}),
            P "\n" P "calling preinit: ./m\n" P "\n");
  EXPECT_EQ(lines({.kind = EventKind::kFini, .topic = Topic::kImpcalls, .object = ""}),
            P "\n" P "calling fini:  [0]\n" P "\n");
  EXPECT_EQ(lines(EventKind::kInitEnd), "");
}

TEST(DebugLines, Statistics) {
  EXPECT_EQ(lines({.kind = EventKind::kStatisticsStart,
                   .topic = Topic::kStatistics,
                   .value = 149709,
                   .value2 = 26460,
                   .value3 = 87,
                   .value4 = 7,
                   .value5 = 16,
                   .value6 = 23892}),
            P "\n" P "runtime linker statistics:\n" P
              "  total startup time in dynamic loader: 149709 cycles\n" P
              "            time needed for relocation: 26460 cycles (17.6%)\n" P
              "                 number of relocations: 87\n" P
              "      number of relocations from cache: 7\n" P
              "        number of relative relocations: 16\n" P
              "           time needed to load objects: 23892 cycles (15.9%)\n");
  EXPECT_EQ(lines({.kind = EventKind::kStatisticsEnd,
                   .topic = Topic::kStatistics,
                   .value = 88,
                   .value2 = 7}),
            P "\n" P "runtime linker statistics:\n" P
              "           final number of relocations: 88\n" P
              "final number of relocations from cache: 7\n");
}

TEST(DebugLines, Errors) {
  EXPECT_EQ(lines({.kind = EventKind::kError,
                   .topic = Topic::kErrors,
                   .object = "./libb.so",
                   .name = "symbol lookup error",
                   .detail = "undefined symbol: nosuch, version V1",
                   .value = 1}),
            P
            "./libb.so: error: symbol lookup error: undefined symbol: nosuch, version V1 "
            "(fatal)\n");
}

TEST(DebugLines, ErrorsReachListenersOfAnyTopicButStatistics) {
  int seen = 0;
  const auto count = [](void* context, const Event&) { ++*static_cast<int*>(context); };
  const Event error{.kind = EventKind::kError, .topic = Topic::kErrors};
  Tracer statistics, scopes;
  ASSERT_TRUE(statistics.listen(bit(Topic::kStatistics), count, &seen));
  ASSERT_TRUE(scopes.listen(bit(Topic::kScopes), count, &seen));
  statistics.emit(error);
  EXPECT_EQ(seen, 0);
  scopes.emit(error);
  EXPECT_EQ(seen, 1);
}

TEST(DebugLines, PrintfPrefixesEveryLine) {
  EXPECT_EQ(printed("\ntransferring control: %s\n\n", "/bin/true"),
            P "\n" P "transferring control: /bin/true\n" P "\n");
  EXPECT_EQ(printed("TCB allocated: %p\n", reinterpret_cast<void*>(0x1234)),
            P "TCB allocated: 0x1234\n");
  const std::string line(1000, 'x');
  EXPECT_EQ(printed("%s\n", line.c_str()), P + line + "\n");
}

TEST(DebugText, Help) {
  const std::string text = text_of(write_debug_help);
  EXPECT_EQ(text,
            "Valid options for the LD_DEBUG environment variable are:\n"
            "\n"
            "  libs        display library search paths\n"
            "  reloc       display relocation processing\n"
            "  files       display progress for input file\n"
            "  symbols     display symbol table processing\n"
            "  bindings    display information about symbol binding\n"
            "  versions    display version dependencies\n"
            "  scopes      display scope information\n"
            "  tls         display TLS structures processing\n"
            "  security    show security warnings for input files\n"
            "  all         all previous options combined\n"
            "  statistics  display relocation statistics\n"
            "  unused      determined unused DSOs\n"
            "  json        the trace as JSON, of the other options named or of all but symbols\n"
            "  help        display this help message and exit\n"
            "\n"
            "To direct the debugging output into a file instead of standard output\n"
            "a filename can be specified using the LD_DEBUG_OUTPUT environment variable.\n");
}

TEST(DebugText, UnknownWord) {
  EXPECT_EQ(text_of([](Writer& out) {
              write_debug_warning(out, {"foo,libs", 3});
            }),
            "warning: debug option `foo' unknown; try LD_DEBUG=help\n");
}

}  // namespace
}  // namespace prelude::report
