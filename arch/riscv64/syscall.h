// Raw kernel calls. Only sys/ may include this. Convention: number in a7, arguments in a0 to a5,
// result in a0; -4095..-1 is a negated error number (kernel arch/riscv/kernel/traps.c).
#pragma once

#include <arch/riscv64/syscall_numbers.h>

#include <cstdint>
#include <type_traits>

namespace prelude::arch {

template <typename T>
inline long syscall_word(T value) {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<long>(value);
  else if constexpr (std::is_null_pointer_v<T>)
    return 0;
  else
    return static_cast<long>(value);
}

/// Up to six arguments; missing ones are passed as zero.
template <typename A = long, typename B = long, typename C = long, typename D = long,
          typename E = long, typename F = long>
inline long syscall(SyscallNumber number, A a = 0, B b = 0, C c = 0, D d = 0, E e = 0, F f = 0) {
  // No call may stand between the lines that fill registers.
  const long words[] = {syscall_word(a), syscall_word(b), syscall_word(c),
                        syscall_word(d), syscall_word(e), syscall_word(f)};
  register long which asm("a7") = static_cast<long>(number);
  register long first asm("a0") = words[0];
  register long second asm("a1") = words[1];
  register long third asm("a2") = words[2];
  register long fourth asm("a3") = words[3];
  register long fifth asm("a4") = words[4];
  register long sixth asm("a5") = words[5];
  asm volatile("ecall"
               : "+r"(first)
               : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
               : "memory");
  return first;
}

/// There is no flag of mmap for low addresses.
inline constexpr int kMapLow = 0;
/// O_NOFOLLOW (kernel include/uapi/asm-generic/fcntl.h).
inline constexpr int kNoFollowFlag = 0400000;

/// The kernel's struct stat (kernel include/uapi/asm-generic/stat.h).
struct KernelStat {
  uint64_t device, inode;
  uint32_t mode, links, owner, group;
  uint64_t special_device, padding;
  int64_t size;
  int32_t block_size, padding_2;
  int64_t blocks;
  int64_t atime_s, atime_ns, mtime_s, mtime_ns, ctime_s, ctime_ns;
  int32_t unused[2];
};
static_assert(sizeof(KernelStat) == 128);

/// No kernel call: the register is the program's to write.
inline long set_thread_pointer(void* pointer) {
  asm volatile("mv tp, %0" : : "r"(pointer) : "memory");
  return 0;
}

}  // namespace prelude::arch
