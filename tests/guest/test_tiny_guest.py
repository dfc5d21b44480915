# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real Linux guest, from import to the end, through the API only."""

import hashlib
import os
import signal
import socket
import time

from conftest import console_of, export_raw

READY = "XENOLITH-TINY READY"


def booted(daemons, xen, vm):
    xen.VM.start(vm, False, False)
    console = console_of(daemons, xen, vm)
    console.wait(READY)
    console.wait(r"counter \d+\r?\n")
    return console


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_import_is_exact(daemons, xen, guest, tiny, tmp_path):
    export_raw(daemons, xen, guest[1], tmp_path / "out.raw")
    want = tiny / "disk.raw"
    with open(tmp_path / "out.raw", "r+b") as file:
        file.truncate(os.path.getsize(want))  # the disk may have been rounded up
    assert checksum(tmp_path / "out.raw") == checksum(want)


def test_boot_console_and_clean_shutdown(daemons, xen, guest):
    console = booted(daemons, xen, guest[0])
    first = console.counter()
    time.sleep(3)
    assert console.counter() > first
    xen.VM.clean_shutdown(guest[0])
    assert xen.VM.get_power_state(guest[0]) == "Halted"
    console.close()


def test_reboots(daemons, xen, guest):
    console = booted(daemons, xen, guest[0])
    mark = len(console.text)
    xen.VM.clean_reboot(guest[0])
    console.wait(READY, start=mark)
    mark = len(console.text)
    xen.VM.hard_reboot(guest[0])
    console.wait(READY, start=mark)
    console.close()


def test_pause_stops_the_counter(daemons, xen, guest):
    console = booted(daemons, xen, guest[0])
    xen.VM.pause(guest[0])
    time.sleep(0.5)
    before = console.counter()
    time.sleep(3)
    assert console.counter() == before
    xen.VM.unpause(guest[0])
    console.wait(rf"counter {before + 1}\r?\n", timeout=20)
    console.close()


def test_suspend_and_resume_go_on_counting(daemons, xen, guest):
    console = booted(daemons, xen, guest[0])
    console.wait(r"counter [3-9]\r?\n")
    before = console.counter()
    xen.VM.suspend(guest[0])
    assert xen.VM.get_power_state(guest[0]) == "Suspended"
    console.close()
    xen.VM.resume(guest[0], False, False)
    console = console_of(daemons, xen, guest[0])
    console.wait(rf"counter {before + 3}\r?\n", timeout=60)
    assert READY not in console.text[console.text.rfind(f"counter {before}"):]
    console.close()


def test_guest_outlives_both_daemons(daemons, xen, guest):
    console = booted(daemons, xen, guest[0])
    before = console.counter()
    domid = xen.VM.get_domid(guest[0])
    for which, sig in ((("xapi",), signal.SIGKILL), (("hostd",), signal.SIGKILL), (("xapi", "hostd"), signal.SIGKILL),
                       (("xapi", "hostd"), signal.SIGTERM)):
        daemons.stop(which, sig)
        time.sleep(1)
        assert daemons.verify() == {}
        if "hostd" in which:
            daemons.start_hostd()
        if "xapi" in which:
            daemons.start_xapi()
        xen.session = daemons.ready().session
        assert xen.VM.get_power_state(guest[0]) == "Running"
        assert xen.VM.get_domid(guest[0]) == domid
        console = console_of(daemons, xen, guest[0])
        console.wait(rf"counter {before + 1}\r?\n", timeout=60)
        assert READY not in console.text[console.text.rfind("counter 1\n"):] or console.counter() > before
        before = console.counter()
        assert daemons.verify() == {}
    xen.VM.clean_shutdown(guest[0])
    assert xen.VM.get_power_state(guest[0]) == "Halted"


def test_a_disk_in_use_is_exported_after_a_restart_of_hostd(daemons, xen, guest, tmp_path):
    """The guest's QEMU already serves disks then, with and without a socket that leads to it."""
    booted(daemons, xen, guest[0]).close()
    size = int(xen.VDI.get_virtual_size(guest[1]))
    for sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        export_raw(daemons, xen, guest[1], tmp_path / "out.raw")
        assert os.path.getsize(tmp_path / "out.raw") == size
        daemons.stop(("hostd",), sig)
        if sig == signal.SIGTERM:
            for leftover in (daemons.state / "run" / "storage").glob("nbd-*"):
                leftover.unlink()
        daemons.start_hostd()
    export_raw(daemons, xen, guest[1], tmp_path / "out.raw")
    xen.VM.hard_shutdown(guest[0])
    assert not list((daemons.state / "run" / "storage").glob("nbd-*"))


