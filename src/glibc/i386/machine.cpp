// struct cpu_features, by which libc's resolvers choose among its variants of memcpy and others: a
// processor without features, so that they take those that run on every one.
#include "glibc/machine.h"

#include <arch/native.h>

#include "glibc/shared_state.h"

namespace prelude::glibc {

namespace {

// libc makes system calls through the word kSystemCall of the thread block: by the vdso's entry, or
// as every processor can.
constexpr size_t kSystemCall = 0x10;

[[gnu::naked, gnu::used]] void plain_system_call() { asm("int $0x80\n\tret"); }

uint64_t system_call_entry() {
  constexpr uint64_t kAtSysinfo = 32;
  for (const elf::AuxEntry* entry = state().kernel.auxv; entry->type != elf::kAtNull; ++entry)
    if (entry->type == kAtSysinfo) return entry->value;
  return reinterpret_cast<uintptr_t>(&plain_system_call);
}

}  // namespace

void fill_machine_words(char* block, uint64_t) {
  arch::write_tcb(block, kSystemCall, system_call_entry());
}

namespace {

// What glibc takes where it knows no cache, and its own lower bounds.
void fill_features(const Layout& layout, std::byte* to) {
  constexpr uint32_t kDataCache = 32 << 10, kSharedCache = 1 << 20;
  constexpr uint32_t kNonTemporal = kSharedCache * 3 / 4, kRepThreshold = 2048;
  const CpuFeatures& at = layout.cpu_features;
  set<int32_t>(to, at.kind, layout.cpu_rules.kind_other);
  set<uint32_t>(to, at.data_cache_size, kDataCache);
  set<uint32_t>(to, at.shared_cache_size, kSharedCache);
  set<uint32_t>(to, at.non_temporal_threshold, kNonTemporal);
  set<uint32_t>(to, at.rep_movsb_threshold, kRepThreshold);
  set<uint32_t>(to, at.rep_movsb_stop_threshold, kNonTemporal);
  set<uint32_t>(to, at.rep_stosb_threshold, kRepThreshold);
}

}  // namespace

CpuSummary fill_processor(const Layout& layout, const arch::CpuFacts&, const HardwareWords& kernel,
                          const Tunables&, std::byte* ro) {
  constexpr uint16_t kFpuDefault = 0x37f;
  const RtldGlobalRo& f = layout.rtld_global_ro;
  set<uint16_t>(ro, f.dl_fpu_control, kFpuDefault);
  fill_features(layout, ro + f.dl_cpu_features);
  return {.hwcap = kernel.first};
}

CpuSummary describe_processor(const Layout& layout, const HardwareWords& kernel, const Tunables&,
                              DescribedProcessor& out) {
  fill_features(layout, out.features);
  return {.hwcap = kernel.first};
}

void write_processor_lines(const Layout&, const DescribedProcessor&, Writer&, Heap&) {}

}  // namespace prelude::glibc
