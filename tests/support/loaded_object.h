// Maps an ELF file's bytes as the loader would, into memory of a test, and decodes it. The memory
// ends with the last page, so that the address sanitizer sees every access outside of the object.
#pragma once

#include <prelude/image/image.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace prelude::test {

inline constexpr HostRules kTestHost{62, 4096};
inline constexpr HostRules kTestHost32{3, 4096};

template <typename Elf>
class BasicLoadedObject {
 public:
  /// Spans over `limit` bytes are not mapped (status kOutOfMemory).
  explicit BasicLoadedObject(const std::vector<uint8_t>& file, uint64_t limit = 1 << 22)
      : status_(Done{}) {
    status_ = load(file, limit);
  }

  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] bool ok() const { return status_.ok(); }
  BasicImage<Elf>& image() { return image_; }
  [[nodiscard]] const BasicImage<Elf>& image() const { return image_; }
  template <typename T>
  T* at(uint64_t vaddr) {
    return static_cast<T*>(image_.address(vaddr));
  }
  /// After load: whether program headers were fine and the memory exists.
  [[nodiscard]] bool mapped() const { return memory_ != nullptr; }

 private:
  using ProgramHeader = typename Elf::ProgramHeader;

  struct FreePages {
    void operator()(std::byte* at) const { ::operator delete (at, std::align_val_t{4096}); }
  };

  Status load(const std::vector<uint8_t>& file, uint64_t limit) {
    const auto* bytes = reinterpret_cast<const std::byte*>(file.data());
    constexpr HostRules kHost = Elf::kClass == elf::kClass64 ? kTestHost : kTestHost32;
    const HeaderFacts facts =
        PRELUDE_TRY(decode_header<Elf>(bytes, file.size(), file.size(), kHost));
    headers_.resize(facts.phnum);
    if (facts.phnum != 0)
      std::memcpy(headers_.data(), bytes + facts.phoff, facts.phnum * sizeof(ProgramHeader));
    segments_.resize(size_t{facts.phnum} + 1);
    image_.type = facts.type;
    image_.entry = facts.entry;
    image_.phnum = facts.phnum;
    image_.phdr = headers_.data();
    PRELUDE_TRY(decode_program_headers(headers_.data(), facts.phnum, file.size(), kHost,
                                       segments_.data(), image_));
    if (image_.end - image_.low > limit) return Error{.code = Errc::kOutOfMemory};
    map(file);
    use_mapped_headers(facts);
    return decode_dynamic(image_);
  }

  void use_mapped_headers(const HeaderFacts& facts) {
    const uint64_t end = facts.phoff + facts.phnum * sizeof(ProgramHeader);
    for (uint32_t i = 0; i < image_.segment_count; ++i) {
      const LoadSegment& s = image_.segments[i];
      if (facts.phoff >= s.offset && end <= s.offset + s.filesz)
        image_.phdr =
            static_cast<const ProgramHeader*>(image_.address(s.vaddr + (facts.phoff - s.offset)));
    }
  }

  void map(const std::vector<uint8_t>& file) {
    const uint64_t span = image_.high - image_.low;
    memory_.reset(static_cast<std::byte*>(::operator new (span, std::align_val_t{4096})));
    std::memset(memory_.get(), 0, span);
    image_.bias = reinterpret_cast<uint64_t>(memory_.get()) - image_.low;
    std::vector<MapStep> steps(1 + 4 * size_t{image_.segment_count});
    const uint32_t count = plan_mapping(image_, 4096, steps.data());
    for (uint32_t i = 0; i < count; ++i) run(steps[i], file);
  }

  void run(const MapStep& step, const std::vector<uint8_t>& file) {
    auto* to = static_cast<std::byte*>(image_.address(step.vaddr));
    std::memset(to, 0, step.bytes);
    if (step.kind != MapStep::Kind::kFile || step.offset >= file.size()) return;
    const uint64_t room = file.size() - step.offset;
    std::memcpy(to, file.data() + step.offset, room < step.bytes ? room : step.bytes);
  }

  BasicImage<Elf> image_;
  std::vector<ProgramHeader> headers_;
  std::vector<LoadSegment> segments_;
  std::unique_ptr<std::byte, FreePages> memory_;
  Status status_;
};
using LoadedObject = BasicLoadedObject<elf::Elf64>;

}  // namespace prelude::test
