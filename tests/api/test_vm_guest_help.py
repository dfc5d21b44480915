# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls that need a guest's help, old ones, and ones among hosts."""

import pytest

from vms import new_vm, remove


@pytest.fixture
def vm(xen):
    ref = new_vm(xen, "helpful")
    yield ref
    remove(xen, ref)


def test_sleep(xen, vm, fails):
    for call in (xen.VM.s3_suspend, xen.VM.s3_resume):
        assert fails("VM_BAD_POWER_STATE", call, vm) == [vm, "running", "halted"]
    xen.VM.start(vm, False, False)
    for call in (xen.VM.s3_suspend, xen.VM.s3_resume):
        assert fails("VM_LACKS_FEATURE", call, vm) == [vm]


def test_sysprep(xen, vm, fails):
    fails("VM_BAD_POWER_STATE", xen.VM.sysprep, vm, "<unattend/>", 0.0)
    xen.VM.start(vm, False, False)
    assert fails("SYSPREP", xen.VM.sysprep, vm, "<unattend/>", 0.0)[0] == vm
    assert "32 KiB" in fails("SYSPREP", xen.VM.sysprep, vm, "x" * 40000, 0.0)[1]


def test_hard_reboot(xen, vm, fails):
    fails("VM_BAD_POWER_STATE", xen.VM.hard_reboot_internal, vm)
    xen.VM.start(vm, False, False)
    xen.VM.hard_reboot_internal(vm)
    assert xen.VM.get_power_state(vm) == "Running"


def test_snapshot_metadata(xen, vm):
    snapshot = xen.VM.snapshot(vm, "s", [])
    other = new_vm(xen, "other")
    xen.VM.update_snapshot_metadata(snapshot, other, "20260101T00:00:00Z", "id")
    record = xen.VM.get_record(snapshot)
    assert (record["snapshot_of"], record["transportable_snapshot_id"]) == (other, "id")
    assert str(record["snapshot_time"]).startswith("20260101T00:00:00")
    remove(xen, other)


def test_refused(xen, vm, fails):
    assert fails("NOT_IMPLEMENTED", xen.VM.csvm, vm) == ["VM.csvm"]
    fails("WLB_NOT_INITIALIZED", xen.VM.retrieve_wlb_recommendations, vm)
    sr = xen.SR.get_all()[0]
    assert fails("XENAPI_MISSING_PLUGIN", xen.VM.import_convert, "vmware", "u", "p", sr, {}) == ["conversion"]
    assert fails("NOT_IMPLEMENTED", getattr(xen.VM, "import"), "http://127.0.0.1/x", sr, False, False) == ["VM.import"]
