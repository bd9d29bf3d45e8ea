// The table of layouts. Which one is in use is chosen once, by the release of the mapped libc.
#include "layout.h"

namespace prelude::glibc {
namespace {

constexpr Layout kLayouts[] = {
#include "machine_layouts.inc"
};

constexpr bool consistent(const Layout& layout) {
  const InfoIndex& info = layout.info;
  return layout.rtld_global.size <= kMaxRtldGlobalSize &&
         layout.rtld_global_ro.size <= kMaxRtldGlobalRoSize &&
         layout.link_map.size <= kMaxLinkMapSize && layout.pthread.size <= kMaxPthreadSize &&
         info.slot(0x6ffffef5) == info.gnu_hash && info.slot(0x6ffffff0) == info.versym &&
         info.dt_num + info.thisproc_num + info.versiontag_num + info.extra_num + info.val_num +
                 info.addr_num ==
             info.count &&
         layout.link_map.l_phdr == layout.link_map.l_info + kWord * info.count &&
         layout.rtld_global.dl_nns ==
             layout.rtld_global.dl_ns + kNamespaces * layout.link_namespaces.size &&
         layout.fingerprint.sizeof_pthread == layout.pthread.size &&
         layout.fingerprint.link_map_l_tls_modid == layout.link_map.l_tls_modid &&
         layout.fingerprint.rtld_global__dl_stack_used == layout.rtld_global.dl_stack_used;
}

constexpr bool all_consistent() {
  for (const Layout& layout : kLayouts)
    if (!consistent(layout)) return false;
  return true;
}
static_assert(all_consistent());

}  // namespace

const Layout* find_layout(int minor) {
  for (const Layout& layout : kLayouts)
    if (layout.minor == minor) return &layout;
  return nullptr;
}

const Layout* layouts() { return kLayouts; }
size_t layout_count() { return sizeof kLayouts / sizeof kLayouts[0]; }

}  // namespace prelude::glibc
