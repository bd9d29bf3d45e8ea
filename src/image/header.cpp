// ELF header and program headers: from untrusted bytes to checked facts (gABI ch. 4 and 5).
#include <prelude/base/align.h>
#include <prelude/image/image.h>

#include <algorithm>

#include "words.h"

namespace prelude {
namespace {

// The part of e_ident behind the class.
Status check_encoding(const uint8_t* ident) {
  if (ident[elf::kIdentData] != elf::kDataLittle) return Error{.code = Errc::kBadDataEncoding};
  if (ident[elf::kIdentVersion] != 1) return Error{.code = Errc::kBadIdentVersion};
  const uint8_t os = ident[elf::kIdentOsAbi];
  if (os != elf::kOsAbiSysv && os != elf::kOsAbiGnu)
    return Error{.code = Errc::kBadOsAbi, .value = os};
  const uint8_t abi = ident[elf::kIdentAbiVersion];
  if (abi != 0 && !(os == elf::kOsAbiGnu && abi < 4))
    return Error{.code = Errc::kBadAbiVersion, .value = abi};
  for (uint8_t i = elf::kIdentPad; i < 16; ++i)
    if (ident[i] != 0) return Error{.code = Errc::kBadPadding};
  return Done{};
}

// A file for another machine is passed over in a search: its odd encoding is no fault (Compat:
// glibc 2.36, measured; e_version it looks at before the machine).
template <typename Elf>
Status check_ident(const typename Elf::FileHeader& header, uint16_t machine) {
  const uint8_t* ident = header.ident;
  if (ident[0] != 0x7f || ident[1] != 'E' || ident[2] != 'L' || ident[3] != 'F')
    return Error{.code = Errc::kBadMagic};
  if (ident[elf::kIdentClass] != Elf::kClass)
    return Error{.code = Errc::kWrongClass, .value = ident[elf::kIdentClass]};
  const Status status = check_encoding(ident);
  if (!status && header.machine != machine)
    return Error{.code = Errc::kWrongMachine, .value = header.machine};
  return status;
}

// The highest address user space can have is below this on every machine served; it keeps all later
// sums free of overflow.
template <typename Elf>
constexpr uint64_t kAddressLimit =
    Elf::kClass == elf::kClass64 ? uint64_t{1} << 47 : uint64_t{0xffff0000};

template <typename Elf>
Status check_load(const typename Elf::ProgramHeader& ph, uint64_t file_size,
                  const HostRules& host) {
  if (ph.memsz < ph.filesz) return bad_field("p_filesz", ph.filesz, "at most p_memsz");
  if (ph.align > 1 && (ph.align & (ph.align - 1)) != 0)
    return bad_field("p_align", ph.align, "a power of two");
  if (((ph.vaddr - ph.offset) & (host.page_size - 1)) != 0)
    return Error{.code = Errc::kSegmentNotAligned};
  if (ph.vaddr >= kAddressLimit<Elf> || ph.memsz >= kAddressLimit<Elf> - ph.vaddr)
    return bad_field("p_vaddr + p_memsz", ph.vaddr, "an address of user space");
  if (file_size != UINT64_MAX && (ph.offset > file_size || ph.filesz > file_size - ph.offset))
    return bad_field("p_offset + p_filesz", ph.offset,
                     "a part of the file (is the file truncated?)");
  return Done{};
}

template <typename Elf>
Status check_tls(const typename Elf::ProgramHeader& ph) {
  if (ph.memsz == 0) return Done{};  // there is no such data
  if (ph.filesz > ph.memsz) return bad_field("PT_TLS p_filesz", ph.filesz, "at most p_memsz");
  if (ph.align > 1 && (ph.align & (ph.align - 1)) != 0)
    return bad_field("PT_TLS p_align", ph.align, "a power of two");
  if (ph.align > uint64_t{1} << 31) return bad_field("PT_TLS p_align", ph.align, "at most 2 GiB");
  if (uint64_t{ph.memsz} > uint64_t{1} << 39)
    return bad_field("PT_TLS p_memsz", ph.memsz, "at most 512 GiB");
  return Done{};
}

bool ascending(const LoadSegment* segments, uint32_t count) {
  for (uint32_t i = 1; i < count; ++i)
    if (segments[i].vaddr < segments[i - 1].vaddr) return false;
  return true;
}

// A later segment is laid over the pages it shares with the one below: what the tables say about
// the lower one holds only while these are the same bytes of the file and no permission is lost.
// Whose segments are aligned to pages (`align`) has no two kinds of memory in one.
Status check_overlap(const LoadSegment* segments, uint32_t count, uint64_t align, uint64_t page) {
  for (uint32_t i = 1; i < count; ++i) {
    const LoadSegment &below = segments[i - 1], &s = segments[i];
    const uint64_t end = below.vaddr + below.memsz;
    if (s.vaddr < end) return bad_field("p_vaddr", s.vaddr, "segments that do not overlap");
    if (end <= round_down(s.vaddr, page)) continue;
    const bool same_bytes = below.vaddr - below.offset == s.vaddr - s.offset && s.filesz != 0;
    const uint32_t differ = below.flags ^ s.flags;
    if (!same_bytes || (align >= page ? differ : differ & below.flags) != 0)
      return bad_field("p_vaddr", s.vaddr, "a page of its own, as its neighbour's differs");
  }
  return Done{};
}

// What a program writes to and what it does not come from different bytes of a file: the same bytes
// in both mean that one of the offsets is wrong. Nearly always the bytes ascend like the addresses;
// if not, no more segments are looked at than linkers make.
Status check_file_overlap(const LoadSegment* segments, uint32_t count) {
  constexpr uint32_t kUsual = 16;
  uint32_t ascending = 1;
  while (ascending < count && segments[ascending].offset >=
                                  segments[ascending - 1].offset + segments[ascending - 1].filesz)
    ++ascending;
  if (ascending >= count || count > kUsual) return Done{};
  for (uint32_t i = 0; i < count; ++i) {
    const LoadSegment& fixed = segments[i];
    if ((fixed.flags & elf::kPfW) != 0 || fixed.filesz == 0) continue;
    for (uint32_t k = 0; k < count; ++k) {
      const LoadSegment& data = segments[k];
      if ((data.flags & elf::kPfW) != 0 && data.filesz != 0 &&
          fixed.offset < data.offset + data.filesz && data.offset < fixed.offset + fixed.filesz)
        return bad_field("p_offset", fixed.offset,
                         "bytes that are not those of a writable segment");
    }
  }
  return Done{};
}

template <typename Elf>
void note_facts(const typename Elf::ProgramHeader& ph, BasicImage<Elf>& out) {
  switch (ph.type) {
    case elf::kPtDynamic:
      out.dynamic_vaddr = ph.vaddr;
      out.dynamic_flags = ph.flags;
      // Compat: at address 0 there is none (glibc 2.36).
      out.dynamic_size = ph.vaddr == 0 ? 0 : ph.memsz < ph.filesz ? ph.memsz : ph.filesz;
      break;
    case elf::kPtInterp:
      out.interp_vaddr = ph.vaddr;
      out.interp_size = ph.filesz;
      break;
    case elf::kPtTls:
      out.tls_vaddr = ph.vaddr;
      out.tls_offset = ph.offset;
      out.tls_filesz = ph.filesz;
      out.tls_memsz = ph.memsz;
      out.tls_align = ph.align == 0 ? 1 : ph.align;
      break;
    case elf::kPtGnuRelro:
      out.relro_vaddr = ph.vaddr;
      out.relro_size = ph.memsz;
      break;
    case elf::kPtGnuEhFrame:
      out.eh_frame_vaddr = ph.vaddr;
      break;
    case elf::kPtGnuProperty:
      out.property_vaddr = ph.vaddr;
      out.property_size = ph.filesz;
      break;
    case elf::kPtGnuStack:
      out.stack_flags = ph.flags;
      out.has_stack_header = true;
      break;
    default:
      break;
  }
}

// True where the file's bytes at `offset` are mapped at another address than vaddr.
template <typename Elf>
bool strays(const BasicImage<Elf>& image, uint64_t vaddr, uint64_t offset) {
  const LoadSegment* s = image.file_segment(vaddr, 1);
  return s != nullptr && vaddr - s->vaddr != offset - s->offset;
}

template <typename Elf>
Status check_tls_image(const BasicImage<Elf>& image) {
  if (image.tls_memsz == 0 || image.tls_filesz == 0) return Done{};
  if (image.file_segment(image.tls_vaddr, image.tls_filesz) == nullptr)
    return bad_field("PT_TLS p_vaddr", image.tls_vaddr,
                     "the address of file-backed memory of a PT_LOAD");
  if (strays(image, image.tls_vaddr, image.tls_offset))
    return bad_field("PT_TLS p_vaddr", image.tls_vaddr,
                     "the address at which its p_offset is mapped");
  return Done{};
}

// Pages are made read-only there: taking execution from code is no business of this header.
template <typename Elf>
Status check_relro(const BasicImage<Elf>& image, uint64_t page) {
  if (image.relro_size == 0) return Done{};
  if (image.relro_vaddr < image.low || image.relro_size > image.high ||
      image.relro_vaddr > image.high - image.relro_size)
    return bad_field("PT_GNU_RELRO p_vaddr", image.relro_vaddr, "an address inside the object");
  const uint64_t start = round_down(image.relro_vaddr, page);
  const uint64_t end = round_down(image.relro_vaddr + image.relro_size, page);
  for (uint32_t i = 0; i < image.segment_count; ++i) {
    const LoadSegment& s = image.segments[i];
    if (s.vaddr < end && round_up(s.vaddr + s.memsz, page) > start && (s.flags & elf::kPfX) != 0)
      return bad_field("PT_GNU_RELRO p_vaddr", image.relro_vaddr, "memory that is not executable");
  }
  return Done{};
}

// Unwinders read this table where the loader says that it is. (A file of debug data has neither.)
template <typename Elf>
Status check_eh_frame(const BasicImage<Elf>& image) {
  constexpr uint64_t kHeader = 4;
  if (image.eh_frame_vaddr == 0 || image.dynamic_size == 0 ||
      image.file_segment(image.eh_frame_vaddr, kHeader) != nullptr)
    return Done{};
  return bad_field("PT_GNU_EH_FRAME p_vaddr", image.eh_frame_vaddr,
                   "an address inside the object's file-backed segments");
}

// The last segment that starts at or below vaddr. They ascend and do not overlap.
template <typename Elf>
const LoadSegment* segment_at(const BasicImage<Elf>& image, uint64_t vaddr) {
  constexpr uint32_t kUsual = 8;
  const LoadSegment *low = image.segments, *high = low + image.segment_count;
  while (high - low > ptrdiff_t{kUsual}) {
    const LoadSegment* middle = low + (high - low) / 2;
    if (middle->vaddr <= vaddr)
      low = middle;
    else
      high = middle;
  }
  while (high != low)
    if ((--high)->vaddr <= vaddr) return high;
  return nullptr;
}

bool holds(uint64_t room, uint64_t at, uint64_t bytes) { return at <= room && bytes <= room - at; }

}  // namespace

template <typename Elf>
Result<HeaderFacts> decode_header(const std::byte* head, size_t bytes, uint64_t file_size,
                                  const HostRules& host) {
  using ProgramHeader = typename Elf::ProgramHeader;
  if (bytes < sizeof(typename Elf::FileHeader)) return Error{.code = Errc::kFileTooShort};
  typename Elf::FileHeader header;
  __builtin_memcpy(&header, head, sizeof header);
  PRELUDE_TRY(check_ident<Elf>(header, host.machine));
  if (header.version != 1) return Error{.code = Errc::kBadVersion};
  if (header.machine != host.machine)
    return Error{.code = Errc::kWrongMachine, .value = header.machine};
  if (header.type != elf::kTypeDyn && header.type != elf::kTypeExec)
    return Error{.code = Errc::kBadType};
  if (header.phentsize != sizeof(ProgramHeader)) return Error{.code = Errc::kBadPhentsize};
  const uint64_t table = uint64_t{header.phnum} * sizeof(ProgramHeader);
  if (header.phoff > file_size || table > file_size - header.phoff) {
    // No file has such an offset: what the kernel would say.
    constexpr int32_t kInvalidArgument = 22;
    const int32_t number = header.phoff > uint64_t{INT64_MAX} ? kInvalidArgument : 0;
    return Error{.code = Errc::kCannotReadData, .sys_errno = number, .value = header.phoff};
  }
  if (header.phoff % sizeof(typename Elf::Word) != 0)
    return bad_field("e_phoff", header.phoff, kWordMultiple<Elf>);
  return HeaderFacts{header.type, header.phnum, header.entry, header.phoff};
}

template <typename Elf>
Status decode_program_headers(const typename Elf::ProgramHeader* headers, uint16_t count,
                              uint64_t file_size, const HostRules& host, LoadSegment* segments,
                              BasicImage<Elf>& out) {
  uint32_t loads = 0;
  uint64_t low = UINT64_MAX, dynamic_offset = 0;
  for (uint16_t i = 0; i < count; ++i) {
    const typename Elf::ProgramHeader& ph = headers[i];
    if (ph.type == elf::kPtTls) PRELUDE_TRY(check_tls<Elf>(ph));
    if (ph.type == elf::kPtDynamic) dynamic_offset = ph.offset;
    note_facts<Elf>(ph, out);
    if (ph.type != elf::kPtLoad || (ph.memsz | ph.filesz) == 0) continue;
    PRELUDE_TRY(check_load<Elf>(ph, file_size, host));
    segments[loads++] = {ph.vaddr, ph.filesz, ph.memsz, ph.offset, ph.flags};
    if (ph.vaddr < low) low = ph.vaddr;
    const uint64_t end = uint64_t{ph.vaddr} + ph.memsz;
    if (end > out.end) out.end = end;
    if (ph.align > out.max_align) out.max_align = ph.align;
  }
  if (loads == 0) return Error{.code = Errc::kNoLoadSegments};
  if (!ascending(segments, loads))
    std::sort(segments, segments + loads,
              [](const auto& a, const auto& b) { return a.vaddr < b.vaddr; });
  PRELUDE_TRY(check_overlap(segments, loads, out.max_align, host.page_size));
  PRELUDE_TRY(check_file_overlap(segments, loads));
  out.segments = segments;
  out.segment_count = loads;
  out.low = round_down(low, host.page_size);
  out.high = round_up(out.end, host.page_size);
  out.dynamic_strays = strays(out, out.dynamic_vaddr, dynamic_offset);
  PRELUDE_TRY(check_tls_image(out));
  PRELUDE_TRY(check_eh_frame(out));
  return check_relro(out, host.page_size);
}

template <typename Elf>
const LoadSegment* BasicImage<Elf>::file_segment(uint64_t vaddr, uint64_t bytes) const {
  const LoadSegment* s = segment_at(*this, vaddr);
  if (s == nullptr || (s->flags & elf::kPfR) == 0) return nullptr;
  return holds(s->filesz, vaddr - s->vaddr, bytes) ? s : nullptr;
}

template <typename Elf>
const LoadSegment* BasicImage<Elf>::memory_segment(uint64_t vaddr, uint64_t bytes) const {
  const LoadSegment* s = segment_at(*this, vaddr);
  if (s == nullptr || (s->flags & (elf::kPfR | elf::kPfW)) == 0) return nullptr;
  return holds(s->memsz, vaddr - s->vaddr, bytes) ? s : nullptr;
}

template <typename Elf>
bool BasicImage<Elf>::executable(uint64_t vaddr) const {
  const LoadSegment* s = segment_at(*this, vaddr);
  return s != nullptr && (s->flags & elf::kPfX) != 0 && vaddr - s->vaddr < s->filesz;
}

#define PRELUDE_INSTANTIATE(Elf)                                                             \
  template struct BasicImage<Elf>;                                                           \
  template Result<HeaderFacts> decode_header<Elf>(const std::byte*, size_t, uint64_t,        \
                                                  const HostRules&);                         \
  template Status decode_program_headers<Elf>(const Elf::ProgramHeader*, uint16_t, uint64_t, \
                                              const HostRules&, LoadSegment*, BasicImage<Elf>&);
PRELUDE_FOR_EACH_CLASS(PRELUDE_INSTANTIATE)

}  // namespace prelude
