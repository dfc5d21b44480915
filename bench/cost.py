# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an operation writes: flushes of both daemons, and bytes on their way to the disk as the kernel accounts them
(whole pages), per call. One client, so nothing is shared: the dearest case."""

import struct

from rig import BUILD, Daemons, RawClient, need, new_disk
from rows_api import definition

COUNTER = BUILD / "bench" / "libflush_count.so"


class Counted(Daemons):
    """Daemons whose flushes are counted, on QEMU and a directory of real images."""

    def __init__(self, state):
        super().__init__(state, hv="qemu")
        self.count_file = self.state / "flushes"
        self.count_file.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(COUNTER), "XENOLITH_FLUSH_COUNT": str(self.count_file)}

    def flushes(self):
        return struct.unpack("Q", self.count_file.read_bytes()[:8])[0]

    def written(self):
        def one(pid):
            with open(f"/proc/{pid}/io") as io:
                return next(int(line.split()[1]) for line in io if line.startswith("write_bytes"))
        return one(self.xapi.pid) + one(self.hostd.pid)


class Cost:
    """One line: flushes and bytes of one call."""

    def __init__(self, name, flushes, written):
        self.name, self.flushes, self.written = name, flushes, written

    def as_dict(self):
        return {"cost": self.name, "flushes": self.flushes, "bytes": self.written}

    def cells(self):
        return [self.name, f"{self.flushes:.1f}", f"{self.written / 1024:.0f} KiB"]


def costs(rig):
    need("qemu-system-x86_64", "qemu-system-x86")
    times = 5 if rig.quick else 25
    daemons = Counted(rig.scratch("cost"))
    daemons.start()
    client = RawClient(daemons.socket)
    try:
        return list(_measure(rig, daemons, client, times))
    finally:
        client.close()
        daemons.stop()
        daemons.sweep()


def _measure(rig, daemons, client, times):
    xen = client.xen
    template = xen("VM.get_by_name_label", "Other install media")[0]
    sr = xen("pool.get_default_SR", xen("pool.get_all")[0])
    vm = xen("VM.clone", template, "cost")
    xen("VM.set_is_a_template", vm, False)
    xen("VM.set_memory_limits", vm, *[str(64 << 20)] * 4)
    fields = definition(client, vm)
    made, disks, snapshots = [], [], []

    def steps(name, call):
        rig.progress(f"writes of {name}")
        flushes, written = daemons.flushes(), daemons.written()
        for i in range(times):
            call(i)
        return Cost(name, (daemons.flushes() - flushes) / times, (daemons.written() - written) / times)

    yield steps("VM.create", lambda i: made.append(xen("VM.create", fields)))
    yield steps("VM.set_name_label", lambda i: xen("VM.set_name_label", made[i], f"changed {i}"))
    yield steps("VM.start and hard_shutdown", lambda i: (xen("VM.start", vm, True, False),
                                                         xen("VM.hard_shutdown", vm)))
    yield steps("VM.snapshot of a VM without disks", lambda i: snapshots.append(xen("VM.snapshot", vm, "s")))
    yield steps("VM.destroy", lambda i: xen("VM.destroy", made[i]))
    yield steps("VDI.create", lambda i: disks.append(new_disk(client, sr, 1 << 30)))
    yield steps("VDI.snapshot", lambda i: xen("VDI.snapshot", disks[i], {}))
    yield steps("VDI.set_name_label", lambda i: xen("VDI.set_name_label", disks[i], f"changed {i}"))
    yield steps("VDI.destroy", lambda i: xen("VDI.destroy", disks[i]))


HEAD = ["operation", "flushes", "written"]
