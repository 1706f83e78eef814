# SPDX-License-Identifier: MIT
"""The suites: each asks one question, and writes one page and its bars."""
import json
import os
import re
import shutil
import subprocess

import host
import report
from programs import husk_command, rows, ways
from report import number
from runner import Failed, Wrong
from turns import Row, Way, means, reasons, take_turns

C_PEERS = ["gcc", "gcc for RISC-V", "clang (WebAssembly)", "qemu-riscv64", "node", "V8"]


def page(bench, name, title, question, body, failures, names, picture=None):
    text = f"# {title}\n\nWritten by `make bench SUITE={name}`; [how to read it](README.md).\n\n{question}\n\n"
    if picture:
        report.write(bench.out, name + ".svg", picture)
        text += f"![{title}]({name}.svg)\n\n"
    text += body
    if failures:
        text += "\nWithout a figure:\n\n" + report.notes(failures)
    report.write(bench.out, name + ".md", text + "\n" + host.describe(bench, names))
    bench.say(f"wrote {bench.out}/{name}.md")


# --- steady state


def steady(bench):
    tests, contestants = rows(bench), ways(bench)
    cells = take_turns(bench, tests, contestants)
    others = [way for way in contestants if way.reference]
    head = ["program", "native, s"]
    for way in others:
        head += ["ratio" if way.small else f"{way.name}, s", "ratio"][way.small:]
    head[-1] = "interpreter, ratio"
    lines = []
    for row in tests:
        line = [row.name, number(cells[row.name, "native"].median(), 3)]
        for way in others:
            cell = cells[row.name, way.name]
            line += [number(cell.median(), 3), f"**{number(cell.ratio())}**"][way.small:]
        lines.append(line)
    averages = {way.name: means(tests, cells, way) for way in others}
    for index, label in enumerate(("all", "integer", "floating point")):
        line = [f"*geometric mean, {label}*", ""]
        for way in others:
            value, count = averages[way.name][index]
            line += ["", f"**{number(value)}** ({count})"][way.small:]
        lines.append(line)
    memory = [[row.name] + [number(cells[row.name, way.name].peak(), 1) for way in contestants if not way.small]
              for row in tests]
    names = [way.name for way in others]
    picture = report.bars("C programs: time against native gcc -O2", "1 = native (dashed); shorter is faster",
                          [("geometric mean", [averages[name][0][0] for name in names])] +
                          [(row.name, [cells[row.name, name].ratio() for name in names]) for row in tests],
                          names, mark=1, cap=12)
    body = report.table(head, lines) + "\n## Peak memory, MiB\n\n" + \
        report.table(["program"] + [way.name for way in contestants if not way.small], memory)
    page(bench, "steady", "C programs",
         "How long do programs run, from exec to exit, compared with the same source compiled by gcc -O2 for this computer? "
         "The interpreter runs smaller sizes, beside native code that does the same. All printed the same checksum.",
         body, reasons(tests, contestants, cells), C_PEERS, picture)


# --- start


def tree_rows(bench):
    """Starts of programs that a Debian tree for riscv64 has; native is this computer's own, of another version."""
    found = []
    for name, *args in (["bash", "-c", "true"], ["perl", "-e", "1"], ["lua5.4", "-e", ""], ["python3", "-c", "pass"],
                        ["node", "-e", "0"], ["gcc", "--version"]):
        if not bench.tree or not os.path.exists(f"{bench.tree}/usr/bin/{name}"):
            continue

        def commands(name=name, args=args):
            own = "/usr/bin/" + name
            return {"native": lambda size: [own if os.path.exists(own) else name, *args],
                    "husk": lambda size: ["-L", bench.tree, own, "--", *args],
                    "qemu": lambda size: ["-L", bench.tree, bench.tree + own, *args],
                    "wasm": lambda size: None}
        found.append(Row(" ".join([name, *args]), "other", times=3, check=lambda text: "", commands=commands()))
    return found


def hello_row(bench):
    return Row("hello", "int", times=20, commands={"arguments": lambda size: []})


