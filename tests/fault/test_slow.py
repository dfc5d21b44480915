# SPDX-License-Identifier: LGPL-2.1-or-later
"""Children that hang, clients that crawl: whoever has nothing to do with them goes on unharmed."""

import os
import socket
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "crash")]

from bed import Bed, XenError  # noqa: E402
from scenarios import halted  # noqa: E402
from vms import default_sr, new_vdi  # noqa: E402

HUNG = "#!/bin/sh\n# Takes its arguments and never ends.\nwhile true; do sleep 1000; done\n"
# Says how far it is, as qemu-img does, and never gets further.
CRAWLING = "#!/bin/sh\nwhile printf '    (1.00/100%%)\\r'; do sleep 0.1; done\n"


class HungBed(Bed):
    """hostd finds programs of ours before those of the system."""

    def hang(self, *programs, how=HUNG):
        self.folder = folder = self.state / "hung"
        folder.mkdir()
        for name in programs:
            (folder / name).write_text(how)
            (folder / name).chmod(0o755)
        self.fault["xenolith-hostd"] = {"PATH": f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"}

    def children(self):
        """Process ids of the hung programs that live."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue  # it has ended
            found += [pid] * (os.fsencode(self.folder) + b"/" in words)
        return found

    def wait_children(self, some, limit=20):
        end = time.monotonic() + limit
        while bool(self.children()) != some:
            assert time.monotonic() < end, self.children()
            time.sleep(0.01)


@pytest.fixture
def bed():
    b = HungBed()
    try:
        yield b
    finally:
        b.sweep()
        b.close()


def answers_soon(bed, seconds=2.0):
    """Calls of all kinds, none of which has to do with the disk in question."""
    xen, begin = bed.client(), time.monotonic()
    vm = halted(xen)
    xen.VM.start(vm, False, False)
    xen.VM.hard_shutdown(vm)
    xen.VM.destroy(vm)
    xen.VDI.destroy(new_vdi(xen))
    assert len(xen.VM.get_all_records()) > 10
    assert time.monotonic() - begin < seconds


def test_a_hung_copy_holds_nobody_up_and_can_be_cancelled(bed):
    bed.hang("qemu-img")
    xen = bed.start()
    vdi = new_vdi(xen)
    task = xen.call("Async.VDI.copy", vdi, default_sr(xen), "OpaqueRef:NULL", "OpaqueRef:NULL")
    bed.wait_children(True)
    answers_soon(bed)
    xen.task.cancel(task)
    with pytest.raises(XenError, match="TASK_CANCELLED"):
        xen.wait(task)
    bed.wait_children(False)
    bed.settle(xen)
    assert [v for v in xen.VDI.get_all() if xen.VDI.get_managed(v)] == [vdi]
    bed.check(xen)


def test_a_hung_copy_does_not_outlive_hostd(bed):
    bed.hang("qemu-img", how=CRAWLING)
    xen = bed.start()
    vdi = new_vdi(xen)
    task = xen.call("Async.VDI.copy", vdi, default_sr(xen), "OpaqueRef:NULL", "OpaqueRef:NULL")
    bed.wait_children(True)
    bed.fault.clear()
    bed.kill("hostd")
    bed.start_again("hostd")
    assert "OpaqueRef" in xen.wait(task)  # made again, by a program that works
    bed.wait_children(False)
    bed.check(xen)


def crawl(bed, text):
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(bed.socket))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.sendall(text)
    return s


def test_clients_that_read_nothing_hold_nobody_up(bed):
    """As many as the poller threads, and more; each has asked for more than any buffer takes."""
    xen = bed.start()
    for i in range(60):
        xen.VM.clone(xen.VM.get_by_name_label("Other install media")[0], f"much to tell {i}")
    body = b'{"jsonrpc":"2.0","id":1,"method":"VM.get_all_records","params":["%s"]}' % xen.session.encode()
    ask = b"POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    slow = [crawl(bed, ask * 20) for _ in range(40)]
    half = [crawl(bed, ask[:n]) for n in (3, 30, len(ask) - 5)]
    try:
        answers_soon(bed)
        assert all(len(s.recv(1)) == 1 for s in slow)  # a byte at a time is served as well
        answers_soon(bed)
        for s, n in zip(half, (3, 30, len(ask) - 5)):
            s.sendall(ask[n:])
            s.settimeout(10)
            assert s.recv(12).endswith(b" 200")
    finally:
        for s in slow + half:
            s.close()
    bed.settle(xen)
    bed.check(xen)


def test_a_listener_that_sleeps_holds_nobody_up(bed):
    xen = bed.start()
    body = b'{"jsonrpc":"2.0","id":1,"method":"event.from","params":["%s",["*"],"",30.0]}' % xen.session.encode()
    ask = b"POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    asleep = [crawl(bed, ask) for _ in range(40)]
    try:
        for _ in range(3):
            answers_soon(bed)
    finally:
        for s in asleep:
            s.close()
    bed.check(xen)
