// Every call of <dlfcn.h> and what it says: run under both loaders, the output must be equal.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int in_program = 42;

static void last_error(const char* what) {
  const char* text = dlerror();
  printf("%s: %s\n", what, text ? text : "no error");
}

static int count_object(struct dl_phdr_info* info, size_t size, void* data) {
  unsigned long long* counts = data;
  counts[0]++;
  counts[1] = info->dlpi_adds;
  counts[2] = info->dlpi_subs;
  return 0;
}

static void counters(const char* when) {
  unsigned long long counts[3] = {0};
  dl_iterate_phdr(count_object, counts);
  printf("%s: %llu objects, %llu added, %llu removed\n", when, counts[0], counts[1], counts[2]);
}

static void* try_open(const char* file, int mode) {
  void* handle = dlopen(file, mode);
  printf("dlopen(%s, %x) %s; ", file, mode, handle ? "opened" : "null");
  last_error("error");
  return handle;
}

static void modes_and_failures(void) {
  int modes[] = {
      0, RTLD_GLOBAL, 0x40, 0x10002, RTLD_LAZY | RTLD_NOW, RTLD_NOW | RTLD_NOLOAD, RTLD_NODELETE};
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    void* handle = try_open("./liba.so", modes[i]);
    if (handle) dlclose(handle);
  }
  counters("before failures");
  const char* files[] = {
      "missing.so",    "./missing.so",      "/etc/passwd",       "/etc",
      "./libneedy.so", "./libundefined.so", "./libundefdata.so", "./prog.pie",
      "./prog.exec",   "./short",           "$NOTHING/liba.so",  "./libversion.so"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    try_open(files[i], RTLD_NOW);
    counters("after it");
  }
  try_open("missing.so", RTLD_NOW | RTLD_NOLOAD);
  void* lazy = try_open("./libundefined.so", RTLD_LAZY);
  if (lazy) dlclose(lazy);
  void* origin = try_open("$ORIGIN/liba.so", RTLD_LAZY);
  if (origin) dlclose(origin);
  counters("after failures");
}

static void close_often(const char* what, void* handle, int times) {
  for (int i = 0; i < times; i++) {
    printf("close %s %d; ", what, dlclose(handle));
    last_error("error");
  }
}

static void closing(void) {
  void* program = dlopen(NULL, RTLD_NOW);
  printf("same program: %d\n", program == dlopen("", RTLD_NOW));
  close_often("program", program, 5);
  close_often("libc", dlopen("libc.so.6", RTLD_NOW), 3);
  void* library = dlopen("./libnodelete.so", RTLD_NOW);
  close_often("nodelete", library, 3);
  printf("still there: %d\n", dlopen("./libnodelete.so", RTLD_NOW | RTLD_NOLOAD) == library);
  library = dlopen("./liba.so", RTLD_LAZY);
  printf("same handle: %d\n", library == dlopen("./liba.so", RTLD_NOW));
  close_often("twice opened", library, 2);
  dlopen("./libb.so", RTLD_NOW | RTLD_NODELETE);
  close_often("nodelete by mode", dlopen("./libb.so", RTLD_NOW), 3);
  counters("after closing");
}

