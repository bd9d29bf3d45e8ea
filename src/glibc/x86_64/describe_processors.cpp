#include "describe_processors.h"

#include <prelude/sys/sys.h>

namespace prelude::glibc {
namespace {

using arch::CpuidLeaf;

constexpr uint32_t kExtended = 0x80000000;
constexpr uint32_t kLastSubleaf = 0x1ff;
constexpr uint32_t kEchoMask = 0xff;
constexpr uint32_t kMostLeaves = 0xffff;  // a processor that says more is not believed

bool is_zero(const CpuidLeaf& a) { return (a.eax | a.ebx | a.ecx | a.edx) == 0; }

bool same_but_for(uint32_t ecx_bits, const CpuidLeaf& a, const CpuidLeaf& b) {
  return a.eax == b.eax && a.ebx == b.ebx && a.edx == b.edx && ((a.ecx ^ b.ecx) & ~ecx_bits) == 0;
}

bool echoes(const CpuidLeaf& answer, uint32_t subleaf) {
  return ((answer.ecx ^ subleaf) & kEchoMask) == 0;
}

// The answer to the subleaf behind a run makes the run longer, or does not belong to it.
bool extend(CpuidRun& run, uint32_t subleaf, const CpuidLeaf& answer) {
  const bool may_be_same = run.first == run.last || !run.echoes;
  const bool may_echo = run.first == run.last || run.echoes;
  if (may_be_same && same_but_for(0, run.answer, answer)) {
    run.last = subleaf;
    return true;
  }
  if (!may_echo || !echoes(run.answer, run.first) || !echoes(answer, subleaf) ||
      !same_but_for(kEchoMask, run.answer, answer))
    return false;
  run.last = subleaf;
  run.echoes = true;
  return true;
}

bool read_subleaf(Heap& heap, const arch::CpuSource& source, uint32_t leaf, uint32_t subleaf,
                  Array<CpuidRun>& runs) {
  const CpuidLeaf answer = source.cpuid(source.context, leaf, subleaf);
  if (!runs.empty()) {
    CpuidRun& run = runs.back();
    const bool next = run.leaf == leaf && run.last + 1 == subleaf;
    if (next && extend(run, subleaf, answer)) return true;
  }
  return is_zero(answer) || runs.push(heap, {leaf, subleaf, subleaf, false, answer});
}

// The first leaf of a range tells the last one.
bool read_range(Heap& heap, const arch::CpuSource& source, uint32_t base, Array<CpuidRun>& runs) {
  const uint32_t told = source.cpuid(source.context, base, 0).eax;
  if (!read_subleaf(heap, source, base, 0, runs)) return false;
  if (told <= base) return true;
  const uint32_t count = told - base < kMostLeaves ? told - base : kMostLeaves;
  for (uint32_t i = 1; i <= count; ++i)
    for (uint32_t subleaf = 0; subleaf <= kLastSubleaf; ++subleaf)
      if (!read_subleaf(heap, source, base + i, subleaf, runs)) return false;
  return true;
}

// Such an answer is told as that of the whole leaf.
bool is_whole_leaf(const Array<CpuidRun>& runs, size_t i) {
  const CpuidRun& run = runs[i];
  const bool more = i + 1 < runs.size() && runs[i + 1].leaf == run.leaf;
  return run.first == 0 && (run.last == 0 || run.last == kLastSubleaf) && !more;
}

Writer& put_key(Writer& out, uint64_t index) {
  return out.put("x86.processor[0x").hex(index).put("].");
}

void put_run(Writer& out, uint64_t index, const Array<CpuidRun>& runs, size_t i,
             const CpuidLeaf& answer) {
  const CpuidRun& run = runs[i];
  const bool whole = is_whole_leaf(runs, i);
  const auto key = [&]() -> Writer& {
    put_key(out, index).put(whole ? "cpuid.eax[0x" : "cpuid.subleaf_eax[0x").hex(run.leaf);
    if (!whole) out.put("].ecx[0x").hex(run.first);
    return out.put("].");
  };
  key().put("eax=0x").hex(answer.eax).put('\n');
  key().put("ebx=0x").hex(answer.ebx).put('\n');
  key().put("ecx=0x").hex(answer.ecx).put('\n');
  key().put("edx=0x").hex(answer.edx).put('\n');
  if (whole || run.first == run.last) return;
  key().put("until_ecx=0x").hex(run.last).put('\n');
  if (run.echoes) key().put("ecx_query_mask=0x").hex(kEchoMask).put('\n');
}

bool precedes(const CpuidRun& a, const CpuidRun& b) {
  return a.leaf != b.leaf ? a.leaf < b.leaf : a.first < b.first;
}

// Compat: what has gone is told with zeros, and an echo alone makes no difference (glibc 2.43).
void put_differences(Writer& out, uint64_t index, const Array<CpuidRun>& now,
                     const Array<CpuidRun>& before) {
  size_t i = 0;
  size_t j = 0;
  while (i < now.size() || j < before.size()) {
    if (i == now.size() || (j < before.size() && precedes(before[j], now[i]))) {
      put_run(out, index, before, j++, {});
      continue;
    }
    const bool both = j < before.size() && !precedes(now[i], before[j]);
    const bool same =
        both && now[i].last == before[j].last && same_but_for(0, now[i].answer, before[j].answer);
    if (!same) put_run(out, index, now, i, now[i].answer);
    ++i;
    if (both) ++j;
  }
}

}  // namespace

bool read_processor(Heap& heap, const arch::CpuSource& source, bool xsave, ProcessorFacts& out) {
  out.runs.clear();
  out.xcr0 = xsave ? source.xgetbv(source.context) : 0;
  if (!read_range(heap, source, 0, out.runs)) return false;
  if (source.cpuid(source.context, 0, 0).eax == 0) return true;
  return read_range(heap, source, kExtended, out.runs);
}

void write_processor(Writer& out, const ProcessorPlace& place, const ProcessorFacts& facts,
                     const ProcessorFacts& before) {
  const auto put = [&](const char* name, uint64_t value) {
    put_key(out, place.index).put(name).put("=0x").hex(value).put('\n');
  };
  put("requested", place.requested);
  put("observed", place.observed);
  put("observed_node", place.node);
  put("cpuid_leaves", facts.runs.size());
  put("ecx_limit", kLastSubleaf);
  put_differences(out, place.index, facts.runs, before.runs);
  if (facts.xcr0 != before.xcr0) put("xgetbv.ecx[0x0]", facts.xcr0);
}

void write_processors(Writer& out, Heap& heap, const arch::CpuFacts& cpu) {
  // Compat: of a vendor it does not know glibc uses no xsave.
  const bool xsave = cpu.xcr0 != 0 && cpu.vendor != arch::CpuVendor::kOther;
  constexpr size_t kWords = sys::kMostProcessors / 64;
  uint64_t allowed[kWords] = {};
  if (!sys::allowed_processors(allowed, sizeof allowed)) return;
  ProcessorFacts facts[2];
  ProcessorPlace place;
  for (uint32_t number = 0; number < sys::kMostProcessors; ++number) {
    if ((allowed[number / 64] >> number % 64 & 1) == 0) continue;
    // Compat: one that cannot be had ends the list, but never before there is one in it.
    const bool there = sys::run_on_processor(number).ok();
    if (!there && place.index != 0) break;
    place.requested = number;
    if (const auto got = sys::current_processor(); got) {
      place.observed = got->number;
      place.node = got->node;
    }
    ProcessorFacts& now = facts[place.index % 2];
    if (!read_processor(heap, arch::native_cpu_source(), xsave, now)) break;
    write_processor(out, place, now, facts[(place.index + 1) % 2]);
    ++place.index;
    if (!there) break;
  }
  for (ProcessorFacts& of : facts) of.runs.release(heap);
}

}  // namespace prelude::glibc
