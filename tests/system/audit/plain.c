// A program with one library: calls through the PLT, and what is asked for as argument.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int lib_answer(int);

static void step(const char *name) { printf("-- %s\n", name); }

static void *open_it(const char *file, int mode) {
  void *handle = dlopen(file, mode);
  printf("%s %s\n", file, handle ? "opened" : dlerror());
  return handle;
}

static void call_plug(void *handle) {
  int (*plug)(int) = handle ? (int (*)(int))dlsym(handle, "plug") : 0;
  if (plug) printf("plug gives %d\n", plug(3));
}

static void open_and_close(void) {
  step("lazy");
  void *first = open_it("./plug.so", RTLD_LAZY);
  call_plug(first);
  step("again");
  void *again = open_it("./plug.so", RTLD_NOW);
  step("dependency");
  void *dep = open_it("./dep.so", RTLD_NOW);
  step("close");
  if (dep) dlclose(dep);
  if (again) dlclose(again);
  if (first) dlclose(first);
  step("now");
  first = open_it("./plug.so", RTLD_NOW | RTLD_GLOBAL);
  call_plug(first);
  if (first) dlclose(first);
  step("no load");
  open_it("./plug.so", RTLD_NOW | RTLD_NOLOAD);
  open_it(NULL ? "" : "libc.so.6", RTLD_NOW);
}

static void failures(void) {
  step("missing dependency");
  open_it("./lackdep.so", RTLD_NOW);
  step("missing symbol");
  open_it("./lacksym.so", RTLD_NOW);
  step("missing file");
  open_it("./absent.so", RTLD_NOW);
  open_it("absent.so", RTLD_NOW);
}

static void by_name(void) {
  step("by name");
  printf("%d\n", dlsym(RTLD_DEFAULT, "printf") == dlsym(RTLD_NEXT, "printf"));
  dlvsym(RTLD_DEFAULT, "printf", "GLIBC_2.2.5");
  dlsym(RTLD_DEFAULT, "no_such_function");
  dlsym(RTLD_DEFAULT, "stdout");
  int (*answer)(int) = (int (*)(int))dlsym(RTLD_DEFAULT, "lib_answer");
  printf("%d\n", answer ? answer(6) : -1);
}

static void other_spaces(void) {
  step("other namespace");
  void *inside = dlmopen(LM_ID_NEWLM, "./plug.so", RTLD_LAZY);
  printf("%d\n", inside != 0);
  call_plug(inside);
  Lmid_t space = -5;
  if (inside) dlinfo(inside, RTLD_DI_LMID, &space);
  if (inside) dlclose(inside);
  void *base = dlmopen(LM_ID_BASE, "./plug.so", RTLD_LAZY);
  call_plug(base);
  void *math = dlmopen(LM_ID_BASE, "libm.so.6", RTLD_LAZY);
  printf("%d\n", math != 0);
  step("failures in another namespace");
  printf("%d\n", dlmopen(LM_ID_NEWLM, "./lackdep.so", RTLD_NOW) != 0);
  printf("%d\n", dlmopen(LM_ID_NEWLM, "./lacksym.so", RTLD_NOW) != 0);
  step("a namespace that stays");
  printf("%d\n", dlmopen(LM_ID_NEWLM, "./dep.so", RTLD_LAZY) != 0);
}

static void children(void) {
  step("children");
  if (fork() == 0) {
    printf("child %d\n", lib_answer(1));
    exit(0);
  }
  int status = 0;
  wait(&status);
  printf("ended with %d\n", status);
}

int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IONBF, 0);
  printf("%d\n", lib_answer(4));
  printf("%d\n", lib_answer(5));
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "open")) open_and_close();
    if (!strcmp(argv[i], "fail")) failures();
    if (!strcmp(argv[i], "name")) by_name();
    if (!strcmp(argv[i], "spaces")) other_spaces();
    if (!strcmp(argv[i], "fork")) children();
    if (!strcmp(argv[i], "exit")) exit(3);
  }
  return 0;
}
