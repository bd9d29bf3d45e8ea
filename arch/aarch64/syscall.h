// Raw kernel calls. Only sys/ may include this. Convention: number in x8, arguments in x0 to x5,
// result in x0; -4095..-1 is a negated error number (kernel arch/arm64/kernel/syscall.c).
#pragma once

#include <arch/generic_kernel.h>
#include <arch/syscall_word.h>

namespace prelude::arch {

/// Up to six arguments; missing ones are passed as zero.
template <typename A = long, typename B = long, typename C = long, typename D = long,
          typename E = long, typename F = long>
inline long syscall(SyscallNumber number, A a = 0, B b = 0, C c = 0, D d = 0, E e = 0, F f = 0) {
  // No call may stand between the lines that fill registers.
  const long words[] = {syscall_word(a), syscall_word(b), syscall_word(c),
                        syscall_word(d), syscall_word(e), syscall_word(f)};
  register long which asm("x8") = static_cast<long>(number);
  register long first asm("x0") = words[0];
  register long second asm("x1") = words[1];
  register long third asm("x2") = words[2];
  register long fourth asm("x3") = words[3];
  register long fifth asm("x4") = words[4];
  register long sixth asm("x5") = words[5];
  asm volatile("svc #0"
               : "+r"(first)
               : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
               : "memory");
  return first;
}

/// O_NOFOLLOW (kernel arch/arm64/include/uapi/asm/fcntl.h).
inline constexpr int kNoFollowFlag = 0100000;

/// No kernel call: the register is the program's to write.
inline long set_thread_pointer(void* pointer) {
  asm volatile("msr tpidr_el0, %0" : : "r"(pointer) : "memory");
  return 0;
}

}  // namespace prelude::arch
