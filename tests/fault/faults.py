# SPDX-License-Identifier: LGPL-2.1-or-later
"""One fault under the call of one scenario, and the verdict."""

import gc
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/crash"), str(Path(__file__).resolve().parent)]

from bed import BUILD, LIMIT, PROGRAMS as BINARIES, Wrong, XenError  # noqa: E402
from cases import Caller, Stage  # noqa: E402
from page import FOREVER, Page  # noqa: E402
from scenarios import ONE_WAY, SCENARIOS  # noqa: E402

PROGRAMS = {"xenolithd": "xapi", "xenolith-hostd": "hostd"}
# Each has found something: they are always tried.
FOUND = ["SR.create@4@46", "VM.checkpoint@4@172", "VM.copy@6@11", "VM.guest_restarted@8@5", "VM.guest_restarted@10@4",
         "VM.guest_stopped@9@4", "VDI.snapshot@12@1", "PBD.plug@12@1", "VM.checkpoint@7@5",
         "VM.checkpoint@7@7", "VM.migrate_send@6@40"]
CODES = set(re.findall(r"^\[([A-Z0-9_]+)\]", (ROOT / "schema/errors.toml").read_text(), re.M))

EACH = 10 ** 6
# program, what fails, how, where, for ever or once, ends the program by design; in a full run: how many passes of one
# place are places of their own, and whether what was met under one plan counts for all
KINDS = [
    ("xenolithd", "flush", "EIO", "/store.db", False, True, EACH, False),
    ("xenolithd", "write", "EIO", "/store.db", False, True, EACH, False),
    ("xenolithd", "write", "ENOSPC", "/store.db", False, False, EACH, False),
    ("xenolithd", "write", "short", "/store.db", False, False, EACH, False),
    ("xenolithd", "allocate", "ENOMEM", "libsqlite3", False, True, EACH, False),
    ("xenolithd", "allocate", "ENOMEM", "xenolithd", False, True, 1, True),
    ("xenolith-hostd", "any", "EIO", "/sr/", False, False, EACH, False),
    ("xenolith-hostd", "write", "ENOSPC", "/sr/", True, False, EACH, False),
    ("xenolith-hostd", "any", "kill", "/xenolith-crash-", False, True, EACH, False),
    ("xenolith-hostd", "allocate", "ENOMEM", "xenolith-hostd", False, True, 1, True),
    ("xenolith-hostd", "any", "EIO", "/run/guests/", False, False, EACH, False),
    ("xenolithd", "interrupt", "EINTR", "xenolithd", False, False, 1, False),  # by number: one of n + 1
    ("xenolith-hostd", "interrupt", "EINTR", "xenolith-hostd", False, False, 1, False),
]


@dataclass(frozen=True)
class Fault:
    """`which`: "12" is the 12th such operation, "#1f..." the one at that place, "" the first at a place that is not done."""
    plan: str
    kind: int
    which: str

    def __str__(self):
        program, op, failure, where, for_ever, *_ = KINDS[self.kind]
        return f"{self.plan}@{self.kind}@{self.which} ({program}: {failure} at {op} {self.which}{'...' * for_ever} of {where})"

    @staticmethod
    def parse(text):
        plan, kind, which = text.split(" (")[0].split("@")
        return Fault(plan, int(kind), which)

    def arm(self, page):
        _, op, failure, where, for_ever, _, passes, _ = KINDS[self.kind]
        if self.which.isdecimal():
            page.arm(op, failure, int(self.which) + (op == "interrupt"), where, FOREVER if for_ever else None)
        else:
            page.arm(op, failure, 1, where, FOREVER if for_ever else None, passes, int(self.which[1:] or "0", 16))


