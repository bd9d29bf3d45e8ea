// Cache descriptors of CPUID leaf 2, for processors whose leaf 2 says more than "see leaf 4". What
// each byte means to glibc was read off its --list-diagnostics, byte by byte, alike in 2.36, 2.41
// and 2.43; it differs from the SDM's table (vol. 2, "CPUID") in some lines, for example 0x09.
#include "cpu_features.h"

namespace prelude::glibc {
namespace {

using arch::CacheLevel;
using arch::CpuFacts;

struct Descriptor {
  uint8_t code;
  CacheKind kind;
  uint8_t ways, line;
  uint16_t kib;
};

constexpr CacheKind kCode = CacheKind::kL1Code, kData = CacheKind::kL1Data;
constexpr CacheKind kL2 = CacheKind::kL2, kL3 = CacheKind::kL3;
constexpr Descriptor kDescriptors[] = {
    {0x06, kCode, 4, 32, 8},    {0x08, kCode, 4, 32, 16},   {0x09, kCode, 4, 32, 32},
    {0x0a, kData, 2, 32, 8},    {0x0c, kData, 4, 32, 16},   {0x0d, kData, 4, 64, 16},
    {0x0e, kData, 6, 64, 24},   {0x21, kL2, 8, 64, 256},    {0x22, kL3, 4, 64, 512},
    {0x23, kL3, 8, 64, 1024},   {0x25, kL3, 8, 64, 2048},   {0x29, kL3, 8, 64, 4096},
    {0x2c, kData, 8, 64, 32},   {0x30, kCode, 8, 64, 32},   {0x39, kL2, 4, 64, 128},
    {0x3a, kL2, 6, 64, 192},    {0x3b, kL2, 2, 64, 128},    {0x3c, kL2, 4, 64, 256},
    {0x3d, kL2, 6, 64, 384},    {0x3e, kL2, 4, 64, 512},    {0x3f, kL2, 2, 64, 256},
    {0x41, kL2, 4, 32, 128},    {0x42, kL2, 4, 32, 256},    {0x43, kL2, 4, 32, 512},
    {0x44, kL2, 4, 32, 1024},   {0x45, kL2, 4, 32, 2048},   {0x46, kL3, 4, 64, 4096},
    {0x47, kL3, 8, 64, 8192},   {0x48, kL2, 12, 64, 3072},  {0x49, kL2, 16, 64, 4096},
    {0x4a, kL3, 12, 64, 6144},  {0x4b, kL3, 16, 64, 8192},  {0x4c, kL3, 12, 64, 12288},
    {0x4d, kL3, 16, 64, 16384}, {0x4e, kL2, 24, 64, 6144},  {0x60, kData, 8, 64, 16},
    {0x66, kData, 4, 64, 8},    {0x67, kData, 4, 64, 16},   {0x68, kData, 4, 64, 32},
    {0x78, kL2, 8, 64, 1024},   {0x79, kL2, 8, 64, 128},    {0x7a, kL2, 8, 64, 256},
    {0x7b, kL2, 8, 64, 512},    {0x7c, kL2, 8, 64, 1024},   {0x7d, kL2, 8, 64, 2048},
    {0x7f, kL2, 2, 64, 512},    {0x80, kL2, 8, 64, 512},    {0x82, kL2, 8, 32, 256},
    {0x83, kL2, 8, 32, 512},    {0x84, kL2, 8, 32, 1024},   {0x85, kL2, 8, 32, 2048},
    {0x86, kL2, 4, 64, 512},    {0x87, kL2, 8, 64, 1024},   {0xd0, kL3, 4, 64, 512},
    {0xd1, kL3, 4, 64, 1024},   {0xd2, kL3, 4, 64, 2048},   {0xd6, kL3, 8, 64, 1024},
    {0xd7, kL3, 8, 64, 2048},   {0xd8, kL3, 8, 64, 4096},   {0xdc, kL3, 12, 64, 2048},
    {0xdd, kL3, 12, 64, 4096},  {0xde, kL3, 12, 64, 8192},  {0xe2, kL3, 16, 64, 2048},
    {0xe3, kL3, 16, 64, 4096},  {0xe4, kL3, 16, 64, 8192},  {0xea, kL3, 24, 64, 12288},
    {0xeb, kL3, 24, 64, 18432}, {0xec, kL3, 24, 64, 24576},
};

constexpr uint8_t kSeeLeaf4 = 0xff;
constexpr uint8_t kNoFurtherLevel = 0x40;
constexpr uint8_t kSecondOrThird = 0x49;

const Descriptor* find(uint8_t code, CacheKind kind, const CpuFacts& facts) {
  const bool third_too = code == kSecondOrThird && facts.family == 15 && facts.model == 6;
  for (const Descriptor& row : kDescriptors)
    if (row.code == code && (row.kind == kind || (third_too && kind == kL3))) return &row;
  return nullptr;
}

}  // namespace

DescribedCache described_cache(const CpuFacts& facts, CacheKind kind) {
  const uint32_t registers[] = {facts.leaf_2.eax & ~0xffU, facts.leaf_2.ebx, facts.leaf_2.ecx,
                                facts.leaf_2.edx};
  bool no_further_level = false;
  for (const uint32_t value : registers) {
    if ((value >> 31) != 0) continue;  // holds no descriptors
    for (uint32_t rest = value; rest != 0; rest >>= 8) {
      const auto code = static_cast<uint8_t>(rest);
      if (code == kSeeLeaf4) return {CacheSource::kLeaf4, {}};
      if (code == kNoFurtherLevel) no_further_level = true;
      const Descriptor* row = find(code, kind, facts);
      if (row == nullptr) continue;
      CacheLevel cache;
      cache.size = uint64_t{row->kib} << 10;
      cache.ways = row->ways;
      cache.line = row->line;
      return {CacheSource::kDescriptor, cache};
    }
  }
  const bool further = kind == kL2 || kind == kL3;
  return {further && no_further_level ? CacheSource::kUnknown : CacheSource::kNone, {}};
}

}  // namespace prelude::glibc
