# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory by which a test tells the preloaded library (fault.c) what is to fail, and hears where it did."""

import errno
import mmap
import struct

ALLOCATE, WRITE, FLUSH, CHANGE, INTERRUPT = 1, 2, 4, 8, 16
OPS = {"allocate": ALLOCATE, "write": WRITE, "flush": FLUSH, "change": CHANGE, "interrupt": INTERRUPT, "any": WRITE | FLUSH | CHANGE}
FAILURES = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "ENOMEM": errno.ENOMEM, "EINTR": errno.EINTR, "short": 0, "kill": -1}
# struct page, one part after the other
HEAD = struct.Struct("<IiQQQQ128sQQQ")
PLACE = struct.Struct("<QI4x48Q")
SEEN, DONE = 8192, 65536
SEEN_AT = HEAD.size + PLACE.size
DONE_AT = SEEN_AT + 16 * SEEN
SIZE = DONE_AT + 8 * DONE
FOREVER = 2 ** 63


class Page:
    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(SIZE))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), SIZE)

    def environment(self, library, program):
        return {"LD_PRELOAD": str(library), "XENOLITH_FAULT": str(self.path), "XENOLITH_FAULT_PROGRAM": program}

    def arm(self, op, failure, nth, where, last=None, passes=0, only=0):
        """From the nth on to the last (itself, if not said) each `op` at `where` fails; of interrupts, one of nth.

        With passes: not the nth, but the first at a place that is not done (or at `only` that one), where so many passes
        of a place are places of their own.
        """
        body = HEAD.pack(0, FAILURES[failure], nth, last or nth, 0, 0, where.encode(), passes, only, 0)
        self.memory[4:DONE_AT] = body[4:] + bytes(DONE_AT - HEAD.size)
        self.memory[0:4] = struct.pack("<I", OPS[op])

    def disarm(self):
        self.memory[0:4] = bytes(4)

    def fired(self):
        """How many failed."""
        return HEAD.unpack_from(self.memory)[5]

    def met(self):
        """The first place that failed, and the return addresses in the program; 0 = none."""
        place = HEAD.unpack_from(self.memory)[9]
        _, n, *frames = PLACE.unpack_from(self.memory, HEAD.size)
        return place, frames[:n]

    def _done(self):
        return memoryview(self.memory)[DONE_AT:].cast("Q")

    def set_done(self, places):
        self.memory[DONE_AT:] = bytes(8 * DONE)
        done = self._done()
        for place in places:
            at = place % DONE
            while done[at]:
                at = (at + 1) % DONE
            done[at] = place

    def done(self):
        return {place for place in self._done() if place}