def start(bench):
    bench.compiled("programs/hello.native")
    tests, contestants = [hello_row(bench)] + tree_rows(bench), ways(bench, interpreter=False)
    # And Husk's interpreter, which compiles nothing.
    contestants.append(Way("husk interpreter", lambda row, size: with_interpreter(contestants[1].command(row, size)),
                           reference=contestants[0]))
    cells = take_turns(bench, tests, contestants)
    names = [way.name for way in contestants]
    milliseconds = lambda row, name: (cells[row.name, name].median() or 0) * 1000 or None
    lines = [[row.name] + [number(milliseconds(row, name), 1) for name in names] for row in tests]
    memory = [[row.name] + [number(cells[row.name, name].peak(), 1) for name in names] for row in tests]
    picture = report.bars("Start: from exec to exit, milliseconds", "shorter is faster",
                          [(row.name, [milliseconds(row, name) for name in names]) for row in tests],
                          names, cap=500, digits=1)
    body = "Milliseconds:\n\n" + report.table(["program"] + names, lines) + \
        "\nPeak memory, MiB:\n\n" + report.table(["program"] + names, memory)
    page(bench, "start", "Start", "How long does a program take that does nothing, from exec to exit? `hello` is a static C program; the others "
         "are unmodified Debian programs for riscv64 (native: this computer's own, which have other versions).",
         body, reasons(tests, contestants, cells), C_PEERS, picture)


def with_interpreter(command):
    return command[:2] + ["--engine", "interp"] + command[2:]


# --- compile cost


COMPILE_ROUNDS = 7  # short runs


def compile_cost(bench):
    """What Husk says of itself (`--jit-stats=json`); what it does not say is "not measured".

    Its clock goes on when others have the processor, and what is timed takes microseconds: so the smallest of several runs.
    """
    tests = [hello_row(bench)] + rows(bench)
    contestant = ways(bench)[1]
    lines, failures, tiers = [], [], (("translate", "translate"), ("first tier", "base"), ("second tier", "region"))
    totals = {key: [0, 0] for _, key in tiers}
    for row in tests:
        samples = []
        for _ in range(max(bench.rounds, COMPILE_ROUNDS)):
            try:
                command = contestant.command(row, row.small or row.size)
                run = bench.run(command[:2] + ["--jit-stats=json"] + command[2:])
                samples.append(json.loads(next(line for line in run.errors.splitlines() if line.startswith("{"))))
            except (Failed, StopIteration, ValueError) as problem:
                failures.append(f"{row.name}: {problem or 'husk run --jit-stats=json says nothing'}")
                break
        line = [row.name]
        for _, key in tiers:
            counts = [(s.get(key + ".insns", 0), s.get(key + ".ns", 0)) for s in samples if s.get(key + ".insns")]
            if not counts:
                line += ["not measured", ""]
                continue
            best = min(counts, key=lambda pair: pair[1] / pair[0])
            totals[key] = [a + b for a, b in zip(totals[key], best)]
            line += [best[0], f"{best[1] / best[0]:.0f}"]
        lines.append(line)
    lines.append(["*all*"] + [text for _, key in tiers for text in
                              ((totals[key][0], f"**{totals[key][1] / totals[key][0]:.0f}**") if totals[key][0] else ("not measured", ""))])
    head = ["program"]
    for label, _ in tiers:
        head += [label + ": instructions", "ns each"]
    page(bench, "compile", "Cost of compiling",
         "How many nanoseconds does Husk spend on one guest instruction: to translate its meaning, to compile it in one pass, to optimize it? "
         "Husk's own count (`husk run --jit-stats`), small sizes, the smallest of several runs each; an instruction that is in two regions counts twice.",
         report.table(head, lines), failures, ["gcc for RISC-V"])


# --- memory


