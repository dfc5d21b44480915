# SPDX-License-Identifier: LGPL-2.1-or-later
"""USB devices of the host and of VMs."""

import pytest

import vms

NULL = "OpaqueRef:NULL"


@pytest.fixture
def pusb(xen):
    ref, = xen.PUSB.get_all()
    yield ref
    xen.PUSB.set_passthrough_enabled(ref, False)


@pytest.fixture
def vm(xen):
    ref = vms.new_vm(xen, "plugged")
    yield ref
    vms.remove(xen, ref)


def test_scan(xen, fails):
    host = xen.host.get_all()[0]
    before = xen.PUSB.get_all_records()
    record, = before.values()
    assert (record["path"], record["vendor_id"], record["product_desc"]) == ("1-1", "1234", "Stick")
    assert (record["speed"], record["version"], record["description"]) == (480.0, "2.00", "Simulated_Stick")
    xen.PUSB.scan(host)
    assert xen.PUSB.get_all_records() == before
    fails("HANDLE_INVALID", xen.PUSB.scan, "OpaqueRef:none")


def test_passthrough(xen, pusb, vm):
    assert (xen.PUSB.get_passthrough_enabled(pusb), xen.PUSB.get_USB_group(pusb)) == (False, NULL)
    xen.PUSB.set_passthrough_enabled(pusb, True)
    group = xen.PUSB.get_USB_group(pusb)
    assert xen.USB_group.get_name_label(group) == "Group of Simulated Stick USBs"
    assert xen.USB_group.get_PUSBs(group) == [pusb]
    vusb = xen.VUSB.create(vm, group)
    xen.PUSB.set_passthrough_enabled(pusb, False)
    assert (xen.PUSB.get_passthrough_enabled(pusb), xen.PUSB.get_USB_group(pusb)) == (False, NULL)
    assert group not in xen.USB_group.get_all() and vusb not in xen.VUSB.get_all()


def test_group(xen, pusb, fails):
    mine = xen.USB_group.create("mine", "a remark", {"k": "v"})
    assert xen.USB_group.get_other_config(mine) == {"k": "v"}
    xen.USB_group.destroy(mine)
    assert mine not in xen.USB_group.get_all()
    xen.PUSB.set_passthrough_enabled(pusb, True)
    assert fails("USB_GROUP_CONTAINS_PUSB", xen.USB_group.destroy, xen.PUSB.get_USB_group(pusb)) == [pusb]


def test_vusb(xen, pusb, vm, fails):
    xen.PUSB.set_passthrough_enabled(pusb, True)
    group = xen.PUSB.get_USB_group(pusb)
    vusb = xen.VUSB.create(vm, group, {"k": "v"})
    record = xen.VUSB.get_record(vusb)
    assert (record["VM"], record["USB_group"], record["currently_attached"]) == (vm, group, False)
    assert fails("USB_GROUP_CONFLICT", xen.VUSB.create, vm, group) == [group]
    assert fails("VM_REQUIRES_VUSB", xen.VM.start, vm, False, False) == [vm, group]
    assert fails("DEVICE_ALREADY_DETACHED", xen.VUSB.unplug, vusb) == [vusb]
    xen.VUSB.destroy(vusb)
    xen.VM.start(vm, False, False)
    fails("VM_BAD_POWER_STATE", xen.VUSB.create, vm, group)


def test_at_most_six(xen, vm, fails):
    groups = [xen.USB_group.create("g") for _ in range(7)]
    for group in groups[:6]:
        xen.VUSB.create(vm, group)
    assert fails("TOO_MANY_VUSBS", xen.VUSB.create, vm, groups[6]) == ["6"]
    for vusb in xen.VM.get_VUSBs(vm):
        xen.VUSB.destroy(vusb)
    for group in groups:
        xen.USB_group.destroy(group)


def test_not_under_ha(xen, vm, fails):
    group = xen.USB_group.create("g")
    xen.VM.set_ha_restart_priority(vm, "restart")
    fails("OPERATION_NOT_ALLOWED", xen.VUSB.create, vm, group)
    xen.USB_group.destroy(group)
