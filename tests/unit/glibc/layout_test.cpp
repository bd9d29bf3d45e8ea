// The generated tables against values that were measured independently (contract.md, section 2).
#include "src/glibc/layout.h"

#include <gtest/gtest.h>

#include <cstring>

namespace prelude::glibc {
namespace {

const Layout& at(int minor) { return *find_layout(minor); }

TEST(Layout, IsFoundForServedReleasesOnly) {
  for (const int minor : {36, 39, 41, 43, 44}) {
    ASSERT_NE(find_layout(minor), nullptr);
    EXPECT_EQ(find_layout(minor)->minor, minor);
  }
  for (const int minor : {-1, 0, 31, 35, 37, 42, 45}) EXPECT_EQ(find_layout(minor), nullptr);
  EXPECT_EQ(layout_count(), 5U);
  EXPECT_EQ(layouts()[0].minor, 36);
}

TEST(Layout, HasTheSizesOfTheStructures) {
  EXPECT_EQ(at(36).rtld_global.size, 4336);
  EXPECT_EQ(at(41).rtld_global.size, 2888);
  EXPECT_EQ(at(43).rtld_global.size, 2120);
  EXPECT_EQ(at(44).rtld_global.size, 2136);
  EXPECT_EQ(at(39).rtld_global.size, 4352);
  EXPECT_EQ(at(36).rtld_global_ro.size, 896);
  EXPECT_EQ(at(39).rtld_global_ro.size, 976);
  EXPECT_EQ(at(41).rtld_global_ro.size, 952);
  EXPECT_EQ(at(43).rtld_global_ro.size, 928);
  EXPECT_EQ(at(36).link_map.size, 1192);
  EXPECT_EQ(at(43).link_map.size, 1208);
  EXPECT_EQ(at(43).link_namespaces.size, 112);
  EXPECT_EQ(at(36).cpu_features.size, 480);
  EXPECT_EQ(at(41).cpu_features.features_count, 10);
  for (size_t i = 0; i < layout_count(); ++i) EXPECT_EQ(layouts()[i].pthread.size, 2368);
}

TEST(Layout, HasTheFieldsOfRtldGlobal) {
  EXPECT_EQ(at(36).rtld_global.dl_load_lock, 2568);
  EXPECT_EQ(at(43).rtld_global.dl_load_lock, 1800);
  EXPECT_EQ(at(41).rtld_global.dl_stack_flags, 2744);
  EXPECT_EQ(at(43).rtld_global.dl_stack_flags, kAbsent);
  EXPECT_EQ(at(43).rtld_global.dl_stack_prot_flags, 1976);
  EXPECT_EQ(at(36).rtld_global.dl_stack_user, 4280);
  EXPECT_EQ(at(36).rtld_global.dl_rtld_map, 2736);
  EXPECT_EQ(at(41).rtld_global.dl_rtld_map, kAbsent);
}

TEST(Layout, HasTheFieldsOfRtldGlobalRo) {
  EXPECT_EQ(at(36).rtld_global_ro.dl_find_object, 864);
  EXPECT_EQ(at(41).rtld_global_ro.dl_find_object, 920);
  EXPECT_EQ(at(43).rtld_global_ro.dl_readonly_area, 896);
  EXPECT_EQ(at(41).rtld_global_ro.dl_readonly_area, kAbsent);
  EXPECT_EQ(at(36).rtld_global_ro.dl_vdso_getrandom, kAbsent);
  EXPECT_EQ(at(41).rtld_global_ro.dl_hwcap2, 816);
  EXPECT_EQ(at(43).rtld_global_ro.dl_tls_static_align, 680);
}

TEST(Layout, HasTheFieldsOfLinkMap) {
  EXPECT_EQ(at(36).link_map.l_tls_modid, 1152);
  EXPECT_EQ(at(43).link_map.l_tls_modid, 1168);
  EXPECT_EQ(at(36).link_map.l_contiguous.offset, 822);
  EXPECT_EQ(at(36).link_map.l_contiguous.bit, 3);
  EXPECT_EQ(at(43).link_map.l_ld_readonly.offset, 854);
  EXPECT_EQ(at(43).link_map.l_ld_readonly.bit, 5);
  EXPECT_EQ(at(41).link_map.l_type.width, 2);
  EXPECT_FALSE(present(at(36).link_map.l_tls_in_slotinfo));
  EXPECT_TRUE(present(at(41).link_map.l_tls_in_slotinfo));
}

TEST(Layout, HasTheFieldsOfTheThreadBlock) {
  EXPECT_EQ(at(36).pthread.rseq_area, 2336);
  EXPECT_EQ(at(41).pthread.rseq_area, kAbsent);
  EXPECT_EQ(at(41).pthread.rtld_catch, 2296);
  EXPECT_EQ(at(36).pthread.rtld_catch, kAbsent);
  EXPECT_EQ(at(36).pthread.user_stack, 1554);
  EXPECT_EQ(at(43).pthread.stack_mode, 1556);
  EXPECT_EQ(at(43).pthread.joinstate, 1576);
  EXPECT_EQ(at(41).pthread.stack_guard, 40);
}

TEST(InfoIndex, PlacesTheTagsAsGlibcDoes) {
  const InfoIndex& old_index = at(36).info;
  EXPECT_EQ(old_index.count, 80);
  EXPECT_EQ(old_index.thisproc_num, 0);
  EXPECT_EQ(old_index.gnu_hash, 79);
  // Measured: the indexes at which a real loader's own map has entries (start-state dump).
  EXPECT_EQ(old_index.slot(0x6ffffffc), 41);
  EXPECT_EQ(old_index.slot(0x6ffffffd), 40);
  EXPECT_EQ(old_index.slot(0x6ffffff0), 53);
  const InfoIndex& index = at(43).info;
  EXPECT_EQ(index.count, 84);
  EXPECT_EQ(index.thisproc_num, 4);
  EXPECT_EQ(index.gnu_hash, 83);
  EXPECT_EQ(index.slot(0x6ffffef5), 83);
  EXPECT_EQ(index.slot(0x70000003), 41);
  EXPECT_EQ(index.slot(0x6ffffffb), index.flags_1);
  EXPECT_EQ(index.slot(0x7ffffffd), index.auxiliary);
  EXPECT_EQ(index.slot(0x6ffffef6), index.tlsdesc_plt);
}

TEST(InfoIndex, HasNoSlotForOtherTags) {
  for (const int64_t tag : {int64_t{38}, int64_t{0x70000004}, int64_t{0x6fffffef}, int64_t{-1},
                            int64_t{0x6ffffe00}, int64_t{0x80000000}, INT64_MIN, INT64_MAX})
    EXPECT_EQ(at(43).info.slot(tag), kAbsent) << tag;
  EXPECT_EQ(at(43).info.slot(37), 37);
}

TEST(Behaviour, DiffersAsTheContractSays) {
  EXPECT_TRUE(at(36).behaviour.rseq_in_pthread);
  EXPECT_FALSE(at(41).behaviour.rseq_in_pthread);
  EXPECT_FALSE(at(36).behaviour.catch_in_loader);
  EXPECT_TRUE(at(39).behaviour.rseq_in_pthread);
  EXPECT_TRUE(at(39).behaviour.catch_in_loader);
  EXPECT_TRUE(at(41).behaviour.catch_in_loader);
  EXPECT_TRUE(at(36).behaviour.exec_stack_on_dlopen);
  EXPECT_FALSE(at(41).behaviour.exec_stack_on_dlopen);
  EXPECT_FALSE(at(36).behaviour.told_when_relocated);
  EXPECT_TRUE(at(39).behaviour.told_when_relocated);
  EXPECT_TRUE(at(41).behaviour.told_when_relocated);
  EXPECT_FALSE(at(36).behaviour.told_before_closing);
  EXPECT_TRUE(at(41).behaviour.told_before_closing);
  EXPECT_FALSE(at(36).behaviour.told_of_each_loader);
  EXPECT_TRUE(at(41).behaviour.told_of_each_loader);
  EXPECT_FALSE(at(36).behaviour.told_after_debugger);
  EXPECT_TRUE(at(41).behaviour.told_after_debugger);
  EXPECT_FALSE(at(36).behaviour.follows_debug_copy);
  EXPECT_TRUE(at(41).behaviour.follows_debug_copy);
  EXPECT_FALSE(at(36).behaviour.stops_unchanged);
  EXPECT_TRUE(at(41).behaviour.stops_unchanged);
  EXPECT_FALSE(at(36).behaviour.lists_loader);
  EXPECT_TRUE(at(41).behaviour.lists_loader);
  EXPECT_TRUE(at(39).behaviour.lists_loader);
  EXPECT_FALSE(at(36).behaviour.labels_rseq);
  EXPECT_FALSE(at(39).behaviour.labels_rseq);
  EXPECT_TRUE(at(41).behaviour.labels_rseq);
  EXPECT_FALSE(at(41).behaviour.resolves_origin);
  EXPECT_TRUE(at(43).behaviour.resolves_origin);
  EXPECT_FALSE(at(41).behaviour.prefixes_hwcap);
  EXPECT_TRUE(at(43).behaviour.prefixes_hwcap);
  EXPECT_FALSE(at(41).behaviour.quiet_reopen);
  EXPECT_TRUE(at(43).behaviour.quiet_reopen);
  EXPECT_FALSE(at(43).behaviour.takes_words_back);
  EXPECT_TRUE(at(44).behaviour.takes_words_back);
  EXPECT_FALSE(at(43).behaviour.tells_all_tls);
  EXPECT_TRUE(at(44).behaviour.tells_all_tls);
  EXPECT_EQ(at(43).behaviour.first_generation, 1);
  EXPECT_EQ(at(44).behaviour.first_generation, 2);
  EXPECT_FALSE(at(43).behaviour.scopeless_callers);
  EXPECT_TRUE(at(44).behaviour.scopeless_callers);
  EXPECT_FALSE(at(36).behaviour.closed_goes_first);
  EXPECT_TRUE(at(41).behaviour.closed_goes_first);
  EXPECT_EQ(at(41).behaviour.tid_address, at(41).pthread.tid);
  EXPECT_EQ(at(43).behaviour.tid_address, at(43).pthread.joinstate);
  EXPECT_EQ(at(43).behaviour.joinstate_value, 2);
  EXPECT_FALSE(at(36).behaviour.tunable_string_pair);
  EXPECT_TRUE(at(43).behaviour.tunable_string_pair);
}

TEST(Fingerprint, TellsTheReleasesApart) {
  EXPECT_EQ(at(36).fingerprint.rtld_global__dl_stack_used, 4264);
  EXPECT_EQ(at(41).fingerprint.rtld_global__dl_stack_used, 2816);
  EXPECT_EQ(at(43).fingerprint.rtld_global__dl_stack_used, 2048);
  EXPECT_EQ(at(36).fingerprint.link_map_l_tls_offset, 1144);
  EXPECT_EQ(at(43).fingerprint.sizeof_pthread, 2368);
  for (const FingerprintWord& word : kFingerprintWords) {
    EXPECT_EQ(std::strncmp(word.symbol, "_thread_db_", 11), 0);
    EXPECT_NE(at(41).fingerprint.*word.expected, kAbsent) << word.symbol;
  }
}

}  // namespace
}  // namespace prelude::glibc
