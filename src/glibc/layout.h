// Where each glibc release keeps the fields that libc.so.6 and libpthread code read, as plain
// data. The loader's code names a field, the table of the mapped libc says at which byte it lies.
// A further release needs a new file in layouts/ (tools/gen-glibc-layouts), its lines in the
// machine's lists beside machine_layout.h and nothing else. The generator reads the field lists
// below: keep one field a line.
//
// Offsets are bytes from the start of the structure. A field that a release does not have is
// kAbsent. Bit-fields must be changed bit by bit: neighbours belong to others.
#pragma once

#include <prelude/image/image.h>

#include <cstddef>
#include <cstdint>

#include "machine_layout.h"

namespace prelude::glibc {

[[nodiscard]] constexpr bool present(uint16_t offset) { return offset != kAbsent; }

struct BitField {
  uint16_t offset = kAbsent;  ///< byte that holds the lowest bit
  uint8_t bit = 0;            ///< lowest bit within that byte
  uint8_t width = 0;
};

[[nodiscard]] constexpr bool present(BitField field) { return field.offset != kAbsent; }

// ---- structures that are alike in every release served (the generator checks that)

struct LibnameList {
  const char* name;
  LibnameList* next;
  int32_t dont_free;
};

struct ScopeElement {  // r_scope_elem
  void** list;         // struct link_map*[]
  uint32_t count;
};

struct FoundVersion {  // r_found_version
  const char* name;
  uint32_t hash;
  int32_t hidden;
  const char* filename;
};

struct ListHead {  // list_t
  ListHead* next;
  ListHead* prev;
};

union Dtv {
  size_t counter;
  struct {
    void* value;
    void* to_free;
  } pointer;
};

struct DtvSlotinfo {
  size_t generation;
  void* map;
};

struct DtvSlotinfoList {
  size_t length;
  DtvSlotinfoList* next;
  // DtvSlotinfo slots[length] follow.
};

struct FindObjectResult {  // dl_find_object
  uint64_t flags;
  void* map_start;
  void* map_end;
  void* link_map;
  void* eh_frame;
  /// Where words have 32 bits: what encoded pointers of .eh_frame may be relative to, and padding.
  void* data_base[sizeof(void*) == 8 ? 1 : 2];
  uint64_t reserved[sizeof(void*) == 8 ? 6 : 7];
};

struct Exception {  // dl_exception
  const char* object_name;
  const char* message;
  char* buffer;
};

struct AuditState {
  uintptr_t cookie;
  uint32_t bind_flags;
};

inline constexpr size_t kWord = sizeof(void*);
static_assert(sizeof(LibnameList) == 3 * kWord && sizeof(ScopeElement) == 2 * kWord);
static_assert(sizeof(FoundVersion) == kWord + 8 + kWord && sizeof(ListHead) == 2 * kWord &&
              sizeof(Dtv) == 2 * kWord);
static_assert(sizeof(DtvSlotinfo) == 2 * kWord && sizeof(DtvSlotinfoList) == 2 * kWord);
static_assert(sizeof(FindObjectResult) == (kWord == 8 ? 96 : 88) &&
              sizeof(Exception) == 3 * kWord && sizeof(AuditState) == 2 * kWord);

/// A pthread mutex of kMutexSize bytes; `kind` 1 means recursive.
inline constexpr uint16_t kMutexOwner = 8;  ///< tid of a thread, 0 = free
inline constexpr uint16_t kMutexKind = sizeof(void*) == 8 ? 16 : 12;
inline constexpr int32_t kMutexRecursive = 1;

// ---- per release

struct RtldGlobal {
  uint16_t size = kAbsent;
  uint16_t dl_ns = kAbsent;
  uint16_t dl_nns = kAbsent;
  uint16_t dl_load_lock = kAbsent;
  uint16_t dl_load_write_lock = kAbsent;
  uint16_t dl_load_tls_lock = kAbsent;
  uint16_t dl_load_adds = kAbsent;
  uint16_t dl_initfirst = kAbsent;
  uint16_t dl_profile_map = kAbsent;
  uint16_t dl_num_relocations = kAbsent;
  uint16_t dl_num_cache_relocations = kAbsent;
  uint16_t dl_all_dirs = kAbsent;
  uint16_t dl_rtld_map = kAbsent;
  uint16_t dl_rtld_auditstate = kAbsent;
  uint16_t dl_x86_feature_1 = kAbsent;
  uint16_t dl_x86_feature_control = kAbsent;
  uint16_t dl_stack_flags = kAbsent;
  uint16_t dl_stack_prot_flags = kAbsent;
  uint16_t dl_tls_dtv_gaps = kAbsent;
  uint16_t dl_tls_max_dtv_idx = kAbsent;
  uint16_t dl_tls_dtv_slotinfo_list = kAbsent;
  uint16_t dl_tls_static_nelem = kAbsent;
  uint16_t dl_tls_static_used = kAbsent;
  uint16_t dl_tls_static_optional = kAbsent;
  uint16_t dl_initial_dtv = kAbsent;
  uint16_t dl_tls_generation = kAbsent;
  uint16_t dl_scope_free_list = kAbsent;
  uint16_t dl_stack_used = kAbsent;
  uint16_t dl_stack_user = kAbsent;
  uint16_t dl_stack_cache = kAbsent;
  uint16_t dl_stack_cache_actsize = kAbsent;
  uint16_t dl_in_flight_stack = kAbsent;
  uint16_t dl_stack_cache_lock = kAbsent;
};

struct LinkNamespaces {  // one element of dl_ns[16]
  uint16_t size = kAbsent;
  uint16_t ns_loaded = kAbsent;
  uint16_t ns_nloaded = kAbsent;
  uint16_t ns_main_searchlist = kAbsent;
  uint16_t ns_global_scope_alloc = kAbsent;
  uint16_t ns_global_scope_pending_adds = kAbsent;
  uint16_t libc_map = kAbsent;
  uint16_t ns_unique_sym_table = kAbsent;
  uint16_t ns_debug = kAbsent;
};

struct RtldGlobalRo {
  uint16_t size = kAbsent;
  uint16_t dl_debug_mask = kAbsent;
  uint16_t dl_platform = kAbsent;
  uint16_t dl_platformlen = kAbsent;
  uint16_t dl_pagesize = kAbsent;
  uint16_t dl_minsigstacksize = kAbsent;
  uint16_t dl_inhibit_cache = kAbsent;
  uint16_t dl_initial_searchlist = kAbsent;
  uint16_t dl_clktck = kAbsent;
  uint16_t dl_verbose = kAbsent;
  uint16_t dl_debug_fd = kAbsent;
  uint16_t dl_lazy = kAbsent;
  uint16_t dl_bind_not = kAbsent;
  uint16_t dl_dynamic_weak = kAbsent;
  uint16_t dl_fpu_control = kAbsent;
  uint16_t dl_hwcap = kAbsent;
  uint16_t dl_auxv = kAbsent;
  uint16_t dl_cpu_features = kAbsent;
  uint16_t dl_x86_hwcap_flags = kAbsent;
  uint16_t dl_x86_platforms = kAbsent;
  uint16_t dl_x86_tlsdesc_dynamic = kAbsent;
  uint16_t dl_x86_64_runtime_resolve = kAbsent;
  uint16_t dl_inhibit_rpath = kAbsent;
  uint16_t dl_origin_path = kAbsent;
  uint16_t dl_tls_static_size = kAbsent;
  uint16_t dl_tls_static_align = kAbsent;
  uint16_t dl_tls_static_surplus = kAbsent;
  uint16_t dl_profile = kAbsent;
  uint16_t dl_profile_output = kAbsent;
  uint16_t dl_init_all_dirs = kAbsent;
  uint16_t dl_sysinfo_dso = kAbsent;
  uint16_t dl_sysinfo_map = kAbsent;
  uint16_t dl_vdso_clock_gettime64 = kAbsent;
  uint16_t dl_vdso_gettimeofday = kAbsent;
  uint16_t dl_vdso_time = kAbsent;
  uint16_t dl_vdso_getcpu = kAbsent;
  uint16_t dl_vdso_clock_getres_time64 = kAbsent;
  uint16_t dl_vdso_getrandom = kAbsent;
  uint16_t dl_hwcap2 = kAbsent;
  uint16_t dl_hwcap3 = kAbsent;
  uint16_t dl_hwcap4 = kAbsent;
  uint16_t dl_dso_sort_algo = kAbsent;
  // Function slots, contract section 3.
  uint16_t dl_debug_printf = kAbsent;
  uint16_t dl_mcount = kAbsent;
  uint16_t dl_lookup_symbol_x = kAbsent;
  uint16_t dl_open = kAbsent;
  uint16_t dl_close = kAbsent;
  uint16_t dl_catch_error = kAbsent;
  uint16_t dl_error_free = kAbsent;
  uint16_t dl_tls_get_addr_soft = kAbsent;
  uint16_t dl_libc_freeres = kAbsent;
  uint16_t dl_find_object = kAbsent;
  uint16_t dl_readonly_area = kAbsent;
  uint16_t dl_dlfcn_hook = kAbsent;
  uint16_t dl_audit = kAbsent;
  uint16_t dl_naudit = kAbsent;
};

struct LinkMapFields {
  uint16_t size = kAbsent;
  uint16_t l_addr = kAbsent;
  uint16_t l_name = kAbsent;
  uint16_t l_ld = kAbsent;
  uint16_t l_next = kAbsent;
  uint16_t l_prev = kAbsent;
  uint16_t l_real = kAbsent;
  uint16_t l_ns = kAbsent;
  uint16_t l_libname = kAbsent;
  uint16_t l_info = kAbsent;
  uint16_t l_phdr = kAbsent;
  uint16_t l_entry = kAbsent;
  uint16_t l_phnum = kAbsent;
  uint16_t l_ldnum = kAbsent;
  uint16_t l_searchlist = kAbsent;
  uint16_t l_symbolic_searchlist = kAbsent;
  uint16_t l_loader = kAbsent;
  uint16_t l_versions = kAbsent;
  uint16_t l_nversions = kAbsent;
  uint16_t l_nbuckets = kAbsent;
  uint16_t l_gnu_bitmask_idxbits = kAbsent;
  uint16_t l_gnu_shift = kAbsent;
  uint16_t l_gnu_bitmask = kAbsent;
  uint16_t l_gnu_buckets = kAbsent;     ///< shared with l_chain
  uint16_t l_gnu_chain_zero = kAbsent;  ///< shared with l_buckets
  uint16_t l_direct_opencount = kAbsent;
  BitField l_type;
  BitField l_dt_relr_ref;
  BitField l_relocated;
  BitField l_init_called;
  BitField l_global;
  BitField l_main_map;
  BitField l_visited;
  BitField l_map_used;
  BitField l_map_done;
  BitField l_phdr_allocated;
  BitField l_soname_added;
  BitField l_faked;
  BitField l_need_tls_init;
  BitField l_auditing;
  BitField l_audit_any_plt;
  BitField l_removed;
  BitField l_contiguous;
  BitField l_free_initfini;
  BitField l_ld_readonly;
  BitField l_find_object_processed;
  BitField l_tls_in_slotinfo;
  uint16_t l_nodelete_active = kAbsent;
  uint16_t l_nodelete_pending = kAbsent;
  uint16_t l_has_jump_slot_reloc = kAbsent;
  BitField l_property;
  uint16_t l_x86_feature_1_and = kAbsent;
  uint16_t l_x86_isa_1_needed = kAbsent;
  uint16_t l_1_needed = kAbsent;
  uint16_t l_rpath_dirs = kAbsent;
  uint16_t l_reloc_result = kAbsent;
  uint16_t l_versyms = kAbsent;
  uint16_t l_origin = kAbsent;
  uint16_t l_map_start = kAbsent;
  uint16_t l_map_end = kAbsent;
  uint16_t l_text_end = kAbsent;
  uint16_t l_scope_mem = kAbsent;
  uint16_t l_scope_max = kAbsent;
  uint16_t l_scope = kAbsent;
  uint16_t l_local_scope = kAbsent;
  uint16_t l_file_id = kAbsent;
  uint16_t l_runpath_dirs = kAbsent;
  uint16_t l_initfini = kAbsent;
  uint16_t l_reldeps = kAbsent;
  uint16_t l_reldepsmax = kAbsent;
  uint16_t l_used = kAbsent;
  uint16_t l_feature_1 = kAbsent;
  uint16_t l_flags_1 = kAbsent;
  uint16_t l_flags = kAbsent;
  uint16_t l_idx = kAbsent;
  uint16_t l_mach = kAbsent;
  uint16_t l_lookup_cache = kAbsent;
  uint16_t l_tls_initimage = kAbsent;
  uint16_t l_tls_initimage_size = kAbsent;
  uint16_t l_tls_blocksize = kAbsent;
  uint16_t l_tls_align = kAbsent;
  uint16_t l_tls_firstbyte_offset = kAbsent;
  uint16_t l_tls_offset = kAbsent;
  uint16_t l_tls_modid = kAbsent;
  uint16_t l_tls_dtor_count = kAbsent;
  uint16_t l_relro_addr = kAbsent;
  uint16_t l_relro_size = kAbsent;
  uint16_t l_serial = kAbsent;
};

struct Pthread {  // the header (tcbhead_t) comes first
  uint16_t size = kAbsent;
  uint16_t tcb = kAbsent;
  uint16_t dtv = kAbsent;
  uint16_t self = kAbsent;
  uint16_t multiple_threads = kAbsent;
  uint16_t gscope_flag = kAbsent;
  uint16_t stack_guard = kAbsent;
  uint16_t pointer_guard = kAbsent;
  uint16_t feature_1 = kAbsent;
  uint16_t ssp_base = kAbsent;
  uint16_t list = kAbsent;
  uint16_t tid = kAbsent;
  uint16_t robust_prev = kAbsent;
  uint16_t robust_head = kAbsent;
  uint16_t cancelhandling = kAbsent;
  uint16_t flags = kAbsent;
  uint16_t specific_1stblock = kAbsent;
  uint16_t specific = kAbsent;
  uint16_t specific_used = kAbsent;
  uint16_t report_events = kAbsent;
  uint16_t user_stack = kAbsent;
  uint16_t stack_mode = kAbsent;
  uint16_t stopped_start = kAbsent;
  uint16_t setup_failed = kAbsent;
  uint16_t joinid = kAbsent;
  uint16_t joinstate = kAbsent;
  uint16_t schedpolicy = kAbsent;
  uint16_t start_routine = kAbsent;
  uint16_t eventbuf = kAbsent;
  uint16_t nextevent = kAbsent;
  uint16_t stackblock = kAbsent;
  uint16_t stackblock_size = kAbsent;
  uint16_t guardsize = kAbsent;
  uint16_t reported_guardsize = kAbsent;
  uint16_t rtld_catch = kAbsent;
  uint16_t rseq_area = kAbsent;
  uint16_t getrandom_buf = kAbsent;
};

/// How link_map::l_info is indexed: groups of dynamic tags one behind the other, each of the
/// groups behind the standard tags counted downwards from the last tag of its range.
struct InfoIndex {
  uint16_t count = kAbsent;           ///< entries of l_info
  uint16_t dt_num = kAbsent;          ///< tags 0 .. dt_num-1 at their own number
  uint16_t thisproc_num = kAbsent;    ///< from DT_LOPROC upwards
  uint16_t versiontag_num = kAbsent;  ///< DT_VERNEEDNUM downwards
  uint16_t extra_num = kAbsent;       ///< DT_FILTER, DT_AUXILIARY
  uint16_t val_num = kAbsent;         ///< DT_VALRNGHI downwards
  uint16_t addr_num = kAbsent;        ///< DT_ADDRRNGHI downwards
  // The slots the loader and libc use by name.
  uint16_t versym = kAbsent;
  uint16_t verdef = kAbsent;
  uint16_t verdefnum = kAbsent;
  uint16_t verneed = kAbsent;
  uint16_t verneednum = kAbsent;
  uint16_t flags_1 = kAbsent;
  uint16_t relacount = kAbsent;
  uint16_t auxiliary = kAbsent;
  uint16_t filter = kAbsent;
  uint16_t gnu_hash = kAbsent;
  uint16_t tlsdesc_plt = kAbsent;
  uint16_t tlsdesc_got = kAbsent;
  uint16_t audit = kAbsent;
  uint16_t depaudit = kAbsent;

