# SPDX-License-Identifier: MIT
"""Contestants that take turns.

In every round each row is run by each contestant, one after the other, so that whatever else the computer does hits all of
them alike. A ratio is taken within a round, to the reference's run of the same row in the same round; then the median of the
rounds counts, and a geometric mean over rows.
"""
import dataclasses
import math
import statistics

from runner import Failed, Wrong


@dataclasses.dataclass
class Row:
    name: str
    kind: str  # "int", "float" or "other"
    size: int = 0  # argument for contestants
    small: int = 0  # argument for those that are slow
    times: int = 1  # runs in a round, of which the median counts
    check: callable = lambda text: text.strip()  # what of the output must be equal
    commands: dict = None  # contestant: command, for rows that are no program of bench/programs


@dataclasses.dataclass
class Way:
    """A contestant: how it runs a row."""
    name: str
    command: callable  # (row, size) -> argument list, or raises Failed
    small: bool = False  # runs the small size
    fixed: int = 0  # runs this size, whatever the row says
    reference: "Way" = None  # whom its ratio refers to; none: it is the reference
    rounds: int = 1000  # at most so many
    shown: bool = True

    def size(self, row):
        return self.fixed or (row.small if self.small else row.size)


class Cell:
    """All runs of a row by a contestant."""

    def __init__(self):
        self.seconds, self.ratios, self.peaks, self.reason = [], [], [], None

    def median(self):
        return statistics.median(self.seconds) if self.seconds and not self.reason else None

    def ratio(self):
        return statistics.median(self.ratios) if self.ratios and not self.reason else None

    def peak(self):
        return max(self.peaks) if self.peaks and not self.reason else None


def take_turns(bench, rows, ways, expected=None):
    """{(row name, way name): Cell}. expected: {(row name, size): result} known before; else who comes first says."""
    cells = {(row.name, way.name): Cell() for row in rows for way in ways}
    expected = {} if expected is None else expected
    for turn in range(bench.rounds):
        bench.say(f"round {turn + 1} of {bench.rounds}")
        for row in rows:
            taken = {}
            for way in ways:
                cell = cells[row.name, way.name]
                if cell.reason or turn >= way.rounds:
                    continue
                try:
                    run = bench.run(way.command(row, way.size(row)), row.times)
                except Failed as failure:
                    cell.reason = str(failure)
                    continue
                result = row.check(run.text)
                first = expected.setdefault((row.name, way.size(row)), result)
                if result != first:
                    raise Wrong(f"{row.name}: {way.name} prints {result!r}, not {first!r}")
                taken[way.name] = bench.seconds(run)
                cell.seconds.append(taken[way.name])
                cell.peaks.append(run.peak)
                if way.reference and way.reference.name in taken:
                    cell.ratios.append(taken[way.name] / max(taken[way.reference.name], 1e-6))
            bench.say("    " + row.name + "".join(f"  {name} {value:.3f}" for name, value in taken.items()))
    return cells


def geometric_mean(values):
    values = [value for value in values if value]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def means(rows, cells, way):
    """(all, integer, floating point): pairs of geometric mean and number of rows."""
    result = []
    for kinds in (("int", "float", "other"), ("int",), ("float",)):
        ratios = [cells[row.name, way.name].ratio() for row in rows if row.kind in kinds]
        ratios = [ratio for ratio in ratios if ratio]
        result.append((geometric_mean(ratios), len(ratios)))
    return result


def reasons(rows, ways, cells):
    """One line for each reason: who, and in which rows."""
    found = {}
    for way in ways:
        for row in rows:
            reason = cells[row.name, way.name].reason
            if reason:
                found.setdefault((way.name, reason), []).append(row.name)
    return [f"{who}, {', '.join(where)}: {reason}" for (who, reason), where in found.items()]
