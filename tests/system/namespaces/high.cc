// Loaded into namespaces, also those whose numbers libc's own table has no room for: what an object
// there sees of itself and of the others.
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <stdexcept>

extern "C" int opened_here();
static __thread int word = 77;
using Iterate = int (*)(int (*)(dl_phdr_info*, size_t, void*), void*);

static int show(dl_phdr_info* info, size_t size, void* data) {
  const char* name = strrchr(info->dlpi_name, '/');
  name = name != nullptr ? name + 1 : info->dlpi_name;
  if (strncmp(name, "ld", 2) == 0) return 0;  // the loaders have not the same segments
  printf("  [%s] %d headers, %zu bytes, TLS %d\n", name, info->dlpi_phnum, size,
         info->dlpi_tls_modid != 0);
  if (strcmp(name, "high.so") == 0) {
    auto* at = reinterpret_cast<char*>(&word);
    auto* block = static_cast<char*>(info->dlpi_tls_data);
    printf("  my word is in my block: %d\n", at >= block && at < block + 64);
  }
  *static_cast<unsigned long long*>(data) = info->dlpi_adds - info->dlpi_subs;
  return 0;
}
static int stop_at_second(dl_phdr_info*, size_t, void* count) {
  return ++*static_cast<int*>(count) == 2 ? 42 : 0;
}
static int leave(dl_phdr_info*, size_t, void*) { throw 5; }

static volatile bool done;
static void* open_and_close(void*) {
  for (int i = 0; i < 200; ++i)
    if (void* handle = dlopen("./other.so", RTLD_NOW)) dlclose(handle);
  done = true;
  return nullptr;
}
static int look(dl_phdr_info* info, size_t, void* bytes) {
  *static_cast<size_t*>(bytes) += strlen(info->dlpi_name) + info->dlpi_phdr[0].p_type;
  return 0;
}

static bool is_mapped(const char* name) {
  char line[4096];
  bool found = false;
  FILE* maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps) != nullptr) found = found || strstr(line, name) != nullptr;
  fclose(maps);
  return found;
}

extern "C" void describe() {
  word++;
  unsigned long long before = 0, after = 0;
  int count = 0;
  dl_iterate_phdr(show, &before);
  auto same = reinterpret_cast<Iterate>(dlsym(RTLD_DEFAULT, "dl_iterate_phdr"));
  printf("by name: %d %d\n", same == &dl_iterate_phdr,
         dlvsym(RTLD_DEFAULT, "dl_iterate_phdr", "GLIBC_2.2.5") == reinterpret_cast<void*>(same));
  printf("stopped: %d at %d\n", same(stop_at_second, &count), count);
  try {
    dl_iterate_phdr(leave, nullptr);
  } catch (int number) {
    printf("left with %d\n", number);
  }
  if (void* handle = dlopen("./given.so", RTLD_NOW)) dlclose(handle);
  printf("still mapped: %d\n", is_mapped("/given.so"));
  try {
    throw std::runtime_error("thrown and caught");
  } catch (const std::exception& error) {
    puts(error.what());
  }
  Dl_info info;
  printf("dladdr: %d %s\n", dladdr(reinterpret_cast<void*>(describe), &info), info.dli_sname);
  Lmid_t mine = -5, programs = -5;
  dlinfo(dlopen("./high.so", RTLD_NOW), RTLD_DI_LMID, &mine);
  dlinfo(dlopen(nullptr, RTLD_NOW), RTLD_DI_LMID, &programs);
  printf("namespaces: %d %d\n", mine != 0, programs == 0);
  auto* other = reinterpret_cast<void*>(opened_here);
  printf("default and next: %d %d\n", dlsym(RTLD_DEFAULT, "opened_here") == other,
         dlsym(RTLD_NEXT, "opened_here") == other);
  pthread_t thread;
  pthread_create(&thread, nullptr, open_and_close, nullptr);
  size_t bytes = 0;
  while (!done) dl_iterate_phdr(look, &bytes);
  pthread_join(thread, nullptr);
  count = 0;
  dl_iterate_phdr(show, &after);
  printf("as many objects as before: %d\n", before == after);
  fflush(stdout);
}
