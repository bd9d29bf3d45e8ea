// Raw kernel calls. Only sys/ may include this. Convention: psABI x86-64 A.2.1 (number in rax,
// arguments in rdi rsi rdx r10 r8 r9; rcx and r11 lost; -4095..-1 is a negated error number).
#pragma once

#include <arch/syscall_word.h>
#include <arch/x86_64/syscall_numbers.h>

#include <cstdint>

namespace prelude::arch {

inline long syscall(SyscallNumber number) {
  long result;
  asm volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
  return result;
}

template <typename A>
inline long syscall(SyscallNumber number, A a) {
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(syscall_word(a))
               : "rcx", "r11", "memory");
  return result;
}

template <typename A, typename B>
inline long syscall(SyscallNumber number, A a, B b) {
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(syscall_word(a)), "S"(syscall_word(b))
               : "rcx", "r11", "memory");
  return result;
}

template <typename A, typename B, typename C>
inline long syscall(SyscallNumber number, A a, B b, C c) {
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(syscall_word(a)), "S"(syscall_word(b)), "d"(syscall_word(c))
               : "rcx", "r11", "memory");
  return result;
}

/// Four to six arguments; missing ones are passed as zero.
template <typename A, typename B, typename C, typename D, typename E = long, typename F = long>
inline long syscall(SyscallNumber number, A a, B b, C c, D d, E e = 0, F f = 0) {
  long result;
  register long fourth asm("r10") = syscall_word(d);
  register long fifth asm("r8") = syscall_word(e);
  register long sixth asm("r9") = syscall_word(f);
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(syscall_word(a)), "S"(syscall_word(b)), "d"(syscall_word(c)),
                 "r"(fourth), "r"(fifth), "r"(sixth)
               : "rcx", "r11", "memory");
  return result;
}

/// MAP_32BIT: a flag of mmap that asks for the lowest 2 GiB (kernel
/// arch/x86/include/uapi/asm/mman.h).
inline constexpr int kMapLow = 0x40;

/// O_NOFOLLOW (kernel include/uapi/asm-generic/fcntl.h).
inline constexpr int kNoFollowFlag = 0400000;

/// The kernel's struct stat (kernel arch/x86/include/uapi/asm/stat.h).
struct KernelStat {
  uint64_t device, inode, links;
  uint32_t mode, owner, group, padding;
  uint64_t special_device;
  int64_t size, block_size, blocks;
  int64_t atime_s, atime_ns, mtime_s, mtime_ns, ctime_s, ctime_ns;
  int64_t unused[3];
};
static_assert(sizeof(KernelStat) == 144);

inline long set_thread_pointer(void* pointer) {
  constexpr int kSetFs = 0x1002;  // ARCH_SET_FS
  return syscall(SyscallNumber::kArchPrctl, kSetFs, pointer);
}

}  // namespace prelude::arch