static void symbols(void) {
  void *program = dlopen(NULL, RTLD_NOW), *libc = dlopen("libc.so.6", RTLD_NOW);
  void* library = dlopen("./liba.so", RTLD_LAZY);
  printf("%d\n", *(int*)dlsym(program, "in_program"));
  void* absent[] = {dlsym(library, "absent"), NULL, NULL, NULL, NULL};
  last_error("handle");
  absent[1] = dlsym(RTLD_DEFAULT, "absent");
  last_error("default");
  absent[2] = dlsym(RTLD_NEXT, "absent");
  last_error("next");
  absent[3] = dlvsym(library, "a_function", "NO_SUCH");
  last_error("version");
  absent[4] = dlvsym(libc, "memcpy", "GLIBC_9");
  last_error("libc version");
  for (int i = 0; i < 5; i++) printf("%p ", absent[i]);
  printf("\nold memcpy differs: %d\n",
         dlvsym(libc, "memcpy", "GLIBC_2.2.5") != dlvsym(libc, "memcpy", "GLIBC_2.14"));
  printf("local: %d\n", dlsym(RTLD_DEFAULT, "a_function") != NULL);
  dlerror();
  void* promoted = dlopen("./liba.so", RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
  printf("promoted: %d global: %d\n", promoted == library,
         dlsym(RTLD_DEFAULT, "a_function") != NULL);
  dlclose(promoted);
  dlclose(library);
  printf("gone: %d\n", dlsym(RTLD_DEFAULT, "a_function") == NULL);
  dlerror();
}

static void addresses(void) {
  void *library = dlopen("./liba.so", RTLD_LAZY), *function = dlsym(library, "a_function");
  struct link_map* map = NULL;
  const ElfW(Sym)* symbol = NULL;
  Dl_info info;
  int found = dladdr(function, &info);
  printf("%d %s %s\n", found, info.dli_fname, info.dli_sname);
  found = dladdr1(function, &info, (void**)&map, RTLD_DL_LINKMAP);
  printf("%d %s %d\n", found, map->l_name, (void*)map == library);
  found = dladdr1(function, &info, (void**)&symbol, RTLD_DL_SYMENT);
  printf("%d %d %d\n", found, symbol->st_value + map->l_addr == (ElfW(Addr))function,
         symbol->st_info);
  found = dladdr(addresses, &info);
  printf("%d %s %s\n", found, info.dli_fname, info.dli_sname ? info.dli_sname : "-");
  found = dladdr((char*)map->l_addr + 1, &info);
  printf("%d %s %s\n", found, info.dli_fname, info.dli_sname ? info.dli_sname : "-");
  printf("%d %d\n", dladdr(NULL, &info), dladdr(&info, &info));
  found = dladdr(dlsym(RTLD_DEFAULT, "__tls_get_addr"), &info);
  printf("%d %s\n", found, info.dli_sname);
  dlclose(library);
}

static void search_path(const char* what, void* handle) {
  Dl_serinfo size, *paths;
  if (dlinfo(handle, RTLD_DI_SERINFOSIZE, &size)) return last_error(what);
  paths = malloc(size.dls_size);
  dlinfo(handle, RTLD_DI_SERINFOSIZE, paths);
  if (dlinfo(handle, RTLD_DI_SERINFO, paths)) return last_error(what);
  printf("%s: %zu bytes, %u paths\n", what, (size_t)size.dls_size, size.dls_cnt);
  for (unsigned i = 0; i < paths->dls_cnt; i++)
    printf("  %s %x\n", paths->dls_serpath[i].dls_name, paths->dls_serpath[i].dls_flags);
  free(paths);
}

static void information(void) {
  void *program = dlopen(NULL, RTLD_NOW), *libc = dlopen("libc.so.6", RTLD_NOW);
  void* handles[] = {program,
                     libc,
                     dlopen("./liba.so", RTLD_NOW),
                     dlopen("./librunpath.so", RTLD_NOW),
                     dlopen("./librpath.so", RTLD_NOW),
                     dlopen("./libtls.so", RTLD_NOW)};
  const char* names[] = {"program", "libc", "liba", "librunpath", "librpath", "libtls"};
  for (int i = 0; i < 6; i++) {
    Lmid_t id = -9;
    struct link_map* map = NULL;
    char origin[4096] = "?";
    size_t module = 99;
    void* data = &data;
    const ElfW(Phdr)* headers = NULL;
    printf("%s: %d", names[i], dlinfo(handles[i], RTLD_DI_LMID, &id));
    printf(" %ld %d", id, dlinfo(handles[i], RTLD_DI_LINKMAP, &map));
    printf(" %d %d", (void*)map == handles[i], dlinfo(handles[i], RTLD_DI_ORIGIN, origin));
    printf(" %s %d", origin, dlinfo(handles[i], RTLD_DI_TLS_MODID, &module));
    printf(" %zu %d", module, dlinfo(handles[i], RTLD_DI_TLS_DATA, &data));
    printf(" %d %d\n", data != NULL, dlinfo(handles[i], 11, &headers));
    search_path(names[i], handles[i]);
  }
  int unknown[] = {3, 7, 8, 12, 99, -1};
  for (int i = 0; i < 6; i++) {
    printf("request %d: %d; ", unknown[i], dlinfo(libc, unknown[i], &names));
    last_error("error");
  }
  for (int i = 5; i > 1; i--) printf("%d ", dlclose(handles[i]));
  counters("after information");
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  counters("start");
  modes_and_failures();
  closing();
  symbols();
  addresses();
  information();
  return 0;
}
