# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of the table: two measurements in turns, their ratio in each turn, median and spread.

Only the ratio counts. The machine's mood changes from second to second, so ours and the peer's are taken one after
the other and compared pair by pair.
"""

import statistics
import time

UNITS = {
    "s": [(1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")],
    "B/s": [(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1, "B/s")],
    "/s": [(1e6, "M/s"), (1e3, "k/s"), (1, "/s")],
    "B": [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")],
    "": [(1, "")],
}


def show(value, unit):
    if value is None:
        return ""
    for size, name in UNITS[unit]:
        if abs(value) >= size:
            break
    value /= size
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {name}".rstrip()


class Row:
    """One line of the table. Target: ("at least"|"at most", ratio); the ratio is ours by the peer's. Target None: shown
    to give the scale."""

    def __init__(self, name, unit, peer, target, note=""):
        self.name, self.unit, self.peer, self.target, self.note = name, unit, peer, target, note
        self.ours, self.theirs = [], []

    def add(self, ours, theirs):
        if theirs <= 0:
            raise RuntimeError(f"{self.peer} did nothing")
        self.ours.append(ours)
        self.theirs.append(theirs)

    @property
    def ratios(self):
        return [a / b for a, b in zip(self.ours, self.theirs)]

    @property
    def ratio(self):
        return statistics.median(self.ratios)

    @property
    def met(self):
        if not self.target:
            return True
        word, bound = self.target
        return self.ratio >= bound if word == "at least" else self.ratio <= bound

    def as_dict(self):
        return {"row": self.name, "unit": self.unit, "peer": self.peer, "target": self.target and list(self.target), "met": self.met,
                "ours": self.ours, "theirs": self.theirs, "ratio": self.ratio, "ratio_min": min(self.ratios),
                "ratio_max": max(self.ratios), "note": self.note}

    def cells(self):
        target = f"{self.target[0]} {self.target[1]:g}" if self.target else ""
        return [self.name, show(statistics.median(self.ours), self.unit),
                f"{self.peer} {show(statistics.median(self.theirs), self.unit)}",
                f"{self.ratio:.2f} ({min(self.ratios):.2f} to {max(self.ratios):.2f})", target,
                "" if not self.target else "met" if self.met else "MISSED"]


class Skipped:
    """A row that could not be measured, and why."""

    def __init__(self, name, why):
        self.name, self.why = name, why

    def as_dict(self):
        return {"row": self.name, "skipped": self.why}


def in_turns(rounds, row, ours, theirs, progress):
    """Fills a row: each of the two is called once a round and gives one number. The first goes first every other
    time, so that neither always finds the caches of the other."""
    for i in range(rounds):
        progress(f"{row.name}: round {i + 1} of {rounds}")
        if i % 2:
            b = theirs()
            a = ours()
        else:
            a = ours()
            b = theirs()
        row.add(a, b)
    return row


def against_limit(rounds, row, ours, limit, progress):
    """A row whose other side is a fixed limit: shown where no peer does comparable work."""
    for i in range(rounds):
        progress(f"{row.name}: round {i + 1} of {rounds}")
        row.add(ours(), limit)
    return row


def stopwatch(call, *args):
    begin = time.perf_counter()
    call(*args)
    return time.perf_counter() - begin


def median_of(n, measure):
    return statistics.median(measure() for _ in range(n))


HEAD = ["work", "ours", "peer", "ratio (spread)", "target", ""]


def lines(head, cells):
    """Cells under their head, in columns."""
    cells = [head] + cells
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    out = ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in cells]
    out.insert(1, "  ".join("-" * width for width in widths))
    return out


def table(rows):
    """The lines of the table of ratios."""
    out = lines(HEAD, [row.cells() for row in rows if isinstance(row, Row)])
    return out + [f"not measured: {row.name}: {row.why}" for row in rows if isinstance(row, Skipped)]
