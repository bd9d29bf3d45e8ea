// An auditor of the calls into target.c: shows arguments and results, and changes those of the
// functions whose names say so.
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define say(...)                                      \
  do {                                                \
    char line[512];                                   \
    int n = snprintf(line, sizeof line, __VA_ARGS__); \
    write(1, line, n);                                \
  } while (0)

static long instead(long a) { return a + 1000; }

unsigned int la_version(unsigned int offered) { return offered; }

unsigned int la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie) {
  (void)space, (void)cookie;
  if (strstr(map->l_name, "target")) return LA_FLG_BINDTO;
  return map->l_name[0] ? 0 : LA_FLG_BINDFROM;
}

uintptr_t la_symbind64(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to, unsigned int *flags,
                       const char *name) {
  (void)index, (void)from, (void)to;
  if (!strcmp(name, "bound_elsewhere")) return (uintptr_t)instead;
  if (!strcmp(name, "seldom")) *flags |= LA_SYMB_NOPLTEXIT;
  return sym->st_value;
}

static double as_double(const void *p) {
  double value;
  memcpy(&value, p, sizeof value);
  return value;
}

Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to,
                                  La_x86_64_regs *regs, unsigned int *flags, const char *name, long *frame) {
  (void)index, (void)from, (void)to;
  const long *stack = (const long *)regs->lr_rsp;
  say("> %s flags %x", name, *flags);
  if (!strcmp(name, "many"))
    say(" %ld %ld %ld %ld %ld %ld stack %ld %ld %ld", regs->lr_rdi, regs->lr_rsi, regs->lr_rdx, regs->lr_rcx,
        regs->lr_r8, regs->lr_r9, stack[1], stack[2], stack[3]);
  if (!strcmp(name, "floating"))
    say(" %g %g %g stack %g", as_double(&regs->lr_xmm[0]), as_double(&regs->lr_xmm[2]), as_double(&regs->lr_xmm[7]),
        as_double(&stack[1]));
  if (!strcmp(name, "wide"))
    say(" %g %g %g %g", as_double((char *)&regs->lr_vector[0]), as_double((char *)&regs->lr_vector[0] + 24),
        as_double((char *)&regs->lr_vector[1]), as_double((char *)&regs->lr_vector[1] + 24));
  say("\n");
  double ten = 10;
  if (!strcmp(name, "altered_argument")) regs->lr_rdi += 100;
  if (!strcmp(name, "altered_float")) memcpy(&regs->lr_xmm[0], &ten, sizeof ten);
  if (!strcmp(name, "altered_wide")) memcpy((char *)&regs->lr_vector[0] + 16, &ten, sizeof ten);
  if (!strcmp(name, "altered_both")) {
    for (int i = 0; i < 4; i++) memcpy((char *)&regs->lr_vector[0] + 8 * i, &ten, sizeof ten);
    memcpy(&regs->lr_xmm[0], &regs->lr_vector[0], sizeof regs->lr_xmm[0]);
  }
  if (!strcmp(name, "seldom")) *flags |= LA_SYMB_NOPLTENTER;
  *frame = 256;
#ifdef NO_EXIT
  *frame = -1;
#endif
  return !strcmp(name, "replaced") ? (Elf64_Addr)instead : sym->st_value;
}

unsigned int la_x86_64_gnu_pltexit(Elf64_Sym *sym, unsigned int index, uintptr_t *from, uintptr_t *to,
                                   const La_x86_64_regs *in, La_x86_64_retval *out, const char *name) {
  (void)sym, (void)index, (void)from, (void)to;
  say("< %s", name);
  if (!strcmp(name, "many")) say(" rdi %ld gives %ld", in->lr_rdi, out->lrv_rax);
  if (!strcmp(name, "two_words")) say(" gives %ld %ld", out->lrv_rax, out->lrv_rdx);
  if (!strcmp(name, "floating")) say(" gives %g", as_double(&out->lrv_xmm0));
  if (!strcmp(name, "two_floats")) say(" gives %g %g", as_double(&out->lrv_xmm0), as_double(&out->lrv_xmm1));
  if (!strcmp(name, "extended")) say(" gives %Lg", out->lrv_st0);
  if (!strcmp(name, "both_extended")) say(" gives %Lg %Lg", out->lrv_st0, out->lrv_st1);
  if (!strcmp(name, "altered_both"))
    say(" got %g %g %g", as_double(&in->lr_xmm[0]), as_double(&in->lr_vector[0]), as_double((char *)&in->lr_vector[0] + 24));
  if (!strcmp(name, "wide")) say(" gives %g", as_double((char *)&out->lrv_vector0 + 24));
  say("\n");
  double ten = 10;
  if (!strcmp(name, "altered_result")) out->lrv_rax += 100;
  if (!strcmp(name, "altered_float_result")) memcpy(&out->lrv_xmm0, &ten, sizeof ten);
  if (!strcmp(name, "altered_wide_result")) memcpy((char *)&out->lrv_vector0 + 16, &ten, sizeof ten);
  if (!strcmp(name, "altered_extended")) out->lrv_st0 = 77;
  return 0;
}