def memory(bench):
    wanted = ["loop", "fib", "bintree", "hash", "list", "matmul", "sort", "speedtest1", "lua-in-guest"]
    tests, contestants = [hello_row(bench)] + rows(bench, wanted) + tree_rows(bench), ways(bench, interpreter=False)
    for row in tests:
        row.times = 1
    whole, bench.rounds = bench.rounds, 1
    cells = take_turns(bench, tests, contestants)
    names = [way.name for way in contestants]
    peak = lambda row, name: cells[row.name, name].peak()
    lines = [[row.name] + [number(peak(row, name), 1) for name in names] for row in tests]
    picture = report.bars("Peak memory, MiB", "resident, as the kernel counts",
                          [(row.name, [peak(row, name) for name in names]) for row in tests], names, cap=150, digits=1)
    page(bench, "memory", "Memory", "How much memory is resident at most (`ru_maxrss` of the process), in MiB?",
         report.table(["program"] + names, lines), reasons(tests, contestants, cells), C_PEERS, picture)
    bench.rounds = whole


# --- small machines


BILLION = 1000000000
MACHINES = [  # name, options, file, instructions in a round of the loop
    ("LC-3", ["-m", "lc3"], "bench/loops/lc3.asm"),
    ("SVM", ["-m", "svm"], "bench/loops/svm.svm"),
    ("Iridium", ["-m", "iridium"], "bench/loops/iridium.iasm"),
    ("Merry", ["-m", "merry"], "bench/loops/merry.gpc.masm"),
    ("basic-cpu", ["-m", "examples/isa/basiccpu.isa"], "bench/loops/basiccpu.asm"),
    ("six, a student's", ["-m", "examples/isa/six.isa"], "bench/loops/six.asm"),
    ("6502", ["-m", "examples/isa/6502.isa"], "bench/loops/6502.asm"),
] + [(name, ["-m", f"examples/museum/{name}.isa"], f"examples/museum/{name}/loop.asm")
     for name in ("fraud", "enigma", "buffed", "enigma_v2", "khoya", "aspire")]

