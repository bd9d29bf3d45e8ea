#!/usr/bin/env python3
"""The questions of direct mode (--explain, --why, ...). What they say must be what happens: bindings, orders and
loaded objects are compared with the trace of the system's loader, tables with readelf."""
import html.parser
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import comparison  # noqa: E402

HERE_FIRST = {"LD_LIBRARY_PATH": "."}
LOADER = re.compile(r".*/ld[^/]*\.so(\.2)?$")


def ask(c, words, program, env=None, status=0):
    outcome = c.run("candidate", ["{ld}", *words, *program], env)
    c.expect(outcome.status == status, f"{words} {program}: {outcome}")
    return outcome.out


def ask_json(c, words, program, env=None, status=0):
    return json.loads(ask(c, [*words, "--json"], program, env, status))


def trace(c, words, program, env=None):
    """What the system's loader says, without the prefix of each line."""
    outcome = c.run("reference", ["{ld}", *program], {**(env or {}), "LD_DEBUG": words, "LD_BIND_NOW": "1"})
    return [re.sub(r"^ *(PID|\d+):\t", "", line) for line in outcome.err.splitlines()]


def build(c):
    c.library("libdeep.so", "int deep(void) { return 1; } int both(void) { return 1; }")
    c.library("libone.so", "int deep(void); int nowhere(void) __attribute__((weak)); int one(void) { return deep() + (nowhere ? 1 : 0); } int both(void) { return 2; } int data = 5;"
              "__attribute__((constructor)) static void begin(void) {}", "./libdeep.so")
    c.library("libtwo.so", "__attribute__((weak)) int both(void) { return 3; } int two(void) { return both(); }"
              "__attribute__((destructor)) static void end(void) {}", "-Wl,--no-as-needed", "./libdeep.so")
    c.compile("prog", "int one(void), two(void), both(void); extern int data;"
              "int main(void) { return one() + two() + both() + data; }",
              "-no-pie", "-fno-pie", "./libtwo.so", "./libone.so", "-Wl,-rpath-link,.")
    os.makedirs("other", exist_ok=True)
    c.library("other/libdeep.so", "int deep(void) { return 9; }")
    c.library("libplug.so", "int two(void), own(void); int plug(void) { return two() + own(); }"
              "__attribute__((constructor)) static void begin(void) {}",
              "./libtwo.so", c.library("libextra.so", "int own(void) { return 1; } __attribute__((constructor)) static void begin(void) {}"))
    c.library("libbad.so", "extern int absent_data; int missing(void); int bad(void) { return missing() + absent_data; }", "-Wl,-z,lazy")


def bindings_of(c, program, env=None):
    found = {}
    for line in trace(c, "bindings", program, env):
        match = re.match(r"binding file (\S+) \[0\] to (\S+) \[0\]: \w+ symbol `(.*?)'(?: \[(.*)\])?$", line)
        if match:
            user, definer, name, _ = match.groups()
            found.setdefault(name, set()).add((user, "ld.so" if LOADER.match(definer) else definer))
    return found


