// Functions of all kinds of arguments and results, called through a PLT.
#include <complex.h>
#include <stdarg.h>
#include <string.h>

struct pair { long a, b; };
struct mixed { double x; long n; };
struct floats { double x, y; };
struct big { long words[6]; };
typedef double quad __attribute__((vector_size(32)));
typedef float narrow __attribute__((vector_size(16)));

long many(long a, long b, long c, long d, long e, long f, long g, long h, long i) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i;
}
double floating(double a, float b, double c, double d, double e, double f, double g, double h, double on_stack) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * on_stack;
}
struct pair two_words(long a) { return (struct pair){a, -a}; }
struct mixed word_and_float(long a) { return (struct mixed){a + 0.5, a}; }
struct floats two_floats(double a) { return (struct floats){a, -a}; }
struct big in_memory(struct big in, long add) {
  for (int i = 0; i < 6; i++) in.words[i] += add;
  return in;
}
long double extended(long double a, int b) { return a / b; }
_Complex long double both_extended(long double a) { return a + 2.0L * I; }
_Complex double complex_result(double a) { return a - 1.0 * I; }
quad wide(quad a, quad b) { return a * b; }
narrow low(narrow a, narrow b) { return a + b; }
double sum(int count, ...) {
  double result = 0;
  va_list list;
  va_start(list, count);
  for (int i = 0; i < count; i++) result += va_arg(list, double);
  va_end(list);
  return result;
}
long altered_argument(long a) { return a; }
double altered_float(double a) { return a; }
quad altered_wide(quad a) { return a; }
double altered_both(quad a) { return a[0] + a[1]; }
long altered_result(long a) { return a; }
double altered_float_result(double a) { return a; }
quad altered_wide_result(quad a) { return a; }
long double altered_extended(long double a) { return a; }
long replaced(long a) { return a; }
long bound_elsewhere(long a) { return a; }
long seldom(long a) { return a; }
