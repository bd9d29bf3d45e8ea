// ELF header, program headers and the mapping plan.
#include "elf_seeds.h"
#include "fuzz.h"

#include <prelude/image/image.h>

#include <cstdlib>
#include <cstring>

using namespace prelude;

std::vector<std::vector<uint8_t>> fuzz_seeds() { return elf_seeds(); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr HostRules kHost{62, 4096};
  const auto facts = decode_header(reinterpret_cast<const std::byte*>(data), size, size, kHost);
  if (!facts) return 0;
  std::vector<elf::ProgramHeader> headers(facts->phnum);
  if (facts->phnum != 0)
    std::memcpy(headers.data(), data + facts->phoff, headers.size() * sizeof(elf::ProgramHeader));
  for (const uint64_t file_size : {uint64_t{size}, UINT64_MAX}) {
    std::vector<LoadSegment> segments(headers.size() + 1);
    Image image;
    if (!decode_program_headers(headers.data(), facts->phnum, file_size, kHost, segments.data(),
                                image))
      continue;
    std::vector<MapStep> steps(1 + 4 * size_t{image.segment_count});
    const uint32_t count = plan_mapping(image, kHost.page_size, steps.data());
    if (count > steps.size()) std::abort();
    for (uint32_t i = 0; i < count; ++i)
      if (steps[i].vaddr < image.low || steps[i].vaddr + steps[i].bytes > image.high) std::abort();
  }
  return 0;
}
