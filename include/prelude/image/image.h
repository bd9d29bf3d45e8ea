// One ELF object, checked once. A decoder turns untrusted bytes into an Image; whoever holds an
// Image need not check its tables again. Pure: nothing here maps, opens or reads.
// The class of the file is a parameter, so that tests can read both; Image is that of this build.
// Addresses and sizes are 64-bit numbers in both: sums of what a 32-bit file says do not wrap.
#pragma once

#include <prelude/base/result.h>
#include <prelude/elf/format.h>

#include <cstddef>
#include <cstdint>

namespace prelude {

/// A PT_LOAD as the file gives it. Addresses are relative to the load bias.
struct LoadSegment {
  uint64_t vaddr, filesz, memsz, offset;
  uint32_t flags;  ///< PF_*
};

struct FunctionArray {
  uint64_t vaddr = 0;
  uint64_t count = 0;
};

/// What the host accepts; passed in so that decoders know no machine.
struct HostRules {
  uint16_t machine;
  uint64_t page_size;
};

/// Facts of the ELF header and the program headers of one file.
struct HeaderFacts {
  uint16_t type = 0;
  uint16_t phnum = 0;
  uint64_t entry = 0;
  uint64_t phoff = 0;  ///< file offset of the program headers
};

/// Checks the ELF header in `head` (at least the first 64 bytes of the file, if it has as many).
/// Errors carry no object; the caller adds it.
template <typename Elf = elf::Native>
Result<HeaderFacts> decode_header(const std::byte* head, size_t bytes, uint64_t file_size,
                                  const HostRules& host);

/// GNU hash table (gABI extension, "GNU Hash ELF Sections"), checked against its segment.
template <typename Word>
struct GnuHashFacts {
  const Word* bloom = nullptr;  ///< null = no table
  const uint32_t* buckets = nullptr;
  const uint32_t* chain_zero =
      nullptr;  ///< chain word of symbol 0 (only indexes >= first_symbol exist)
  uint32_t bucket_count = 0, bloom_mask = 0, bloom_shift = 0, first_symbol = 0;
};

/// ELF (SysV) hash table, gABI ch. 5.
struct SysvHashFacts {
  const uint32_t* buckets = nullptr;  ///< null = no table
  const uint32_t* chains = nullptr;
  uint32_t bucket_count = 0, chain_count = 0;
};

template <typename Elf>
struct BasicImage {
  using Word = typename Elf::Word;

  uint64_t bias = 0;                      ///< address = vaddr + bias
  uint64_t low = 0, high = 0;             ///< page-rounded span of all PT_LOADs, vaddr
  uint64_t end = 0;                       ///< highest vaddr + memsz, not rounded
  const LoadSegment* segments = nullptr;  ///< ascending, without overlap; owned by the module
  uint32_t segment_count = 0;
  uint16_t type = 0;
  uint16_t phnum = 0;
  const typename Elf::ProgramHeader* phdr = nullptr;  ///< in memory of the process
  uint64_t entry = 0;                                 ///< vaddr

  uint64_t max_align = 0;  ///< largest p_align of the PT_LOADs
  uint64_t dynamic_vaddr = 0, dynamic_size = 0;
  uint64_t tls_vaddr = 0, tls_offset = 0, tls_filesz = 0, tls_memsz = 0, tls_align = 0;
  uint64_t relro_vaddr = 0, relro_size = 0;
  uint64_t eh_frame_vaddr = 0;
  uint64_t property_vaddr = 0,
           property_size = 0;  ///< PT_GNU_PROPERTY, else the PT_NOTEs are searched
  uint64_t interp_vaddr = 0, interp_size = 0;
  uint32_t stack_flags = 0;
  uint32_t dynamic_flags = 0;  ///< p_flags of PT_DYNAMIC
  bool has_stack_header = false;
  bool dynamic_strays = false;  ///< PT_DYNAMIC's p_offset is not what lies at its p_vaddr

  // ---- from the dynamic section ----
  const typename Elf::Dynamic* dynamic = nullptr;
  uint32_t dynamic_count = 0;  ///< entries before DT_NULL
  const char* strings = nullptr;
  uint64_t strings_size = 0;  ///< the byte at strings_size - 1 is NUL
  const typename Elf::Symbol* symbols = nullptr;
  uint32_t symbol_limit = 0;  ///< indexes below this may be read
  GnuHashFacts<Word> gnu_hash;
  SysvHashFacts sysv_hash;
  const uint16_t* versym = nullptr;
  const std::byte* verdef = nullptr;  ///< first record; bytes up to verdef_room
  const std::byte* verneed = nullptr;
  uint64_t verdef_room = 0, verneed_room = 0;

  const typename Elf::Relocation* relocations = nullptr;
  uint64_t relocation_count = 0, relative_count = 0;
  const typename Elf::Relocation* plt_relocations = nullptr;
  uint64_t plt_relocation_count = 0;
  const Word* relr = nullptr;
  uint64_t relr_count = 0;
  uint64_t pltgot = 0;  ///< vaddr, 0 = none

