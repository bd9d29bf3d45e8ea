// What the loader can tell about the C library it serves without loading one: for --list-tunables,
// --list-diagnostics and --version.
#pragma once

#include <prelude/base/writer.h>
#include <prelude/image/image.h>

#include <arch/cpu.h>

#include <cstddef>
#include <cstdint>

#include "cpu_features.h"
#include "tunables.h"

namespace prelude::glibc {

/// The facts of one release, computed as a process with that libc would have them.
class Description {
 public:
  /// `libc`: the mapped C library that decides the release; null, or a release that is not served: the
  /// oldest one served. Everything else is borrowed for the life of the object.
  Description(const Image* libc, char** envp, bool secure, const arch::CpuFacts& cpu, uint64_t hwcap2);
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;

  /// "2.36"
  [[nodiscard]] const char* release() const { return release_; }
  [[nodiscard]] uint64_t hwcap() const { return summary_.hwcap; }
  /// Null: the kernel's AT_PLATFORM holds.
  [[nodiscard]] const char* platform() const { return summary_.platform; }

  void write_tunables(Writer& out) const;
  /// x86.cpu_features.*
  void write_machine(Writer& out) const;

 private:
  void write_features(Writer& out) const;
  void write_preferred(Writer& out) const;

  const Layout* layout_;
  Tunables tunables_;
  CpuSummary summary_;
  char release_[16] = {};
  alignas(8) std::byte features_[1024] = {};
};

}  // namespace prelude::glibc
