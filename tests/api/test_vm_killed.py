# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMs copied or ended while the daemons are killed: afterwards there is the whole of it or nothing."""

import json
import signal
import socket
import time

import pytest

from conftest import NULL, XenError
from vms import GIB, MIB, default_sr, disks_of, new_disk, new_vdi, new_vm

# Milliseconds from the moment the operation shows to the kill: each meets another point of it.
DELAYS = (0, 2, 5, 9, 15, 25)


def settle(xen, vm, timeout=60):
    """Waits until nothing is under way any more."""
    token, end = "", time.monotonic() + timeout
    while xen.VM.get_current_operations(vm):
        assert time.monotonic() < end, xen.task.get_all_records()
        token = xen.call("event.from", ["vm", "task"], token, 1.0)["token"]


def managed(xen, sr):
    return {r for r, v in xen.VDI.get_all_records().items() if v["SR"] == sr and v["managed"]}


def kill(daemons, which, vm, xen, delay):
    end = time.monotonic() + 10
    while not xen.VM.get_current_operations(vm) and time.monotonic() < end:
        pass  # the operation may be over already: that is a case too
        if xen.VM.get_by_name_label("copy"):
            break
    time.sleep(delay / 1000)
    daemons.stop(which, signal.SIGKILL)
    for name in reversed(which):
        getattr(daemons, f"start_{name}")()
    return daemons.ready()


@pytest.mark.parametrize("which", [("xapi",), ("xapi", "hostd")], ids="+".join)
@pytest.mark.parametrize("op", ["snapshot", "clone", "copy"])
def test_copy_whole_or_not_at_all(fresh_daemons, op, which):
    xen = fresh_daemons.client()
    sr = default_sr(xen)
    vm = new_vm(xen, "source")
    for device in "012":
        new_disk(xen, vm, device, size=64 * MIB)
    for delay in DELAYS:
        before = managed(xen, sr)
        more = (NULL,) if op == "copy" else ()
        getattr(xen.Async.VM, op)(vm, "copy", *more)
        xen = kill(fresh_daemons, which, vm, xen, delay)
        settle(xen, vm)
        copies = xen.VM.get_by_name_label("copy")
        disks = set()
        assert len(copies) <= 1
        for copy in copies:
            disks = set(disks_of(xen, copy).values())
            assert len(disks) == 3
            xen.VM.destroy(copy)
        xen.SR.scan(sr)
        assert managed(xen, sr) == before | disks
        for vdi in disks:
            xen.VDI.destroy(vdi)
        assert xen.SR.get_current_operations(sr) == {}


@pytest.mark.parametrize("delay", DELAYS)
def test_revert_goes_on(fresh_daemons, delay):
    xen = fresh_daemons.client()
    sr = default_sr(xen)
    vm = new_vm(xen, "source")
    for device in "01":
        new_disk(xen, vm, device)
    snapshot = xen.VM.snapshot(vm, "then")
    disks = disks_of(xen, vm)
    xen.VM.set_memory(vm, str(GIB))
    xen.Async.VM.revert(snapshot)
    xen = kill(fresh_daemons, ("xapi",), vm, xen, delay)
    settle(xen, vm)
    assert disks_of(xen, vm) == disks and xen.VM.get_parent(vm) == snapshot
    assert xen.VM.get_memory_static_max(vm) == xen.VM.get_memory_static_max(snapshot)
    before = managed(xen, sr)
    xen.SR.scan(sr)
    assert managed(xen, sr) == before
    xen.VM.start(vm, False, False)