  uint64_t init = 0, fini = 0;  ///< vaddr, 0 = none
  FunctionArray init_array, fini_array, preinit_array;
  uint64_t flags = 0, flags_1 = 0;
  const char* soname = nullptr;
  const char* rpath = nullptr;  ///< null where DT_RUNPATH is present too
  const char* runpath = nullptr;
  uint64_t debug_slot = 0;  ///< vaddr of the d_ptr of DT_DEBUG, 0 = none
  bool text_relocations = false, bind_now = false, symbolic = false, has_filters = false,
       names_auditors = false;  ///< DT_AUDIT or DT_DEPAUDIT
  /// Tables used after loading that relocations could reach, as they lie in writable memory: vaddr
  /// ranges.
  struct Range {
    uint64_t low, high;
  } metadata[10] = {};
  uint32_t metadata_count = 0;

  [[nodiscard]] void* address(uint64_t vaddr) const {
    return reinterpret_cast<void*>(static_cast<uintptr_t>(bias + vaddr));
  }
  /// The readable segment that holds [vaddr, vaddr + bytes) with its file-backed part, or null.
  [[nodiscard]] const LoadSegment* file_segment(uint64_t vaddr, uint64_t bytes) const;
  /// The same with the zero-filled part counted in; writable counts as readable.
  [[nodiscard]] const LoadSegment* memory_segment(uint64_t vaddr, uint64_t bytes) const;
  /// The bytes at vaddr if they are file-backed, else null.
  [[nodiscard]] const void* file_bytes(uint64_t vaddr, uint64_t bytes) const {
    return file_segment(vaddr, bytes) == nullptr ? nullptr : address(vaddr);
  }
  /// Whether a segment that may be written to holds all of it. RELRO is not looked at.
  [[nodiscard]] bool writable(uint64_t vaddr, uint64_t bytes) const {
    const LoadSegment* s = memory_segment(vaddr, bytes);
    return s != nullptr && (s->flags & elf::kPfW) != 0;
  }
  /// Whether code of the file lies at vaddr; the zeros behind a segment's bytes are none.
  [[nodiscard]] bool executable(uint64_t vaddr) const;
  /// A NUL-terminated string of the table, or null when the offset is outside.
  [[nodiscard]] const char* string(uint64_t offset) const {
    return offset < strings_size ? strings + offset : nullptr;
  }
};
using Image = BasicImage<elf::Native>;

/// Fills the span, segments and program header facts from checked headers. `segments` has room for
/// every PT_LOAD. `file_size` is UINT64_MAX for objects that the kernel has mapped.
template <typename Elf = elf::Native>
Status decode_program_headers(const typename Elf::ProgramHeader* headers, uint16_t count,
                              uint64_t file_size, const HostRules& host, LoadSegment* segments,
                              BasicImage<Elf>& out);

/// Reads the dynamic section of a mapped object (bias set) and checks every table it names.
template <typename Elf>
Status decode_dynamic(BasicImage<Elf>& image);

/// One step that makes an image's memory. Addresses are vaddr, page-rounded.
struct MapStep {
  enum class Kind : uint8_t {
    kFile,       ///< map file pages
    kAnonymous,  ///< map zero pages
    kNone,       ///< take access away (a hole between segments)
    kZero,       ///< clear bytes of a writable file page; vaddr and bytes are exact
  } kind;
  uint32_t flags;  ///< PF_*
  uint64_t vaddr, bytes, offset;
};
/// Whether segments may share a mapping. Programs that watch the calls (valgrind) know a segment
/// only by a call of its own.
enum class MapStyle : uint8_t { kEconomical, kSeparate };
/// Step 0 maps the whole span; the others lie inside. Gives the number of steps (at most
/// 1 + 4 * segment_count).
template <typename Elf>
uint32_t plan_mapping(const BasicImage<Elf>& image, uint64_t page_size, MapStep* steps,
                      MapStyle style = MapStyle::kEconomical);

/// Whether one can walk over all symbols by the object's hash table, or up to its strings where it
/// has none, without a look at any bound. Reads the whole table.
template <typename Elf>
bool symbols_are_walkable(const BasicImage<Elf>& image);

/// The 32-bit value of a GNU property (`type`) of the object, or 0.
template <typename Elf>
uint32_t gnu_property(const BasicImage<Elf>& image, uint32_t type);
/// Build-id bytes of the object, or null.
template <typename Elf>
const uint8_t* build_id(const BasicImage<Elf>& image, uint32_t& bytes);

/// Calls `each` for every DT entry with this tag. Stops when it returns false.
template <typename Elf, typename Each>
void for_each_dynamic(const BasicImage<Elf>& image, int64_t tag, Each each) {
  for (uint32_t i = 0; i < image.dynamic_count; ++i)
    if (image.dynamic[i].tag == tag && !each(image.dynamic[i].value)) return;
}
template <typename Elf>
bool has_dynamic(const BasicImage<Elf>& image, int64_t tag) {
  for (uint32_t i = 0; i < image.dynamic_count; ++i)
    if (image.dynamic[i].tag == tag) return true;
  return false;
}

/// Which classes the decoders are compiled for: that of the build, and both in hosted libraries.
#ifdef PRELUDE_BOTH_CLASSES
#define PRELUDE_FOR_EACH_CLASS(instantiate) instantiate(elf::Elf64) instantiate(elf::Elf32)
#else
#define PRELUDE_FOR_EACH_CLASS(instantiate) instantiate(elf::Native)
#endif

}  // namespace prelude
