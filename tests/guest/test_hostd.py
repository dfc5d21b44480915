# SPDX-License-Identifier: LGPL-2.1-or-later
"""xenolith-hostd alone, over its own protocol, with real guests on disks it keeps: what survives its death."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import pytest

from conftest import api

# Of the host protocol this build speaks: hostd serves nobody who does not say it first.
DIGEST = re.search(r'define HOST_PROTO_DIGEST "(\w+)"', (api.BUILD / "gen/host_proto.h").read_text()).group(1)

READY = "XENOLITH-TINY READY"
MIB = 1 << 20
SR = "aaaaaaaa-0000-4000-8000-000000000001"


class HostError(Exception):
    pass


class Hostd:
    """The daemon and one connection to it."""

    def __init__(self, state):
        self.state = Path(state)
        self.log = open(self.state / "hostd.log", "ab")
        self.process = self.connection = None
        self.events, self.next_id = [], 1

    def start(self):
        self.process = subprocess.Popen([api.PROGRAMS["xenolith-hostd"], "--state", self.state, "--hv", "qemu",
                                         "--merge-pause", "1"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 60
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(str(self.state / "run" / "hostd"))
                break
            except OSError:
                s.close()
                assert self.process.poll() is None and time.monotonic() < end, self.said()
                time.sleep(0.02)  # a socket file gives no notice of itself
        s.settimeout(180)
        self.connection, self.events = s, []
        self.call("hello", version="tests", schema=DIGEST)

    def said(self):
        return (self.state / "hostd.log").read_text(errors="replace")[-3000:]

    def end(self, sig):
        self.process.send_signal(sig)
        self.process.wait(60)
        self.connection.close()

    def _exactly(self, n):
        data, fds = b"", []
        while len(data) < n:
            got, more, _, _ = socket.recv_fds(self.connection, n - len(data), 16)
            if not got:
                raise ConnectionError("hostd closed the connection")
            data += got
            fds += more
        return data, fds

    def _receive(self):
        head, fds = self._exactly(4)
        return json.loads(self._exactly(int.from_bytes(head, "little"))[0]), fds

    def send(self, call, args):
        id_, self.next_id = self.next_id, self.next_id + 1
        text = json.dumps({"id": id_, "call": call, "args": args}).encode()
        self.connection.sendall(len(text).to_bytes(4, "little") + text)
        return id_

    def call(self, call, **args):
        return self.call_fds(call, **args)[0]

    def call_fds(self, call, **args):
        id_ = self.send(call, args)
        while True:
            answer, fds = self._receive()
            if "event" in answer:
                self.events.append(answer["event"])
            elif answer["id"] == id_:
                if "error" in answer:
                    raise HostError(json.dumps(answer["error"]))
                return answer["result"], fds

    def state_of(self, vm):
        found = self.call("vm_query", uuid=vm)["domains"]
        return (found[0]["state"], found[0]["stop"]) if found else None

    def wait_state(self, vm, want, limit=90):
        end = time.monotonic() + limit
        while self.state_of(vm) != want:
            assert time.monotonic() < end, (self.state_of(vm), self.said())
            time.sleep(0.05)

    def console(self, vm):
        _, fds = self.call_fds("vm_console", uuid=vm, kind="serial")
        return socket.socket(fileno=fds[0])


def read_until(s, pattern, limit=120):
    text, end = "", time.monotonic() + limit
    s.settimeout(1)
    while time.monotonic() < end:
        try:
            got = s.recv(65536)
        except TimeoutError:
            continue
        assert got, text[-2000:]
        text += got.decode(errors="replace").replace("\0", "")
        found = re.search(pattern, text)
        if found:
            return found
    raise AssertionError(f"no {pattern!r} in {text[-2000:]}")


@pytest.fixture
def hostd(tiny):
    state = tempfile.mkdtemp(prefix="xenolith-hostd-")
    h = Hostd(state)
    try:
        h.start()
        h.call("sr_create", uuid=SR, type="file")
        h.call("sr_attach", uuid=SR, type="file")
        yield h
        for domain in h.call("vm_list")["domains"]:
            h.call("vm_destroy", uuid=domain["uuid"])
        h.end(signal.SIGTERM)
        assert h.process.returncode == 0, h.said()
        assert "Sanitizer" not in h.said(), h.said()
    finally:
        if h.process.poll() is None:
            h.process.kill()
            h.process.wait()
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
def disk(hostd, tiny):
    """A raw VDI with the tiny guest on it."""
    vdi = str(uuid.uuid4())
    source = tiny / "disk.raw"
    hostd.call("vdi_create", sr=SR, uuid=vdi, virtual_size=os.path.getsize(source), format="raw")
    image = hostd.state / "sr" / SR / f"{vdi}.raw"  # a link kept for people
    with open(image, "r+b") as out:
        out.write(source.read_bytes())
    return vdi


def start(hostd, vm, disk, **more):
    return hostd.call("vm_start", uuid=vm, name="guest", memory_max=128 * MIB, memory_target=128 * MIB, vcpus_max=1,
                      vcpus=1, disks=[{"device": 0, "sr": SR, "vdi": disk, "bootable": True}],
                      nics=[{"device": 0, "mac": "52:54:00:12:34:56", "bridge": "xenbr0"}], **more)


def boot(hostd, vm, disk):
    record = start(hostd, vm, disk)["record"]
    console = hostd.console(vm)
    hostd.call("vm_unpause", uuid=vm)
    read_until(console, READY)
    return console, record


def test_killed_hostd_finds_its_guest_again(hostd, disk):
    vm = str(uuid.uuid4())
    boot(hostd, vm, disk)
    pid = int((hostd.state / "run" / "vm" / vm / "pid").read_text())
    before = hostd.call("vm_query", uuid=vm)["domains"][0]
    hostd.end(signal.SIGKILL)
    os.kill(pid, 0)
    hostd.start()
    after = hostd.call("vm_query", uuid=vm)["domains"][0]
    assert after == before | {"memory_actual": after["memory_actual"]}
    # The console goes on, what was said before the fall is still there, and so are the disks.
    console = hostd.console(vm)
    read_until(console, READY)
    read_until(console, r"counter \d+\r?\n")
    with pytest.raises(HostError, match="VDI_IN_USE"):
        hostd.call("vdi_destroy", sr=SR, uuid=disk)
    snapshot = str(uuid.uuid4())
    hostd.call("vdi_snapshot", sr=SR, uuid=disk, snapshot=snapshot)
    hostd.call("vm_signal", uuid=vm, signal="poweroff")
    hostd.wait_state(vm, ("stopped", "poweroff"))
    hostd.call("vm_destroy", uuid=vm)
    assert hostd.state_of(vm) is None
    hostd.call("vdi_destroy", sr=SR, uuid=disk)


def test_guest_stops_while_nobody_looks(hostd, disk):
    vm = str(uuid.uuid4())
    boot(hostd, vm, disk)
    pid = int((hostd.state / "run" / "vm" / vm / "pid").read_text())
    hostd.call("vm_signal", uuid=vm, signal="poweroff")
    hostd.end(signal.SIGKILL)
    hostd.start()
    hostd.wait_state(vm, ("stopped", "poweroff"))
    # Its process is kept until somebody has read why, and may be killed by anyone meanwhile.
    os.kill(pid, signal.SIGKILL)
    hostd.call("vm_destroy", uuid=vm)
    hostd.call("vdi_destroy", sr=SR, uuid=disk)


def test_guest_dies_while_nobody_looks(hostd, disk):
    vm = str(uuid.uuid4())
    boot(hostd, vm, disk)
    pid = int((hostd.state / "run" / "vm" / vm / "pid").read_text())
    hostd.end(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    hostd.start()
    hostd.wait_state(vm, ("stopped", "lost"))
    hostd.call("vm_destroy", uuid=vm)
    boot(hostd, vm, disk)


def test_suspend_to_a_disk_and_resume(hostd, disk):
    vm, memory = str(uuid.uuid4()), str(uuid.uuid4())
    console, record = boot(hostd, vm, disk)
    read_until(console, "counter 3")
    hostd.call("vdi_create", sr=SR, uuid=memory, virtual_size=64 * MIB, format="raw")
    with pytest.raises(HostError, match="may need"):
        hostd.call("vm_suspend", uuid=vm, sr=SR, vdi=memory)
    read_until(console, r"counter \d+\r?\n")
    hostd.call("vdi_resize", sr=SR, uuid=memory, virtual_size=256 * MIB)
    hostd.call("vm_suspend", uuid=vm, sr=SR, vdi=memory)
    assert hostd.state_of(vm) is None
    hostd.call("vm_suspend", uuid=vm, sr=SR, vdi=memory)  # asked again: it is done
    hostd.end(signal.SIGTERM)
    hostd.start()
    other = str(uuid.uuid4())
    with pytest.raises(HostError, match="holds no memory"):
        start(hostd, other, disk, record=record, suspend_sr=SR, suspend_vdi=memory)
    assert hostd.state_of(other) is None
    start(hostd, vm, disk, record=record, suspend_sr=SR, suspend_vdi=memory)
    console = hostd.console(vm)
    hostd.call("vm_unpause", uuid=vm)
    # It counts on; a guest that had booted anew would begin with READY and 0.
    assert int(read_until(console, r"counter (\d+)\r?\n").group(1)) >= 3
    hostd.call("vdi_destroy", sr=SR, uuid=memory)


def test_disks_come_and_go(hostd, disk):
    vm, extra, medium = (str(uuid.uuid4()) for _ in range(3))
    boot(hostd, vm, disk)
    hostd.call("vdi_create", sr=SR, uuid=extra, virtual_size=8 * MIB)
    for _ in range(2):  # each call may be repeated
        hostd.call("vm_attach_disk", uuid=vm, disk={"device": 1, "sr": SR, "vdi": extra})
    with pytest.raises(HostError, match="VDI_IN_USE"):
        hostd.call("vdi_destroy", sr=SR, uuid=extra)
    hostd.end(signal.SIGKILL)
    hostd.start()
    assert sorted(hostd.call("vm_query", uuid=vm)["domains"][0]["disks"]) == [0, 1]
    hostd.call("vdi_snapshot", sr=SR, uuid=extra, snapshot=medium)
    for _ in range(2):
        hostd.call("vm_detach_disk", uuid=vm, device=1)
    hostd.call("vdi_destroy", sr=SR, uuid=extra)
    # The same device again, with another disk; and an optical drive with media.
    hostd.call("vm_attach_disk", uuid=vm, disk={"device": 3, "cd": True, "sr": SR, "vdi": medium})
    hostd.call("vm_change_media", uuid=vm, disk={"device": 3, "cd": True})
    hostd.call("vdi_destroy", sr=SR, uuid=medium)


def test_images_are_merged_under_the_guest(hostd, disk):
    vm = str(uuid.uuid4())
    console, _ = boot(hostd, vm, disk)
    for _ in range(3):
        snapshot = str(uuid.uuid4())
        hostd.call("vdi_snapshot", sr=SR, uuid=disk, snapshot=snapshot)
        hostd.call("vdi_destroy", sr=SR, uuid=snapshot)
    end = time.monotonic() + 60
    while [v for v in hostd.call("sr_scan", uuid=SR)["vdis"] if not v["managed"]]:
        assert time.monotonic() < end, hostd.call("sr_scan", uuid=SR)
        time.sleep(0.2)
    read_until(console, r"counter \d+\r?\n")
    assert hostd.state_of(vm) == ("running", "")


def test_start_that_fails_lets_go_of_its_disks(hostd, disk):
    vm = str(uuid.uuid4())
    missing = [{"device": 0, "sr": SR, "vdi": disk}, {"device": 1, "sr": SR, "vdi": str(uuid.uuid4())}]
    with pytest.raises(HostError, match="VDI_MISSING"):
        hostd.call("vm_start", uuid=vm, memory_max=128 * MIB, memory_target=128 * MIB, vcpus_max=1, vcpus=1,
                   disks=missing)
    with pytest.raises(HostError, match="INVALID_VALUE"):
        hostd.call("vm_start", uuid=vm, memory_max=1, memory_target=1, vcpus_max=1, vcpus=1, disks=missing[:1])
    for bad in ("../../etc/passwd", "/boot/vmlinuz", ".hidden", ""):
        with pytest.raises(HostError, match="INVALID_VALUE"):
            hostd.call("vm_start", uuid=vm, memory_max=128 * MIB, memory_target=128 * MIB, vcpus_max=1, vcpus=1,
                       firmware="direct", kernel=bad)
    hostd.call("vdi_destroy", sr=SR, uuid=disk)


def test_a_guests_program_is_confined(hostd, disk):
    """No capability, nothing gained, a list of system calls, no terminal, no descriptor of hostd's."""
    vm = str(uuid.uuid4())
    start(hostd, vm, disk)
    pid = int((hostd.state / "run/vm" / vm / "pid").read_text())
    with open(f"/proc/{pid}/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    assert [int(status[w], 16) for w in ("CapPrm", "CapEff", "CapInh", "CapAmb")] == [0, 0, 0, 0]
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    with open(f"/proc/{pid}/stat") as f:
        assert f.read().rpartition(")")[2].split()[4] == "0"  # the controlling terminal
    with open(f"/proc/{pid}/environ") as f:
        assert {v.partition("=")[0] for v in f.read().split("\0") if v} <= {
            "PATH", "HOME", "TMPDIR", "LANG", "XDG_RUNTIME_DIR", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}
    opened = {os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
    assert not any(str(hostd.state) in name and vm not in name and "/sr/" not in name for name in opened), opened
    hostd.call("vm_destroy", uuid=vm)