@pytest.mark.parametrize("delay", DELAYS)
def test_checkpoint_loses_no_guest(fresh_daemons, delay):
    xen = fresh_daemons.client()
    vm = new_vm(xen, "source")
    new_disk(xen, vm, "0")
    xen.VM.set_suspend_SR(vm, default_sr(xen))
    xen.VM.start(vm, False, False)
    xen.Async.VM.checkpoint(vm, "copy")
    xen = kill(fresh_daemons, ("xapi",), vm, xen, delay)
    settle(xen, vm)
    assert xen.VM.get_power_state(vm) == "Running"
    for copy in xen.VM.get_by_name_label("copy"):
        assert xen.VM.get_power_state(copy) == "Suspended"
        assert xen.VDI.get_type(xen.VM.get_suspend_VDI(copy)) == "suspend"
    assert xen.VM.get_suspend_VDI(vm) == NULL


def test_cancelled_copy_leaves_nothing(fresh_daemons, fails):
    xen = fresh_daemons.client()
    sr = default_sr(xen)
    vm = new_vm(xen, "source")
    for device in "0123":
        new_disk(xen, vm, device)
    before = managed(xen, sr)
    task = xen.Async.VM.copy(vm, "copy", NULL)
    while not xen.VM.get_current_operations(vm):
        pass
    xen.task.cancel(task)
    fails("TASK_CANCELLED", xen.wait, task)
    assert xen.VM.get_by_name_label("copy") == [] and managed(xen, sr) == before
    xen.SR.scan(sr)
    assert managed(xen, sr) == before
    assert xen.VM.get_current_operations(vm) == {}


@pytest.mark.parametrize("killed", [False, True])
def test_a_forced_shutdown_during_a_suspend(fresh_daemons, killed):
    """Whoever is first: the guest has ended, and neither its memory nor a record of it is left."""
    d = fresh_daemons
    xen = d.ready()
    vm = new_vm(xen, "goes to sleep")
    xen.VM.set_suspend_SR(vm, default_sr(xen))
    xen.VM.start(vm, False, False)
    d.host_call("vm_control", command=json.dumps({"delay": {"op": "suspend", "us": 1000000}}))
    before, end = set(xen.VDI.get_all()), time.monotonic() + 20
    suspend = xen.call("Async.VM.suspend", vm)
    while not d.driver_calls("suspend"):
        assert time.monotonic() < end
    shutdown = xen.call("Async.VM.hard_shutdown", vm)
    while shutdown not in xen.VM.get_current_operations(vm):  # before that nobody promised anything
        assert time.monotonic() < end
    if killed:
        d.stop(("xapi",), signal.SIGKILL)
        d.start_xapi()
        xen = d.ready()
    assert xen.wait(shutdown) == ""
    try:
        xen.wait(suspend)
    except XenError as e:
        assert (e.code, e.params) == ("VM_BAD_POWER_STATE", [vm, "running, paused", "halted"])
    record = xen.VM.get_record(vm)
    assert (record["power_state"], record["suspend_VDI"], record["current_operations"]) == ("Halted", NULL, {})
    assert set(xen.VDI.get_all()) == before
    assert d.verify() == {}
    xen.VM.destroy(vm)


@pytest.mark.parametrize("verb, path", [("PUT", "/import_raw_vdi"), ("GET", "/export_raw_vdi")])
def test_a_disk_is_closed_whose_transfer_died(fresh_daemons, verb, path):
    d = fresh_daemons
    xen = d.ready()
    vdi = new_vdi(xen, "moves", 64 * MIB, default_sr(xen))
    s = socket.create_connection(("127.0.0.1", d.http))
    length = f"Content-Length: {64 * MIB}\r\n" if verb == "PUT" else ""
    s.sendall(f"{verb} {path}?vdi={vdi}&session_id={xen.session} HTTP/1.0\r\n{length}\r\n".encode())
    s.sendall(b"x" * MIB if verb == "PUT" else b"")
    assert s.recv(100).startswith(b"HTTP/1.")
    with pytest.raises(XenError, match="VDI_IN_USE"):
        xen.VDI.destroy(vdi)
    d.stop(("xapi",), signal.SIGKILL)
    s.close()
    d.start_xapi()
    xen = d.ready()
    xen.VDI.destroy(vdi)
