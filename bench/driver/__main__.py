# SPDX-License-Identifier: MIT
"""usage: python3 bench/driver [SUITE]...        (by `make bench`; bench.mk lists the variables that count)

Runs the suites, all if none is named, and writes a page for each into docs/benchmarks. Needs nothing but Python's standard
library. Exit status: 1 when a contestant gave a wrong result.
"""
import glob
import os
import sys

from runner import Bench, Wrong
from suites import SUITES


def main(names):
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"bench: no suite {unknown[0]}; there are: {' '.join(SUITES)}", file=sys.stderr)
        return 2
    bench, status = Bench(), 0
    try:
        for name in names or SUITES:
            bench.say(f"suite {name}")
            try:
                SUITES[name](bench)
            except Wrong as wrong:
                print(f"bench: suite {name} is not written: {wrong}", file=sys.stderr)
                status = 1
    finally:
        for left in glob.glob(bench.scratch + "*"):
            os.remove(left)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
