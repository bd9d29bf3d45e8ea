// N is the library's number, BYTES the size of its block; MODEL how the code finds it.
static int target = N;
__thread __attribute__((tls_model(MODEL))) int first = N;
__thread __attribute__((tls_model(MODEL))) int* pointer = &target;
__thread __attribute__((tls_model(MODEL), aligned(ALIGN))) char block[BYTES];

// First use in a thread: everything has its initial value. Leaves `seed` behind.
int start_using(int seed) {
  if (first != N) return 1;
  if (*pointer != N) return 2;
  if ((unsigned long)block % ALIGN != 0) return 3;
  for (int i = 0; i < BYTES; i += 1024) {
    if (block[i] != 0) return 4;
    block[i] = (char)seed;
  }
  if (block[BYTES - 1] != (BYTES % 1024 == 1 ? (char)seed : 0)) return 5;
  return 0;
}

int use_again(int seed) {
  for (int i = 0; i < BYTES; i += 1024)
    if (block[i] != (char)seed) return 6;
  return *pointer == N && first == N ? 0 : 7;
}
