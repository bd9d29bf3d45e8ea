// The one event source. The core says what happened, as data; report/ makes text or JSON of it.
// Emission costs one predictable branch where nobody listens.
#pragma once

#include <prelude/base/guarded.h>

#include <cstdint>

namespace prelude {

/// Trace categories. The values are those of LD_DEBUG's mask, which libc reads too.
enum class Topic : uint32_t {
  kLibs = 1,
  kImpcalls =
      2,  ///< implied by libs, reloc, files, symbols, bindings, versions: init and fini lines
  kBindings = 4,
  kSymbols = 8,
  kVersions = 16,
  kReloc = 32,
  kFiles = 64,
  kStatistics = 128,
  kUnused = 256,
  kScopes = 512,
  kHelp = 1024,
  kTls = 2048,
  kSecurity = 4096,  ///< glibc 2.43: warnings on AArch64, nothing here
  kErrors = 0x1a7f,  ///< every topic but statistics, unused and help: for EventKind::kError
};
constexpr uint32_t bit(Topic topic) { return static_cast<uint32_t>(topic); }

enum class EventKind : uint8_t {
  // libs
  kSearchBegin,  ///< name, ns
  kSearchPath,   ///< name = "A:B:C" already joined, detail = source text e.g. "LD_LIBRARY_PATH",
                 ///< "RUNPATH from file F"
  kSearchCache,  ///< file = cache path
  kTryFile,      ///< file
  kTryRefused,   ///< file, detail = reason ("no such file", "incompatible ELF class", ...)
  kSearchEnd,
  // files
  kFileNeeded,  ///< name, ns, object = requester, ns2; value 1 = dynamically loaded, 2 = relocation
                ///< dependency
  kFileMapping,  ///< name, ns: "generating link map"
  kFileMapped,  ///< object; value = dynamic, value2 = base, value3 = size, value4 = entry, value5 =
                ///< phdr, value6 = phnum
  kFileOpened,  ///< file, ns, value = direct_opencount (dlopen)
  kFileClosing,    ///< file, value = direct_opencount
  kFileAuxiliary,  ///< name = filtee, object = filter file, value = 1 DT_FILTER
  kFileNoName,     ///< name = what expands to nothing and is left out
  kFileFlags1,     ///< value = unsupported DT_FLAGS_1 bits
  kAuditorUnused,  ///< file, ns: "file=F [N]; audit interface function la_version returned zero"
  kFileRemoved,    ///< file, ns: "file=F [N];  destroying link map"
  // versions
  kVersionCheck,  ///< name = version, file = provider, ns, object = requester, ns2
  // reloc
  kRelocBegin,  ///< object, value = 1 lazy
  kRelocEnd,    ///< object (no LD_DEBUG line; for timelines)
  // symbols, bindings
  kSymbolLookup,  ///< name, file, ns
  kBinding,  ///< object = referer, ns, file = definer, ns2, name, detail = version or null, value =
             ///< 1 protected
  kNoDelete,  ///< file, ns, detail = reason or null ("unique symbol"), object, ns2 = end of the
              ///< reason or null; value = 1 "activating"
  // scopes
  kScopesBegin,
  kScopeObject,  ///< object, ns
  kScopeList,    ///< value = index, name = "A B C" joined
  kScopeNone,
  kScopesEnd,    ///< after the lists of each object
  kScopeGlobal,  ///< file, ns: "add F [N] to global scope"
  // init
  kPreinit,  ///< object
  kInit,     ///< object
  kInitEnd,  ///< object (no LD_DEBUG line; for timelines; always follows kInit)
  kFini,     ///< object, ns
  // statistics
  kStatisticsStart,  ///< value = total cycles, value2 = relocation cycles, value3 = relocations,
                     ///< value4 = cached, value5 = relative, value6 = load cycles
  kStatisticsEnd,    ///< value = relocations, value2 = cached
  // tls
  kTlsBlock,      ///< value = thread pointer of the first thread's block
  kTlsFreed,      ///< value = thread pointer, value2 = 1 its memory is the loader's to free
  kTlsAssigned,   ///< file, ns, value = module id
  kTlsReleased,   ///< the same
  kTlsLimit,      ///< value = ids of the start-up and one more
  kTlsFilled,     ///< value = thread pointer of a new thread
  kTlsUpdated,    ///< value = thread pointer, value2 = module id, value3 = generation
  kTlsGrown,      ///< value = thread pointer, value2 = entries before, value3 = now
  kTlsDropped,    ///< value = thread pointer, value2 = module id, value3 = block: an update's
  kTlsLazy,       ///< value = thread pointer, value2 = module id
  kTlsStatic,     ///< the same: the block lies in the static area
  kTlsAllocated,  ///< value = thread pointer, value2 = module id, value3 = block, value4 = bytes
  kTlsReentered,  ///< value = thread pointer, value2 = module id: its block came meanwhile
  kTlsReleasedBlock,  ///< value = thread pointer, value2 = module id, value3 = block: a thread's
  // errors (printed with any topic other than statistics)
  kError,  ///< object = place, name = occasion, detail = text, value = 1 fatal
};

struct Event {
  EventKind kind;
  Topic topic;
  const char* object = nullptr;
  const char* file = nullptr;
  const char* name = nullptr;
  const char* detail = nullptr;
  int64_t ns = 0;
  int64_t ns2 = 0;
  uint64_t value = 0, value2 = 0, value3 = 0, value4 = 0, value5 = 0, value6 = 0;
};

class Tracer {
 public:
  using Listener = void (*)(void* context, const Event& event);

  /// At most four listeners; each sees the events of its own topics.
  bool listen(uint32_t topics, Listener listener, void* context) {
    if (count_ == kMaxListeners) return false;
    entries_[count_++] = {listener, context, topics};
    mask_ |= topics;
    return true;
  }
  [[nodiscard]] bool wants(Topic topic) const { return (mask_ & bit(topic)) != 0; }
  [[nodiscard]] bool any() const { return mask_ != 0; }
  [[nodiscard]] uint32_t mask() const { return mask_; }
  /// Nobody hears anything from here on.
  void silence() { *this = {}; }
  [[gnu::noinline]] void emit(const Event& event) const {
    for (int i = 0; i < count_; ++i)
      if ((entries_[i].topics & bit(event.topic)) != 0)
        entries_[i].listener(entries_[i].context, event);
  }

 private:
  static constexpr int kMaxListeners = 4;
  struct Entry {
    Guarded<Listener> listener;
    void* context;
    uint32_t topics;
  };
  Entry entries_[kMaxListeners] = {};
  int count_ = 0;
  uint32_t mask_ = 0;
};

}  // namespace prelude
