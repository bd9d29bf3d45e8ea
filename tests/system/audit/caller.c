// Calls each function of target.c, most of them twice, and prints the results.
#include <complex.h>
#include <stdio.h>
#include <string.h>

struct pair { long a, b; };
struct mixed { double x; long n; };
struct floats { double x, y; };
struct big { long words[6]; };
typedef double quad __attribute__((vector_size(32)));
typedef float narrow __attribute__((vector_size(16)));

long many(long, long, long, long, long, long, long, long, long);
double floating(double, float, double, double, double, double, double, double, double);
struct pair two_words(long);
struct mixed word_and_float(long);
struct floats two_floats(double);
struct big in_memory(struct big, long);
long double extended(long double, int);
_Complex long double both_extended(long double);
_Complex double complex_result(double);
quad wide(quad, quad);
narrow low(narrow, narrow);
double sum(int, ...);
long altered_argument(long), altered_result(long), replaced(long), bound_elsewhere(long), seldom(long);
double altered_float(double), altered_float_result(double);
quad altered_wide(quad), altered_wide_result(quad);
double altered_both(quad);
long double altered_extended(long double);

static void show_wide(const char *name, quad q) { printf("%s %g %g %g %g\n", name, q[0], q[1], q[2], q[3]); }

static void round_of_calls(long k) {
  printf("many %ld\n", many(k, 2, 3, 4, 5, 6, 7, 8, 9));
  printf("floating %g\n", floating(k, 2, 3, 4, 5, 6, 7, 8, 9));
  struct pair pair = two_words(k);
  printf("two_words %ld %ld\n", pair.a, pair.b);
  struct mixed mixed = word_and_float(k);
  printf("word_and_float %g %ld\n", mixed.x, mixed.n);
  struct floats floats = two_floats(k);
  printf("two_floats %g %g\n", floats.x, floats.y);
  struct big big = in_memory((struct big){{1, 2, 3, 4, 5, 6}}, k);
  printf("in_memory %ld %ld %ld\n", big.words[0], big.words[3], big.words[5]);
  printf("extended %Lg\n", extended(k, 4));
  _Complex long double z = both_extended(k);
  printf("both_extended %Lg %Lg\n", creall(z), cimagl(z));
  _Complex double c = complex_result(k);
  printf("complex_result %g %g\n", creal(c), cimag(c));
#ifdef __AVX__
  show_wide("wide", wide((quad){k, 2, 3, 4}, (quad){5, 6, 7, 8}));
  show_wide("altered_wide", altered_wide((quad){k, 2, 3, 4}));
  printf("altered_both %g\n", altered_both((quad){k, 2, 3, 4}));
  show_wide("altered_wide_result", altered_wide_result((quad){k, 2, 3, 4}));
#endif
  narrow n = low((narrow){k, 2, 3, 4}, (narrow){1, 1, 1, 1});
  printf("low %g %g\n", n[0], n[3]);
  printf("sum %g\n", sum(10, 1., 2., 3., 4., 5., 6., 7., 8., 9., (double)k));
  printf("altered_argument %ld\n", altered_argument(k));
  printf("altered_float %g\n", altered_float(k));
  printf("altered_result %ld\n", altered_result(k));
  printf("altered_float_result %g\n", altered_float_result(k));
  printf("altered_extended %Lg\n", altered_extended(k));
  printf("replaced %ld\n", replaced(k));
  printf("bound_elsewhere %ld\n", bound_elsewhere(k));
  printf("seldom %ld\n", seldom(k));
}

// Whatever is reported, the x87 stack has all its eight places left.
static int x87_is_clean(void) {
  long double one = 1, result;
  __asm__("fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; faddp; faddp; faddp; faddp; faddp; faddp; faddp; fstpt %0"
          : "=m"(result));
  return result == 8 * one;
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  for (long k = 1; k < 4; k++) round_of_calls(k);
#ifdef CHECK_X87
  printf("x87 %s\n", x87_is_clean() ? "clean" : "full");
#endif
  return 0;
}
