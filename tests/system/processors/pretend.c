// pretend TABLE PROGRAM [ARGUMENT...] - runs a program that has no interpreter (a loader) so that its CPUID and XGETBV
// instructions give the answers of TABLE: each is overwritten with a breakpoint and answered when it is reached. The
// lines of TABLE, numbers in hexadecimal:
//   at ADDRESS LENGTH                   such an instruction, where the program's file has it; CPUID has 2 bytes
//   xcr0 VALUE
//   leaf LEAF SUBLEAF EAX EBX ECX EDX   a SUBLEAF of * stands for all; what is not given is zero
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kMost = 400, kCannot = 77 };
static struct { unsigned long address; unsigned length; } sites[kMost];
static struct { unsigned leaf, subleaf, all, eax, ebx, ecx, edx; } leaves[kMost];
static int site_count, leaf_count;
static unsigned long xcr0;

static void fail(const char *what) {
  perror(what);
  exit(kCannot);
}

static void read_table(const char *path) {
  FILE *file = fopen(path, "r");
  char line[200], subleaf[20];
  if (!file) fail(path);
  while (fgets(line, sizeof line, file)) {
    if (site_count == kMost || leaf_count == kMost) fail("too long");
    if (sscanf(line, "at %lx %x", &sites[site_count].address, &sites[site_count].length) == 2) site_count++;
    sscanf(line, "xcr0 %lx", &xcr0);
    typeof(leaves[0]) *l = &leaves[leaf_count];
    if (sscanf(line, "leaf %x %19s %x %x %x %x", &l->leaf, subleaf, &l->eax, &l->ebx, &l->ecx, &l->edx) != 6) continue;
    l->all = subleaf[0] == '*';
    l->subleaf = strtoul(subleaf, 0, 16);
    leaf_count++;
  }
  fclose(file);
}

// The first mapping of the file.
static unsigned long start_of(pid_t child, const char *program) {
  char path[PATH_MAX], maps[50], line[PATH_MAX + 100];
  if (!realpath(program, path)) fail(program);
  snprintf(maps, sizeof maps, "/proc/%d/maps", child);
  FILE *file = fopen(maps, "r");
  while (file && fgets(line, sizeof line, file))
    if (strstr(line, path)) return strtoul(line, 0, 16);
  fail("maps");
  return 0;
}

static void set_breakpoints(pid_t child, unsigned long start) {
  for (int i = 0; i < site_count; i++) {
    unsigned long at = start + sites[i].address, word = ptrace(PTRACE_PEEKTEXT, child, at, 0);
    if ((word & 0xff) != 0x0f) fail("no such instruction");
    ptrace(PTRACE_POKETEXT, child, at, (word & ~0xffUL) | 0xcc);
  }
}

static void answer(struct user_regs_struct *r, unsigned length) {
  unsigned leaf = r->rax, subleaf = r->rcx;
  r->rip += length - 1;
  r->rax = length == 2 ? 0 : (unsigned)xcr0;
  r->rdx = length == 2 ? 0 : xcr0 >> 32;
  if (length != 2) return;
  r->rbx = r->rcx = 0;
  for (int i = 0; i < leaf_count; i++)
    if (leaves[i].leaf == leaf && (leaves[i].all || leaves[i].subleaf == subleaf))
      r->rax = leaves[i].eax, r->rbx = leaves[i].ebx, r->rcx = leaves[i].ecx, r->rdx = leaves[i].edx;
}

static int answer_all(pid_t child, unsigned long start) {
  int status, signal = 0;
  for (;;) {
    ptrace(PTRACE_CONT, child, 0, signal);
    if (waitpid(child, &status, 0) != child) fail("wait");
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    struct user_regs_struct r;
    ptrace(PTRACE_GETREGS, child, 0, &r);
    signal = WSTOPSIG(status);
    for (int i = 0; signal == SIGTRAP && i < site_count; i++) {
      if (start + sites[i].address != r.rip - 1) continue;
      answer(&r, sites[i].length);
      ptrace(PTRACE_SETREGS, child, 0, &r);
      signal = 0;
    }
  }
}

int main(int argc, char **argv) {
  int status;
  if (argc < 3) return kCannot;
  read_table(argv[1]);
  pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0)) fail("ptrace");
    execv(argv[2], argv + 2);
    fail(argv[2]);
  }
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return kCannot;
  ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_EXITKILL);
  unsigned long start = start_of(child, argv[2]);
  set_breakpoints(child, start);
  return answer_all(child, start);
}
