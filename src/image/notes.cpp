// GNU notes: properties and build-id. Damaged notes count as absent: nothing depends on them but
// optional refusals.
#include <prelude/image/image.h>

namespace prelude {
namespace {

constexpr char kGnuName[4] = {'G', 'N', 'U', 0};

// Walks the notes in [at, at + bytes); `each` gets type, descriptor and its size, true = stop.
template <typename Each>
bool walk_notes(const std::byte* at, uint64_t bytes, uint64_t align, Each each) {
  while (bytes >= sizeof(elf::NoteHeader)) {
    elf::NoteHeader header;
    __builtin_memcpy(&header, at, sizeof header);
    const uint64_t name_room = (uint64_t{header.name_size} + 3) & ~uint64_t{3};
    const uint64_t desc_at =
        sizeof header + ((name_room + align - 1) & ~(align - 1) & ~uint64_t{3});
    const uint64_t desc_start =
        align == 8 ? ((sizeof header + header.name_size + 7) & ~uint64_t{7}) : desc_at;
    if (desc_start > bytes || header.desc_size > bytes - desc_start) return false;
    if (header.name_size == 4 && __builtin_memcmp(at + sizeof header, kGnuName, 4) == 0 &&
        each(header.type, at + desc_start, header.desc_size))
      return true;
    const uint64_t next = desc_start + ((uint64_t{header.desc_size} + align - 1) & ~(align - 1));
    if (next >= bytes) return false;
    at += next;
    bytes -= next;
  }
  return false;
}

template <typename Elf, typename Each>
void walk_object_notes(const BasicImage<Elf>& image, Each each) {
  for (uint16_t i = 0; i < image.phnum; ++i) {
    const typename Elf::ProgramHeader& ph = image.phdr[i];
    if (ph.type != elf::kPtNote) continue;
    const void* notes = image.file_bytes(ph.vaddr, ph.filesz);
    if (notes == nullptr) continue;
    if (walk_notes(static_cast<const std::byte*>(notes), ph.filesz, ph.align == 8 ? 8 : 4, each))
      return;
  }
}

}  // namespace

template <typename Elf>
uint32_t gnu_property(const BasicImage<Elf>& image, uint32_t wanted) {
  uint32_t value = 0;
  auto read = [&](uint32_t type, const std::byte* desc, uint32_t size) {
    if (type != elf::kNoteGnuProperty) return false;
    constexpr uint64_t kAlign = sizeof(typename Elf::Word);
    while (size >= 8) {  // pr_type, pr_datasz, data padded to a word
      uint32_t head[2];
      __builtin_memcpy(head, desc, sizeof head);
      if (head[1] > size - 8) return false;
      if (head[0] == wanted && head[1] == 4) {
        __builtin_memcpy(&value, desc + 8, 4);
        return true;
      }
      const uint64_t step = 8 + ((uint64_t{head[1]} + kAlign - 1) & ~(kAlign - 1));
      if (step > size) return false;
      desc += step;
      size -= static_cast<uint32_t>(step);
    }
    return false;
  };
  if (image.property_size != 0) {
    const void* notes = image.file_bytes(image.property_vaddr, image.property_size);
    if (notes != nullptr)
      walk_notes(static_cast<const std::byte*>(notes), image.property_size,
                 sizeof(typename Elf::Word), read);
    return value;
  }
  walk_object_notes(image, read);
  return value;
}

template <typename Elf>
const uint8_t* build_id(const BasicImage<Elf>& image, uint32_t& bytes) {
  const uint8_t* found = nullptr;
  walk_object_notes(image, [&](uint32_t type, const std::byte* desc, uint32_t size) {
    if (type != elf::kNoteGnuBuildId) return false;
    found = reinterpret_cast<const uint8_t*>(desc);
    bytes = size;
    return true;
  });
  return found;
}

#define PRELUDE_INSTANTIATE(Elf)                                    \
  template uint32_t gnu_property(const BasicImage<Elf>&, uint32_t); \
  template const uint8_t* build_id(const BasicImage<Elf>&, uint32_t&);
PRELUDE_FOR_EACH_CLASS(PRELUDE_INSTANTIATE)

}  // namespace prelude
