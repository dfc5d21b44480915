# SPDX-License-Identifier: LGPL-2.1-or-later
"""The growth table: the same work beside 100, 1,000 and 10,000 VMs. Nothing may grow faster than its answer.

A row says what its answer grows with: nothing (one object is asked for or changed), or the number of VMs. What counts
is the factor from the smallest to the largest number, the growth of the answer divided out: about 1, or less where a
fixed part weighs on the small numbers.
"""

import os
import statistics
import subprocess

from measure import show, stopwatch
from rig import PROGRAMS, Daemons, RawClient, load, make_vms
from rows_api import definition
from rows_process import answer_time, memory

SIZES = (100, 1000, 10000)
# Between the ends, beyond the answer's own growth. Timings of microseconds swing by themselves.
BOUND = 2.0


class Growth:
    """One row. `per`: how many objects the answer holds beside n VMs; the values are divided by it.
    `unseen`: what is smaller before that division cannot be told from nothing, and no factor begins there."""

    def __init__(self, name, unit, per=None):
        self.name, self.unit, self.per = name, unit, per
        self.values = {}  # number of VMs -> measured values
        self.unseen = 0

    def add(self, n, value):
        self.values.setdefault(n, []).append(value / (n if self.per else 1))

    def median(self, n):
        return statistics.median(self.values[n])

    def least(self, n):
        """The smallest value beside n VMs that would be seen."""
        return self.unseen / (n if self.per else 1)

    @property
    def factor(self):
        sizes = sorted(self.values)
        first = next((n for n in sizes if self.median(n) >= self.least(n)), sizes[-1])
        return self.median(sizes[-1]) / self.median(first)

    @property
    def met(self):
        return self.factor <= BOUND

    def as_dict(self):
        return {"growth": self.name, "unit": self.unit, "per": self.per, "values": self.values, "factor": self.factor}

    def cells(self):
        name = f"{self.name}, per {self.per}" if self.per else self.name
        return [name, *(self.cell(n) for n in sorted(self.values)), f"{self.factor:.2f}", "" if self.met else "GROWS"]

    def cell(self, n):
        if self.median(n) < self.least(n):
            return f"under {show(self.least(n), self.unit)}"
        return show(self.median(n), self.unit)


class House:
    """A pair of daemons beside n VMs."""

    def __init__(self, rig, n):
        self.n = n
        rig.progress(f"growth: making {n} VMs")
        self.daemons = Daemons(rig.scratch(f"growth-{n}"))
        self.turn = 0
        try:
            self.daemons.start()
            self.client = RawClient(self.daemons.socket)
            self.fill(n)
        except Exception:
            self.daemons.stop()
            raise

    def fill(self, n):
        self.vms = make_vms(self.daemons.socket, n)
        self.vm_file = self.daemons.state / "vms"
        self.vm_file.write_text("\n".join(self.vms[:100]) + "\n")
        self.fields = definition(self.client, self.vms[0])

    def next_vm(self):
        self.turn += 1
        return self.vms[self.turn % len(self.vms)]

    def median(self, times, call):
        return statistics.median(call() for _ in range(times))

    def one_record(self):
        return self.median(200, lambda: self.client.timed("VM.get_record", self.next_vm()))

    def set_field(self):
        return self.median(100, lambda: self.client.timed("VM.set_name_description", self.next_vm(),
                                                          f"changed {self.turn}"))

    def create(self):
        made = set(self.client.xen("VM.get_all"))
        took = self.median(50, lambda: self.client.timed("VM.create", self.fields))
        for vm in set(self.client.xen("VM.get_all")) - made:
            self.client.xen("VM.destroy", vm)
        return took

    def destroy(self):
        made = [self.client.xen("VM.create", self.fields) for _ in range(50)]
        return statistics.median(self.client.timed("VM.destroy", vm) for vm in made)

    def start(self):
        def one():
            vm = self.next_vm()
            took = self.client.timed("VM.start", vm, False, False)
            self.client.xen("VM.hard_shutdown", vm)
            return took
        return self.median(30, one)

    def event(self):
        got = load("event_load", "-l", 20, "-t", 1.0, self.daemons.socket, self.vm_file)
        return got["p50_us"] / 1e6  # from sending: most hear of it before the caller has its answer

    def crowd(self):
        """An event to one of ten, while 190 others hear everything."""
        got = load("event_load", "-l", 10, "-e", 190, "-r", 500, "-t", 2.0, self.daemons.socket, self.vm_file)
        return got["p99_us"] / 1e6

    def poll(self):
        """Is there anything new? There is not."""
        token = self.client.xen("event.from", ["pool"], "", 0.0)["token"]
        return self.median(100, lambda: self.client.timed("event.from", ["*"], token, 0.0))

    def first_events(self):
        """What a listener is told first: everything."""
        return self.median(3, lambda: self.client.timed("event.from", ["*"], "", 0.0))

    def list_all(self):
        return self.median(3, lambda: self.client.timed("VM.get_all_records"))

    def filter_one(self):
        """One object is found; all of its class are looked at."""
        name = self.client.xen("VM.get_name_label", self.next_vm())
        return self.median(5, lambda: self.client.timed("VM.get_all_records_where", f'field "name__label" = "{name}"'))

    def xe_list(self):
        env = {**os.environ, "XENOLITH_SOCKET": str(self.daemons.socket)}

        def once():
            subprocess.run([PROGRAMS["xe"], "vm-list"], env=env, check=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)
        return self.median(3, lambda: stopwatch(once))

    def restart(self):
        """Seconds to the first answer, bytes of memory afterwards."""
        self.client.close()
        took = answer_time(self.daemons)
        size = memory(self.daemons.xapi)
        self.client = RawClient(self.daemons.socket)
        return took, size

    def close(self):
        self.client.close()
        self.daemons.stop()


ONE = [("one record", House.one_record), ("set a field", House.set_field), ("VM.create", House.create),
       ("VM.destroy", House.destroy), ("VM.start on simulated guests", House.start),
       ("event to its listener, p50", House.event), ("event beside 190 listeners to everything, p99", House.crowd),
       ("event.from with nothing new", House.poll)]
ALL = [("list with all fields", House.list_all), ("filter that finds one VM", House.filter_one),
       ("xe vm-list, a process", House.xe_list), ("event.from, the first answer", House.first_events)]


def growth(rig):
    """Rows of the growth table. The numbers take turns, so that a slow minute of the machine meets all of them."""
    rows = {name: Growth(name, "s") for name, _ in ONE}
    rows.update({name: Growth(name, "s", "VM") for name, _ in ALL})
    start, size = Growth("start beyond an empty one", "s", "VM"), Growth("memory beyond an empty one", "B", "VM")
    houses, empty, bare_starts = [], None, []
    try:
        for n in SIZES:
            houses.append(House(rig, n))
        empty = Daemons(rig.scratch("growth-0"))
        empty.start()
        for i in range(2 if rig.quick else 5):
            for name, call in ONE + ALL:
                for house in houses:
                    rig.progress(f"growth: {name}, {house.n} VMs, round {i + 1}")
                    rows[name].add(house.n, call(house))
            none, bare = answer_time(empty), memory(empty.xapi)
            bare_starts.append(none)
            for house in houses:
                took, rss = house.restart()
                start.add(house.n, max(took - none, 1e-9))
                size.add(house.n, max(rss - bare, 1))
        start.unseen = max(bare_starts) - min(bare_starts)
    finally:
        for house in houses:
            house.close()
        if empty:
            empty.stop()
    return [*rows.values(), start, size]


HEAD = ["work", *(f"{n:,} VMs" for n in SIZES), "factor", ""]
