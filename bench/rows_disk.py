# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks in and out over HTTP, against the tools that do the same on the same bytes."""

import os
import socket
import subprocess

from conftest import Daemons
from measure import Row, in_turns, stopwatch
from rig import RawClient, need, new_disk

MIB = 1 << 20
CHUNK = MIB // 4


class DiskRig:
    """A pair of daemons with real disks, and a file of bytes that neither compress nor repeat within a block."""

    def __init__(self, rig):
        need("qemu-system-x86_64", "qemu-system-x86")
        self.qemu_img = need("qemu-img", "qemu-utils")
        self.size = (256 if rig.quick else 1024) * MIB
        where = rig.scratch("disks")
        self.raw, self.directory = where / "disk.raw", where
        block = os.urandom(16 * MIB)
        with open(self.raw, "wb") as out:
            for i in range(0, self.size, len(block)):
                out.write(i.to_bytes(8, "big") + block[8:])
        state = where / "state"
        state.mkdir()
        rig.progress("starting the daemons on real disks")
        self.daemons = Daemons(state, hv="qemu")
        self.daemons.start()
        self.client = RawClient(self.daemons.socket)
        self.sr = self.client.xen("pool.get_default_SR", self.client.xen("pool.get_all")[0])

    def new_disk(self):
        return new_disk(self.client, self.sr, self.size)

    def destroy(self, vdi):
        self.client.xen("VDI.destroy", vdi)

    def image(self, vdi):
        """The file that holds a disk."""
        return next(self.daemons.state.rglob(f"{self.client.xen('VDI.get_uuid', vdi)}.qcow2"))

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(self.daemons.socket))
        return s

    def put(self, vdi):
        """The daemon says 200 before the bytes come; the task tells the end."""
        task = self.client.xen("task.create", "import", "")
        with self.connect() as s, open(self.raw, "rb") as source:
            s.sendall(f"PUT /import_raw_vdi?vdi={vdi}&session_id={self.client.session}&task_id={task}&format=raw"
                      f" HTTP/1.1\r\nHost: x\r\nContent-Length: {self.size}\r\n\r\n".encode())
            answer = s.recv(4096)
            if b" 200 " not in answer[:16]:
                raise RuntimeError(answer[:200].decode(errors="replace"))
            s.sendfile(source)
            self.await_task(task)

    def await_task(self, task):
        token = ""
        while (record := self.client.xen("task.get_record", task))["status"] == "pending":
            token = self.client.xen("event.from", [f"task/{task}"], token, 5.0)["token"]
        self.client.xen("task.destroy", task)
        if record["status"] != "success":
            raise RuntimeError(" ".join(record["error_info"]))

    def get(self, vdi):
        buffer, have = bytearray(CHUNK), 0
        with self.connect() as s:
            s.sendall(f"GET /export_raw_vdi?vdi={vdi}&session_id={self.client.session}&format=raw HTTP/1.0\r\n"
                      "Host: x\r\n\r\n".encode())
            while n := s.recv_into(buffer):
                have += n
        if have < self.size:
            raise RuntimeError(f"{have} bytes of a disk of {self.size}")

    def close(self):
        self.client.close()
        self.daemons.stop()


def run(*command):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")


def disk_import(rig):
    disks = rig.peer(DiskRig)

    def ours():
        vdi = disks.new_disk()
        took = stopwatch(disks.put, vdi)
        disks.destroy(vdi)
        return disks.size / took

    def theirs():
        out = disks.directory / "copy.qcow2"

        def convert():
            run(disks.qemu_img, "convert", "-f", "raw", "-O", "qcow2", disks.raw, out)
            with open(out, "rb") as written:
                os.fsync(written.fileno())
        took = stopwatch(convert)
        out.unlink()
        return disks.size / took
    row = Row("import of a disk", "B/s", "qemu-img convert + fsync", ("at least", 0.8))
    return [in_turns(rig.rounds, row, ours, theirs, rig.progress)]


def disk_export(rig):
    disks = rig.peer(DiskRig)
    nbdcopy, server = need("nbdcopy", "libnbd-bin"), need("qemu-nbd", "qemu-utils")
    vdi = disks.new_disk()
    disks.put(vdi)
    image = disks.image(vdi)
    row = Row("export of a disk", "B/s", "nbdcopy from qemu-nbd to null", ("at least", 0.9))
    in_turns(rig.rounds, row, lambda: disks.size / stopwatch(disks.get, vdi),
             lambda: disks.size / stopwatch(run, nbdcopy, "--", "[", server, "-r", "-f", "qcow2", image, "]", "null:"),
             rig.progress)
    disks.destroy(vdi)
    return [row]


ROWS = {"import": disk_import, "export": disk_export}
