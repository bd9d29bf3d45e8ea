// The stubs must keep every register, whichever way of saving vector state is in use.
#include "register_probe.h"

#include <arch/cpu.h>
#include <arch/native.h>
#include <arch/x86_64/vector_state.h>

#include <cpuid.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unwind.h>

#include <algorithm>
#include <cstring>
#include <vector>

uint64_t prelude_tls_generation;

namespace {

using namespace prelude::arch;

struct SlowCall {
  int count;
  const void* index;
  bool aligned;
};
SlowCall slow_call;
thread_local int variable[4] = {1, 2, 3, 4};
std::vector<uintptr_t> frames;
bool bind_arguments_right;

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void*) {
  frames.push_back(_Unwind_GetIP(context));
  return _URC_NO_REASON;
}

bool stack_aligned(const void* frame) { return reinterpret_cast<uintptr_t>(frame) % 16 == 0; }

// The caller's vectors beyond 16 bytes are lost to fxsave, so the probe must not look at them.
uint32_t level_for(const VectorState& state) {
  if (state.saver == StateSaver::kFxsave) return 0;
  if ((state.mask & 0xe0) == 0xe0) return 2;
  return (state.mask & 4) != 0 ? 1 : 0;
}

void fill_before(uint32_t level) {
  probe_level = level;
  probe_wide_masks = level == 2 && __builtin_cpu_supports("avx512bw") ? 1 : 0;
  std::memset(&probe_after, 0, sizeof(probe_after));
  for (uint64_t i = 0; i < kRegisters; ++i) probe_before.integer[i] = 0x1111000000000000 * (i + 1);
  for (unsigned i = 0; i < 32; ++i)
    for (unsigned j = 0; j < 64; ++j) probe_before.vector[i][j] = static_cast<uint8_t>(i * 7 + j);
  for (unsigned i = 0; i < 8; ++i)
    probe_before.mask[i] = 0x1230 + i + (probe_wide_masks != 0 ? (0x8765432100 + i) << 24 : 0);
}

void expect_same(bool with_rax) {
  for (int i = with_rax ? 0 : 1; i < kRegisters; ++i)
    EXPECT_EQ(probe_after.integer[i], probe_before.integer[i]) << "integer register " << i;
  const unsigned count = probe_level == 2 ? 32 : 16;
  const size_t width = size_t{16} << probe_level;
  for (unsigned i = 0; i < count; ++i)
    EXPECT_EQ(std::memcmp(probe_after.vector[i], probe_before.vector[i], width), 0)
        << "vector register " << i;
  for (unsigned i = 1; probe_level == 2 && i < 8; ++i)
    EXPECT_EQ(probe_after.mask[i], probe_before.mask[i]) << "mask register " << i;
}

// What the tests below look at depends on the machine, so one line of the results says it.
TEST(StubsCoverage, WideRegistersAreThere) {
  const uint32_t level = level_for(vector_state(read_cpu_facts()));
  if (level < 2) GTEST_SKIP() << "no AVX-512: zmm and mask registers are not checked";
  EXPECT_TRUE(__builtin_cpu_supports("avx512f"));
}

class Stubs : public testing::TestWithParam<StateSaver> {
 protected:
  void SetUp() override {
    constexpr uint32_t kCompacts = 2;
    CpuFacts facts = read_cpu_facts();
    if (GetParam() != StateSaver::kXsavec) facts.leaf_d_1.eax &= ~kCompacts;
    if (GetParam() == StateSaver::kFxsave) facts.xcr0 = 0;
    state_ = vector_state(facts);
    if (GetParam() > state_.saver) GTEST_SKIP() << "the processor has no such instruction";
    use_vector_state(state_);
    slow_call = {};
    fill_before(level_for(state_));
  }
  VectorState state_;
};

INSTANTIATE_TEST_SUITE_P(All, Stubs,
                         testing::Values(StateSaver::kFxsave, StateSaver::kXsave,
                                         StateSaver::kXsavec));

TEST_P(Stubs, LazyBindingKeepsEveryRegister) {
  probe_module = 0xabcdef;
  probe_index = 42;
  probe_stub = lazy_binding_stub(state_.saver);
  bind_arguments_right = false;
  probe_plt_call();
  EXPECT_TRUE(bind_arguments_right);
  EXPECT_TRUE(slow_call.aligned);
  expect_same(true);
  EXPECT_EQ(probe_after.stack % 16, 8U) << "the target sees the stack of an ordinary call";
}

