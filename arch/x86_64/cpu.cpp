// Reading the processor. How few CPUID instructions are enough:
//   all      0, 1, 7.0, 7.1 (if 7.0 says it exists), 0x80000001 (every long mode CPU has it, so
//            0x80000000 is not asked), 0xd.1
//   AMD      0x80000005, 0x80000006, 0x8000001D.3: the older leaves repeat what 0x8000001D.0-2 say;
//            0x80000008 only for families before Zen, which lack 7.1
//   Intel    4.0 .. 4.3, and 4.4 outside a guest; leaf 2 unless it only points there. Thread
//            counts (0xb) where a threshold hangs on them: see read_topology.
// Not read: 0xd.0 and 0xd.2 ff. (component sizes are fixed), 0x80000007, 0x14, 0x19, 0x24.
#include <arch/x86_64/cpu.h>

namespace prelude::arch {
namespace {

constexpr uint32_t kHttBit = 1U << 28;         // leaf 1 edx
constexpr uint32_t kOsxsaveBit = 1U << 27;     // leaf 1 ecx
constexpr uint32_t kHypervisorBit = 1U << 31;  // leaf 1 ecx
constexpr uint32_t kErmsBit = 1U << 9;         // leaf 7 ebx

class Reader {
 public:
  explicit Reader(const CpuSource& source) : source_(source) {}
  CpuidLeaf read(uint32_t leaf, uint32_t subleaf = 0) {
    ++count_;
    return source_.cpuid(source_.context, leaf, subleaf);
  }
  [[nodiscard]] uint8_t count() const { return count_; }

