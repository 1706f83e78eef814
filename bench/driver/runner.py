# SPDX-License-Identifier: MIT
"""Runs commands and says how long they took: by build/bench/measure, always with a limit of time.

A peer that is not installed, crashes or takes too long is `Failed`, with the reason in a few words: its cell in the table
is "-", and the reason stands below. A peer that prints something else than native code did is `Wrong`: nothing of such a
suite is written.
"""
import dataclasses
import os
import shutil
import statistics
import subprocess


class Failed(Exception):
    """A contestant could not do it; the text says why."""


class Wrong(Exception):
    """A contestant gave another result than native code."""


@dataclasses.dataclass
class Run:
    wall: float  # seconds from exec to exit
    cpu: float  # processor seconds of all threads
    peak: float  # most resident memory, MiB
    text: str  # standard output of the last run
    errors: str  # standard error of the last run


class Bench:
    """Where things are and what was asked for, from the environment (bench.mk names the variables)."""

    def __init__(self):
        env = os.environ.get
        self.rounds = int(env("ROUNDS") or 5)
        self.limit = int(env("LIMIT") or 120)
        self.clock = env("CLOCK") or "wall"
        self.husk = os.path.abspath(env("HUSK") or "./husk")
        self.flags = (env("HUSK_FLAGS") or "").split()
        self.tree = env("DEBIAN_RV64")
        self.coremark, self.speedtest1, self.dhrystone = env("COREMARK"), env("SPEEDTEST1"), env("DHRYSTONE")
        self.programs = (env("PROGRAMS") or "").replace(",", " ").split()
        self.out = env("OUT") or "docs/benchmarks"
        self.work = "build/bench"
        self.scratch = os.path.join(self.work, "output.%d" % os.getpid())
        self.compile_errors = {}

    def say(self, text):
        print("bench: " + text, flush=True)

    def seconds(self, run):
        return run.cpu if self.clock == "cpu" else run.wall

    def run(self, command, times=1):
        """Runs the command: one `Run`, the median of `times`."""
        if not command:
            raise Failed("not for this program")
        if not shutil.which(command[0]):
            raise Failed(f"{os.path.basename(command[0])} is not installed")
        done = subprocess.run(
            [self.work + "/measure", str(times), str(self.limit), self.scratch, *map(str, command)],
            capture_output=True, text=True, check=False)
        lines = [line.split() for line in done.stdout.splitlines()]
        text, errors = self.read(self.scratch), self.read(self.scratch + ".err")
        if not lines:
            raise Failed("could not be measured: " + last_line(done.stderr))
        status = int(lines[-1][0])
        if status == 124:
            raise Failed(f"took longer than {self.limit} s")
        if status > 128:
            raise Failed(f"ended by signal {status - 128}")
        if status:
            raise Failed(f"exit status {status}: {last_line(errors) or 'no message'}")
        middle = [statistics.median(float(line[i]) for line in lines) for i in (1, 2, 3)]
        return Run(middle[0], middle[1], middle[2] / 1024, text, errors)

    def read(self, path):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def compiled(self, target, command=None):
        """The file: compiled by `make`, or by the command, if a file that the command names is newer."""
        path = os.path.join(self.work, target)
        if command and os.path.exists(path):
            sources = [word for word in command if os.path.isfile(word) and word != path]
            if all(os.path.getmtime(source) < os.path.getmtime(path) for source in sources):
                self.compile_errors[path] = None
        if path not in self.compile_errors:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            done = subprocess.run(command or ["make", "-s", path], capture_output=True, text=True, check=False) \
                if not command or shutil.which(command[0]) else None
            errors = done.stderr.splitlines() if done else [command[0] + " is not installed"]
            first = next((line for line in errors if "error" in line or "not " in line), last_line("\n".join(errors)))
            self.compile_errors[path] = None if done and done.returncode == 0 else first
        if self.compile_errors[path]:
            raise Failed("not compiled: " + self.compile_errors[path])
        return path


def last_line(text):
    """What went wrong, of a text of errors: the last line, or the one node means."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if "Error" in line] or lines
    return lines[-1] if lines else ""
