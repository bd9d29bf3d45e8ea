#!/usr/bin/env python3
"""dlmopen under the system's loader and under ours; and more namespaces than the system's allows."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

MANY = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
enum { kCount = 40 };
int main(void) {
  for (int round = 0; round < 3; round++) {
    void *h[kCount];
    for (int i = 0; i < kCount; i++) {
      h[i] = dlmopen(LM_ID_NEWLM, "./inside.so", RTLD_NOW);
      if (!h[i]) { puts(dlerror()); return 1; }
      Lmid_t id; dlinfo(h[i], RTLD_DI_LMID, &id);
      if (id != i + 1) { printf("id %ld\\n", id); return 2; }
      if (((int (*)(void))dlsym(h[i], "count_call"))() != 1) return 3;
      if (((int (*)(void))dlsym(h[i], "run_threads"))() != 30) return 4; }
    for (int i = 0; i < kCount; i++) if (dlclose(h[i])) return 5; }
  return 0; }
'''


def source(name):
    with open(os.path.join(HERE, "namespaces", name)) as file:
        return file.read()


def main():
    with comparison.Comparison() as c:
        c.library("inside.so", source("inside.c"), "-pthread")
        c.library("undefined.so", "int absent(void); int use(void) { return absent(); }")
        c.compile("driver", source("driver.c"))
        c.compile("many", MANY, "-pthread")
        for env in ({"MARK": "1"}, {"MARK": "2", "LD_BIND_NOW": "1"}):
            outcome = c.same(["{ld}", "./driver"], env)
            c.expect(outcome.status == 0, f"driver ends with {outcome.status}\n{outcome.err}")
        # The system's loader crashes on RTLD_GLOBAL in another namespace.
        outcome = c.run("candidate", ["{ld}", "./driver"], {"OPEN_GLOBAL": "1"})
        c.expect(outcome.status == 0 and "from inside: 2 -1" in outcome.out, f"global inside: {outcome}")
        # The system's loader stops after some ten: no room for the static TLS of another C library.
        outcome = c.run("candidate", ["{ld}", "./many"])
        c.expect(outcome.status == 0, f"many namespaces: {outcome}")
        c.expect(outcome.out.count("constructor") == outcome.out.count("destructor") == 120, "a constructor for each")
        return c.finish()


if __name__ == "__main__":
    sys.exit(main())
