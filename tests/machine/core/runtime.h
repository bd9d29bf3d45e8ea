// What a program without any libc needs: its entry, output, an end. Each machine has a line of its
// own in each place; everything else of the test is C.
#pragma once

#ifdef PROGRAM
#define ENTRY(text) asm(text)
#else
#define ENTRY(text)
#endif

#if defined(__riscv)
#define NUMBER_WRITE 64
#define NUMBER_EXIT 94
// The finaliser comes in the first argument's register; gp is the start code's to set.
ENTRY(
    ".globl _start; _start: .option push; .option norelax; lla gp, __global_pointer$; .option pop;"
    "mv a1, sp; andi sp, sp, -16; li ra, 0; tail start_in_c");
static inline long call_kernel(long number, long a, long b, long c) {
  register long which asm("a7") = number;
  register long first asm("a0") = a;
  register long second asm("a1") = b;
  register long third asm("a2") = c;
  asm volatile("ecall" : "+r"(first) : "r"(which), "r"(second), "r"(third) : "memory");
  return first;
}
#elif defined(__aarch64__)
#define NUMBER_WRITE 64
#define NUMBER_EXIT 94
ENTRY(".globl _start; _start: mov x1, sp; and sp, x1, -16; mov x30, 0; b start_in_c");
static inline long call_kernel(long number, long a, long b, long c) {
  register long which asm("x8") = number;
  register long first asm("x0") = a;
  register long second asm("x1") = b;
  register long third asm("x2") = c;
  asm volatile("svc 0" : "+r"(first) : "r"(which), "r"(second), "r"(third) : "memory");
  return first;
}
#elif defined(__x86_64__)
#define NUMBER_WRITE 1
#define NUMBER_EXIT 231
ENTRY(".globl _start; _start: mov %rdx, %rdi; mov %rsp, %rsi; and $-16, %rsp; call start_in_c");
static inline long call_kernel(long number, long a, long b, long c) {
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c)
               : "rcx", "r11", "memory");
  return result;
}
#elif defined(__i386__)
#define NUMBER_WRITE 4
#define NUMBER_EXIT 252
ENTRY(
    ".globl _start; _start: mov %esp, %eax; and $-16, %esp; sub $8, %esp; push %eax; push %edx; "
    "call start_in_c");
static inline long call_kernel(long number, long a, long b, long c) {
  long result;
  asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
  return result;
}
#else
#error "no entry for this machine yet"
#endif

#define HIDDEN __attribute__((visibility("hidden")))
#define WEAK __attribute__((weak))

static inline unsigned long length(const char* text) {
  unsigned long n = 0;
  while (text[n] != 0) {
    asm volatile("");  // a compiler knows this loop for strlen
    ++n;
  }
  return n;
}
static inline void say(const char* text) {
  call_kernel(NUMBER_WRITE, 1, (long)text, (long)length(text));
}
static inline void say_number(const char* name, long value) {
  char digits[24];
  int at = 22;
  unsigned long rest = value < 0 ? -(unsigned long)value : (unsigned long)value;
  digits[22] = '\n';
  digits[23] = 0;
  do {
    digits[--at] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) digits[--at] = '-';
  say(name);
  say(" ");
  say(digits + at);
}
static inline void leave(int status) {
  for (;;) call_kernel(NUMBER_EXIT, status, 0, 0);
}

// What a program defines: its arguments are as the kernel gives them.
int run(int argc, char** argv, char** envp, void (*finaliser)(void));

#ifdef PROGRAM
__attribute__((used)) HIDDEN void start_in_c(void (*finaliser)(void), long* stack) {
  char** argv = (char**)(stack + 1);
  leave(run((int)*stack, argv, argv + *stack + 1, finaliser));
}
#endif