def check_bindings(c, program, env, names):
    theirs = bindings_of(c, program, env)
    for name in names or sorted(theirs)[::max(1, len(theirs) // 12)]:
        answer = ask_json(c, ["--explain", name], program, env)
        ours = {(r["object"], "ld.so" if LOADER.match(r["bound_to"]) else r["bound_to"]) for r in answer["references"] if r["bound_to"]}
        # The loader binds its own references to libc too, and libc's resolvers ask for the vdso's.
        wanted = {(user, definer) for user, definer in theirs[name] if not LOADER.match(user) and "vdso" not in user}
        c.expect(ours == wanted, f"--explain {name} {program}: {sorted(ours)} {sorted(wanted)}")
        for reference in answer["references"]:
            taken = [k["object"] for k in reference["candidates"] if k["verdict"] == "taken"]
            c.expect(taken == ([reference["bound_to"]] if reference["bound_to"] else []), f"{name}: {reference}")


def test_explain(c):
    check_bindings(c, ["./prog"], HERE_FIRST, ["both", "one", "two", "deep", "data"])
    check_bindings(c, ["./prog"], {**HERE_FIRST, "LD_DYNAMIC_WEAK": "1"}, ["both"])
    for program in (["/bin/ls"], ["/usr/bin/python3", "-S", "-c", ""]):
        check_bindings(c, program, {}, None)
    text = ask(c, ["--explain", "both"], ["./prog"], HERE_FIRST)
    c.expect("./prog asks for both (function call)\n  ./prog: refers to it, does not define it\n  ./libtwo.so: taken (weak function)\n"
             "  ./libone.so: comes later (global function)\n  ./libdeep.so: comes later (global function)\n" in text, text)
    text = ask(c, ["--explain", "both"], ["./prog"], {**HERE_FIRST, "LD_DYNAMIC_WEAK": "1"})
    c.expect("  ./libtwo.so: weak, and LD_DYNAMIC_WEAK lets strong ones win (weak function)\n  ./libone.so: taken" in text, text)
    text = ask(c, ["--explain", "data"], ["./prog"], HERE_FIRST)
    c.expect("(copy into the program)\n  ./prog: passed over: a copy comes from behind the program" in text, text)
    text = ask(c, ["--explain", "nowhere"], ["./prog"], HERE_FIRST)
    c.expect("=> nothing: the reference is weak and gets 0" in text, text)
    ask(c, ["--explain", "no_such_symbol"], ["./prog"], HERE_FIRST, status=1)
    text = ask(c, ["--explain", "missing"], ["./prog"], {**HERE_FIRST, "LD_PRELOAD": "libbad.so"})
    c.expect("=> undefined: the program could not use it" in text, text)
    memcpy = ask_json(c, ["--explain", "memcpy"], ["/bin/ls"])
    c.expect({r["version"] for r in memcpy["references"]} == {"GLIBC_2.14"}, str(memcpy["references"])[:300])


def test_why(c):
    text = ask(c, ["--why", "libdeep.so"], ["./prog"], {"LD_LIBRARY_PATH": "nowhere:other:."})
    c.expect(text.startswith("libdeep.so => other/libdeep.so\n") and "  tried nowhere/libdeep.so (no such file)\n" in text, text)
    c.expect("needed by ./libtwo.so\nneeded by ./libone.so\nfirst asked for by ./libtwo.so, needed by ./prog\n" in text, text)
    answer = ask_json(c, ["--why", "libdeep.so"], ["./prog"], HERE_FIRST)
    c.expect([n["object"] for n in answer["needed_by"]] == ["./libtwo.so", "./libone.so"], str(answer))
    c.expect(answer["used_by"] == [{"object": "./libone.so", "symbols": 1, "first": ["deep"]}], str(answer))
    ask(c, ["--why", "libabsent.so"], ["./prog"], HERE_FIRST, status=1)
    # The search is the one that the system's loader makes, but for the directories that it alone knows.
    for program, library in ((["/usr/bin/python3"], "libz.so.1"), (["/bin/ls"], "libpcre2-8.so.0")):
        answer = ask_json(c, ["--why", library], program)
        lines = trace(c, "files", program)
        first = next(re.match(r"file=\S+ \[0\];  needed by (\S+) \[0\]", line) for line in lines if line.startswith(f"file={library} [0];  needed"))
        c.expect(answer["chain"][0] == first.group(1), f"{library}: {answer['chain']} {first}")
        tried = [step["path"] for step in answer["search"] if step["step"] == "tried"]
        c.expect(tried and tried[-1] == answer["path"], f"{library}: {answer}")


def inits(lines):
    return [line.split(": ", 1)[1] for line in lines if line.startswith("calling init: ")]


def test_init_order(c):
    for program, env in ((["./prog"], HERE_FIRST), (["/bin/ls"], {}), (["/usr/bin/python3", "-S", "-c", ""], {})):
        theirs = [path for path in inits(trace(c, "libs", program, env)) if not LOADER.match(path)]
        answer = ask_json(c, ["--init-order"], program, env)
        ours = [entry["object"] for entry in answer["order"] if not LOADER.match(entry["object"]) and "vdso" not in entry["object"]]
        c.expect(ours[-1] == program[0] and ours[:-1] == theirs, f"--init-order {program}: {ours} {theirs}")


def test_collisions(c):
    text = ask(c, ["--collisions"], ["./prog"], HERE_FIRST)
    c.expect("both: ./libtwo.so wins (weak); also in ./libone.so (global), ./libdeep.so (global)\n" in text, text)
    c.expect("data: ./prog wins (global, a copy); also in ./libone.so (global)\n" in text, text)
    names = [entry["symbol"] for entry in ask_json(c, ["--collisions"], ["./prog"], HERE_FIRST)["collisions"]]
    # libc and the loader share functions of the same name.
    c.expect(sorted(name for name in names if not name.startswith("_dl_")) == ["both", "data"], str(names))


def test_stats(c):
    answer = ask_json(c, ["--stats"], ["/usr/bin/python3"])
    for entry in answer["objects"]:
        if not entry["object"].startswith("/") or LOADER.match(entry["object"]):
            continue
        text = subprocess.run(["readelf", "-rW", entry["object"]], stdout=subprocess.PIPE, text=True).stdout
        kinds = re.findall(r"R_X86_64_(\w+)", text)
        counted = (kinds.count("RELATIVE"), sum(kind in ("JUMP_SLOT", "JUMP_SLO") for kind in kinds))
        if ".relr.dyn" not in text:
            c.expect((entry["relative"], entry["calls"] - kinds.count("IRELATIV") - kinds.count("IRELATIVE")) == counted
                     or (entry["relative"], entry["calls"]) == counted, f"{entry} {counted}")
    total = {key: sum(entry[key] for entry in answer["objects"]) for key in answer["total"]}
    c.expect(total == answer["total"] and answer["count"] == len(answer["objects"]), str(answer["total"]))


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.titles, self.lines, self.others = [], set(), []
        self.stack = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.stack.append(tag)
        if tag == "line":
            self.lines.add((attributes["data-a"], attributes["data-b"]))
        self.others += [value for key, value in attributes.items() if key in ("src", "href")]

    def handle_endtag(self, tag):
        self.stack.pop()

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.stack.pop()

    def handle_data(self, data):
        if self.stack[-2:] == ["g", "title"]:
            self.titles.append(data)


def test_graph(c):
    os.symlink("prog", "odd<&>name")
    ask(c, ["--graph", "graph.html"], ["./odd<&>name"], HERE_FIRST)
    page = Page(open("graph.html").read().replace('<meta charset="utf-8">', ""))
    listed = ask_json(c, ["--stats"], ["./odd<&>name"], HERE_FIRST)["objects"]
    paths = [title.replace("/candidate/", "/SIDE/") for title in page.titles]
    c.expect(paths == [entry["object"] for entry in listed] and not page.others, f"{page.titles} {page.others}")
    ask(c, ["--graph", "graph.json", "--json"], ["./odd<&>name"], HERE_FIRST)
    graph = json.load(open("graph.json"))
    edges = {(graph["nodes"][e["from"]]["path"], graph["nodes"][e["to"]]["path"]) for e in graph["edges"]}
    c.expect({(page.titles[int(a[1:])], page.titles[int(b[1:])]) for a, b in page.lines} == edges, str(page.lines))
    wanted = {("./odd<&>name", "./libtwo.so"), ("./odd<&>name", "./libone.so"), ("./libtwo.so", "./libdeep.so"), ("./libone.so", "./libdeep.so")}
    c.expect({edge for edge in edges if "libc" not in edge[1] and "ld" not in edge[1]} == wanted, str(edges))
    ask(c, ["--graph", "no/such/directory"], ["./prog"], HERE_FIRST, status=1)


def test_open(c):
    c.compile("opens", '#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v) {'
              'puts(dlopen(v[1], RTLD_LAZY) ? "opened" : dlerror()); return 0; }')
    answer = ask_json(c, ["--simulate-dlopen", "libplug.so"], ["./opens"], HERE_FIRST)
    lines = trace(c, "files,libs", ["./opens", "libplug.so"], HERE_FIRST)
    after = lines[lines.index("transferring control: ./opens"):]
    loaded = [match.group(1) for line in after if (match := re.match(r"file=(\S+) \[0\];  generating link map", line))]
    c.expect([os.path.basename(entry["object"]) for entry in answer["loads"]] == loaded, f"{answer['loads']} {loaded}")
    c.expect([entry["object"] for entry in answer["order"]] == inits(after), f"{answer['order']} {inits(after)}")
    c.expect(answer["works"] and answer["undefined"] == [] and answer["to_loaded_objects"] >= 0, str(answer))
    text = ask(c, ["--simulate-dlopen", "libc.so.6"], ["./opens"])
    c.expect(text.startswith("would load nothing: it is there as "), text)
    for name in ("libbad.so", "./libnone.so"):
        theirs = c.run("reference", ["{ld}", "./opens", name], HERE_FIRST).out
        text = ask(c, ["--simulate-dlopen", name], ["./opens"], HERE_FIRST, status=127)
        c.expect(theirs != "opened\n" and ("absent_data" in text or theirs in text), f"{name}: {theirs}{text}")
    text = ask(c, ["--simulate-dlopen", "libbad.so"], ["./opens"], HERE_FIRST, status=127)
    c.expect("undefined: absent_data in ./libbad.so\n" in text and "undefined: missing in ./libbad.so, at its first call\n" in text, text)


def test_difference(c):
    text = ask(c, ["--diff-env", "LD_LIBRARY_PATH=other:."], ["./prog"], {"LD_LIBRARY_PATH": "nowhere:."})
    c.expect(text == "libraries\n  - libdeep.so => ./libdeep.so\n  + libdeep.so => other/libdeep.so\n"
             "bindings\n  - ./libone.so: deep => ./libdeep.so\n  + ./libone.so: deep => other/libdeep.so\n", text)
    text = ask(c, ["--diff-env", "LD_PRELOAD=./libextra.so"], ["./prog"], HERE_FIRST)
    c.expect("libraries\n  + ./libextra.so => ./libextra.so\n" in text and "  - " not in text, text)
    c.compile("asks", "int deep(void); int main(void) { return deep(); }", "./libdeep.so")
    os.makedirs("first", exist_ok=True)
    c.compile("asks2", "int deep(void); int main(void) { return deep(); }", c.library("first/libdeep.so", "int deep(void) { return 1; }"),
              "-Wl,--disable-new-dtags,-rpath,first")
    c.compile("asks3", "int deep(void); int main(void) { return deep(); }", "first/libdeep.so", "-Wl,--enable-new-dtags,-rpath,first")
    text = ask(c, ["--diff-env", "LD_PRELOAD=other/libdeep.so"], ["./asks2"])
    c.expect(text == "libraries\n  - libdeep.so => first/libdeep.so\n  + other/libdeep.so => other/libdeep.so\n"
             "bindings\n  - ./asks2: deep => first/libdeep.so\n  + ./asks2: deep => other/libdeep.so\n", text)
    answer = ask_json(c, ["--diff-env", "LD_LIBRARY_PATH=other"], ["./asks"])
    c.expect(answer["starts_then"] is True and answer["starts_now"] is False and answer["variable"] == "LD_LIBRARY_PATH=other", str(answer))
    c.expect(ask(c, ["--diff-env", "HOME=/x"], ["./asks2"]) == "no difference\n", "a variable without effect")
    # Without a value: as it is against not set. An RPATH comes before LD_LIBRARY_PATH, a RUNPATH behind.
    text = ask(c, ["--diff-env", "LD_LIBRARY_PATH"], ["./asks2"], {"LD_LIBRARY_PATH": "other"})
    c.expect(text == "no difference\n", text)
    text = ask(c, ["--diff-env", "LD_LIBRARY_PATH"], ["./asks3"], {"LD_LIBRARY_PATH": "other"})
    c.expect(text == "libraries\n  - libdeep.so => other/libdeep.so\n  + libdeep.so => first/libdeep.so\n"
             "bindings\n  - ./asks3: deep => other/libdeep.so\n  + ./asks3: deep => first/libdeep.so\n", text)
    c.library("libgone.so", "int gone;")
    c.compile("starts", "extern int gone; int main(void) { return gone; }", "-L.", "-lgone")
    outcome = c.run("candidate", ["{ld}", "--diff-env", "LD_LIBRARY_PATH=.", "./starts"])
    c.expect(outcome.status == 0 and outcome.out == "as it is the program does not start\n" and "libgone.so: cannot open" in outcome.err, str(outcome))


def test_trace(c):
    outcome = c.run("candidate", ["{ld}", "--trace", "trace.json", "./prog"], HERE_FIRST)
    plain = c.run("candidate", ["{ld}", "./prog"], HERE_FIRST)
    events = json.load(open("trace.json"))
    c.expect(str(outcome) == str(plain) and any("libdeep.so" in json.dumps(event) for event in events), f"--trace: {outcome}")
    # Nothing is left for children.
    outcome = c.run("candidate", ["{ld}", "--trace", "other.json", "/usr/bin/env"])
    c.expect("other.json" not in outcome.out, outcome.out)


def cached(answer):
    return {entry["library"]: (entry["cache"], entry["path"]) for entry in answer["libraries"]}


def test_cache_status(c):
    for program in (["/bin/ls"], ["/usr/bin/python3"]):
        answer = ask_json(c, ["--cache-status"], program)
        lines = trace(c, "libs", program)
        at = [i for i, line in enumerate(lines) if line.startswith("find library=")]
        theirs = {}
        for start, end in zip(at, at[1:] + [len(lines)]):
            tried = [line.strip()[len("trying file="):] for line in lines[start:end] if line.strip().startswith("trying file=")]
            hit = lines[start + 1].strip().startswith("search cache=") and len(tried) == 1
            theirs[re.match(r"find library=(\S+)", lines[start]).group(1)] = ("hit" if hit else "", tried[-1])
        ours = {name: found for name, found in cached(answer).items() if name in theirs}
        c.expect(ours and all(found == theirs[name] for name, found in ours.items()), f"--cache-status {program}: {ours} {theirs}")
        file = answer["library_cache"]
        c.expect((file["state"], file["path"], file["bytes"]) == ("usable", "/etc/ld.so.cache", os.path.getsize("/etc/ld.so.cache")), str(file))
    text = ask(c, ["--cache-status"], ["./prog"], HERE_FIRST)
    c.expect("  libdeep.so: not asked, found before its turn came; taken: ./libdeep.so (LD_LIBRARY_PATH)\n" in text, text)
    text = ask(c, ["--inhibit-cache", "--cache-status"], ["/bin/ls"])
    c.expect("library cache: not to be used\n" in text and "  libc.so.6: not asked, the cache is not to be used; taken: /" in text, text)
    c.expect(text.startswith("launch plan: miss, "), text)
    if subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("no mount namespaces here: other caches are not tried")
        return
    # What the cache says of a library that has moved, one it never saw, and a file that is no cache.
    with open("/etc/ld.so.cache", "rb") as file:
        real = file.read()
    directory = b"/lib/x86_64-linux-gnu/"
    caches = {"moved": real.replace(directory + b"libselinux.so.1", b"/gone/64-linux-gnu000/libselinux.so.1"),
              "without": real.replace(b"libselinux.so.1", b"libselinux.so.0"), "none": b"no cache"}
    taken = "; taken: /lib/x86_64-linux-gnu/libselinux.so.1 (system search path)\n"
    expected = {"moved": "miss, /gone/64-linux-gnu000/libselinux.so.1: no such file", "without": "miss, the cache does not have it",
                "none": "miss, there is no cache"}
    for name, content in caches.items():
        with open(name, "wb") as file:
            file.write(content)
        script = f'mount --bind {name} /etc/ld.so.cache && exec "$@"'
        outcome = c.run("candidate", ["unshare", "-rm", "sh", "-c", script, "sh", "{ld}", "--cache-status", "/bin/ls"])
        c.expect(outcome.status == 0 and "  libselinux.so.1: " + expected[name] + taken in outcome.out, f"{name}: {outcome}")
        damaged = "library cache: /etc/ld.so.cache, damaged, or of a form that is not known\n" in outcome.out
        c.expect(damaged == (name == "none"), outcome.out)


def test_usage(c):
    for words in (["--explain"], ["--why"], ["--graph"], ["--trace"], ["--diff-env"], ["--simulate-dlopen"]):
        outcome = c.run("candidate", ["{ld}", *words])
        c.expect(outcome.status == 1 and "unrecognized option '%s'" % words[0] in outcome.err, str(outcome))
    outcome = c.run("candidate", ["{ld}", "--stats"])
    c.expect(outcome.status == 1 and "missing program name" in outcome.err, str(outcome))
    outcome = c.run("candidate", ["{ld}", "--collisions", "./prog"], {"LD_LIBRARY_PATH": "nowhere"})
    c.expect(outcome.status in (0, 127) and (outcome.status == 0) == (outcome.out != ""), str(outcome))


def test(c):
    build(c)
    test_explain(c)
    test_why(c)
    test_init_order(c)
    test_collisions(c)
    test_stats(c)
    test_graph(c)
    test_open(c)
    test_difference(c)
    test_trace(c)
    test_cache_status(c)
    test_usage(c)


if __name__ == "__main__":
    comparison.main(test)
