# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store alone, against SQLite by hand with the same rows and as many of them to a flush."""

from measure import Row, against_limit, in_turns
from rig import load

WRITERS = 8


def store(rig):
    def run(mode, *options):
        return load("store_load", "-t", rig.seconds, *options, mode, rig.scratch("store"))
    flushes = Row(f"flushes per commit, {WRITERS} writers", "", "limit", ("at most", 1))
    batches, sizes = [], []

    def ours():
        got = run("store", "-w", WRITERS)
        batches.append(got["commits"] / got["flushes"])
        sizes.append(got["bytes"] / got["commits"])
        flushes.add(got["flushes"] / got["commits"], 0.3)
        return got["rate"]

    def theirs():
        return run("sqlite", "-b", max(1, round(batches[-1])), "-s", round(sizes[-1]))["rate"]
    ours()  # tells the batch and the size of rows
    flushes.ours.clear(), flushes.theirs.clear()
    whole = Row(f"store, {WRITERS} writers of one VM each", "/s", "SQLite, same rows and batch", ("at least", 0.9))
    in_turns(rig.rounds, whole, ours, theirs, rig.progress)
    batch, size = max(1, round(batches[-1])), round(sizes[-1])
    whole.note = f"batch {batch}, rows of {size} bytes"
    durable = Row(f"its durable part alone (src/db), {batch} at a time", "/s", "SQLite, same rows and batch",
                  ("at least", 0.9))
    in_turns(rig.rounds, durable, lambda: run("db", "-b", batch, "-s", size)["rate"], theirs, rig.progress)
    return [whole, durable, flushes]


ROWS = {"store": store}
