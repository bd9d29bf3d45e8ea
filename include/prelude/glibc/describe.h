// What the loader can tell about the C library it serves without running one: for --list-tunables,
// --list-diagnostics and --version.
#pragma once

#include <prelude/base/heap.h>
#include <prelude/base/writer.h>
#include <prelude/image/image.h>

#include <arch/cpu.h>

#include <cstdint>

namespace prelude::glibc {

/// The facts of one release, computed as a process with that libc would have them.
class Description {
 public:
  /// "2.36"
  [[nodiscard]] virtual const char* release() const = 0;
  [[nodiscard]] virtual uint64_t hwcap() const = 0;
  /// --list-diagnostics has the form of 2.41 and later.
  [[nodiscard]] virtual bool newer_diagnostics() const = 0;
  /// Null: the kernel's AT_PLATFORM holds.
  [[nodiscard]] virtual const char* platform() const = 0;
  virtual void write_tunables(Writer& out) const = 0;
  /// x86.cpu_features.* and, where the release has them, x86.processor[...].
  virtual void write_machine(Writer& out, Heap& heap) const = 0;

 protected:
  ~Description() = default;
};

/// What a release does before its libc is mapped, or in processes that have none.
struct Manners {
  bool lists_loader = false;       ///< ldd mode shows the loader, needed or not
  bool labels_rseq = false;        ///< LD_SHOW_AUXV has names for types 27 to 30
  bool resolves_origin = false;    ///< direct mode: the program's $ORIGIN has no links and no dots
  bool prefixes_hwcap = false;     ///< LD_SHOW_AUXV writes 0x before AT_HWCAP
  bool asks_getrandom = false;     ///< looks for the vdso's getrandom
  bool scopeless_callers = false;  ///< to dlsym, a caller without a scope is the program
  bool takes_words_back = false;   ///< LD_DEBUG: -word
  bool tells_all_tls = false;      ///< LD_DEBUG=tls has ids and dynamic blocks as well
};
/// Those of the release of `libc`; of the oldest one served where it is null or of another release.
Manners manners_of(const Image* libc);

/// `libc`: the mapped C library that decides the release; null, or a release that is not served:
/// the oldest one served. `envp` is borrowed. There is one description; a second call replaces it.
const Description& describe(const Image* libc, char** envp, bool secure, const arch::CpuFacts& cpu,
                            uint64_t hwcap, uint64_t hwcap2);

}  // namespace prelude::glibc
