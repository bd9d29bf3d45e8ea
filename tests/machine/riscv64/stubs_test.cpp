// The stubs of riscv64 on the machine itself, or under an emulator of it: each register is filled
// before and compared behind them. Ends with the number of failed checks.
#include "probe.h"

#include <arch/riscv64/context.h>
#include <arch/riscv64/vector_state.h>

#include <sys/auxv.h>
#include <unwind.h>

#include <cstdio>
#include <cstring>

ProbeState probe_before, probe_after;
uint64_t probe_stack;
uint8_t probe_has_vectors;
uint64_t prelude_tls_generation;

namespace {

using namespace prelude::arch;

constexpr uint64_t kTlsBias = 0x800;
constexpr uint64_t kModuleWord = 0xabcdef, kIndex = 42;
constexpr int kRa = 1, kT0 = 5, kT1 = 6, kT2 = 7, kA0 = 10, kA7 = 17, kS2 = 18, kS11 = 27;
constexpr int kFs0 = 8, kFa0 = 10, kFa7 = 17, kFs2 = 18, kFs11 = 27;

int failures = 0;
thread_local int variable[4] = {1, 2, 3, 4};

struct {
  int count, frames;
  const void* index;
  bool arguments_right, aligned, saw_caller;
} seen;

void expect(bool right, const char* what, int number = 0) {
  if (right) return;
  ++failures;
  std::printf("failed: %s %d\n", what, number);
}

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void*) {
  ++seen.frames;
  if (_Unwind_GetIP(context) == reinterpret_cast<uint64_t>(probe_plt_return))
    seen.saw_caller = true;
  return _URC_NO_REASON;
}

void note(const void* frame) {
  seen.aligned = reinterpret_cast<uint64_t>(frame) % 16 == 0;
  _Unwind_Backtrace(note_frame, nullptr);
}

char* thread_pointer() {
  char* result;
  asm("mv %0, tp" : "=r"(result));
  return result;
}
uint64_t own_generation() { return **reinterpret_cast<uint64_t**>(thread_pointer() - 16); }

void fill() {
  seen = {};
  std::memset(&probe_after, 0, sizeof probe_after);
  for (uint64_t i = 0; i < 32; ++i) {
    probe_before.integer[i] = 0x1111000000000000 + i * 0x101010101;
    probe_before.floating[i] = 0x3ff0000000000000 + i;
    for (uint64_t j = 0; j < 64; ++j) probe_before.vector[i][j] = static_cast<uint8_t>(i * 7 + j);
  }
  constexpr uint64_t kBytes = 0;  // e8, m1, tail and mask undisturbed
  probe_before.vl = 3;
  probe_before.vtype = kBytes;
}

void expect_integers(int first, int last, const char* what) {
  for (int i = first; i <= last; ++i)
    expect(probe_before.integer[i] == probe_after.integer[i], what, i);
}
void expect_floats(int first, int last, const char* what) {
  for (int i = first; i <= last; ++i)
    expect(probe_before.floating[i] == probe_after.floating[i], what, i);
}
void expect_vectors() {
  if (probe_has_vectors == 0) return;
  const size_t bytes = 16;  // no shorter ones exist in an application processor
  expect(probe_after.vl == probe_before.vl && probe_after.vtype == probe_before.vtype, "vl, vtype");
  for (int i = 0; i < 32; ++i)
    expect(std::memcmp(probe_before.vector[i], probe_after.vector[i], bytes) == 0, "vector", i);
}

void lazy_binding_keeps_arguments() {
  fill();
  probe_before.integer[kT0] = kModuleWord;
  probe_before.integer[kT1] = 8 * kIndex;
  probe_plt_call(prelude_lazy);
  expect(seen.arguments_right, "arguments of the binder");
  expect(seen.aligned, "stack of the binder");
  expect(seen.saw_caller && seen.frames > 3, "backtrace through lazy binding", seen.frames);
  expect_integers(kA0, kA7, "lazy: argument");
  expect_integers(kS2, kS11, "lazy: saved");
  expect_floats(kFa0, kFa7, "lazy: floating argument");
  expect_floats(kFs2, kFs11, "lazy: saved");
  expect(probe_after.integer[kRa] == reinterpret_cast<uint64_t>(probe_plt_return), "lazy: ra");
  expect(probe_stack == 0, "lazy: stack");
}