def descriptors(pid):
    """How many a daemon has open. A sandboxed one shows them to root alone; but Linux 6.2 and later tell their number."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        return os.stat(f"/proc/{pid}/fd").st_size


class FaultStage(Stage):
    """A stage whose daemons have the library preloaded."""

    def __init__(self, seed, keep=None):
        self.pages = {}
        super().__init__(seed, keep)
        self.held = {}
        self.n = 0

    def prepare(self, bed):
        for program in PROGRAMS:
            page = self.pages[program] = Page(bed.state / "points" / program / "fault")
            bed.fault[program] = page.environment(BUILD / "tests/fault/fault.so", program)

    def met(self, fault):
        """The same fault by the name of the place where it was met, and the program's functions on the way there."""
        program = KINDS[fault.kind][0]
        place, frames = self.pages[program].met()
        if not place:
            return fault, ""
        done = subprocess.run(["addr2line", "-fse", BINARIES[program], *map(hex, frames)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return Fault(fault.plan, fault.kind, f"#{place:x}"), " < ".join(done.stdout.splitlines()[::2])

    def held_now(self):
        """Descriptors and threads of each daemon."""
        found = {}
        for program, name in PROGRAMS.items():
            pid = getattr(self.bed, name).pid
            found[program] = (descriptors(pid), len(os.listdir(f"/proc/{pid}/task")))
        return found

    def run_fault(self, fault):
        """True: the fault was met; false: the call makes fewer such operations."""
        program, op, failure, _, _, may_end, *_ = KINDS[fault.kind]
        if fault.plan not in self.measures:
            self.measure(fault.plan)
        bed, page = self.bed, self.pages[program]
        xen = bed.client()
        call = SCENARIOS[fault.plan](bed, xen)
        caller = Caller(bed, call)
        fault.arm(page)
        before = getattr(bed, PROGRAMS[program]).pid
        caller.go.set()
        died, end = False, time.monotonic() + LIMIT
        while caller.is_alive():
            caller.join(0.01)
            died |= self.revive(fault, may_end)
            if time.monotonic() > end:
                raise Wrong("the call hangs")
        page.disarm()
        if caller.answer == "none" and not died:
            getattr(bed, PROGRAMS[program]).wait(LIMIT)  # its connections are gone before it is
        if failure == "kill" and not died:
            self.wait_for_death(getattr(bed, PROGRAMS[program]), page)
        fired = page.fired()
        died |= self.revive(fault, may_end)
        if program == "xenolith-hostd" and fired and op not in ("allocate", "interrupt") and not died:
            bed.ready()
            bed.kill("hostd")  # what it could not remove it removes when it attaches the repository again
            bed.start_again("hostd")
            died = True
        xen = self.settled(fault, may_end and fired and not died)
        died |= getattr(bed, PROGRAMS[program]).pid != before
        if op == "interrupt" and caller.answer == "failure":
            raise Wrong(f"the call fails by an interruption: {caller.why}")
        if isinstance(caller.why, XenError) and caller.why.code not in CODES and \
                not caller.why.code.startswith("SR_BACKEND_FAILURE_"):
            raise Wrong(f"no error of the catalogue: {caller.why}")
        if caller.answer == "failure" and fault.plan in ONE_WAY:
            self.again(fault, xen, call)
        else:
            self.judge(fault, xen, caller)
        if fault.plan == "SR.scan":
            bed.scan(xen)
        # As good as a death anywhere, and by far the most: these are verified now and then.
        self.n += 1
        bed.check(xen, verify=op not in ("allocate", "interrupt") or self.n % 8 == 0)
        self.clean(xen)
        self.check_held(died)
        return bool(fired)

    @staticmethod
    def wait_for_death(daemon, page):
        """The call may be answered while its program is being killed."""
        end = time.monotonic() + LIMIT
        while page.fired() and daemon.poll() is None:
            if time.monotonic() > end:
                raise Wrong("the program outlives its being killed")
            time.sleep(0.001)

    def settled(self, fault, may_end):
        """A client when nothing is under way. A program that is to end may do so now only."""
        try:
            xen = self.bed.ready()
            self.bed.settle(xen)
        except (Wrong, XenError, OSError):
            end = time.monotonic() + 1
            while may_end and not self.revive(fault, True):
                may_end = time.monotonic() < end
                time.sleep(0.01)
            if not may_end:
                raise
            xen = self.bed.ready()
            self.bed.settle(xen)
        return xen

    def revive(self, fault, may_end):
        """Starts what ended; true if something did."""
        dead = [name for name in PROGRAMS.values() if getattr(self.bed, name).poll() is not None]
        for program, name in PROGRAMS.items():
            if name in dead and not (may_end and program == KINDS[fault.kind][0]):
                raise Wrong(f"{program} ended with {getattr(self.bed, name).returncode}")
        self.bed.start_again(*dead)
        return bool(dead)

    def check_held(self, died):
        """Workers and keep-alives come and go, but not by tens."""
        if died or not self.held:
            self.held = self.held_now()
            return
        end = time.monotonic() + 5
        while True:
            gc.collect()  # our own ends of connections
            more = {program: (fds - self.held[program][0], threads - self.held[program][1])
                    for program, (fds, threads) in self.held_now().items()}
            lost = {program: n for program, n in more.items() if n[0] > 8 or n[1] > 24}
            if not lost:
                return
            if time.monotonic() > end:
                raise Wrong(f"descriptors and threads more than before: {lost}")
            time.sleep(0.05)
