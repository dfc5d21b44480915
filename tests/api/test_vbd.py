# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks and optical drives of VMs: making them, plugging them, changing discs."""

from pathlib import Path

import pytest

from conftest import NULL

MIB = 1 << 20


@pytest.fixture
def vm(xen):
    """A halted VM without disks."""
    ref = xen.VM.clone(xen.VM.get_by_name_label("Other install media")[0], "vbd")
    xen.VM.set_is_a_template(ref, False)
    yield ref
    if xen.VM.get_power_state(ref) != "Halted":
        xen.VM.hard_shutdown(ref)
    xen.VM.destroy(ref)


@pytest.fixture
def disk(xen):
    """A small disk on the default SR; more with disk(name)."""
    made = []

    def make(name="vbd", **fields):
        record = {"name_label": name, "name_description": "", "SR": xen.pool.get_default_SR(xen.pool.get_all()[0]),
                  "virtual_size": str(8 * MIB), "type": "user", "sharable": False, "read_only": False,
                  "other_config": {}, "xenstore_data": {}, "sm_config": {}, "tags": []}
        made.append(xen.VDI.create({**record, **fields}))
        return made[-1]

    yield make
    for ref in made:
        for vbd in xen.VDI.get_VBDs(ref):
            if xen.VBD.get_currently_attached(vbd):
                xen.VM.hard_shutdown(xen.VBD.get_VM(vbd))
        xen.VDI.destroy(ref)


def record(vm, vdi=NULL, **fields):
    return {"VM": vm, "VDI": vdi, "userdevice": "autodetect", "bootable": False, "mode": "RW", "type": "Disk",
            "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": "",
            "qos_algorithm_params": {}, **fields}


def drive(vm, **fields):
    return record(vm, mode="RO", type="CD", empty=True, **fields)


def test_create(xen, vm, disk):
    first = xen.VBD.create(record(vm, disk("a"), other_config={"owner": ""}))
    second = xen.VBD.create(record(vm, disk("b"), userdevice="xvdd", bootable=True))
    third = xen.VBD.create(drive(vm))
    assert [xen.VBD.get_userdevice(v) for v in (first, second, third)] == ["0", "3", "1"]
    got = xen.VBD.get_record(first)
    assert (got["VM"], got["mode"], got["type"], got["empty"], got["currently_attached"]) == \
        (vm, "RW", "Disk", False, False)
    assert got["other_config"] == {"owner": ""} and got["allowed_operations"] == ["attach"]
    assert xen.VBD.get_record(third)["VDI"] == NULL and xen.VBD.get_empty(third) is True
    assert sorted(xen.VM.get_VBDs(vm)) == sorted([first, second, third])
    assert xen.VDI.get_VBDs(got["VDI"]) == [first]


def test_create_refuses_bad_devices(xen, vm, disk, fails):
    vdi = disk()
    xen.VBD.create(record(vm, vdi, userdevice="0"))
    assert fails("DEVICE_ALREADY_EXISTS", xen.VBD.create, record(vm, vdi, userdevice="0")) == ["0"]
    assert fails("DEVICE_ALREADY_EXISTS", xen.VBD.create, record(vm, vdi, userdevice="hda")) == ["0"]
    for bad in ("255", "-1", "x", "", "xvd", "0x1", "1 "):
        assert fails("INVALID_DEVICE", xen.VBD.create, record(vm, vdi, userdevice=bad)) == [bad]


def test_create_refuses_what_does_not_fit(xen, vm, disk, fails):
    vdi = disk()
    fails("VBD_CDS_MUST_BE_READONLY", xen.VBD.create, record(vm, type="CD", empty=True))
    fails("VBD_NOT_REMOVABLE_MEDIA", xen.VBD.create, record(vm, empty=True))
    assert fails("VDI_IS_NOT_ISO", xen.VBD.create, record(vm, vdi, type="CD", mode="RO"))[0] == vdi
    xen.VDI.set_read_only(vdi, True)
    assert fails("VDI_READONLY", xen.VBD.create, record(vm, vdi)) == [vdi]
    xen.VDI.set_read_only(vdi, False)
    assert fails("HANDLE_INVALID", xen.VBD.create, record(vm, "OpaqueRef:nothing"))[0] == "VDI"
    assert fails("HANDLE_INVALID", xen.VBD.create, record("OpaqueRef:nothing", vdi))[0] == "VM"
    assert xen.VM.get_VBDs(vm) == []


