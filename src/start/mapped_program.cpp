// A program that the kernel has mapped. The kernel compares its headers neither with the size of
// the file nor with PT_PHDR, and maps what nobody may read. What can be relied on is found out
// here, before the first look.
#include "start.h"

namespace prelude::start {
namespace {

[[noreturn]] void refuse(const char* field, uint64_t value, const char* expected) {
  fail(linker, {.code = Errc::kBadField,
                .object = linker.program_name,
                .subject = field,
                .context = expected,
                .value = value});
}

// Headers where the kernel says, which says so of a file too that has none of them in memory.
struct MappedHeaders {
  const elf::ProgramHeader* first;
  uint16_t count;
  uint64_t entry;  ///< address

  [[nodiscard]] uint64_t at() const { return reinterpret_cast<uintptr_t>(first); }
  [[nodiscard]] const elf::ProgramHeader* begin() const { return first; }
  [[nodiscard]] const elf::ProgramHeader* end() const { return first + count; }
};

bool can_read_at(uint64_t address) { return sys::can_read(reinterpret_cast<const void*>(address)); }

bool readable(const MappedHeaders& headers) {
  const uint64_t page = linker.host.page_size;
  const uint64_t last = headers.at() + headers.count * sizeof(elf::ProgramHeader) - 1;
  if (headers.at() == 0 || headers.count == 0 || !can_read_at(headers.at())) return false;
  return headers.at() / page == last / page || can_read_at(last);
}

bool is_header(uint64_t address, const MappedHeaders& headers, uint64_t bias) {
  if (address / linker.host.page_size != headers.at() / linker.host.page_size &&
      !can_read_at(address))
    return false;
  const auto* header = reinterpret_cast<const elf::FileHeader*>(address);
  const uint8_t* ident = header->ident;
  return ident[0] == 0x7f && ident[1] == 'E' && ident[2] == 'L' && ident[3] == 'F' &&
         header->entry + bias == headers.entry;
}

// The file's own header lies just before the program headers in nearly every file. It tells the
// bias of a program without PT_PHDR.
uint64_t bias_by_header(const MappedHeaders& headers) {
  constexpr uint64_t kSize = sizeof(elf::FileHeader);
  if (headers.at() % linker.host.page_size != kSize) return 0;
  const auto* header = reinterpret_cast<const elf::FileHeader*>(headers.at() - kSize);
  return header->phoff == kSize && header->phnum == headers.count ? headers.entry - header->entry
                                                                  : 0;
}

const elf::ProgramHeader* find(const MappedHeaders& headers, uint32_t type) {
  for (const elf::ProgramHeader& ph : headers)
    if (ph.type == type) return &ph;
  return nullptr;
}

bool has_bytes(const elf::ProgramHeader& ph) {
  return ph.type == elf::kPtLoad && ph.filesz != 0 && (ph.flags & (elf::kPfR | elf::kPfW)) != 0;
}

// The bias is right where the file header is found by it; without one at least memory is.
bool fits(const MappedHeaders& headers, uint64_t bias) {
  if (bias % linker.host.page_size != 0) return false;
  for (const elf::ProgramHeader& ph : headers)
    if (ph.type == elf::kPtLoad && ph.offset == 0 && ph.filesz >= sizeof(elf::FileHeader))
      return is_header(ph.vaddr + bias, headers, bias);
  for (const elf::ProgramHeader& ph : headers)
    if (has_bytes(ph) && !can_read_at(ph.vaddr + bias)) return false;
  return true;
}

// A file that is shorter than its headers say lacks the end of its last segment.
void check_last_bytes(const MappedHeaders& headers, uint64_t bias) {
  const elf::ProgramHeader* last = nullptr;
  for (const elf::ProgramHeader& ph : headers)
    if (has_bytes(ph) && (last == nullptr || last->offset + last->filesz < ph.offset + ph.filesz))
      last = &ph;
  if (last != nullptr && !can_read_at(last->vaddr + bias + last->filesz - 1))
    refuse("p_offset + p_filesz", last->offset, "a part of the file (is the file truncated?)");
}

}  // namespace

uint64_t bias_of_mapped_program(const elf::ProgramHeader* first, uint16_t count, uint64_t entry) {
  const MappedHeaders headers{first, count, entry};
  if (!readable(headers))
    refuse("e_phoff", headers.at(), "program headers in a readable PT_LOAD segment");
  const elf::ProgramHeader* own = find(headers, elf::kPtPhdr);
  const uint64_t bias = own != nullptr ? headers.at() - own->vaddr : bias_by_header(headers);
  if (!fits(headers, bias))
    refuse("PT_PHDR p_vaddr", own != nullptr ? own->vaddr : 0, "the place of the program headers");
  check_last_bytes(headers, bias);
  return bias;
}

}  // namespace prelude::start