  /// The slot of a dynamic tag, or kAbsent when l_info has none for it.
  [[nodiscard]] constexpr uint16_t slot(int64_t tag) const {
    const auto wide = static_cast<uint64_t>(tag);
    uint32_t base = 0;
    if (wide < dt_num) return static_cast<uint16_t>(wide);
    base += dt_num;
    if (wide - 0x70000000U < thisproc_num) return at(base, wide - 0x70000000U);
    base += thisproc_num;
    if (0x6fffffffU - wide < versiontag_num) return at(base, 0x6fffffffU - wide);
    base += versiontag_num;
    if (0x7fffffffU - wide < extra_num) return at(base, 0x7fffffffU - wide);
    base += extra_num;
    if (0x6ffffdffU - wide < val_num) return at(base, 0x6ffffdffU - wide);
    base += val_num;
    if (0x6ffffeffU - wide < addr_num) return at(base, 0x6ffffeffU - wide);
    return kAbsent;
  }

 private:
  static constexpr uint16_t at(uint32_t base, uint64_t index) {
    return static_cast<uint16_t>(base + index);
  }
};

/// What changes between releases without being an offset.
struct Behaviour {
  bool rseq_in_pthread = false;           ///< to 2.40; later the area lies in the static TLS block
  bool rseq_size_from_auxv = false;       ///< 2.41+: __rseq_size follows AT_RSEQ_FEATURE_SIZE
  bool catch_in_loader = false;           ///< 2.37+: libc imports _dl_catch_exception from us
  bool stack_prot_flags = false;          ///< 2.43: dl_stack_prot_flags (PROT_*), not PF_* bits
  bool tid_address_is_joinstate = false;  ///< 2.43: set_tid_address gets &joinstate, not &tid
  bool exec_stack_on_dlopen = false;      ///< a library that asks for an executable stack gets it
  bool closed_goes_first = false;         ///< 2.39+: dlclose finalises its own object before others
  bool tunable_string_pair = false;       ///< string tunables are {const char*, size_t}, not char*
  bool tunables_strict = false;           ///< 2.39+: one malformed part voids all of GLIBC_TUNABLES
  bool told_when_relocated = false;       ///< 2.41+: auditors hear of complete objects later
  bool told_before_closing = false;       ///< 2.41+: and of a removal before the first close
  bool told_of_each_loader = false;       ///< 2.41+: and of the loader in every namespace
  bool told_after_debugger = false;       ///< 2.41+: and of what is complete behind the debugger
  bool follows_debug_copy = false;        ///< 2.41+: the program's copy of _r_debug is kept up
  bool stops_unchanged = false;           ///< 2.41+: debuggers stop where a dlopen adds nothing
  bool relocates_first = false;           ///< 2.41+: traced before the loader looks for malloc
  bool quiet_reopen = false;              ///< 2.43: a dlopen that changes nothing is not traced
  bool lists_loader = false;              ///< 2.41+: ldd mode shows the loader, needed or not
  bool labels_rseq = false;               ///< 2.41+: LD_SHOW_AUXV has names for types 27 to 30
  bool resolves_origin = false;           ///< 2.43+: direct mode: $ORIGIN without links and dots
  bool prefixes_hwcap = false;            ///< 2.43+: LD_SHOW_AUXV writes 0x before AT_HWCAP
  bool scopeless_callers = false;         ///< 2.44: to dlsym one without a scope is the program
  bool takes_words_back = false;          ///< 2.44: -word in LD_DEBUG
  bool tells_all_tls = false;             ///< 2.44: LD_DEBUG=tls has ids and dynamic blocks
  uint16_t first_generation = 1;          ///< of TLS, when the start is over
  uint16_t tid_address = kAbsent;         ///< offset in struct pthread for set_tid_address
  uint16_t rseq_feature_size = kAbsent;   ///< __rseq_size where it does not come from auxv
  uint16_t rseq_min_size = kAbsent;       ///< smallest area given to the kernel
  uint16_t rseq_min_align = kAbsent;
  int32_t joinstate_value = 0;   ///< main thread: joinable
  int32_t stack_mode_value = 0;  ///< main thread: user stack
};

/// What libc.so.6 says about itself in its _thread_db_* objects (.dynsym, GLIBC_PRIVATE): the
/// third 32-bit word of each, the only word of _thread_db_sizeof_pthread.
struct Fingerprint {
  uint16_t sizeof_pthread = kAbsent;
  uint16_t pthread_tid = kAbsent;
  uint16_t pthread_list = kAbsent;
  uint16_t pthread_specific = kAbsent;
  uint16_t pthread_cancelhandling = kAbsent;
  uint16_t pthread_report_events = kAbsent;
  uint16_t pthread_schedpolicy = kAbsent;
  uint16_t link_map_l_tls_modid = kAbsent;
  uint16_t link_map_l_tls_offset = kAbsent;
  uint16_t rtld_global__dl_stack_used = kAbsent;
  uint16_t rtld_global__dl_stack_user = kAbsent;
  uint16_t rtld_global__dl_tls_dtv_slotinfo_list = kAbsent;
};

struct FingerprintWord {
  char symbol[56];
  uint8_t word;  ///< which 32-bit word of the symbol's object
  uint16_t Fingerprint::*expected;
};

inline constexpr FingerprintWord kFingerprintWords[] = {
    {"_thread_db_sizeof_pthread", 0, &Fingerprint::sizeof_pthread},
    {"_thread_db_link_map_l_tls_modid", 2, &Fingerprint::link_map_l_tls_modid},
    {"_thread_db_link_map_l_tls_offset", 2, &Fingerprint::link_map_l_tls_offset},
    {"_thread_db_rtld_global__dl_stack_used", 2, &Fingerprint::rtld_global__dl_stack_used},
    {"_thread_db_rtld_global__dl_stack_user", 2, &Fingerprint::rtld_global__dl_stack_user},
    {"_thread_db_rtld_global__dl_tls_dtv_slotinfo_list", 2,
     &Fingerprint::rtld_global__dl_tls_dtv_slotinfo_list},
    {"_thread_db_pthread_tid", 2, &Fingerprint::pthread_tid},
    {"_thread_db_pthread_list", 2, &Fingerprint::pthread_list},
    {"_thread_db_pthread_specific", 2, &Fingerprint::pthread_specific},
    {"_thread_db_pthread_cancelhandling", 2, &Fingerprint::pthread_cancelhandling},
    {"_thread_db_pthread_report_events", 2, &Fingerprint::pthread_report_events},
    {"_thread_db_pthread_schedpolicy", 2, &Fingerprint::pthread_schedpolicy},
};

struct Layout {
  int minor = 0;              ///< 36 for glibc 2.36
  uint8_t build_id[20] = {};  ///< of the libc.so.6 the table was made from
  RtldGlobal rtld_global;
  LinkNamespaces link_namespaces;
  RtldGlobalRo rtld_global_ro;
  CpuFeatures cpu_features;
  LinkMapFields link_map;
  Pthread pthread;
  InfoIndex info;
  Behaviour behaviour;
  CpuRules cpu_rules;
  Fingerprint fingerprint;
};

inline constexpr uint16_t kNamespaces = 16;  ///< elements of dl_ns

/// The release a libc.so.6 is of: the N of 2.N, -1 = none.
int release_of(const Image& libc);

/// The layout of glibc 2.`minor`, or null: unknown releases are refused, never guessed.
const Layout* find_layout(int minor);

/// All layouts, oldest release first, for messages.
const Layout* layouts();
size_t layout_count();

}  // namespace prelude::glibc