TEST_P(Stubs, BacktraceGoesThroughLazyBinding) {
  probe_stub = lazy_binding_stub(state_.saver);
  frames.clear();
  probe_plt_call();
  const auto here = reinterpret_cast<uintptr_t>(probe_plt_return);
  const auto found = std::find(frames.begin(), frames.end(), here);
  ASSERT_NE(found, frames.end());
  EXPECT_GT(frames.end() - found, 3) << "the test's own callers follow";
}

TEST_P(Stubs, DynamicDescriptorSlowPathKeepsEveryRegister) {
  const uint64_t argument[3] = {1, 8, UINT64_MAX};  // newer than any DTV
  const void* descriptor[2] = {reinterpret_cast<void*>(&prelude_tlsdesc_dynamic), argument};
  probe_before.integer[kRax] = reinterpret_cast<uint64_t>(descriptor);
  frames.clear();
  probe_descriptor_call();
  EXPECT_EQ(slow_call.count, 1);
  EXPECT_EQ(slow_call.index, argument);
  EXPECT_TRUE(slow_call.aligned);
  EXPECT_GT(frames.size(), 6U);
  expect_same(false);
  const auto target = reinterpret_cast<uint64_t>(&variable[2]);
  EXPECT_EQ(probe_after.integer[kRax], target - reinterpret_cast<uint64_t>(thread_pointer()));
}

// Module id and offset of `variable`, as the host's loader counts them.
struct TlsIndex {
  uint64_t module, offset;
};
int find_index(dl_phdr_info* info, size_t, void* out) {
  const auto at = reinterpret_cast<uint64_t>(&variable);
  const auto start = reinterpret_cast<uint64_t>(info->dlpi_tls_data);
  if (start == 0 || at < start) return 0;
  *static_cast<TlsIndex*>(out) = {info->dlpi_tls_modid, at - start};
  return 1;  // the first object is the program itself
}
TlsIndex index_of_variable() {
  TlsIndex index = {};
  dl_iterate_phdr(find_index, &index);
  return index;
}
uint64_t own_generation() {
  return **reinterpret_cast<uint64_t**>(thread_pointer() + Native::kTcbDtv);
}

TEST_P(Stubs, DynamicDescriptorFastPathReadsTheDtv) {
  const TlsIndex index = index_of_variable();
  const uint64_t argument[3] = {index.module, index.offset, 0};
  const void* descriptor[2] = {reinterpret_cast<void*>(&prelude_tlsdesc_dynamic), argument};
  probe_before.integer[kRax] = reinterpret_cast<uint64_t>(descriptor);
  probe_descriptor_call();
  EXPECT_EQ(slow_call.count, 0);
  expect_same(false);
  const auto target = reinterpret_cast<uint64_t>(&variable);
  EXPECT_EQ(probe_after.integer[kRax], target - reinterpret_cast<uint64_t>(thread_pointer()));
}

TEST_P(Stubs, StaticDescriptorGivesItsArgument) {
  const uint64_t descriptor[2] = {reinterpret_cast<uint64_t>(&prelude_tlsdesc_static),
                                  static_cast<uint64_t>(-64)};
  probe_before.integer[kRax] = reinterpret_cast<uint64_t>(descriptor);
  probe_descriptor_call();
  expect_same(false);
  EXPECT_EQ(probe_after.integer[kRax], static_cast<uint64_t>(-64));
}

TEST_P(Stubs, UndefinedWeakDescriptorGivesTheAddendAsAddress) {
  const uint64_t descriptor[2] = {reinterpret_cast<uint64_t>(&prelude_tlsdesc_undefined_weak), 24};
  probe_before.integer[kRax] = reinterpret_cast<uint64_t>(descriptor);
  probe_descriptor_call();
  expect_same(false);
  EXPECT_EQ(probe_after.integer[kRax] + reinterpret_cast<uint64_t>(thread_pointer()), 24U);
}

