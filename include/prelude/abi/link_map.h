// The public head of a link map, <link.h>'s struct link_map: what gdb, dladdr1 and dlinfo hand out.
#pragma once

#include <prelude/base/guarded.h>
#include <prelude/elf/format.h>

#include <cstddef>
#include <cstdint>

namespace prelude {

struct Module;

// NOLINTBEGIN(readability-identifier-naming)
struct LinkMap {
  elf::Word l_addr;    ///< load bias
  const char* l_name;  ///< "" for the program
  const elf::Dynamic* l_ld;
  LinkMap* l_next;
  LinkMap* l_prev;
};

/// Bytes of a link map as a libc sees it. A personality states its need by static_assert; without
/// libc only the public head is used.
inline constexpr size_t kLinkMapBytes = 1280;

/// A link map and what leads from it to the Module it shows. Others write here: libc, the program,
/// debuggers. So the loader reads back what is theirs (l_name, marks of libc), nothing else.
struct LinkMapRecord {
  union {
    LinkMap map;
    std::byte bytes[kLinkMapBytes];
  };
  Guarded<Module*> module;
  // Written outside of any change:
  const Module* last_used;  ///< what the module last bound to, and keeps loaded. Only compared.
  bool keep;                ///< to be unloaded no more: a use that no change could note
  bool dynamic_tls;         ///< a thread has a block of its own: no static place any more
  bool shown;               ///< libc may walk over its symbols
};
/// The module of a link map that the loader has made.
inline Module& module_of(LinkMap& map) { return *reinterpret_cast<LinkMapRecord&>(map).module; }

/// <link.h>'s struct r_debug, and its version 2 with r_next.
struct RDebug {
  int32_t r_version;
  LinkMap* r_map;
  elf::Word r_brk;
  int32_t r_state;
  elf::Word r_ldbase;
  RDebug* r_next;
};
// NOLINTEND(readability-identifier-naming)

enum RState : int32_t { kRtConsistent = 0, kRtAdd = 1, kRtDelete = 2 };

/// A node of the list of names of an object; libc knows this layout.
struct NameNode {
  const char* name;
  NameNode* next;
  int32_t keep;  ///< never freed by libc
};

}  // namespace prelude