void expect_all(const char* what) {
  expect_integers(kRa, kRa, what);
  expect_integers(kT1, kT2, what);
  expect_integers(kA0 + 1, 31, what);
  expect_floats(0, 31, what);
  expect_vectors();
  expect(probe_stack == 0, "descriptor: stack");
}

uint64_t distance(const void* address) {
  return reinterpret_cast<uint64_t>(address) - reinterpret_cast<uint64_t>(thread_pointer());
}

void descriptor(void (*stub)(), uint64_t argument, uint64_t expected, int slow_calls) {
  fill();
  const uint64_t words[2] = {0, argument};
  probe_before.integer[kA0] = reinterpret_cast<uint64_t>(words);
  probe_descriptor_call(stub);
  expect(probe_after.integer[kA0] == expected, "descriptor: result");
  expect(seen.count == slow_calls, "descriptor: slow calls", seen.count);
  expect_all("descriptor");
}

void descriptors_keep_all() {
  // The program is module 1, and `variable` its only thread-local data.
  const uint64_t newer[3] = {1, 8, UINT64_MAX}, known[3] = {1, 0, 0};
  descriptor(prelude_tlsdesc_dynamic, reinterpret_cast<uint64_t>(newer), distance(&variable[2]), 1);
  expect(seen.index == newer && seen.aligned && seen.frames > 3, "slow call", seen.frames);
  descriptor(prelude_tlsdesc_dynamic, reinterpret_cast<uint64_t>(known), distance(variable), 0);
  descriptor(prelude_tlsdesc_static, 64, 64, 0);
  descriptor(prelude_tlsdesc_undefined_weak, 24, distance(reinterpret_cast<void*>(24)), 0);
}

void get_addr_adds_the_bias() {
  const uint64_t index[2] = {1, 0 - kTlsBias};
  seen = {};
  prelude_tls_generation = own_generation();
  expect(prelude_tls_get_addr(index) == variable && seen.count == 0, "__tls_get_addr, known");
  prelude_tls_generation = own_generation() + 1;
  // The answer of the slow path is too little by what the offset is.
  expect(prelude_tls_get_addr(index) == reinterpret_cast<char*>(&variable[2]) + kTlsBias,
         "__tls_get_addr, slow");
  expect(seen.count == 1 && seen.index == index && seen.aligned, "slow path", seen.count);
}

void contexts_come_back() {
  Context context;
  uint64_t marks[22], copy[22];
  for (uint64_t i = 0; i < 22; ++i) marks[i] = copy[i] = 0x100 + i;
  expect(probe_context(&context, marks, 0x5a5a, 7) == 7, "context: value");
  expect(std::memcmp(marks, copy, sizeof marks) == 0, "context: registers");
  expect(probe_context(&context, marks, 0x5a5a, 0) == 1, "context: no value");
  Context plain, mixed;
  (void)prelude_context_save(&plain, 0);
  (void)prelude_context_save(&mixed, 0x5a5a);
  expect(plain.sp == (mixed.sp ^ 0x5a5a) && plain.s0 == (mixed.s0 ^ 0x5a5a), "context: guard");
}

}  // namespace

void* prelude_lazy_bind(void* module, uint64_t index, uint64_t return_address) {
  seen.arguments_right = module == reinterpret_cast<void*>(kModuleWord) && index == kIndex &&
                         return_address == reinterpret_cast<uint64_t>(probe_plt_return);
  note(__builtin_frame_address(0));
  probe_trash();
  return reinterpret_cast<void*>(&probe_target);
}

void* prelude_tls_get_addr_slow(const void* index) {
  ++seen.count;
  seen.index = index;
  note(__builtin_frame_address(0));
  probe_trash();
  return &variable[2];
}

int main() {
  constexpr uint64_t kVectors = 1 << ('V' - 'A');
  const uint64_t features = getauxval(AT_HWCAP);
  probe_has_vectors = (features & kVectors) != 0 ? 1 : 0;
  use_vector_state(vector_state_of(features));
  lazy_binding_keeps_arguments();
  descriptors_keep_all();
  get_addr_adds_the_bias();
  contexts_come_back();
  std::printf("vector registers: %s; %d failures\n", probe_has_vectors != 0 ? "checked" : "none",
              failures);
  return failures == 0 ? 0 : 1;
}