def test_allowed_devices(xen, vm, disk, fails):
    xen.VBD.create(record(vm, disk(), userdevice="1"))
    free = xen.VM.get_allowed_VBD_devices(vm)
    assert len(free) == 254 and free[:3] == ["0", "2", "3"] and free[-1] == "254"
    fails("HANDLE_INVALID", xen.VM.get_allowed_VBD_devices, "OpaqueRef:nothing")


def test_destroy(xen, vm, disk, fails):
    vdi = disk()
    vbd = xen.VBD.create(record(vm, vdi))
    xen.VM.start(vm, False, False)
    text = fails("OPERATION_NOT_ALLOWED", xen.VBD.destroy, vbd)[0]
    assert xen.VBD.get_uuid(vbd) in text and xen.VM.get_uuid(vm) in text
    xen.VM.hard_shutdown(vm)
    xen.VBD.destroy(vbd)
    fails("HANDLE_INVALID", xen.VBD.get_record, vbd)
    fails("HANDLE_INVALID", xen.VBD.destroy, vbd)
    assert xen.VDI.get_VBDs(vdi) == [] and xen.VM.get_VBDs(vm) == []


def test_plug_and_unplug(xen, vm, disk, fails):
    vdi = disk()
    vbd = xen.VBD.create(record(vm, vdi))
    assert fails("VM_BAD_POWER_STATE", xen.VBD.plug, vbd) == [vm, "paused, running", "halted"]
    xen.VM.start(vm, False, False)
    assert xen.VBD.get_currently_attached(vbd) is True and xen.VBD.get_device(vbd) == "xvda"
    assert fails("DEVICE_ALREADY_ATTACHED", xen.VBD.plug, vbd) == [vbd]
    assert "destroy" not in xen.VDI.get_allowed_operations(vdi)
    xen.VBD.unplug(vbd)
    assert xen.VBD.get_currently_attached(vbd) is False
    assert "destroy" in xen.VDI.get_allowed_operations(vdi)
    assert fails("DEVICE_ALREADY_DETACHED", xen.VBD.unplug, vbd) == [vbd]
    xen.VBD.plug(vbd)
    assert xen.VBD.get_currently_attached(vbd) is True
    late = xen.VBD.create(record(vm, disk("late"), userdevice="7"))
    xen.VBD.plug(late)
    assert xen.VBD.get_device(late) == "xvdh"
    xen.VBD.set_unpluggable(vbd, False)
    assert fails("VBD_NOT_UNPLUGGABLE", xen.VBD.unplug, vbd) == [vbd]
    assert xen.VBD.get_current_operations(vbd) == {}


def test_guest_that_keeps_its_disk(daemons, xen, vm, disk, fails):
    vbd = xen.VBD.create(record(vm, disk()))
    xen.VM.start(vm, False, False)
    daemons.control(xen.VM.get_uuid(vm), refuse_detach=True)
    assert fails("DEVICE_DETACH_TIMEOUT", xen.VBD.unplug, vbd) == ["VBD", vbd]
    assert xen.VBD.get_currently_attached(vbd) is True
    assert xen.VBD.get_current_operations(vbd) == {}
    daemons.control(xen.VM.get_uuid(vm), refuse_detach=False)
    xen.VBD.unplug(vbd)


def test_unplug_force(xen, vm, disk):
    vbd = xen.VBD.create(record(vm, disk()))
    xen.VM.start(vm, False, False)
    xen.VBD.unplug_force(vbd)
    assert xen.VBD.get_currently_attached(vbd) is False
    xen.VBD.plug(vbd)
    xen.VBD.unplug_force_no_safety_check(vbd)
    assert xen.VBD.get_currently_attached(vbd) is False


