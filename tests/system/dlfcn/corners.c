// Corners of dladdr, dlinfo, dlerror, dlsym and dlmopen: run under both loaders, the output must be equal.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

int in_program(void) { return 1; }
static int static_function(void) { return 2; }

static void error(const char* what) {
  const char* text = dlerror();
  printf("%s: %s\n", what, text ? text : "(none)");
}

static const char* last_part(const char* path) {
  const char* name = strrchr(path, '/');
  name = name ? name + 1 : path;
  return strncmp(name, "ld", 2) == 0 ? "the loader" : name;
}

static void address(const char* what, const void* at) {
  Dl_info info = {0};
  struct link_map* map = NULL;
  const ElfW(Sym)* symbol = NULL;
  int found = dladdr(at, &info);
  printf("%s: %d", what, found);
  if (found) {
    printf(" %s %s %ld", last_part(info.dli_fname), info.dli_sname ? info.dli_sname : "-",
           info.dli_saddr ? (long)((char*)at - (char*)info.dli_saddr) : -1L);
    found = dladdr1(at, &info, (void**)&symbol, RTLD_DL_SYMENT);
    printf(" %d", found);
    if (symbol != NULL) printf(" info %d absolute %d", symbol->st_info, symbol->st_shndx == SHN_ABS);
    found = dladdr1(at, &info, (void**)&map, RTLD_DL_LINKMAP);
    printf(" %d %s %d", found, last_part(map->l_name), dladdr1(at, &info, (void**)&map, 77));
  }
  puts("");
}

static void addresses(void) {
  void* handle = dlopen("./corners.so", RTLD_NOW);
  error("open");
  char* base = (char*)((struct link_map*)handle)->l_addr;
  const char* names[] = {"f1",     "f2",       "zero_size", "absolute", "data",
                         "weak_f", "no_type",  "first",     "_edata",   "_end",
                         "alias",  "original", "tls",       "picked",   "absent"};
  for (size_t i = 0; i < COUNT(names); i++) {
    char* at = dlsym(handle, names[i]);
    if (at == NULL) {
      error(names[i]);
      continue;
    }
    for (int shift = -1; shift < 2; shift++) address(names[i], at + shift);
  }
  char *data = dlsym(handle, "data"), *function = dlsym(handle, "f1");
  for (int shift = 0; shift < 60; shift += 20) address("data", data + shift);
  address("behind f1", function + 16);
  address("hidden", ((void* (*)(void))dlsym(handle, "get_hidden"))());
  address("static", ((void* (*)(void))dlsym(handle, "get_static"))());
  for (long offset = -1; offset < 0x5000; offset += 0x3f8) address("anywhere", base + offset);
  address("program", (void*)in_program);
  address("program's static", (void*)static_function);
  address("stack", &handle);
  address("heap", malloc(3));
  address("vdso", (void*)(getauxval(AT_SYSINFO_EHDR) + 64));
  address("libc", (char*)dlsym(RTLD_DEFAULT, "printf") + 2);
  address("loader", dlsym(RTLD_DEFAULT, "__tls_get_addr"));
  address("null", NULL);
  address("one", (void*)1);
  address("last", (void*)-1L);
}

static void search_paths(void* handle) {
  Dl_serinfo* info = calloc(1, 8192);
  int result = dlinfo(handle, RTLD_DI_SERINFO, info);
  printf("size 0: %d ", result);
  error("");
  dlinfo(handle, RTLD_DI_SERINFOSIZE, info);
  info->dls_cnt--;
  result = dlinfo(handle, RTLD_DI_SERINFO, info);
  printf("too few: %d ", result);
  error("");
  dlinfo(handle, RTLD_DI_SERINFOSIZE, info);
  result = dlinfo(handle, RTLD_DI_SERINFO, info);
  printf("%d, %u paths\n", result, info->dls_cnt);
  for (unsigned i = 0; i < info->dls_cnt; i++)
    printf("  %s %x\n", info->dls_serpath[i].dls_name, info->dls_serpath[i].dls_flags);
  free(info);
}

static void information(void) {
  void* handles[] = {dlopen(NULL, RTLD_NOW), dlopen("libc.so.6", RTLD_NOW), dlopen("./corners.so", RTLD_NOW),
                     dlopen("./oldpath.so", RTLD_NOW), dlmopen(LM_ID_NEWLM, "./corners.so", RTLD_NOW)};
  error("open");
  for (size_t i = 0; i < COUNT(handles); i++) {
    for (int request = -1; request < 14; request++) {
      char out[4096] = {0};
      if (request == RTLD_DI_SERINFO) continue;
      int result = dlinfo(handles[i], request, out);
      printf("%zu, request %d: %d ", i, request, result);
      if (result < 0) {
        error("");
        continue;
      }
      switch (request) {
        case RTLD_DI_LMID:
        case RTLD_DI_TLS_MODID:
          printf("%ld\n", *(long*)out);
          break;
        case RTLD_DI_LINKMAP:
          printf("%d\n", *(void**)out == handles[i]);
          break;
        case RTLD_DI_ORIGIN:
          puts(out);
          break;
        case RTLD_DI_TLS_DATA:
          printf("%d\n", *(void**)out != NULL);
          break;
        case RTLD_DI_SERINFOSIZE:
          printf("%zu %u\n", ((Dl_serinfo*)out)->dls_size, ((Dl_serinfo*)out)->dls_cnt);
          break;
        default:
          puts("?");
      }
    }
    search_paths(handles[i]);
  }
}

