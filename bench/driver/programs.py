# SPDX-License-Identifier: MIT
"""The C programs, their sizes, and who can run them.

The optional rows appear when the environment says where their sources are; nothing of them is part of this tree.
"""
import glob
import os
import re

from runner import Failed
from turns import Row, Way

#            name            kind     size        small: for interpreters, about a tenth
PROGRAMS = [("loop",        "int",   1000000000, 50000000),
            ("loop32",      "int",   1000000000, 50000000),
            ("fib",         "int",   43,         37),
            ("sieve",       "int",   400,        20),
            ("fannkuch",    "int",   3,          1),
            ("bintree",     "int",   18,         14),
            ("hash",        "int",   80000000,   5000000),
            ("list",        "int",   3000,       300),
            ("sort",        "int",   1000000,    100000),
            ("memops",      "int",   50000,      2000),
            ("bf",          "int",   700,        40),
            ("crc32",       "int",   200,        20),
            ("sha256",      "int",   100,        5),
            ("nbody",       "float", 5000000,    300000),
            ("nbody-fused", "float", 5000000,    300000),
            ("spectral",    "float", 3000,       900),
            ("mandel",      "float", 1000,       300),
            ("matmul",      "float", 1000,       300)]

WASI = "bench/driver/wasi.mjs"


def rows(bench, wanted=None):
    wanted = wanted or bench.programs
    found = [Row(*program) for program in PROGRAMS if not wanted or program[0] in wanted]
    return found + [row for row in optional(bench) if not wanted or row.name in wanted]


# --- rows whose sources or programs are given by the environment


def build_optional(bench, name, extension, sources, options):
    compiler = {"native": ["gcc"], "rv64": ["riscv64-linux-gnu-gcc", "-static"],
                "wasm": ["clang", "--target=wasm32-wasi", "-D_WASI_EMULATED_PROCESS_CLOCKS", "-D_WASI_EMULATED_SIGNAL"]}[extension]
    libraries = ["-lm"] + (["-lwasi-emulated-process-clocks", "-lwasi-emulated-signal"] if extension == "wasm" else [])
    target = f"optional/{name}.{extension}"
    return bench.compiled(target, [*compiler, "-O2", "-w", "-std=gnu17", *options, "-o", os.path.join(bench.work, target),
                                   *sources, *libraries])


def optional(bench):
    found = []
    if bench.coremark:
        # 0 0 0x66: the seeds of the performance run; the checksums are its own.
        found.append(Row("coremark", "int", 20000, 1000, check=lambda text: " ".join(re.findall(r"^\[0\]crc.*$", text, re.M)),
                         commands={"arguments": lambda size: ["0x0", "0x0", "0x66", size]}))
    if bench.dhrystone:
        found.append(Row("dhrystone", "int", 20000000, 1000000, check=lambda text: re.sub(r"Ptr_Comp:.*|(?s:(Measured|Microsec).*)", "", text),
                         commands={"arguments": lambda size: []}))
    if bench.speedtest1:
        found.append(Row("speedtest1", "int", 40, 2, check=lambda text: " ".join(re.findall(r"Verification Hash.*", text)),
                         commands={"arguments": lambda size: ["--verify", "--size", size, ":memory:"],
                                   "wasm": lambda size: None}))
    if bench.tree and os.path.exists(bench.tree + "/usr/bin/lua5.4"):
        script = os.path.abspath("bench/programs")
        found.append(Row("lua-in-guest", "int", 30, 2, commands={
            "native": lambda size: ["lua5.4", script + "/script.lua", size],
            "husk": lambda size: ["-L", bench.tree, "--dir", script + "::/bench:ro", "/usr/bin/lua5.4", "--", "/bench/script.lua", size],
            "qemu": lambda size: ["-L", bench.tree, bench.tree + "/usr/bin/lua5.4", script + "/script.lua", size],
            "wasm": lambda size: None}))
    return found


def program(bench, row, extension, size):
    """The file of a row's program; Dhrystone takes no argument, its size is compiled in."""
    if row.name == "coremark":
        folder = bench.coremark
        return build_optional(bench, row.name, extension, [*glob.glob(folder + "/core_*.c"), folder + "/posix/core_portme.c"],
                              ["-I" + folder, "-I" + folder + "/posix", "-DPERFORMANCE_RUN=1", '-DFLAGS_STR="-O2"'])
    if row.name == "dhrystone":
        folder = bench.dhrystone
        return build_optional(bench, f"{row.name}-{size}", extension, [folder + "/dhry_1.c", folder + "/dhry_2.c"],
                              ["-I" + folder, "-DTIME", f"-DDHRY_ITERS={size}", "-fno-inline", "-Wno-implicit"])
    if row.name == "speedtest1":
        folder = bench.speedtest1
        return build_optional(bench, row.name, extension, [folder + "/speedtest1.c", folder + "/sqlite3.c"],
                              ["-I" + folder, "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION"])
    return bench.compiled(f"programs/{row.name}.{extension}")


# --- contestants


def husk_command(bench, *options):
    return [bench.husk, "run", "-q", *bench.flags, *options]


def ways(bench, interpreter=True):
    """native, husk, qemu, wasm, and, on small sizes, the interpreter."""

    def native(row, size):
        if row.commands and "native" in row.commands:
            return row.commands["native"](size)
        return [program(bench, row, "native", size), *arguments(row, size)]

    def husk(*options):
        def command(row, size):
            if row.commands and "husk" in row.commands:
                return [*husk_command(bench, *options), *row.commands["husk"](size)]
            return [*husk_command(bench, *options), program(bench, row, "rv64", size), "--", *arguments(row, size)]
        return command

    def qemu(row, size):
        if row.commands and "qemu" in row.commands:
            return ["qemu-riscv64", *row.commands["qemu"](size)]
        return ["qemu-riscv64", program(bench, row, "rv64", size), *arguments(row, size)]

    def wasm(row, size):
        if row.commands and "wasm" in row.commands:
            if not row.commands["wasm"](size):
                raise Failed("not to be had for WebAssembly")
        return ["node", "--no-warnings", WASI, program(bench, row, "wasm", size), *arguments(row, size)]

    reference = Way("native", native)
    found = [reference, Way("husk", husk(), reference=reference), Way("qemu", qemu, reference=reference),
             Way("wasm", wasm, reference=reference)]
    if interpreter:
        small = Way("native (small)", native, small=True, rounds=2, shown=False)
        found += [small, Way("husk interpreter", husk("--engine", "interp"), small=True, reference=small, rounds=2)]
    return found


def arguments(row, size):
    if row.commands and "arguments" in row.commands:
        return row.commands["arguments"](size)
    return [size]
