# SPDX-License-Identifier: MIT
"""The computer and the versions of everything, asked for when the benchmark runs."""
import os
import re
import subprocess

VERSIONS = [
    ("gcc", ["gcc", "--version"]),
    ("gcc for RISC-V", ["riscv64-linux-gnu-gcc", "--version"]),
    ("clang (WebAssembly)", ["clang", "--version"]),
    ("qemu-riscv64", ["qemu-riscv64", "--version"]),
    ("node", ["node", "--version"]),
    ("V8", ["node", "-p", "process.versions.v8"]),
    ("LuaJIT", ["luajit", "-v"]),
    ("Lua", ["lua5.4", "-v"]),
    ("Python", ["/usr/bin/python3", "--version"]),
    ("Java", ["java", "-version"]),
    ("Erlang/OTP", ["erl", "-noshell", "-eval", 'io:put_chars(erlang:system_info(otp_release)), halt().']),
]


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        lines = (done.stdout or done.stderr).strip().splitlines()
        return lines[0] if lines else "-"
    except (OSError, subprocess.SubprocessError):
        return "-"


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
            return found.group(1) if found else os.uname().machine
    except OSError:
        return os.uname().machine


def husk_version(husk):
    """Of another binary than this tree's nobody knows the revision."""
    own = husk == os.path.abspath("husk")
    revision = first_line(["git", "rev-parse", "--short=9", "HEAD"]) if own else "-"
    return first_line([husk, "--version"]) + (f", revision {revision}" if revision != "-" else "")


def versions(bench, names):
    lines = [("Husk", husk_version(bench.husk))]
    return lines + [(name, first_line(command)) for name, command in VERSIONS if name in names]


def describe(bench, names):
    """What stands at the foot of every page."""
    load = os.getloadavg()
    clock = "wall-clock time" if bench.clock == "wall" else "processor time (user and system, all threads)"
    text = f"Measured: {clock}, {bench.rounds} round{'s' if bench.rounds > 1 else ''}, medians. " \
           f"Processor: {processor()}, {os.cpu_count()} cores; {os.uname().sysname} {os.uname().release}; " \
           f"load average at the end {load[0]:.1f} (5 minutes: {load[1]:.1f}).\n\n"
    return text + "".join(f"- {name}: {line}\n" for name, line in versions(bench, names))