static void* in_thread(void* argument) {
  error("a thread's first");
  dlopen("absent.so", RTLD_NOW);
  error("a thread's own");
  return argument;
}

static void errors(void) {
  pthread_t thread;
  error("nothing yet");
  dlopen("absent.so", RTLD_NOW);
  pthread_create(&thread, NULL, in_thread, NULL);
  pthread_join(thread, NULL);
  error("first");
  error("second");
  dlopen("absent.so", RTLD_NOW);
  dlopen("absent2.so", RTLD_NOW);
  error("the last one");
  dlopen("absent.so", RTLD_NOW);
  dlopen("libc.so.6", RTLD_NOW);
  error("behind a success");
  dlopen("absent.so", RTLD_NOW);
  dlsym(RTLD_DEFAULT, "malloc");
  error("behind a symbol that was found");
  void* handle = dlopen("./corners.so", RTLD_NOW);
  const char* names[] = {"absent", "", "hidden", "absolute", "zero_absolute", "weak_undefined", "tls", "common", "picked"};
  for (size_t i = 0; i < COUNT(names); i++) {
    printf("%s %d ", names[i], dlsym(handle, names[i]) != NULL);
    error("");
    printf("%s next %d ", names[i], dlsym(RTLD_NEXT, names[i]) != NULL);
    error("");
    printf("%s version %d ", names[i], dlvsym(handle, names[i], "NO_SUCH") != NULL);
    error("");
    printf("%s default version %d ", names[i], dlvsym(RTLD_DEFAULT, names[i], "") != NULL);
    error("");
  }
  dlvsym(RTLD_NEXT, "malloc", "NO_SUCH");
  error("next version");
}

static void modes(void) {
  const int values[] = {0, 3, 4, 5, 6, 8, 9, 0x10, 0x11, 0x101, 0x1001, 0x1002, (int)0x80000001, 0x20001, 0x4001, 0x801, -1};
  for (size_t i = 0; i < COUNT(values); i++) {
    void* handle = dlopen("./other.so", values[i]);
    printf("mode %x %d ", values[i], handle != NULL);
    error("");
    if (handle) dlclose(handle);
    printf("  absent %d ", dlopen("./absent.so", values[i]) != NULL);
    error("");
    printf("  base namespace %d ", dlmopen(LM_ID_BASE, "./absent.so", values[i]) != NULL);
    error("");
  }
  const Lmid_t spaces[] = {0, -1, 1, 2, 15, 100, -2, -3};
  const char* files[] = {"./absent.so", NULL, "", "./other.so"};
  for (size_t i = 0; i < COUNT(spaces); i++) {
    for (size_t k = 0; k < COUNT(files); k++) {
      printf("space %ld %d ", spaces[i], dlmopen(spaces[i], files[k], RTLD_NOW) != NULL);
      error("");
    }
    printf("  only look %d ", dlmopen(spaces[i], "./other.so", RTLD_NOW | RTLD_NOLOAD) != NULL);
    error("");
  }
  dlmopen(LM_ID_NEWLM, "./other.so", RTLD_NOW | RTLD_GLOBAL);
  error("global in a new one");
}

static void files(void) {
  char name[300];
  memset(name, 'a', sizeof name);
  name[sizeof name - 1] = 0;
  dlopen(name, RTLD_NOW);
  error("long name");
  name[0] = '/';
  dlopen(name, RTLD_NOW);
  error("long path");
  const char* paths[] = {"/",      "/dev/null", "./",          "..",         "$ORIGIN",        "$LIB/x",         "$ORIGIN/x",
                         "a b:c;d", "%s%n",      "other.so ", ".//other.so", "./nodependency.so", "./badversion.so", "./undefined.so"};
  for (size_t i = 0; i < COUNT(paths); i++) {
    printf("%d ", dlopen(paths[i], RTLD_NOW) != NULL);
    error(paths[i]);
  }
  const struct rlimit few = {12, 12};
  setrlimit(RLIMIT_NOFILE, &few);
  while (open("/dev/null", O_RDONLY) >= 0) {
  }
  dlopen("libm.so.6", RTLD_NOW);
  error("no descriptor left");
  dlopen("./second.so", RTLD_NOW);
  error("no descriptor left");
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  addresses();
  information();
  errors();
  modes();
  files();
  return 0;
}
