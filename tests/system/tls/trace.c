// Thread-local data of opened objects, at the command line's word. A word is a letter, a digit for the handle, and a
// name: o = dlopen, m = dlmopen into a new namespace, c = dlclose, g = the object's data are used, t = a thread does
// what the argument with this number says, T = the same on a stack that libc does not keep.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void* handles[10];
static char** words;

static void obey(const char* list);

static void* work(void* list) {
  obey(list);
  return NULL;
}

static void use(void* handle) {
  int* (*get)(void) = (int* (*)(void))dlsym(handle, "get");
  if (get == NULL || *get() != 4) exit(9);
}

static void run_thread(const char* list, size_t stack) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  if (stack != 0) pthread_attr_setstacksize(&attributes, stack);
  if (pthread_create(&thread, &attributes, work, (void*)list)) exit(8);
  pthread_join(thread, NULL);
}

static void obey(const char* list) {
  char copy[1000], *rest;
  strcpy(copy, list);
  for (char* word = strtok_r(copy, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
    dprintf(2, "> %s\n", word);
    const int n = word[1] - '0';
    switch (word[0]) {
      case 'o':
        handles[n] = dlopen(word + 2, RTLD_NOW);
        break;
      case 'm':
        handles[n] = dlmopen(LM_ID_NEWLM, word + 2, RTLD_NOW);
        break;
      case 'c':
        dlclose(handles[n]);
        break;
      case 'g':
        use(handles[n]);
        break;
      default:
        run_thread(words[n], word[0] == 'T' ? 64 << 20 : 0);
    }
  }
}

int main(int argc, char** argv) {
  words = argv;
  if (argc > 1) obey(argv[1]);
  return 0;
}
