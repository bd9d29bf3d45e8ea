// ELF header, program headers and the mapping plan.
#include "elf_seeds.h"
#include "fuzz.h"

#include <prelude/image/image.h>

#include <cstdlib>
#include <cstring>

using namespace prelude;

std::vector<std::vector<uint8_t>> fuzz_seeds() { return elf_seeds(); }

namespace {

template <typename Elf>
void decode(const uint8_t* data, size_t size) {
  constexpr HostRules kHost{test::kMachineOf<Elf>, 4096};
  const auto facts =
      decode_header<Elf>(reinterpret_cast<const std::byte*>(data), size, size, kHost);
  if (!facts) return;
  std::vector<typename Elf::ProgramHeader> headers(facts->phnum);
  if (facts->phnum != 0)
    std::memcpy(headers.data(), data + facts->phoff, headers.size() * sizeof headers[0]);
  for (const uint64_t file_size : {uint64_t{size}, UINT64_MAX}) {
    std::vector<LoadSegment> segments(headers.size() + 1);
    BasicImage<Elf> image;
    if (!decode_program_headers(headers.data(), facts->phnum, file_size, kHost, segments.data(),
                                image))
      continue;
    std::vector<MapStep> steps(1 + 4 * size_t{image.segment_count});
    const uint32_t count = plan_mapping(image, kHost.page_size, steps.data());
    if (count > steps.size()) std::abort();
    for (uint32_t i = 0; i < count; ++i)
      if (steps[i].vaddr < image.low || steps[i].vaddr + steps[i].bytes > image.high) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (is_narrow(data, size))
    decode<elf::Elf32>(data, size);
  else
    decode<elf::Elf64>(data, size);
  return 0;
}
