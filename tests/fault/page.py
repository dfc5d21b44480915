# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page of memory by which a test tells the preloaded library (fault.c) what is to fail."""

import errno
import mmap
import struct

ALLOCATE, WRITE, FLUSH, CHANGE, INTERRUPT = 1, 2, 4, 8, 16
OPS = {"allocate": ALLOCATE, "write": WRITE, "flush": FLUSH, "change": CHANGE, "interrupt": INTERRUPT, "any": WRITE | FLUSH | CHANGE}
FAILURES = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "ENOMEM": errno.ENOMEM, "EINTR": errno.EINTR, "short": 0, "kill": -1}
HEAD = struct.Struct("<IiQQQQ128s")  # struct page
FOREVER = 2 ** 63


class Page:
    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(mmap.PAGESIZE))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def environment(self, library, program):
        return {"LD_PRELOAD": str(library), "XENOLITH_FAULT": str(self.path), "XENOLITH_FAULT_PROGRAM": program}

    def arm(self, op, failure, nth, where, last=None):
        """From the nth on to the last (itself, if not said) each `op` at `where` fails; of interrupts, one of nth."""
        body = HEAD.pack(0, FAILURES[failure], nth, last or nth, 0, 0, where.encode())
        self.memory[4:HEAD.size] = body[4:]
        self.memory[0:4] = struct.pack("<I", OPS[op])

    def disarm(self):
        self.memory[0:4] = bytes(4)

    def fired(self):
        """How many failed."""
        return HEAD.unpack(self.memory[:HEAD.size])[5]
