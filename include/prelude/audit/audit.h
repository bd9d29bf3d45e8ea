// Auditors: shared objects that watch a process being linked and may change what comes of it
// (rtld-audit(7)). Each lives in a namespace of its own, with libraries of its own. The core asks
// them through the Auditor interface of link/; here they are found, loaded and called.
#pragma once

#include <prelude/link/linker.h>

#include <cstdint>

namespace prelude::audit {

/// The version of the interface that auditors are offered (LAV_CURRENT of <link.h>).
inline constexpr uint32_t kInterfaceVersion = 2;

/// What has become of an object that was named as an auditor.
enum class Outcome : uint8_t {
  kLoaded,
  kUnused,  ///< it did not want to
  kTooNew,  ///< it wants a later version of the interface
  kFailed,  ///< could not be loaded, or is no auditor
};
struct Loaded {
  Outcome outcome = Outcome::kLoaded;
  uint32_t version = 0;       ///< that it asked for
  Error error = {};           ///< of kFailed; its strings live until the next error
  Module* refused = nullptr;  ///< of kTooNew: still loaded
};

/// Loads one auditor; its constructors run. The first thread has its block already. `trusted_only`:
/// see LoadRequest.
Loaded load(Linker& linker, const char* name, bool trusted_only);
/// Unloads what load() has left of an object that it refused.
void drop(Linker& linker, const Loaded& loaded);

/// The auditors loaded so far, as the core asks them.
Auditor& auditors();

}  // namespace prelude::audit
