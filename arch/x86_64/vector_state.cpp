#include <arch/x86_64/vector_state.h>

#include <cpuid.h>

// Read by save_state.inc under these names.
uint64_t prelude_xsave_area_size = 512;
uint32_t prelude_xsave_mask[2] = {0, 0};
uint32_t prelude_state_saver = 0;

namespace prelude::arch {
namespace {

// SSE, AVX, bound registers, AVX-512 (three parts), APX registers. Not x87, which is empty at a
// call, and not the AMX tiles: nothing the stubs call touches them.
constexpr uint64_t kWanted = 0xee | (uint64_t{1} << 19);
constexpr uint64_t kSseAndAvx = 6;
constexpr unsigned kXsaveLeaf = 13;
constexpr unsigned kOsxsaveBit = 1U << 27;
constexpr unsigned kXsavecBit = 1U << 1;
constexpr uint64_t kLegacyBytes = 512 + 64;  // fxsave image and xsave header
constexpr uint64_t kAvxBytes = 256;
// The end of the last wanted component in the standard format, on every processor known (the three
// AVX-512 parts end at 2688 on Intel, 2432 on AMD); the compacted format is shorter. An upper bound
// saves a CPUID instruction for each component, and those trap under a hypervisor.
constexpr uint64_t kLargestBytes = 2688;

uint64_t enabled_components() {
  uint32_t low;
  uint32_t high;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

}  // namespace

VectorState vector_state_of(uint64_t xcr0, StateSaver best) {
  if (xcr0 == 0 || best == StateSaver::kFxsave) return {};
  VectorState state;
  state.saver = best;
  state.mask = xcr0 & kWanted;
  state.bytes = (state.mask & ~kSseAndAvx) == 0 ? kLegacyBytes + kAvxBytes : kLargestBytes;
  return state;
}

VectorState detect_vector_state() {
  unsigned a;
  unsigned b;
  unsigned c;
  unsigned d;
  __cpuid(1, a, b, c, d);
  if ((c & kOsxsaveBit) == 0) return {};
  __cpuid_count(kXsaveLeaf, 1, a, b, c, d);
  const bool compacts = (a & kXsavecBit) != 0;
  return vector_state_of(enabled_components(), compacts ? StateSaver::kXsavec : StateSaver::kXsave);
}

void use_vector_state(const VectorState& state) {
  prelude_xsave_area_size = state.bytes;
  prelude_xsave_mask[0] = static_cast<uint32_t>(state.mask);
  prelude_xsave_mask[1] = static_cast<uint32_t>(state.mask >> 32);
  prelude_state_saver = static_cast<uint32_t>(state.saver);
}

void* lazy_binding_stub(StateSaver saver) {
  switch (saver) {
    case StateSaver::kXsave:
      return reinterpret_cast<void*>(&prelude_lazy_xsave);
    case StateSaver::kXsavec:
      return reinterpret_cast<void*>(&prelude_lazy_xsavec);
    case StateSaver::kFxsave:
      break;
  }
  return reinterpret_cast<void*>(&prelude_lazy_fxsave);
}

}  // namespace prelude::arch
