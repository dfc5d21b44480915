# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMU processes: start, end, a storm of them, snapshots of their disks. The guests are bare machines that wait
at their first instruction, so what counts is what the platform adds to QEMU."""

import concurrent.futures
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import time

from measure import Row, against_limit, in_turns, stopwatch
from peers import Libvirt
from rig import Daemons, Missing, RawClient, need, new_disk
from rows_process import memory

MEMORY = 64 << 20
STORM = 100
AT_ONCE = 8


class Machines:
    """Our daemons with the qemu driver, and VMs without devices of their own."""

    def __init__(self, rig):
        need("qemu-system-x86_64", "qemu-system-x86")
        rig.progress("starting the daemons on QEMU")
        self.daemons = Daemons(rig.scratch("machines"), hv="qemu")
        self.daemons.start()
        self.client = RawClient(self.daemons.socket)
        self.vms = []
        self.scratch = rig.scratch("by-hand")
        self.argv = None

    def some(self, n):
        """References of n halted VMs."""
        xen = self.client.xen
        template = xen("VM.get_by_name_label", "Other install media")[0]
        while len(self.vms) < n:
            vm = xen("VM.clone", template, f"machine {len(self.vms)}")
            xen("VM.set_is_a_template", vm, False)
            xen("VM.set_memory_limits", vm, *[str(MEMORY)] * 4)
            self.vms.append(vm)
        return self.vms[:n]

    def directory(self, vm):
        return self.daemons.state / "run" / "vm" / self.client.xen("VM.get_uuid", vm)

    def learn(self):
        """The argument vector of a QEMU of ours, to start the same by hand."""
        if self.argv is None:
            vm = self.some(1)[0]
            self.client.xen("VM.start", vm, True, False)
            where = self.directory(vm)
            pid = json.loads((where / "launch.json").read_text())["pid"]
            with open(f"/proc/{pid}/cmdline", "rb") as words:
                self.argv = [os.fsdecode(word) for word in words.read().split(b"\0")[:-1]]
            self.learnt_in = str(where)
            self.client.xen("VM.hard_shutdown", vm)
        return self.argv

    def close(self):
        self.client.close()
        self.daemons.stop()
        self.daemons.sweep()


class ByHand:
    """QEMU with the argument vector that ours has, in a directory of its own."""

    def __init__(self, machines, n):
        self.where = machines.scratch / str(n)
        shutil.rmtree(self.where, ignore_errors=True)
        self.where.mkdir(parents=True)
        self.argv = [word.replace(machines.learnt_in, str(self.where)) for word in machines.learn()]
        self.sockets = {}
        for i, word in enumerate(self.argv):
            if found := re.match(r"socket,id=(\w+),fd=(\d+),server=on", word):
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(str(self.where / found[1]))
                listener.listen(1)
                listener.setblocking(False)
                self.sockets[found[1]] = listener
                self.argv[i] = word.replace(f"fd={found[2]},", f"fd={listener.fileno()},")

    def qmp(self, *commands):
        """Commands, with arguments as a pair; the answer to the last one."""
        for command in commands:
            name, arguments = command if isinstance(command, tuple) else (command, {})
            self.control.write(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        self.control.flush()
        for _ in commands:
            while "return" not in (answer := json.loads(self.control.readline())):
                if "error" in answer:
                    raise RuntimeError(answer["error"]["desc"])
        return answer["return"]

    def start(self):
        """Until it says that it waits for its start."""
        with open(self.where / "log", "wb") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[s.fileno() for s in self.sockets.values()])
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(str(self.where / "qmp"))
        self.control = connection.makefile("rwb")
        connection.close()
        self.control.readline()  # the greeting
        if self.qmp("qmp_capabilities", "query-status")["status"] != "prelaunch":
            raise RuntimeError("QEMU by hand is not paused")

    def end(self):
        """Until the process is gone."""
        self.control.write(b'{"execute":"quit"}\n')
        self.control.flush()
        self.process.wait()

    def close(self):
        self.control.close()
        for s in self.sockets.values():
            s.close()


def by_hand(machines, n, workers):
    """Seconds in which n machines start, and in which they end."""
    some = [ByHand(machines, i) for i in range(n)]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        start = stopwatch(lambda: list(pool.map(ByHand.start, some)))
        end = stopwatch(lambda: list(pool.map(ByHand.end, some)))
    for one in some:
        one.close()
    return start, end


def ours(machines, n, workers, look=lambda: None):
    vms = machines.some(n)
    clients = [RawClient(machines.daemons.socket) for _ in range(workers)]

    def all_of(call):
        def some(k):
            for vm in vms[k::workers]:
                call(clients[k], vm)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            return stopwatch(lambda: list(pool.map(some, range(workers))))
    start = all_of(lambda client, vm: client.timed("VM.start", vm, True, False))
    look()
    end = all_of(lambda client, vm: client.timed("VM.hard_shutdown", vm))
    for client in clients:
        client.close()
    return start, end


def libvirt_or_none(rig):
    try:
        return rig.peer(Libvirt)
    except Missing:
        return None


ONES = 5  # machines in a round of single starts


def power(rig):
    """One machine after the other."""
    machines, libvirt = rig.peer(Machines), libvirt_or_none(rig)
    machines.learn()
    start = Row("VM.start, paused, on QEMU", "s", "the same QEMU by hand", ("at most", 1.3))
    start_peer = Row("VM.start, paused, on QEMU", "s", "libvirt start --paused", ("at most", 1))
    end = Row("VM.hard_shutdown beyond the process's own exit", "s", "limit", ("at most", 1))
    end_peer = Row("VM.hard_shutdown on QEMU", "s", "libvirt destroy", ("at most", 1))
    ours(machines, 1, 1), by_hand(machines, 1, 1)
    if libvirt:
        libvirt.power(1, 1)  # it looks once what QEMU can do
    for i in range(rig.rounds):
        rig.progress(f"{start.name}: round {i + 1} of {rig.rounds}")
        a, b = ours(machines, ONES, 1), by_hand(machines, ONES, 1)
        start.add(a[0] / ONES, b[0] / ONES)
        end.add(max(a[1] - b[1], 0) / ONES, 0.02)
        end.note = f"last: {a[1] / ONES * 1e3:.1f} ms, the process's own exit {b[1] / ONES * 1e3:.1f} ms"
        if libvirt:
            peer = libvirt.power(ONES, 1)
            start_peer.add(a[0] / ONES, peer["start"] / ONES)
            end_peer.add(a[1] / ONES, peer["destroy"] / ONES)
    return [start, end] + ([start_peer, end_peer] if libvirt else [])


def storm(rig):
    machines, libvirt = rig.peer(Machines), libvirt_or_none(rig)
    machines.learn()
    machines.some(STORM)
    hand = Row(f"{STORM} VMs started, {AT_ONCE} at a time, on QEMU", "s", "by hand", ("at most", 1.5))
    peer = Row(f"{STORM} VMs started, {AT_ONCE} at a time, on QEMU", "s", "libvirt", ("at most", 1))
    rss = Row(f"memory of the daemons, {STORM} VMs running", "B", "libvirtd, the same", ("at most", 1))
    sizes = []

    def look():
        sizes.append(memory(machines.daemons.xapi) + memory(machines.daemons.hostd))
    for i in range(1 if rig.quick else 3):
        rig.progress(f"{hand.name}: round {i + 1}")
        a = ours(machines, STORM, AT_ONCE, look)[0]
        hand.add(a, by_hand(machines, STORM, AT_ONCE)[0])
        if libvirt:
            rig.progress(f"{hand.name}: libvirt, round {i + 1}")
            got = libvirt.power(STORM, AT_ONCE)
            peer.add(a, got["start"])
            rss.add(sizes[-1], got["rss"])
    return [hand] + ([peer, rss] if libvirt else [])


# Snapshots of disks.

def _attach(client, vm, vdi, device):
    return client.xen("VBD.create", {
        "VM": vm, "VDI": vdi, "userdevice": str(device), "bootable": False, "mode": "RW", "type": "Disk",
        "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": "",
        "qos_algorithm_params": {}})


class Overlays:
    """Images one above the other, by qemu-img and by the QMP of a QEMU that was started by hand."""

    def __init__(self, rig, machines):
        self.qemu_img = need("qemu-img", "qemu-utils")
        self.where = rig.scratch("overlays")
        self.image("n0")
        self.qemu = ByHand(machines, "overlays")
        self.qemu.start()
        self.qemu.qmp(*self.opening("n0"))
        self.n = 0

    def image(self, name, *options):
        subprocess.run([self.qemu_img, "create", "-q", "-f", "qcow2", *options, str(self.where / name), "1G"],
                       stdin=subprocess.DEVNULL, check=True)

    def create(self):
        """Seconds in which qemu-img makes an overlay."""
        (self.where / "overlay").unlink(missing_ok=True)
        return stopwatch(self.image, "overlay", "-b", "n0", "-F", "qcow2")

    def opening(self, name):
        return (("blockdev-add", {"driver": "file", "node-name": f"{name}-file", "filename": str(self.where / name)}),
                ("blockdev-add", {"driver": "qcow2", "node-name": name, "file": f"{name}-file", "backing": None}))

    def switch(self):
        """Seconds in which a running QEMU opens an image that is there and goes over to it."""
        self.n += 1
        name = f"n{self.n}"
        self.image(name)
        return stopwatch(self.qemu.qmp, *self.opening(name),
                         ("blockdev-snapshot", {"node": f"n{self.n - 1}", "overlay": name}))

    def close(self):
        self.qemu.end()
        self.qemu.close()


def _snapshot_rows(rig, machines, overlays):
    client, rounds = machines.client, rig.rounds
    sr = client.xen("pool.get_default_SR", client.xen("pool.get_all")[0])
    vm = machines.some(1)[0]
    sizes = (("1 GiB", 1 << 30), ("100 GiB", 100 << 30))
    running = {size: new_disk(client, sr, size) for _, size in sizes}

    def snapshot(size, state):
        # The second snapshot of a disk at rest that nobody wrote to shares the first one's image: a new disk each time.
        vdi = new_disk(client, sr, size) if state == "at rest" else running[size]
        return client.timed("VDI.snapshot", vdi, {})

    def each(name, size, state):
        row = Row(f"snapshot of a disk of {name}, {state}", "s", "limit", ("at most", 1))
        return against_limit(rounds, row, lambda: snapshot(size, state), 0.01, rig.progress)

    def beside(state, peer, theirs):
        row = Row(f"snapshot of a disk of 1 GiB, {state}", "s", peer, None)
        return in_turns(rounds, row, lambda: snapshot(1 << 30, state), theirs, rig.progress)
    rows = [each(*one, "at rest") for one in sizes] + [beside("at rest", "qemu-img create -b", overlays.create)]
    vbds = [_attach(client, vm, vdi, i) for i, vdi in enumerate(running.values())]
    client.xen("VM.start", vm, False, False)
    try:
        rows += [each(*one, "of a running VM") for one in sizes]
        rows.append(beside("of a running VM", "QMP by hand, image made before", overlays.switch))
    finally:
        client.xen("VM.hard_shutdown", vm)
    for vbd in vbds:
        client.xen("VBD.destroy", vbd)
    return rows


def snapshots(rig):
    machines = rig.peer(Machines)
    machines.learn()
    overlays = Overlays(rig, machines)
    try:
        return _snapshot_rows(rig, machines, overlays)
    finally:
        overlays.close()


ROWS = {"power": power, "storm": storm, "snapshot": snapshots}
