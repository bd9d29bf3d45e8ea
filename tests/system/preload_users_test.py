#!/usr/bin/env python3
"""Libraries that people preload (allocators, clocks, profilers, wrappers of system calls) with shells, interpreters
and threads, the loader called directly and as the program's interpreter. What is not installed is named and left out."""
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402
import traces  # noqa: E402

FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/x86_64-linux-gnu/torsocks",
           "/usr/lib/heaptrack", "/usr/lib/fiu", "/usr/lib/x86_64-linux-gnu/libfakeroot", "/usr/libexec/coreutils")
CLOCK = {"FAKETIME": "@2020-02-03 04:05:06", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}
# name -> variables, and whether standard error is the same each time
PRELOADS = {
    "libjemalloc.so.2": ({}, True), "libtcmalloc_minimal.so.4": ({}, True), "libtcmalloc.so.4": ({}, True),
    "libtcmalloc_debug.so.4": ({}, False), "libmimalloc.so.2": ({}, True), "libefence.so.0": ({"EF_DISABLE_BANNER": "1"}, True),
    "libprofiler.so.0": ({"CPUPROFILE": "profile"}, False), "libheaptrack_preload.so": ({"DUMP_HEAPTRACK_OUTPUT": "heap"}, False),
    "libeatmydata.so": ({}, True), "libfaketime.so.1": (CLOCK, True), "libfaketimeMT.so.1": (CLOCK, True),
    "libproxychains.so.4": ({"PROXYCHAINS_CONF_FILE": "proxychains.conf", "PROXYCHAINS_QUIET_MODE": "1"}, True),
    "libtorsocks.so": ({"TORSOCKS_LOG_LEVEL": "1"}, False), "fiu_run_preload.so": ({}, True), "fiu_posix_preload.so": ({}, True),
    "libfakeroot-sysv.so": ({}, True), "libstdbuf.so": ({"_STDBUF_O": "L"}, True), "libmemusage.so": ({}, False),
    "libpcprofile.so": ({}, True),
}
# Guards each block with pages of its own: interpreters run out of mappings.
SLOW = {"libefence.so.0"}
# A thread of its own holds its lock now and then; a child forked at that moment hangs at exit, under any loader.
NO_FORK = {"libheaptrack_preload.so"}
FORKING = ("bash", "perl", "threads")
PYTHON = '''
import ctypes, hashlib, json, ssl, sqlite3, subprocess, threading, time
def work(n): found[n] = hashlib.sha256(b"x" * 100000 * (n + 1)).hexdigest()[:8]
found = {}; threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(found.items()), subprocess.check_output(["/bin/echo", "child"]), ctypes.CDLL("libm.so.6").abs(-3))
print(sqlite3.connect(":memory:").execute("select 6 * 7").fetchone(), time.gmtime().tm_year >= 2020)
'''
PERL = '''use POSIX; use Socket; use List::Util; my $p = fork; exit 3 unless $p; waitpid $p, 0;
print $? >> 8, " ", POSIX::floor(2.5), " ", join(",", sort { $b <=> $a } map { $_ * 2 } 1 .. 5), "\\n";'''
SHELL = 'x=$(echo a | tr a b); for i in 1 2 3; do (echo $i); done | sort -r; echo $x; date +%Y | grep -c ^20; exit 5'
THREADS = '''
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <future>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
thread_local std::map<int, std::string> mine;
static int work(int n) {
  for (int i = 0; i < 300; i++) {
    mine[i % 17] = std::string(i * 7 % 500, 'x');
    if (i % 50 == 0) { void *h = dlopen("libm.so.6", RTLD_NOW); if (!h || !dlsym(h, "cos")) return -1; dlclose(h); }
    try { if (i % 30 == 0) throw std::runtime_error("x"); } catch (const std::exception &) { n++; } }
  return n + (int)mine.size(); }
int main() {
  std::vector<std::future<int>> all; int sum = 0;
  for (int i = 0; i < 8; i++) all.push_back(std::async(std::launch::async, work, i));
  for (auto &f : all) sum += f.get();
  pid_t p = fork(); if (p == 0) { std::thread t([] { work(1); }); t.join(); _exit(work(2) == 29 ? 7 : 8); }
  int status = 0; waitpid(p, &status, 0); printf("%d %d\\n", sum, WEXITSTATUS(status)); return 0; }
'''


def find(name):
    for folder in FOLDERS:
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    return None


class Programs:
    """Copies of installed programs whose interpreter is one link, which leads to either loader."""

    def __init__(self, c):
        self.link = f"/tmp/pl-{os.getpid()}"
        self.commands = {}
        os.mkdir("bin")
        for name, words in (("bash", ["-c", SHELL]), ("python3", ["-c", PYTHON]), ("perl", ["-e", PERL]),
                            ("git", ["hash-object", "--stdin"])):
            path = f"/usr/bin/{name}"
            if not os.path.exists(path):
                print(f"left out: {name} is not installed")
                continue
            traces.with_interpreter(os.path.realpath(path), f"bin/{name}", self.link)
            self.commands[name] = words
        c.compile("bin/threads", THREADS, "-xc++", "-pthread", "-lstdc++", "-Wl,--dynamic-linker=" + self.link)
        self.commands["threads"] = []

    def lead_to(self, loader):
        if os.path.lexists(self.link):
            os.unlink(self.link)
        os.symlink(loader, self.link)


def compare(c, programs, library, name, direct):
    variables, exact = PRELOADS[library]
    results = []
    for side in comparison.SIDES:
        programs.lead_to(c.ld(side))
        before = ["{ld}"] if direct else []
        outcome = c.run(side, [*before, os.path.abspath(f"bin/{name}"), *programs.commands[name]],
                        {"LD_PRELOAD": find(library), "HOME": c.root, **variables})
        c.expect("cannot be preloaded" not in outcome.err, f"{library} is not preloaded: {outcome}")
        if not exact:
            outcome.err = ""
        results.append(outcome)
    way = "direct" if direct else "interpreter"
    c.expect(results[0] == results[1] and results[1].status >= 0, f"{library}, {name}, {way}:\n{results[0]}\n--- ours\n{results[1]}")


def test(c):
    with open("proxychains.conf", "w") as file:
        file.write("strict_chain\n[ProxyList]\nsocks4 127.0.0.1 9050\n")
    programs = Programs(c)
    try:
        for library in PRELOADS:
            if find(library) is None:
                print(f"left out: {library} is not installed")
                continue
            for name in programs.commands:
                if library in SLOW and name not in ("perl", "git") or library in NO_FORK and name in FORKING:
                    continue
                for direct in (False, True):
                    compare(c, programs, library, name, direct)
    finally:
        os.unlink(programs.link)


if __name__ == "__main__":
    comparison.main(test)
