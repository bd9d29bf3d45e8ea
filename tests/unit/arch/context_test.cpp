#include <arch/x86_64/context.h>

#include <gtest/gtest.h>

namespace {

using prelude::arch::Context;

constexpr uint64_t kGuard = 0x123456789abcdef0;

[[noreturn]] void leave_from_depth(const Context& context, int value, int depth) {
  if (depth == 0) prelude_context_restore(&context, kGuard, value);
  leave_from_depth(context, value, depth - 1);
}

TEST(Context, SaveGivesZeroAndRestoreItsValue) {
  Context context;
  const int value = prelude_context_save(&context, kGuard);
  if (value == 0) leave_from_depth(context, 42, 5);
  EXPECT_EQ(value, 42);
}

TEST(Context, RestoreWithZeroDeliversOne) {
  Context context;
  const int value = prelude_context_save(&context, kGuard);
  if (value == 0) leave_from_depth(context, 0, 1);
  EXPECT_EQ(value, 1);
}

TEST(Context, CanBeRestoredMoreThanOnce) {
  Context context;
  volatile int rounds = 0;
  const int value = prelude_context_save(&context, kGuard);
  rounds = rounds + 1;
  if (value < 3) leave_from_depth(context, value + 1, 2);
  EXPECT_EQ(rounds, 4);
}

// Saves the context with marked registers, clears them, restores, and stores what came back.
extern "C" void probe_context(Context* context, uint64_t* found);
asm(R"(
    .text
probe_context:
    .irp register, rbx, rbp, r12, r13, r14, r15, rdi, rsi
    pushq %\register
    .endr
    subq $8, %rsp
    .irp register, rbx, rbp, r12, r13, r14, r15
    movq $mark_\register, %\register
    .endr
    movq $0x5a5a5a5a, %rsi
    call prelude_context_save
    testl %eax, %eax
    jnz 1f
    .irp register, rbx, rbp, r12, r13, r14, r15
    xorq %\register, %\register
    .endr
    movq 16(%rsp), %rdi
    movq $0x5a5a5a5a, %rsi
    movl $7, %edx
    call prelude_context_restore
1:  movq 8(%rsp), %rsi
    movq %rbx, 0(%rsi)
    movq %rbp, 8(%rsi)
    movq %r12, 16(%rsi)
    movq %r13, 24(%rsi)
    movq %r14, 32(%rsi)
    movq %r15, 40(%rsi)
    addq $8, %rsp
    .irp register, rsi, rdi, r15, r14, r13, r12, rbp, rbx
    popq %\register
    .endr
    ret
    .set mark_rbx, 0x101
    .set mark_rbp, 0x102
    .set mark_r12, 0x103
    .set mark_r13, 0x104
    .set mark_r14, 0x105
    .set mark_r15, 0x106
)");

TEST(Context, KeepsCalleeSavedRegisters) {
  Context context;
  uint64_t found[6] = {};
  probe_context(&context, found);
  for (uint64_t i = 0; i < 6; ++i) EXPECT_EQ(found[i], 0x101 + i);
}

TEST(Context, HidesAddressesBehindTheGuard) {
  Context plain;
  Context mixed;
  (void)prelude_context_save(&plain, 0);
  (void)prelude_context_save(&mixed, kGuard);
  EXPECT_NE(plain.rsp, mixed.rsp);
  EXPECT_EQ(plain.rsp, mixed.rsp ^ kGuard);
  EXPECT_EQ(plain.rbp, mixed.rbp ^ kGuard);
}

}  // namespace
