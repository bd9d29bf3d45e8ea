// Raw kernel calls. Only sys/ may include this. Convention: int 0x80, number in eax, arguments in
// ebx ecx edx esi edi ebp; -4095..-1 is a negated error number.
#pragma once

#include <arch/i386/syscall_numbers.h>
#include <arch/syscall_word.h>

#include <cstdint>

namespace prelude::arch {

inline long syscall(SyscallNumber number) {
  long result;
  asm volatile("int $0x80" : "=a"(result) : "a"(number) : "memory");
  return result;
}

template <typename A>
inline long syscall(SyscallNumber number, A a) {
  long result;
  asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(syscall_word(a)) : "memory");
  return result;
}

template <typename A, typename B>
inline long syscall(SyscallNumber number, A a, B b) {
  long result;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(number), "b"(syscall_word(a)), "c"(syscall_word(b))
               : "memory");
  return result;
}

template <typename A, typename B, typename C>
inline long syscall(SyscallNumber number, A a, B b, C c) {
  long result;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(number), "b"(syscall_word(a)), "c"(syscall_word(b)), "d"(syscall_word(c))
               : "memory");
  return result;
}

/// Four to six arguments; missing ones are passed as zero. The last two come by memory: the
/// compiler may need ebp for itself.
template <typename A, typename B, typename C, typename D, typename E = long, typename F = long>
inline long syscall(SyscallNumber number, A a, B b, C c, D d, E e = 0, F f = 0) {
  long result;
  const long last[2] = {syscall_word(e), syscall_word(f)};
  const long* tail = last;
  asm volatile(
      "pushl %%ebp\n\t"
      "movl 4(%%edi), %%ebp\n\t"
      "movl (%%edi), %%edi\n\t"
      "int $0x80\n\t"
      "popl %%ebp"
      : "=a"(result), "+D"(tail)
      : "a"(number), "b"(syscall_word(a)), "c"(syscall_word(b)), "d"(syscall_word(c)),
        "S"(syscall_word(d))
      : "memory");
  return result;
}

/// All of the address space is low.
inline constexpr int kMapLow = 0;

/// O_NOFOLLOW (kernel include/uapi/asm-generic/fcntl.h).
inline constexpr int kNoFollowFlag = 0400000;

/// The kernel's struct stat64 (kernel arch/x86/include/uapi/asm/stat.h), whose 64-bit numbers are
/// aligned to four bytes.
struct [[gnu::packed]] KernelStat {
  uint64_t device;
  uint32_t padding, short_inode, mode, links, owner, group;
  uint64_t special_device;
  uint32_t padding_2;
  int64_t size;
  uint32_t block_size;
  int64_t blocks;
  uint32_t atime_s, atime_ns, mtime_s, mtime_ns, ctime_s, ctime_ns;
  uint64_t inode;
};
static_assert(sizeof(KernelStat) == 96);

/// The kernel finds a free entry of the thread's descriptor table (set_thread_area(2)), through
/// which %gs reaches the block.
inline long set_thread_pointer(void* pointer) {
  constexpr uint32_t kAnyEntry = ~0U, kWholeSpace = 0xfffff;
  constexpr uint32_t kFlags = 0x51;  // 32 bits, limit in pages, usable
  constexpr unsigned kUserTable = 3;
  struct {
    uint32_t entry, base, limit, flags;
  } descriptor = {kAnyEntry, static_cast<uint32_t>(reinterpret_cast<uintptr_t>(pointer)),
                  kWholeSpace, kFlags};
  const long result = syscall(SyscallNumber::kSetThreadArea, &descriptor);
  if (result == 0) asm volatile("movw %w0, %%gs" : : "q"(descriptor.entry * 8 + kUserTable));
  return result;
}

}  // namespace prelude::arch
