# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole programs: xe as a process, the API daemon from its start to its first answer, its memory."""

import os
import subprocess
import time

from conftest import Daemons
from measure import Row, against_limit, in_turns, median_of, stopwatch
from peers import Libvirt
from rig import PROGRAMS, VMS, Missing, RawClient


def xe_list(rig):
    if not PROGRAMS["xe"].exists():
        raise Missing(f"{PROGRAMS['xe']} is not built yet")
    libvirt = rig.peer(Libvirt)
    assert len(rig.vms) == VMS
    env = {**os.environ, "XENOLITH_SOCKET": str(rig.daemons.socket)}

    def ours():
        done = subprocess.run([PROGRAMS["xe"], "vm-list"], env=env, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0 or done.stdout.count(b"bench ") < VMS:
            raise RuntimeError(f"xe vm-list: {done.stderr.decode() or 'too short a list'}")
    limit = Row("xe vm-list of 1,000 VMs, a process", "s", "limit", ("at most", 1))
    against_limit(rig.rounds, limit, lambda: median_of(5, lambda: stopwatch(ours)), 0.015, rig.progress)
    uuid = subprocess.run([PROGRAMS["xe"], "vm-list", "params=uuid", "--minimal"], env=env, capture_output=True, text=True,
                          check=True).stdout.split(",")[0]

    def complete():
        done = subprocess.run([PROGRAMS["xe"], "completion", "candidates", "vm-start", f"uuid={uuid[:8]}"], env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if f"uuid={uuid}\n" not in done.stdout:
            raise RuntimeError(f"xe completion: {done.stderr or 'the uuid is not offered'}")
    offered = Row("completion of a uuid among 1,000 VMs, a process", "s", "limit", ("at most", 1))
    against_limit(rig.rounds, offered, lambda: median_of(5, lambda: stopwatch(complete)), 0.030, rig.progress)
    virsh = libvirt.virsh()
    row = Row("xe vm-list of 1,000 VMs, a process", "s", "virsh list --all", ("at most", 1))
    in_turns(rig.rounds, row, lambda: median_of(5, lambda: stopwatch(ours)),
             lambda: median_of(3, lambda: stopwatch(libvirt.run, virsh, "list", "--all")), rig.progress)
    return [limit, offered, row]


def answer_time(daemons):
    """Seconds from starting the API daemon to its first answer to a call."""
    daemons.stop(("xapi",))
    begin = time.perf_counter()
    daemons.start_xapi()
    while True:
        try:
            RawClient(daemons.socket).close()
            return time.perf_counter() - begin
        except OSError:
            if time.perf_counter() - begin > 60 or daemons.xapi.poll() is not None:
                raise
            time.sleep(0.0005)


def memory(process):
    """Resident bytes."""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def restart(rig):
    assert len(rig.vms) == VMS
    empty = Daemons(rig.scratch("empty"))
    empty.start()
    more = Row("daemon start, 1,000 VMs, beyond an empty start", "s", "limit", ("at most", 1))
    rss = Row("memory of the daemon, 1,000 VMs, just started", "B", "limit", ("at most", 1))
    rows = [more, rss]
    try:
        libvirt = rig.peer(Libvirt)
        rows.append(Row("daemon start to the first answer, 1,000 VMs", "s", "libvirtd", ("at most", 1)))
        rows.append(Row("memory of both daemons, 1,000 VMs, just started", "B", "libvirtd", ("at most", 1)))
    except Missing:
        libvirt = None
    try:
        for i in range(rig.rounds):
            rig.progress(f"{more.name}: round {i + 1} of {rig.rounds}")
            full, none = answer_time(rig.daemons), answer_time(empty)
            more.add(max(full - none, 0.0), 0.05)
            more.note = f"last: {full * 1e3:.0f} ms, empty {none * 1e3:.0f} ms"
            rss.add(memory(rig.daemons.xapi), 48 << 20)
            if libvirt:
                rows[2].add(full, libvirt.answer_time())
                rows[3].add(memory(rig.daemons.xapi) + memory(rig.daemons.hostd), memory(libvirt.process))
    finally:
        empty.stop()
        rig.reconnect()
    return rows


ROWS = {"xe": xe_list, "restart": restart}
