# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshot schedules."""

import xmlrpc.client

import pytest

import vms


def create(xen, **fields):
    return xen.VMSS.create({"name_label": "nightly", "name_description": "", "type": "snapshot",
                            "frequency": "daily", "schedule": {"min": "30", "hour": "3"}} | fields)


@pytest.fixture
def vmss(xen):
    ref = create(xen)
    yield ref
    if ref in xen.VMSS.get_all():
        for vm in xen.VMSS.get_VMs(ref):
            vms.remove(xen, vm)
        xen.VMSS.destroy(ref)


def test_create_and_destroy(xen, fails):
    one = create(xen)
    record = xen.VMSS.get_record(one)
    assert (record["enabled"], record["retained_snapshots"], record["frequency"]) == (True, "7", "daily")
    vm = vms.new_vm(xen, "on a schedule")
    xen.VM.set_snapshot_schedule(vm, one)
    fails("VMSS_HAS_VM", xen.VMSS.destroy, one)
    vms.remove(xen, vm)
    xen.VMSS.destroy(one)
    fails("HANDLE_INVALID", xen.VMSS.destroy, one)


@pytest.mark.parametrize("fields, params", [
    ({"frequency": "hourly", "schedule": {}}, ["schedule:min", ""]),
    ({"schedule": {"min": "0"}}, ["schedule:hour", ""]),
    ({"frequency": "weekly"}, ["schedule:days", ""]),
    ({"schedule": {"min": "7", "hour": "3"}}, ["schedule:min", "7"]),
    ({"schedule": {"min": "60", "hour": "3"}}, ["schedule:min", "60"]),
    ({"schedule": {"min": "0", "hour": "24"}}, ["schedule:hour", "24"]),
    ({"schedule": {"min": "0", "hour": "3", "days": "Monday,Payday"}}, ["schedule:days", "Monday,Payday"]),
    ({"schedule": {"min": "0", "hour": "3", "week": "1"}}, ["schedule:week", "1"]),
    ({"retained_snapshots": "0"}, ["retained_snapshots", "0"]),
    ({"retained_snapshots": "11"}, ["retained_snapshots", "11"]),
])
def test_bad_schedules(xen, fails, fields, params):
    assert fails("INVALID_VALUE", lambda: create(xen, **fields)) == params


def test_quiesce_is_not_supported(xen, vmss, fails):
    fails("VALUE_NOT_SUPPORTED", lambda: create(xen, type="snapshot_with_quiesce"))
    fails("VALUE_NOT_SUPPORTED", xen.VMSS.set_type, vmss, "snapshot_with_quiesce")


def test_settings(xen, vmss, fails):
    xen.VMSS.set_retained_snapshots(vmss, "3")
    xen.VMSS.set_type(vmss, "checkpoint")
    xen.VMSS.set_last_run_time(vmss, "20260101T00:00:00Z")
    fails("INVALID_VALUE", xen.VMSS.set_frequency, vmss, "weekly")
    xen.VMSS.set_frequency(vmss, "hourly")
    fails("INVALID_VALUE", xen.VMSS.set_retained_snapshots, vmss, "11")
    record = xen.VMSS.get_record(vmss)
    assert (record["retained_snapshots"], record["type"], record["frequency"]) == ("3", "checkpoint", "hourly")
    assert str(record["last_run_time"]).startswith("20260101T00:00:00")


def test_schedule(xen, vmss, fails):
    xen.VMSS.set_schedule(vmss, {"min": "15", "hour": "4", "days": "monday, Friday"})
    assert xen.VMSS.get_schedule(vmss)["hour"] == "4"
    fails("MAP_DUPLICATE_KEY", xen.VMSS.add_to_schedule, vmss, "hour", "5")
    xen.VMSS.remove_from_schedule(vmss, "hour")
    assert "hour" not in xen.VMSS.get_schedule(vmss)
    fails("INVALID_VALUE", xen.VMSS.add_to_schedule, vmss, "hour", "25")
    xen.VMSS.add_to_schedule(vmss, "hour", "5")
    assert xen.VMSS.get_schedule(vmss)["hour"] == "5"
    fails("INVALID_VALUE", xen.VMSS.set_schedule, vmss, {"min": "15"})


def taken(xen, vm):
    records = [xen.VM.get_record(s) for s in xen.VM.get_snapshots(vm)]
    return sorted((r for r in records if r["is_vmss_snapshot"]), key=lambda r: str(r["snapshot_time"]))


def test_snapshot_now(xen, vmss):
    sr = vms.simulated_sr(xen)
    machines = [vms.new_vm(xen, name) for name in ("one", "two")]
    for vm in machines:
        vms.new_disk(xen, vm, sr=sr)
        xen.VM.set_snapshot_schedule(vm, vmss)
    xen.VM.start(machines[1], False, False)
    own = xen.VM.snapshot(machines[0], "by hand", [])
    xen.VMSS.set_retained_snapshots(vmss, "2")
    disks = len(xen.VDI.get_all())
    for _ in range(3):
        assert xen.VMSS.snapshot_now(vmss) == "Success"
    for vm in machines:
        assert len(taken(xen, vm)) == 2
        assert all(r["name_label"].startswith("nightly-") for r in taken(xen, vm))
    assert own in xen.VM.get_snapshots(machines[0])
    assert len(xen.VDI.get_all()) == disks + 4
    assert xen.VMSS.get_last_run_time(vmss) > xmlrpc.client.DateTime("20260101T00:00:00Z")
    names = [r["name"] for r in xen.message.get_all_records().values() if r["obj_uuid"] == xen.VMSS.get_uuid(vmss)]
    assert names.count("VMSS_SNAPSHOT_SUCCEEDED") == 6
    assert not [r for r in xen.task.get_all_records().values() if r["name_label"] in ("VM.snapshot", "VM.destroy")]


def test_one_that_fails_does_not_stop_the_others(xen, vmss):
    xen.VMSS.set_type(vmss, "checkpoint")
    sr = vms.simulated_sr(xen)
    halted, running = vms.new_vm(xen, "halted"), vms.new_vm(xen, "running")
    for vm in (halted, running):
        vms.new_disk(xen, vm, sr=sr)
        xen.VM.set_snapshot_schedule(vm, vmss)
        xen.VM.set_suspend_SR(vm, sr)
    xen.VM.start(running, False, False)
    assert xen.VMSS.snapshot_now(vmss) == "No snapshot of: halted"
    assert (len(taken(xen, halted)), len(taken(xen, running))) == (0, 1)
    assert xen.VM.get_power_state(running) == "Running"