def test_one_writer(xen, vm, disk, fails):
    vdi = disk()
    mine = xen.VBD.create(record(vm, vdi))
    other = xen.VM.clone(xen.VM.get_by_name_label("Other install media")[0], "vbd other")
    xen.VM.set_is_a_template(other, False)
    theirs = xen.VBD.create(record(other, vdi))
    xen.VM.start(vm, False, False)
    xen.VBD.unplug(mine)
    xen.VM.start(other, False, False)
    assert fails("VDI_IN_USE", xen.VBD.plug, mine) == [vdi, "plug"]
    xen.VBD.unplug(theirs)
    xen.VBD.plug(mine)
    xen.VM.hard_shutdown(other)
    xen.VM.destroy(other)


def iso(daemons, xen):
    """A disc laid into the ISO library and found by a scan."""
    (sr,) = [r for r in xen.SR.get_all() if xen.SR.get_content_type(r) == "iso"]
    (pbd,) = xen.SR.get_PBDs(sr)
    folder = xen.PBD.get_device_config(pbd).get("location") or str(daemons.state / "sr" / xen.SR.get_uuid(sr))
    Path(folder, "disc.iso").write_bytes(b"CD001" * 4096)
    xen.SR.scan(sr)
    (disc,) = [v for v in xen.SR.get_VDIs(sr) if xen.VDI.get_location(v) == "disc.iso"]
    return disc


def test_insert_and_eject(daemons, xen, vm, disk, fails):
    vdi, cd = disk(), xen.VBD.create(drive(vm, userdevice="3"))
    hard = xen.VBD.create(record(vm, vdi))
    assert fails("VBD_NOT_REMOVABLE_MEDIA", xen.VBD.eject, hard) == [hard]
    assert fails("VBD_IS_EMPTY", xen.VBD.eject, cd) == [cd]
    assert fails("VDI_IS_NOT_ISO", xen.VBD.insert, cd, vdi)[0] == vdi
    fails("HANDLE_INVALID", xen.VBD.insert, cd, "OpaqueRef:nothing")
    assert xen.VBD.get_allowed_operations(cd) == ["attach", "insert"]
    disc = iso(daemons, xen)
    for live in (False, True):
        if live:
            xen.VM.start(vm, False, False)
        xen.VBD.insert(cd, disc)
        assert (xen.VBD.get_VDI(cd), xen.VBD.get_empty(cd)) == (disc, False)
        assert fails("VBD_NOT_EMPTY", xen.VBD.insert, cd, disc) == [cd]
        xen.VBD.eject(cd)
        assert (xen.VBD.get_VDI(cd), xen.VBD.get_empty(cd)) == (NULL, True)


def test_set_mode(xen, vm, disk, fails):
    vbd, cd = xen.VBD.create(record(vm, disk())), xen.VBD.create(drive(vm))
    xen.VBD.set_mode(vbd, "RO")
    assert xen.VBD.get_mode(vbd) == "RO"
    xen.VBD.set_mode(vbd, "RW")
    fails("VBD_CDS_MUST_BE_READONLY", xen.VBD.set_mode, cd, "RW")
    xen.VM.start(vm, False, False)
    assert fails("VM_BAD_POWER_STATE", xen.VBD.set_mode, vbd, "RO") == [vm, "halted", "running"]


def test_assert_attachable(xen, vm, disk, fails):
    vdi = disk()
    vbd = xen.VBD.create(record(vm, vdi))
    xen.VBD.assert_attachable(vbd)
    xen.VDI.set_read_only(vdi, True)
    assert fails("VDI_READONLY", xen.VBD.assert_attachable, vbd) == [vdi]
    xen.VDI.set_read_only(vdi, False)


def test_pause_is_refused(xen, vm, disk, fails):
    vbd = xen.VBD.create(record(vm, disk()))
    fails("SR_OPERATION_NOT_SUPPORTED", xen.VBD.pause, vbd)
    fails("SR_OPERATION_NOT_SUPPORTED", xen.VBD.unpause, vbd, "token")
    fails("HANDLE_INVALID", xen.VBD.pause, "OpaqueRef:nothing")
