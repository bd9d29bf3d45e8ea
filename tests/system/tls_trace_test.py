#!/usr/bin/env python3
"""LD_DEBUG=tls: 2.43 has the word and tells of threads' blocks, 2.44 in other words of module ids and dynamic blocks as well.
Ours speaks as the release in use, like 2.43 under those that do not know the word; what is told as JSON is the same everywhere.
With `tools/with-glibc DIR` on trees of 2.43 and 2.44 the lines are compared, CI has our own only."""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

LIBRARY = "__thread int %s = 4; __thread char fill_%s[%d]; int *get(void) { return &%s; }"
MANY = [f"./libmany{n}.so" for n in range(20)]
# Each is a command line of the driver.
REQUESTS = (
    [], ["o1./liba.so,g1,o2./libb.so,g2,g1,c1,o3./libc.so,g3,g2,c2,c3"],
    ["o1./liba.so,g1,o2./libb.so,t2,t3,c1,t4", "g1,g2", "g2,g1", "g2"],
    ["o1./liba.so,o2./libb.so,T2,T2,c1,o1./libc.so,T2,t2", "g2,g1,o3./libearly.so"],
    ["o1./libearly.so,g1,t2,c1,o2./libdescribed.so,g2,t3,c2", "g1", "g2"],
    ["m1./liba.so,g1,c1,m2./libb.so"], ["t2,g1,c1", "o1./liba.so,g1,o2./libb.so,g2,c2"],
    ["o1./liba.so,g1," + ",".join("o3" + name for name in MANY) + ",g3,t2,g1", "g3,g1"],
    ["o1./undefined.so,o1./lost.so,o1./none.so"],
)


def alike(outcome):
    outcome.err = re.sub(r"(?<=TID=)\d+|0x[0-9a-fA-FDRES]+", "N", outcome.err)


def build(c):
    for name, size in (("a", 40), ("b", 80), ("c", 120), *((os.path.basename(many)[3:-3], 4) for many in MANY)):
        c.library(f"lib{name}.so", LIBRARY % (name, name, size, name), "-nostdlib")
    c.library("libearly.so", LIBRARY % ("early", "early", 4, "early"), "-nostdlib", "-ftls-model=initial-exec")
    c.library("libdescribed.so", LIBRARY % ("described", "described", 4, "described"), "-nostdlib", "-mtls-dialect=gnu2")
    c.library("undefined.so", LIBRARY % ("u", "u", 4, "u") + " int never(void); int q(void) { return never(); }", "-Wl,-z,now")
    c.library("gone.so", "int gone;", "-nostdlib")
    c.library("lost.so", LIBRARY % ("l", "l", 4, "l"), "-Wl,--no-as-needed", "./gone.so")
    os.remove("gone.so")
    with open(os.path.join(HERE, "tls", "trace.c")) as file:
        source = file.read()
    c.compile("driver", source, "-pthread")
    c.compile("owner", "__thread int own = 3;\n" + source, "-pthread", "-Wl,--no-as-needed", "./liba.so", "./libb.so")
    c.compile("plain", "int main(void) { return 0; }")


def test_lines(c):
    knows = "unknown" not in c.run("reference", ["{ld}", "./plain"], {"LD_DEBUG": "tls"}).err
    for words in REQUESTS if knows else ():
        c.same(["{ld}", "./driver", *words], {"LD_DEBUG": "tls"}, edit=alike)
    if knows:
        c.same(["{ld}", "./owner"], {"LD_DEBUG": "tls"}, edit=alike)
        c.same(["{ld}", "./owner", "o1./liba.so,g1"], {"LD_DEBUG": "tls", "LD_PRELOAD": "./libearly.so"}, edit=alike)
        c.same(["{ld}"], {"LD_DEBUG": "tls security"})
        c.same(["{ld}", "./driver"], {"LD_DEBUG": "security"})
        return
    outcome = c.run("candidate", ["{ld}", "./driver", "T2,T2", ""], {"LD_DEBUG": "tls"})
    alike(outcome)
    own = [line.split(None, 1)[1] for line in outcome.err.splitlines() if line.startswith(" ")]
    own = [line for line in own if "TID" not in line and "stack" not in line]
    wanted = ["TCB allocated: N"] + 2 * ["TCB deallocating: N (dealloc_tcb=0)"]
    c.expect(own == wanted and outcome.status == 0, f"LD_DEBUG=tls: {outcome}")
    outcome = c.run("candidate", ["{ld}", "./driver"], {"LD_DEBUG": "security"})
    c.expect(outcome.status == 0 and outcome.err == "", f"LD_DEBUG=security: {outcome}")


def test_json(c):
    def told(*words):
        outcome = c.run("candidate", ["{ld}", "./driver", *words], {"LD_DEBUG": "json,tls"})
        c.expect(outcome.status == 0, str(outcome))
        events = [json.loads(re.sub(r"([:.])PID\b", r"\g<1>0", line)) for line in outcome.err.splitlines() if line.startswith("{")]
        return [(event["name"].split(" /")[0].split(" .")[0], event["args"]) for event in events if event["cat"] == "tls"]

    events = told("o1./liba.so,g1,g1,c1,o2./libb.so,g2,T2", "g2")
    names = [name for name, _ in events]
    start = ["tls id", "thread block", "tls ids of the start"]
    first = ["tls id", "tls vector updated", "tls block", "tls id released"]
    second = ["tls id", "tls vector updated", "tls block dropped", "tls block"]
    thread = ["thread block filled", "tls first use", "tls block", "thread block freed", "tls block freed"]
    c.expect(names == start + first + second + thread, f"{names}")
    sizes = [arguments["size"] for name, arguments in events if name == "tls block"]
    c.expect(len(sizes) == 3 and sizes[0] < sizes[1] == sizes[2], f"{sizes}")
    blocks = [arguments["block"] for name, arguments in events if "block" in arguments]
    c.expect(blocks[0] == blocks[1] and blocks[3] == blocks[4], f"what is allocated is freed: {events}")
    grown = [arguments for name, arguments in told(REQUESTS[7][0].replace(",t2", "")) if name == "tls vector grown"]
    c.expect(len(grown) == 1 and grown[0]["before"] < 20 < grown[0]["entries"], f"{grown}")


def test(c):
    build(c)
    test_lines(c)
    test_json(c)


if __name__ == "__main__":
    comparison.main(test)