 private:
  const CpuSource& source_;
  uint8_t count_ = 0;
};

CpuVendor vendor_of(const CpuidLeaf& leaf) {
  struct Row {
    uint32_t ebx, edx, ecx;
    CpuVendor vendor;
  };
  static constexpr Row kRows[] = {
      {0x756e6547, 0x49656e69, 0x6c65746e, CpuVendor::kIntel},    // GenuineIntel
      {0x68747541, 0x69746e65, 0x444d4163, CpuVendor::kAmd},      // AuthenticAMD
      {0x6f677948, 0x6e65476e, 0x656e6975, CpuVendor::kHygon},    // HygonGenuine
      {0x746e6543, 0x48727561, 0x736c7561, CpuVendor::kZhaoxin},  // CentaurHauls
      {0x68532020, 0x68676e61, 0x20206961, CpuVendor::kZhaoxin},  // "  Shanghai  "
  };
  for (const Row& row : kRows)
    if (row.ebx == leaf.ebx && row.edx == leaf.edx && row.ecx == leaf.ecx) return row.vendor;
  return CpuVendor::kOther;
}

void decode_signature(CpuFacts& facts) {
  const uint32_t signature = facts.leaf_1.eax;
  facts.family = signature >> 8 & 15;
  facts.model = signature >> 4 & 15;
  facts.stepping = signature & 15;
  const bool wide_model = facts.family == 15 ||
                          (facts.vendor == CpuVendor::kIntel && facts.family == 6) ||
                          facts.vendor == CpuVendor::kZhaoxin;
  if (wide_model) facts.model += signature >> 12 & 0xf0;
  if (facts.family == 15) facts.family += signature >> 20 & 0xff;
}

void store_cache(const CpuidLeaf& leaf, CpuFacts& facts) {
  constexpr uint32_t kData = 1;
  constexpr uint32_t kCode = 2;
  CacheLevel cache;
  cache.ways = (leaf.ebx >> 22) + 1;
  cache.line = (leaf.ebx & 0xfff) + 1;
  const uint32_t partitions = (leaf.ebx >> 12 & 0x3ff) + 1;
  const uint32_t bytes = cache.ways * partitions * cache.line * (leaf.ecx + 1);
  cache.size = bytes;  // no cache reaches 4 GiB
  cache.sharing_ids = leaf.eax >> 14 & 0x3ff;
  cache.invalidates_all = (leaf.edx & 1) == 0;
  cache.inclusive = (leaf.edx & 2) != 0;
  const uint32_t type = leaf.eax & 31;
  switch (leaf.eax >> 5 & 7) {
    case 1:
      if (type == kData) facts.l1_data = cache;
      if (type == kCode) facts.l1_code = cache;
      break;
    case 2:
      facts.l2 = cache;
      break;
    case 3:
      facts.l3 = cache;
      break;
    case 4:
      facts.l4 = cache;
      break;
    default:
      break;
  }
}

bool is_guest(const CpuFacts& facts) { return (facts.leaf_1.ecx & kHypervisorBit) != 0; }

// No hypervisor shows a fourth level unless asked to.
void read_cache_leaves(Reader& reader, CpuFacts& facts) {
  if (facts.max_leaf < 4) return;
  const uint32_t count = is_guest(facts) ? 4 : 5;
  for (uint32_t subleaf = 0; subleaf < count; ++subleaf) {
    const CpuidLeaf leaf = reader.read(4, subleaf);
    if ((leaf.eax & 31) == 0) return;
    store_cache(leaf, facts);
  }
}

// Every Intel processor that has leaf 13 and whose WBINVD reaches all its caches (edx bit 0 of leaf
// 4) says in leaf 2 no more than "see leaf 4". Emulated ones set that bit and may contradict
// leaf 4.
void read_cache_descriptors(Reader& reader, CpuFacts& facts) {
  const bool points_to_leaf_4 =
      facts.max_leaf >= 13 && facts.l1_data.size != 0 && facts.l1_data.invalidates_all;
  if (facts.max_leaf < 2 || points_to_leaf_4) return;
  facts.leaf_2 = reader.read(2);
  facts.has_leaf_2 = true;
}

void read_amd_caches(Reader& reader, CpuFacts& facts) {
  facts.leaf_80000005 = reader.read(0x80000005);
  facts.leaf_80000006 = reader.read(0x80000006);
  if (facts.family >= 0x15) facts.leaf_8000001d_3 = reader.read(0x8000001d, 3);
  const bool needs_width = facts.family < 0x17 || facts.leaf_8000001d_3.ecx == 0;
  if (needs_width) facts.leaf_80000008 = reader.read(0x80000008);
}

// Callers compare three quarters of a thread's share of the caches with a quarter of the whole.
// With many threads the share loses whatever the exact counts are.
bool share_can_matter(const CpuFacts& facts, uint64_t threads) {
  if ((facts.leaf_7.ebx & kErmsBit) == 0 || facts.l3.size == 0 || threads < 6) return true;
  return !facts.l3.inclusive && 3 * facts.l3.size / threads + 2 * facts.l2.size > facts.l3.size;
}

// Leaf 0xb. In a guest leaf 1 counts the package's threads, nearly always exactly; on bare metal it
// may exceed them, and there CPUID is cheap. Without ERMS every exact count tells. The threads of a
// core count only where L3 is not inclusive; without them: an L2 shared by two ids is a core with
// two threads, a wider one a cluster of cores without.
void read_topology(Reader& reader, CpuFacts& facts) {
  if ((facts.leaf_1.edx & kHttBit) == 0 || facts.max_leaf < 11) return;
  facts.threads_per_package = facts.leaf_1.ebx >> 16 & 0xff;
  facts.threads_per_core = facts.l2.sharing_ids == 1 ? 2 : 1;
  if (!is_guest(facts) || (facts.leaf_7.ebx & kErmsBit) == 0) {
    const CpuidLeaf core = reader.read(11, 1);
    facts.threads_per_package = core.ebx & 0xff;
    if (facts.threads_per_package == 0) facts.threads_per_core = 0;
  }
  if (facts.l3.inclusive || facts.l2.sharing_ids == 0) return;
  if (!share_can_matter(facts, facts.threads_per_package)) return;
  facts.threads_per_core = reader.read(11, 0).ebx & 0xff;
}

CpuidLeaf native_cpuid(void*, uint32_t leaf, uint32_t subleaf) {
  CpuidLeaf result;
  asm volatile("cpuid"
               : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
               : "a"(leaf), "c"(subleaf));
  return result;
}

uint64_t native_xgetbv(void*) {
  uint32_t low;
  uint32_t high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

constexpr bool has_all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

bool avx_enabled(const CpuFacts& facts) {
  return (facts.xcr0 & 6) == 6 && (facts.leaf_1.ecx & 1U << 28) != 0;
}

bool avx512_enabled(const CpuFacts& facts) { return (facts.xcr0 & 0xe6) == 0xe6; }

// BMI1, BMI2, LZCNT and MOVBE in their registers; common to x86-64-v3 and the haswell platform.
bool has_haswell_integers(const CpuFacts& facts) {
  return has_all(facts.leaf_7.ebx, 1U << 3 | 1U << 8) &&
         has_all(facts.leaf_80000001.ecx, 1U << 5) && has_all(facts.leaf_1.ecx, 1U << 22);
}

struct Component {
  uint8_t number;
  bool aligned;  ///< to 64 bytes in the compact form
  uint16_t size;
  uint16_t intel_offset, amd_offset;  ///< in the standard form
};

// SDM vol. 1, 13.4.3 and 13.5; AMD leaves out the bound registers and packs what follows.
constexpr Component kComponents[] = {
    {2, false, 256, 576, 576},     // upper halves of ymm
    {3, false, 64, 960, 960},      // bound registers
    {4, false, 64, 1024, 1024},    // bound configuration
    {5, false, 64, 1088, 832},     // mask registers
    {6, false, 512, 1152, 896},    // upper halves of zmm0-15
    {7, false, 1024, 1664, 1408},  // zmm16-31
    {9, false, 8, 2688, 2432},     // protection keys
    {17, true, 64, 2752, 2752},    // tile configuration
    {18, true, 8192, 2816, 2816},  // tile data
    {19, false, 128, 960, 960},    // APX registers
};
constexpr uint64_t kLegacyArea = 576;

}  // namespace

CpuFacts read_cpu_facts(const CpuSource& source) {
  Reader reader(source);
  CpuFacts facts;
  const CpuidLeaf leaf_0 = reader.read(0);
  facts.max_leaf = leaf_0.eax;
  facts.vendor = vendor_of(leaf_0);
  facts.leaf_1 = reader.read(1);
  decode_signature(facts);
  if (facts.max_leaf >= 7) {
    facts.leaf_7 = reader.read(7);
    if (facts.leaf_7.eax >= 1) facts.leaf_7_1 = reader.read(7, 1);
  }
  facts.leaf_80000001 = reader.read(0x80000001);
  if ((facts.leaf_1.ecx & kOsxsaveBit) != 0) facts.xcr0 = source.xgetbv(source.context);
  switch (facts.vendor) {
    case CpuVendor::kIntel:
    case CpuVendor::kZhaoxin:
      read_cache_leaves(reader, facts);
      if (facts.vendor == CpuVendor::kIntel) read_cache_descriptors(reader, facts);
      read_topology(reader, facts);
      break;
    case CpuVendor::kAmd:
    case CpuVendor::kHygon:
      read_amd_caches(reader, facts);
      break;
    case CpuVendor::kOther:
      break;
  }
  if (facts.max_leaf >= 13) facts.leaf_d_1 = reader.read(13, 1);
  facts.cpuid_count = reader.count();
  return facts;
}

CpuSource native_cpu_source() { return {native_cpuid, native_xgetbv, nullptr}; }

CpuFacts read_cpu_facts() { return read_cpu_facts(native_cpu_source()); }

CpuidLeaf cpuid(uint32_t leaf, uint32_t subleaf) { return native_cpuid(nullptr, leaf, subleaf); }

uint32_t isa_levels(const CpuFacts& facts) {
  // psABI x86-64 1.0, table 3.1.
  constexpr uint32_t kBaseEdx = 1U << 0 | 1U << 8 | 1U << 15 | 1U << 23 | 1U << 24 | 3U << 25;
  constexpr uint32_t kV2Ecx = 1U << 0 | 1U << 9 | 1U << 13 | 3U << 19 | 1U << 23;
  constexpr uint32_t kV3Ecx = 1U << 12 | 1U << 29;
  constexpr uint32_t kV4Ebx = 3U << 16 | 1U << 28 | 3U << 30;
  // Compat: of a vendor that it does not know glibc believes nothing.
  if (facts.vendor == CpuVendor::kOther || !has_all(facts.leaf_1.edx, kBaseEdx)) return 0;
  uint32_t levels = kIsaBaseline;
  if (!has_all(facts.leaf_1.ecx, kV2Ecx) || (facts.leaf_80000001.ecx & 1) == 0) return levels;
  levels |= kIsaV2;
  if (!avx_enabled(facts) || !has_all(facts.leaf_1.ecx, kV3Ecx) ||
      !has_all(facts.leaf_7.ebx, 1U << 5) || !has_haswell_integers(facts))
    return levels;
  levels |= kIsaV3;
  if (avx512_enabled(facts) && has_all(facts.leaf_7.ebx, kV4Ebx)) levels |= kIsaV4;
  return levels;
}

const char* platform_token(const CpuFacts& facts) {
  if (facts.vendor != CpuVendor::kIntel) return nullptr;
  // AVX-512 F, PF, ER and CD together: Knights Landing and Mill only.
  if (avx512_enabled(facts) && has_all(facts.leaf_7.ebx, 1U << 16 | 7U << 26)) return "xeon_phi";
  const bool haswell = avx_enabled(facts) && has_all(facts.leaf_7.ebx, 1U << 5) &&
                       has_all(facts.leaf_1.ecx, 1U << 12 | 1U << 23) &&
                       has_haswell_integers(facts);
  return haswell ? "haswell" : nullptr;
}

uint64_t xsave_compact_bytes(uint64_t mask) {
  uint64_t end = kLegacyArea;
  for (const Component& component : kComponents) {
    if ((mask >> component.number & 1) == 0) continue;
    if (component.aligned) end = (end + 63) & ~uint64_t{63};
    end += component.size;
  }
  return end;
}

uint64_t xsave_standard_bytes(CpuVendor vendor, uint64_t mask) {
  const bool amd = vendor == CpuVendor::kAmd || vendor == CpuVendor::kHygon;
  uint64_t end = kLegacyArea;
  for (const Component& component : kComponents) {
    if ((mask >> component.number & 1) == 0) continue;
    const uint64_t offset = amd ? component.amd_offset : component.intel_offset;
    if (offset + component.size > end) end = offset + component.size;
  }
  return end;
}

VectorState vector_state(const CpuFacts& facts) {
  // SSE, AVX, bound registers, AVX-512 (three parts), APX registers. Not x87, which is empty at a
  // call, and not the AMX tiles: nothing the stubs call touches them.
  constexpr uint64_t kWanted = 0xee | uint64_t{1} << 19;
  VectorState state;
  if (facts.xcr0 == 0 || facts.max_leaf < 13) return state;
  const bool compact = (facts.leaf_d_1.eax & 2) != 0;
  state.saver = compact ? StateSaver::kXsavec : StateSaver::kXsave;
  state.mask = facts.xcr0 & kWanted;
  // Hypervisors may name AMD and keep Intel's layout, which is the longer one.
  const uint64_t bytes = compact ? xsave_compact_bytes(state.mask)
                                 : xsave_standard_bytes(CpuVendor::kIntel, state.mask);
  state.bytes = (bytes + 63) & ~uint64_t{63};
  return state;
}

}  // namespace prelude::arch