def test_snapshot_under_a_running_guest_and_revert(daemons, xen, guest, tmp_path):
    console = booted(daemons, xen, guest[0])
    snapshot = xen.VM.snapshot(guest[0], "before")
    record = xen.VM.get_record(snapshot)
    assert record["is_a_snapshot"] and record["snapshot_of"] == guest[0] and record["power_state"] == "Halted"
    now = console.counter()
    console.wait(rf"counter {now + 2}\r?\n", timeout=30)
    (frozen,) = [xen.VBD.get_VDI(b) for b in record["VBDs"]]
    export_raw(daemons, xen, frozen, tmp_path / "frozen.raw")
    assert os.path.getsize(tmp_path / "frozen.raw") == int(xen.VDI.get_virtual_size(frozen))
    xen.VM.hard_shutdown(guest[0])
    xen.VM.revert(snapshot)
    assert xen.VM.get_power_state(guest[0]) == "Halted"
    booted(daemons, xen, guest[0]).close()
    xen.VM.hard_shutdown(guest[0])
    xen.VM.destroy(snapshot)
    xen.VDI.destroy(frozen)


def test_checkpoint_goes_back_in_time(daemons, xen, guest):
    console = booted(daemons, xen, guest[0])
    console.wait(r"counter [3-9]\r?\n")
    checkpoint = xen.VM.checkpoint(guest[0], "with memory")
    then = console.counter()
    console.close()
    console = console_of(daemons, xen, guest[0])
    console.wait(rf"counter {then + 6}\r?\n", timeout=60)
    console.close()
    xen.VM.revert(checkpoint)
    assert xen.VM.get_power_state(guest[0]) == "Suspended"
    xen.VM.resume(guest[0], False, False)
    console = console_of(daemons, xen, guest[0])
    console.wait(rf"counter {then + 2}\r?\n", timeout=60)
    assert READY not in console.text and console.counter() < then + 6
    console.close()
    memory = xen.VM.get_suspend_VDI(checkpoint)
    (frozen,) = [xen.VBD.get_VDI(b) for b in xen.VM.get_VBDs(checkpoint)]
    xen.VM.destroy(checkpoint)
    xen.VDI.destroy(memory)
    xen.VDI.destroy(frozen)


def test_clone_is_independent(daemons, xen, guest):
    clone = xen.VM.clone(guest[0], "copy")
    try:
        console = booted(daemons, xen, clone)
        console.close()
        assert xen.VM.get_power_state(guest[0]) == "Halted"
    finally:
        disks = [xen.VBD.get_VDI(b) for b in xen.VM.get_VBDs(clone)]
        xen.VM.hard_shutdown(clone)
        xen.VM.destroy(clone)
        for vdi in disks:
            xen.VDI.destroy(vdi)


def test_vnc_speaks_rfb(daemons, xen, guest):
    xen.VM.start(guest[0], False, False)
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(str(daemons.socket))
    s.sendall(f"CONNECT /console?ref={guest[0]} HTTP/1.0\r\n\r\n".encode())
    data = b""
    while b"RFB " not in data:
        got = s.recv(4096)
        assert got, data
        data += got
    s.close()


def test_killed_qemu_is_noticed(daemons, xen, guest):
    booted(daemons, xen, guest[0]).close()
    uuid = xen.VM.get_uuid(guest[0])
    (pid,) = [int(p) for p in os.listdir("/proc") if p.isdigit() and is_guest(p, uuid)]
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while xen.VM.get_power_state(guest[0]) != "Halted" and time.monotonic() < end:
        time.sleep(0.1)
    assert xen.VM.get_power_state(guest[0]) == "Halted"
    booted(daemons, xen, guest[0]).close()


def is_guest(pid, uuid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            line = words.read()
    except OSError:
        return False
    return line.startswith(b"qemu-system") and uuid.encode() in line