LANGUAGES = [  # name, command, rounds of the loop (the slow ones do fewer, and the time is multiplied)
    ("C, gcc -O2", ["build/bench/loops/loop"], BILLION),
    ("LuaJIT", ["luajit", "bench/loops/loop.lua"], BILLION),
    ("node", ["node", "bench/loops/loop.js"], BILLION),
    ("Java", ["java", "-cp", "build/bench/loops", "Loop"], BILLION),
    ("Erlang", ["erl", "-noshell", "-pa", "build/bench/loops", "-s", "loop", "main"], BILLION // 2),
    ("Lua 5.4", ["lua5.4", "bench/loops/loop.lua"], BILLION // 10),
    ("Python", ["/usr/bin/python3", "bench/loops/loop.py"], BILLION // 20),
]


def machines(bench):
    told = bench.scratch + ".json"  # how a run ended; all engines must count the same instructions

    def instructions(_):
        return json.loads(bench.read(told))["instructions"]
    loops = [Row(name, "int", check=instructions, commands={"do": [*options, file]}) for name, options, file in MACHINES]

    def husk(engine):
        return lambda row, size: [*husk_command(bench, "--engine", engine, "--report", told), *row.commands["do"]]
    # The interpreter takes seconds each time: two rounds of it do.
    engines = [Way("jit", husk("jit")), Way("interpreter", husk("interp"), rounds=2)]
    counts = {}
    cells = take_turns(bench, loops, engines, counts)
    lines, groups = [], []
    for row in loops:
        count = counts.get((row.name, 0))
        fast, slow = (cells[row.name, name].median() for name in ("jit", "interpreter"))
        speed = lambda seconds: f"{count / seconds / 1e6:.0f}" if seconds and count else "-"
        lines.append([row.name, f"{count:,}" if count else "-", number(fast), speed(fast), number(slow), speed(slow)])
        groups.append((row.name, [fast, slow]))
    spoken, spoken_lines, failures = languages(bench)
    failures = reasons(loops, engines, cells) + failures + [
        "stackvm: it has no jump, so it cannot loop", "TinyVM: it has no jump, only calls, and prints each of them"]
    picture = report.bars("A billion rounds, seconds", "shorter is faster", groups + spoken,
                          ["jit, or the language's own", "husk interpreter"], cap=10)
    page(bench, "machines", "A billion rounds on small machines",
         "How long does a machine that is nothing but a description take to count to a billion? The loops stand in `bench/loops` and "
         "`examples/museum`; million: guest instructions a second.",
         report.table(["machine", "instructions", "jit, s", "million/s", "interpreter, s", "million/s"], lines) +
         "\n## The same in languages\n\nCounting down from a billion, and a billion times `sum += i ^ (sum >> 3)` in 32 bits. "
         "Start-up included. Slow ones do fewer rounds, and their time is multiplied.\n\n" +
         report.table(["language", "count, s", "sum, s", "rounds run"], spoken_lines),
         failures, ["gcc", "LuaJIT", "Lua", "Python", "node", "V8", "Java", "Erlang/OTP"], picture)


def languages(bench):
    folder = bench.work + "/loops"
    tests = [Row("count", "int"), Row("sum", "int")]
    prepare = {"C, gcc -O2": ("loops/loop", ["gcc", "-O2", "-o", folder + "/loop", "bench/loops/loop.c"]),
               "Java": ("loops/Loop.class", ["javac", "-d", folder, "bench/loops/Loop.java"]),
               "Erlang": ("loops/loop.beam", ["erlc", "-o", folder, "bench/loops/loop.erl"])}
    contestants = []
    for name, command, rounds in LANGUAGES:
        def run(row, size, name=name, command=command):
            if name in prepare:
                bench.compiled(*prepare[name])
            return [*command, row.name, size]
        contestants.append(Way(name, run, fixed=rounds))
    # What C says for each number of rounds, all must say.
    first = contestants[0]
    expected = {(row.name, way.fixed): bench.run(first.command(row, way.fixed)).text.strip()
                for row in tests for way in contestants}
    cells = take_turns(bench, tests, contestants, expected)
    lines, groups = [], []
    for name, _, rounds in LANGUAGES:
        times = [cells[row.name, name].median() for row in tests]
        times = [seconds * BILLION / rounds if seconds else None for seconds in times]
        lines.append([name, *map(number, times), f"{rounds:,}"])
        groups.append((name + ", count", [times[0]]))
    return groups, lines, reasons(tests, contestants, cells)


# --- calls into the host


def calls(bench):
    count = 2000000
    tests = [Row(what, "other", commands={}) for what in ("getppid", "clock", "write")]

    def file(extension):
        compiler = {"native": ["gcc"], "rv64": ["riscv64-linux-gnu-gcc", "-static"],
                    "wasm": ["clang", "--target=wasm32-wasi"]}[extension]
        target = "calls/calls." + extension
        return bench.compiled(target, [*compiler, "-O2", "-o", f"{bench.work}/{target}", "bench/calls/calls.c"])

    def wasm(row, size):
        if row.name == "getppid":
            raise Failed("WASI has no such call")
        return ["node", "--no-warnings", "bench/driver/wasi.mjs", file("wasm"), row.name, count]
    contestants = [Way("native", lambda row, size: [file("native"), row.name, count]),
                   Way("husk", lambda row, size: [*husk_command(bench), file("rv64"), "--", row.name, count]),
                   Way("husk interpreter", lambda row, size: [*husk_command(bench, "--engine", "interp"), file("rv64"), "--", row.name, count]),
                   Way("qemu", lambda row, size: ["qemu-riscv64", file("rv64"), row.name, count]),
                   Way("wasm", wasm)]
    cells = take_turns(bench, tests, contestants)
    names = [way.name for way in contestants]
    cost = lambda row, name: (cells[row.name, name].median() or 0) / count * 1e9 or None
    lines = [[row.name] + [number(cost(row, name), 1) for name in names] for row in tests]
    picture = report.bars("A call into the system, nanoseconds", "shorter is faster",
                          [(row.name, [cost(row, name) for name in names]) for row in tests], names, digits=1)
    page(bench, "calls", "Calls into the system",
         f"What does a cheap system call cost? Nanoseconds each, start-up included, {count:,} in a row: `getppid`; `clock`, clock_gettime "
         "(on Linux a function that the kernel maps into the program); `write`, a byte to /dev/null.",
         report.table(["call"] + names, lines), reasons(tests, contestants, cells), C_PEERS, picture)


# --- fuel


def fuel(bench):
    tests = rows(bench)
    plain = ways(bench)[1]
    plain = Way("without a limit", plain.command)
    options = bench_help(bench)

    def with_options(*more):
        def command(row, size):
            parts = plain.command(row, size)
            return parts[:2] + [*more] + parts[2:]
        return command
    contestants = [plain, Way("--fuel", with_options("--fuel", "4000000000000000000"), reference=plain)]
    off = re.search(r"--(no-fuel|fuel-off|uncounted)\b", options)
    if off:
        contestants.append(Way(off.group(0), with_options(off.group(0)), reference=plain))
    cells = take_turns(bench, tests, contestants)
    lines = [[row.name] + [number(cells[row.name, way.name].median(), 3) for way in contestants] +
             [number(cells[row.name, way.name].ratio(), 3) for way in contestants[1:]] for row in tests]
    lines.append(["*geometric mean*"] + [""] * len(contestants) +
                 [f"**{number(means(tests, cells, way)[0][0], 3)}**" for way in contestants[1:]])
    text = "" if off else "\nA compiler that does not count instructions does not exist: what counting costs is part of every figure.\n"
    page(bench, "fuel", "Fuel", "What does a limit of instructions cost (`husk run --fuel`)? Ratio to the same run without the option.",
         report.table(["program"] + [way.name + ", s" for way in contestants] +
                      ["ratio" for _ in contestants[1:]], lines) + text,
         reasons(tests, contestants, cells), ["gcc for RISC-V"])


def bench_help(bench):
    return subprocess.run([bench.husk, "run", "--help"], capture_output=True, text=True, check=False).stdout


# --- the interpreter beside a hand-written one


def interpreter(bench):
    environment = dict(os.environ, ROUNDS=str(bench.rounds))
    done = subprocess.run(["bench/run", bench.husk], env=environment, check=False)
    if done.returncode:
        bench.say("interpreter: failed")


# --- what prints lines `NAME NUMBER...`


def note(found, what, *command):
    """Runs it once: NAME gets its numbers as one more row."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(f"{what}: {' '.join(map(str, command))}: {done.stderr.strip()}")
    for line in done.stdout.splitlines():
        name, *values = line.split()
        found.setdefault(name, []).append([float(value) for value in values])


def ask(bench, what, *command):
    """NAME: the medians of its numbers over the rounds."""
    found = {}
    for _ in range(bench.rounds):
        note(found, what, *command)
    return {name: [sorted(column)[len(column) // 2] for column in zip(*rounds)] for name, rounds in found.items()}


def ask_peer(bench, what, *command):
    return ask(bench, what, *command) if shutil.which(command[0]) else {}


# --- who embeds


def embed(bench):
    bench.say("embed")
    own = ask(bench, "embed", "build/bench/embed")
    others = [ask_peer(bench, "embed", *command)
              for command in (["build/bench/embed-lua"], ["build/bench/embed-luajit"], ["node", "bench/embed/calls.mjs"])]

    def cell(found, name):
        return number(found[name][0]) if name in found else "-"

    def line(what, names, name):
        return [what] + [cell(own, each) for each in names] + [cell(found, name) for found in others]
    lines = [line("into the guest and back, ns", ("in-rv64", "in-rv64-interpreter", "in-lc3", ""), "in"),
             line("out to the host and back, ns", ("out-rv64", "out-rv64-interpreter", "", "out-own"), "out")]
    body = report.table(["", "RV64", "RV64, interpreter", "LC-3", "a machine of one's own", "Lua", "LuaJIT", "WebAssembly in node"], lines)
    body += ("\n**Into**: the host calls a function that adds two numbers, with a limit of instructions; all registers are as before "
             "afterwards. **Out**: a round of a loop of the guest in which it calls a function of the host, which counts (RV64: four "
             "instructions, a Linux program's `ecall` among them; one's own machine: two). In Husk every instruction is counted and every "
             "access checked. The host of Lua is C, that of WebAssembly JavaScript, whose compiler sees both sides and makes one function "
             "of them where it can; LuaJIT's loop is interpreted, as functions by Lua's C interface are not compiled into it. Each figure is "
             "the shortest of 500 rounds of 2,000 calls, and of those the median.\n")
    page(bench, "embed", "Calls between host and guest", "What does it cost to call a guest's function, and to be called by a guest?", body, [],
         ["gcc", "Lua", "LuaJIT", "node", "V8"])


# --- many small ones


# What answers each letter with one: name, path in a folder with Debian's programs (tools/debian-rv64; $DEBIAN_RV64), arguments.
DEBIAN_FORKS = (
    ("bash", "/usr/bin/bash", "-c", "while read -N 1 x; do echo -n $x; done"),
    ("lua", "/usr/bin/lua5.4", "-e", "while io.read(1) do io.write('x') io.flush() end"),
    ("perl", "/usr/bin/perl", "-e", "$| = 1; while (sysread STDIN, $x, 1) { print $x }"),
    ("python3", "/usr/bin/python3.13", "-c", "import json, os\nwhile os.read(0, 1):\n os.write(1, b'x')"),
)


def density(bench):
    own = {}
    for what, count in (("idle", 100000), ("run", 100000), ("fork", 10000), ("switch", 2000)):
        bench.say(f"density: {what}")
        own.update(ask(bench, "density", "build/bench/density", what, count))
    processes = ask(bench, "density", "build/bench/density", "processes", 1000)
    large = {}
    if all(os.path.exists(f"build/bench/fork{mib}.rv64") for mib in (16, 64)):
        bench.say("density: linux")
        large = {64: ask(bench, "density", "build/bench/density", "linux", 1000, "build/bench/fork64.rv64", 64)["linux"],
                 16: ask(bench, "density", "build/bench/density", "linux", 10000, "build/bench/fork16.rv64", 16)["linux"],
                 0: ask(bench, "density", "build/bench/density", "process", 200, 64)["process"]}
    debian = {}
    tree = os.environ.get("DEBIAN_RV64", "build/debian-rv64")
    for name, path, *arguments in DEBIAN_FORKS:
        if os.path.exists(tree + path):
            bench.say(f"density: {name}")
            debian[name] = ask(bench, "density", "build/bench/density", "debian", 1000, tree, path, *arguments)["debian"]
    erlang = ask_peer(bench, "density", "escript", "bench/density/spawn.erl", 100000)
    wasm = ask_peer(bench, "density", "node", "bench/density/instances.mjs", 5000)

    def cell(found, name, index=0, unit=1000):
        return number(found[name][index] / unit) if name in found else "-"
    lines = [["create, run, destroy, us", cell(own, "run"), cell(erlang, "run"), cell(wasm, "run"), cell(processes, "processes")],
             ["bytes of one that waits", cell(own, "idle", 0, 1), cell(erlang, "idle", 0, 1), cell(wasm, "idle", 0, 1), "-"],
             ["fork of one that waits, us", cell(own, "fork"), "-", "-", "-"],
             ["... and the fork's first slice, us", cell(own, "fork", 1), "-", "-", "-"]]
    body = report.table(["", "LC-3 in Husk", "Erlang process", "WebAssembly instance in node", "fork(2)"], lines)
    body += (f"\n2,000 LC-3s that compute, at once: {own['switch'][0]:.3f} times the time they take one after the other.\n\n"
             "They are not the same: an LC-3 here has 128 KiB of memory, an operating system and a budget of instructions, and runs to its end "
             "exactly as metered; a process of Erlang has a heap that grows; the instance in node one page of 64 KiB.\n")
    if large:
        def of(row, index, unit=1000):
            return number(large[row][index] / unit)
        lines = [["the first fork, us", of(64, 0), of(16, 0), of(0, 0)],
                 ["each further one, us", of(64, 1), of(16, 1), of(0, 0)],
                 ["a fork's first slice, until it waits again, us", of(64, 2), of(16, 2), number((large[0][1] - large[0][0]) / 1000)],
                 ["how many", "1000", "10000", "200"],
                 ["bytes of one that has run and waits", of(64, 3, 1), of(16, 3, 1), "-"],
                 ["all of them alive, with the image, MiB", of(64, 4, 1), of(16, 4, 1), "-"]]
        body += ("\nForks of a Linux program (RV64) that has written all of its memory and waits for a letter. Each fork gets one, computes a "
                 "little, writes into 8 pages, and waits again; beside it a process of the host that forks, and whose child writes into 8 "
                 "pages and ends (by the clock on the wall).\n\n")
        body += report.table(["", "64 MiB", "16 MiB", "fork(2), 64 MiB"], lines)
    if debian:
        what = ["the first fork, us", "each further one, us", "a fork's first slice, until it waits again, us", "bytes of one that has run and waits"]
        lines = [[text] + [number(debian[name][index] / (1 if index == 3 else 1000)) for name in debian] for index, text in enumerate(what)]
        lines.append(["all of them alive, with the image and what compiled it, MiB"] + [number(debian[name][4]) for name in debian])
        body += ("\n1,000 forks each of Debian's own programs, which have their libraries mapped from a folder of the host (python3 has imported "
                 "json). Each gets a letter and answers with one.\n\n")
        body += report.table([""] + list(debian), lines)
    page(bench, "density", "Many small ones", "What does one of very many cost? 100,000 at a time (node 1,000, which is how many it is asked to keep).", body, [],
         ["gcc", "node", "V8"])


# --- who runs when


def scheduler(bench):
    """As density: lines `NAME NUMBER...`. What others do to the computer can only make a round worse: the best one stands beside the median."""
    found = {}
    for _ in range(bench.rounds):
        for command in (("wake", 1000, 100, 5), ("shares", 20, 5), ("throughput", 10000)):
            bench.say(f"scheduler: {command[0]}")
            note(found, "scheduler", "build/bench/scheduler", *command)

    def cells(what, name, index):
        column = sorted(values[index] for values in found[name])
        return [what, number(column[0]), number(column[len(column) // 2])]
    lines = [cells("from a letter to its echo, median, us", "wake", 0), cells("... 99 %", "wake", 1), cells("... the longest", "wake", 2),
             cells("for comparison: how late this computer wakes a sleeping thread meanwhile, 99 %, us", "wake", 5),
             cells("farthest from its share of the time, %", "shares", 1), cells("farthest from its share of the instructions, %", "shares", 0),
             cells("10,000 at once: times as long as one after the other", "throughput", 0)]
    body = report.table(["", "best round", "median round"], lines)
    body += (f"\nTwo workers, LC-3s, as libhusk comes; wake-ups are of real time whatever the clock. **Wake-up**: 1,000 that never end beside 100 that wait for a letter, count to a thousand and "
             f"write it; {found['wake'][0][3]:.0f} letters at random moments in five seconds. **Shares**: 20 of weights from 50 to 800, for five seconds; "
             f"instructions differ more, as not every one is equally fast at every moment. **Throughput**: each computes for some "
             f"{found['throughput'][0][1]:.0f} us; one after the other means two, each of which starts the next when it ends.\n")
    page(bench, "scheduler", "Who runs when", "How soon does one run that was waiting, how exact are shares, and what does it cost to have many?", body, [], ["gcc"])


SUITES = {"steady": steady, "start": start, "compile": compile_cost, "memory": memory, "machines": machines,
          "calls": calls, "fuel": fuel, "density": density, "scheduler": scheduler, "embed": embed,
          "interpreter": interpreter}
