// The public head of a link map, <link.h>'s struct link_map: what gdb, dladdr1 and dlinfo hand out.
#pragma once

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
  Module* l_next;  ///< a Module begins with its LinkMap
  Module* l_prev;
};

/// Bytes at the start of a Module that belong to the link map as a libc sees it. A personality
/// states its need by static_assert; without libc only the public head is used.
inline constexpr size_t kLinkMapBytes = 1280;

/// <link.h>'s struct r_debug, and its version 2 with r_next.
struct RDebug {
  int32_t r_version;
  Module* r_map;
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
