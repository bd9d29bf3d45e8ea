// dlmopen: new namespaces, objects added to them, errors, their end, the debugger's records.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

struct record {
  struct r_debug base;
  struct record* next;
};

static void last_error(const char* what) {
  const char* text = dlerror();
  printf("%s: %s\n", what, text ? text : "no error");
}

static const char* short_name(const char* path) {
  const char* name = strrchr(path, '/');
  name = name ? name + 1 : path;
  return strncmp(name, "ld", 2) == 0 ? "the loader" : name;
}

static int show(struct dl_phdr_info* info, size_t size, void* data) {
  printf("  [%s] %lld %lld\n", short_name(info->dlpi_name), info->dlpi_adds, info->dlpi_subs);
  return 0;
}

static void list(struct link_map* map) {
  while (map->l_prev) map = map->l_prev;
  for (; map; map = map->l_next) printf(" <%s>", short_name(map->l_name));
  puts("");
}

static void records(void) {
  for (ElfW(Dyn)* entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag != DT_DEBUG) continue;
    struct record* record = (struct record*)entry->d_un.d_ptr;
    printf("version %d\n", record->base.r_version);
    for (; record; record = record->base.r_version > 1 ? record->next : NULL) {
      int count = 0;
      for (struct link_map* map = record->base.r_map; map; map = map->l_next) count++;
      printf("  %d objects, state %d\n", count, record->base.r_state);
    }
  }
}

static Lmid_t id_of(void* handle) {
  Lmid_t id = -9;
  dlinfo(handle, RTLD_DI_LMID, &id);
  return id;
}

static int call(void* handle, const char* function) {
  return ((int (*)(void))dlsym(handle, function))();
}

static void errors(Lmid_t known) {
  void* handle = dlmopen(77, "./inside.so", RTLD_NOW);
  last_error("no such id");
  handle = dlmopen(-5, "./inside.so", RTLD_NOW);
  last_error("negative id");
  handle = dlmopen(LM_ID_NEWLM, NULL, RTLD_NOW);
  last_error("no file, new");
  handle = dlmopen(known, NULL, RTLD_NOW);
  last_error("no file, known");
  handle = dlmopen(LM_ID_BASE, NULL, RTLD_NOW);
  printf("base: %d\n", handle == dlopen(NULL, RTLD_NOW));
  handle = dlmopen(LM_ID_NEWLM, "./missing.so", RTLD_NOW);
  last_error("missing");
  handle = dlmopen(LM_ID_NEWLM, "./undefined.so", RTLD_NOW);
  last_error("undefined");
  handle = dlmopen(LM_ID_NEWLM, "./inside.so", 0);
  last_error("mode");
  handle = dlmopen(LM_ID_NEWLM, "./inside.so", RTLD_NOW | RTLD_GLOBAL);
  last_error("global");
  if (handle) dlclose(handle);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  records();
  void* first = dlmopen(LM_ID_NEWLM, "./inside.so", RTLD_NOW);
  last_error("first");
  if (first == NULL) return 1;
  const Lmid_t id = id_of(first);
  printf("id %ld\n", id);
  list(first);
  ((void (*)(void))dlsym(first, "list_objects"))();
  dl_iterate_phdr(show, NULL);
  records();

  void* math = dlmopen(id, "libm.so.6", RTLD_LAZY);
  last_error("libm");
  list(first);
  printf("own libm: %d, cos %f\n", math != dlopen("libm.so.6", RTLD_LAZY),
         ((double (*)(double))dlsym(math, "cos"))(0));
  errors(id);

  void* second = dlmopen(LM_ID_NEWLM, "./inside.so", RTLD_NOW);
  printf("second id %ld\n", id_of(second));
  printf("own data: %d %d %d\n", call(first, "count_call"), call(second, "count_call"),
         call(first, "count_call"));
  printf("threads: %d %d\n", call(first, "run_threads"), call(second, "run_threads"));
  printf("own errno: %d\n", ((int* (*)(void))dlsym(second, "errno_address"))() != &errno);
  printf("environment: %s\n", ((char* (*)(const char*))dlsym(second, "environment"))("MARK"));
  int (*open_there)(const char*) = (int (*)(const char*))dlsym(second, "open_from_here");
  printf("from inside: %d %d\n", open_there("libm.so.6"), open_there("./missing.so"));
  list(second);
  Dl_info info;
  const int found = dladdr(dlsym(second, "count_call"), &info);
  printf("dladdr %d %s\n", found, short_name(info.dli_fname));

  printf("close %d\n", dlclose(second));
  records();
  printf("close %d %d\n", dlclose(first), dlclose(math));
  records();
  dl_iterate_phdr(show, NULL);
  printf("closed id: %d\n", dlmopen(id, "./inside.so", RTLD_NOW) == NULL);
  last_error("error");
  for (int i = 0; i < 8; i++)
    printf("again %ld\n", id_of(dlmopen(LM_ID_NEWLM, "./inside.so", RTLD_NOW)));
  return 0;
}
