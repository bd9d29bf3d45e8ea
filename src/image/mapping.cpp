// From segments to the shortest list of mapping steps. The first step maps the whole span from the
// file with the first segment's protection; segments that agree with it need no step of their own.
#include <prelude/base/align.h>
#include <prelude/image/image.h>

namespace prelude {
namespace {

struct Pages {
  uint64_t start, file_end, end;  // page-rounded vaddr
};

Pages pages_of(const LoadSegment& s, uint64_t page) {
  return {round_down(s.vaddr, page), round_up(s.vaddr + s.filesz, page),
          round_up(s.vaddr + s.memsz, page)};
}

}  // namespace

template <typename Elf>
uint32_t plan_mapping(const BasicImage<Elf>& image, uint64_t page_size, MapStep* steps,
                      MapStyle style) {
  uint32_t count = 0;
  const LoadSegment& first = image.segments[0];
  const uint64_t first_delta = first.vaddr - first.offset;
  // A first segment without file bytes, or a writable one, cannot lend its mapping to the others.
  const bool file_span = first.filesz != 0 && first.offset >= first.vaddr - image.low;
  if (file_span)
    steps[count++] = {MapStep::Kind::kFile, first.flags, image.low, image.high - image.low,
                      first.offset - (first.vaddr - image.low)};
  else
    steps[count++] = {MapStep::Kind::kNone, 0, image.low, image.high - image.low, 0};

  uint64_t covered = image.low;
  for (uint32_t i = 0; i < image.segment_count; ++i) {
    const LoadSegment& s = image.segments[i];
    const Pages pages = pages_of(s, page_size);
    if (file_span && pages.start > covered)
      steps[count++] = {MapStep::Kind::kNone, 0, covered, pages.start - covered, 0};
    const bool lent = file_span && s.flags == first.flags && s.vaddr - s.offset == first_delta &&
                      (i == 0 || (pages.start >= covered && style == MapStyle::kEconomical));
    if (s.filesz != 0 && !lent)
      steps[count++] = {MapStep::Kind::kFile, s.flags, pages.start, pages.file_end - pages.start,
                        s.offset - (s.vaddr - pages.start)};
    const uint64_t file_pages_end = s.filesz != 0 ? pages.file_end : pages.start;
    if (pages.end > file_pages_end)
      steps[count++] = {MapStep::Kind::kAnonymous, s.flags, file_pages_end,
                        pages.end - file_pages_end, 0};
    const uint64_t file_end = s.vaddr + s.filesz;
    if (s.memsz > s.filesz && s.filesz != 0 && pages.file_end > file_end)
      steps[count++] = {MapStep::Kind::kZero, s.flags, file_end, pages.file_end - file_end, 0};
    if (pages.end > covered) covered = pages.end;
  }
  return count;
}

#define PRELUDE_INSTANTIATE(Elf) \
  template uint32_t plan_mapping(const BasicImage<Elf>&, uint64_t, MapStep*, MapStyle);
PRELUDE_FOR_EACH_CLASS(PRELUDE_INSTANTIATE)

}  // namespace prelude