TEST(TlsGetAddr, FastPathReadsTheDtv) {
  slow_call = {};
  prelude_tls_generation = own_generation();
  const TlsIndex index = index_of_variable();
  EXPECT_EQ(prelude_tls_get_addr(&index), variable);
  EXPECT_EQ(slow_call.count, 0);
}

TEST(TlsGetAddr, OtherGenerationTakesTheSlowPath) {
  slow_call = {};
  prelude_tls_generation = own_generation() + 1;
  const TlsIndex index = index_of_variable();
  EXPECT_EQ(prelude_tls_get_addr(&index), &variable[2]);
  EXPECT_EQ(slow_call.count, 1);
  EXPECT_EQ(slow_call.index, &index);
}

TEST(TlsGetAddr, SlowPathRealignsTheStack) {
  slow_call = {};
  prelude_tls_generation = own_generation() + 1;
  const TlsIndex index = {1, 0};
  EXPECT_EQ(probe_misaligned_call(prelude_tls_get_addr, &index), &variable[2]);
  EXPECT_TRUE(slow_call.aligned);
}

// The processor's own answer (Intel SDM vol. 1, 13.4.2 and 13.4.3) against the sizes that save
// asking it.
TEST(VectorState, AreaHoldsEveryComponent) {
  const VectorState state = vector_state(read_cpu_facts());
  EXPECT_EQ(state.bytes % 64, 0U);
  EXPECT_GE(state.bytes, 512U);
  uint64_t end = 576;
  for (unsigned i = 2; state.saver != StateSaver::kFxsave && i < 63; ++i) {
    if ((state.mask >> i & 1) == 0) continue;
    unsigned size;
    unsigned offset;
    unsigned flags;
    unsigned unused;
    __cpuid_count(13, i, size, offset, flags, unused);
    if ((flags & 2) != 0) end = (end + 63) & ~uint64_t{63};
    end = state.saver == StateSaver::kXsavec ? end + size : uint64_t{offset} + size;
    EXPECT_LE(end, state.bytes) << "component " << i;
  }
}

CpuFacts facts_with(uint64_t xcr0) {
  constexpr uint32_t kCompacts = 2;
  CpuFacts facts;
  facts.max_leaf = 13;
  facts.xcr0 = xcr0;
  facts.leaf_d_1.eax = kCompacts;
  return facts;
}

TEST(VectorState, WithoutXsaveUsesFxsave) {
  const VectorState state = vector_state(facts_with(0));
  EXPECT_EQ(state.saver, StateSaver::kFxsave);
  EXPECT_EQ(state.bytes, 512U);
}

TEST(VectorState, WideRegistersNeedALargerArea) {
  EXPECT_EQ(vector_state(facts_with(0x7)).bytes, 832U);
  EXPECT_EQ(vector_state(facts_with(0xe7)).bytes, 2432U);
  EXPECT_EQ(vector_state(facts_with(0x602e7)).mask, 0xe6U) << "no tiles, no x87, no keys";
}

TEST(VectorState, KeepsWhatTheProcessorHas) {
  const VectorState state = vector_state(read_cpu_facts());
  const uint64_t avx = __builtin_cpu_supports("avx") ? 6 : 0;
  const uint64_t avx512 = __builtin_cpu_supports("avx512f") ? 0xe0 : 0;
  EXPECT_EQ(state.mask & avx, avx);
  EXPECT_EQ(state.mask & avx512, avx512);
  EXPECT_EQ(state.mask & 1, 0U) << "x87 registers are empty at a call";
}

}  // namespace

void* prelude_lazy_bind(void* module, uint64_t index, uint64_t return_address) {
  bind_arguments_right = module == reinterpret_cast<void*>(probe_module) && index == probe_index &&
                         return_address == reinterpret_cast<uint64_t>(&probe_plt_return);
  slow_call.aligned = stack_aligned(__builtin_frame_address(0));
  _Unwind_Backtrace(note_frame, nullptr);
  probe_trash();
  return reinterpret_cast<void*>(&probe_target);
}

void* prelude_tls_get_addr_slow(const void* index) {
  ++slow_call.count;
  slow_call.index = index;
  slow_call.aligned = stack_aligned(__builtin_frame_address(0));
  _Unwind_Backtrace(note_frame, nullptr);
  probe_trash();
  return &variable[2];
}
