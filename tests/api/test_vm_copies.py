# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots, clones, copies, checkpoints, going back, and the disks a template asks for."""

import json

import pytest

from conftest import NULL, XenError
from vms import GIB, MIB, default_sr, disks_of, new_card, new_disk, new_vm, remove, simulated_sr, template


@pytest.fixture
def vms(xen):
    """Removes at the end what a test appends."""
    made = []
    yield made
    for vm in reversed(made):
        remove(xen, vm)


@pytest.fixture(params=["file", "sim"])
def sr(request, xen):
    return default_sr(xen) if request.param == "file" else simulated_sr(xen)


# Only QEMU guests and simulated disks can be snapshot while they are open.
simulated = pytest.mark.parametrize("sr", ["sim"], indirect=True)


@pytest.fixture
def vm(xen, vms, sr):
    """A VM with two disks, an empty drive and a card."""
    ref = new_vm(xen, "source")
    vms.append(ref)
    new_disk(xen, ref, "0", sr=sr, bootable=True)
    new_disk(xen, ref, "1", sr=sr, size=128 * MIB)
    xen.VBD.create({"VM": ref, "VDI": NULL, "userdevice": "3", "bootable": False, "mode": "RO", "type": "CD",
                    "empty": True, "unpluggable": True, "other_config": {}, "qos_algorithm_type": "",
                    "qos_algorithm_params": {}})
    new_card(xen, ref, "0")
    return ref


def macs(xen, vm):
    return {xen.VIF.get_device(v): xen.VIF.get_MAC(v) for v in xen.VM.get_VIFs(vm)}


def all_rows(xen):
    return [sorted(getattr(xen, c).get_all()) for c in ("VM", "VBD", "VIF", "VM_metrics", "VDI")]


def assert_idle(xen, *vms):
    for vm in vms:
        assert xen.VM.get_current_operations(vm) == {}
        for vdi in disks_of(xen, vm).values():
            assert xen.VDI.get_current_operations(vdi) == {}
    for sr in xen.SR.get_all():
        assert xen.SR.get_current_operations(sr) == {}


# ---- snapshot

def test_snapshot(xen, vm):
    xen.VM.set_tags(vm, ["t"])
    before = disks_of(xen, vm)
    snapshot = xen.VM.snapshot(vm, "now")
    record = xen.VM.get_record(snapshot)
    assert (record["name_label"], record["is_a_snapshot"], record["is_a_template"]) == ("now", True, True)
    assert (record["snapshot_of"], record["power_state"], record["tags"]) == (vm, "Halted", ["t"])
    assert record["snapshot_info"] == {"power-state-at-snapshot": "Halted", "disk-snapshot-type": "crash_consistent"}
    assert record["snapshot_time"].value > "20200101T00:00:00Z" and record["transportable_snapshot_id"] == ""
    assert json.loads(record["snapshot_metadata"])["uuid"] == xen.VM.get_uuid(vm)
    assert "start" not in record["allowed_operations"] and "revert" in record["allowed_operations"]
    assert xen.VM.get_snapshots(vm) == [snapshot] and xen.VM.get_parent(vm) == snapshot
    assert macs(xen, snapshot) == macs(xen, vm)
    assert len(record["VBDs"]) == 3
    disks = disks_of(xen, snapshot)
    assert disks.keys() == before.keys() and disks_of(xen, vm) == before
    for device, vdi in disks.items():
        got, source = xen.VDI.get_record(vdi), xen.VDI.get_record(before[device])
        assert got["is_a_snapshot"] and got["snapshot_of"] == before[device] and got["uuid"] != source["uuid"]
        assert (got["virtual_size"], got["name_label"]) == (source["virtual_size"], source["name_label"])
        assert xen.VDI.get_snapshots(before[device]) == [vdi]
    assert_idle(xen, vm, snapshot)


def test_snapshot_without_some_disks(xen, vm, fails):
    disks = disks_of(xen, vm)
    snapshot = xen.VM.snapshot(vm, "part", [disks["1"]])
    assert disks_of(xen, snapshot).keys() == {"0"} and disks_of(xen, vm) == disks
    nothing = xen.VM.snapshot(vm, "none", list(disks.values()))
    assert disks_of(xen, nothing) == {} and len(xen.VM.get_VBDs(nothing)) == 1
    fails("HANDLE_INVALID", xen.VM.snapshot, "OpaqueRef:none", "x")


@simulated
def test_snapshot_of_a_running_vm(xen, vm):
    xen.VM.start(vm, False, False)
    task = xen.Async.VM.snapshot(vm, "live")
    snapshot = xen.wait(task)
    assert xen.VM.get_power_state(vm) == "Running" and xen.VM.get_power_state(snapshot) == "Halted"
    assert xen.VM.get_snapshot_info(snapshot)["power-state-at-snapshot"] == "Running"
    record = xen.VM.get_record(snapshot)
    assert (record["domid"], record["resident_on"], record["consoles"]) == ("-1", NULL, [])
    assert not any(xen.VBD.get_currently_attached(v) for v in record["VBDs"])
    assert all(xen.VBD.get_currently_attached(v) for v in xen.VM.get_VBDs(vm))
    assert_idle(xen, vm, snapshot)


def test_snapshot_of_what_cannot_be_snapshot(xen, vm, fails):
    snapshot = xen.VM.snapshot(vm, "s")
    assert fails("VM_IS_SNAPSHOT", xen.VM.snapshot, snapshot, "of a snapshot") == [snapshot, "snapshot"]
    fails("VM_IS_TEMPLATE", xen.VM.snapshot, template(xen), "of a template")
    xen.VM.add_to_blocked_operations(vm, "snapshot", "no")
    fails("OPERATION_BLOCKED", xen.VM.snapshot, vm, "blocked")


def test_snapshots_make_a_chain(xen, vm):
    first, second = xen.VM.snapshot(vm, "1"), xen.VM.snapshot(vm, "2")
    assert xen.VM.get_parent(second) == first and xen.VM.get_children(first) == [second]
    assert set(xen.VM.get_snapshots(vm)) == {first, second}


def test_failed_snapshot_leaves_nothing(daemons, xen, vm):
    rows = all_rows(xen)
    parent = xen.VM.get_parent(vm)
    disk = disks_of(xen, vm)["1"]
    xen.VDI.set_sharable(disk, True)
    with pytest.raises(XenError) as caught:
        xen.VM.snapshot(vm, "fails")
    assert caught.value.code == "VDI_IS_SHARABLE"
    xen.VDI.set_sharable(disk, False)
    assert all_rows(xen) == rows and xen.VM.get_parent(vm) == parent
    assert_idle(xen, vm)


# ---- clone and copy

def test_clone(xen, vms, vm):
    xen.VM.set_order(vm, "3")
    xen.VM.set_blocked_operations(vm, {"destroy": "precious"})
    clone = xen.VM.clone(vm, "clone")
    vms.append(clone)
    xen.VM.set_blocked_operations(vm, {})
    record, source = xen.VM.get_record(clone), xen.VM.get_record(vm)
    assert record["name_label"] == "clone" and record["uuid"] != source["uuid"]
    assert not record["is_a_template"] and not record["is_a_snapshot"] and record["snapshot_of"] == NULL
    assert (record["order"], record["blocked_operations"], record["power_state"]) == ("0", {}, "Halted")
    assert record["memory_static_max"] == source["memory_static_max"] and record["platform"] == source["platform"]
    assert record["other_config"]["mac_seed"] != source["other_config"]["mac_seed"]
    assert macs(xen, clone).keys() == macs(xen, vm).keys() and macs(xen, clone)["0"] != macs(xen, vm)["0"]
    assert xen.VIF.get_MAC_autogenerated(record["VIFs"][0])
    disks = disks_of(xen, clone)
    assert disks.keys() == {"0", "1"} and not set(disks.values()) & set(disks_of(xen, vm).values())
    for vdi in disks.values():
        assert not xen.VDI.get_is_a_snapshot(vdi)
    assert len(record["VBDs"]) == 3
    assert [xen.VBD.get_other_config(v).get("owner") for v in record["VBDs"]].count("") == 2
    assert [xen.VBD.get_bootable(v) for v in record["VBDs"]].count(True) == 1
    assert_idle(xen, vm, clone)
    xen.VM.start(clone, False, False)


def test_clone_of_a_default_template(xen, vms):
    source = xen.VM.get_by_name_label("Debian Bookworm 12")[0]
    clone = xen.VM.clone(source, "from template")
    vms.append(clone)
    record = xen.VM.get_record(clone)
    assert record["is_a_template"] and not record["is_default_template"]
    assert record["other_config"]["base_template_name"] == "Debian Bookworm 12"
    assert "default_template" not in record["other_config"] and "disks" in record["other_config"]
    assert record["parent"] == NULL and record["reference_label"] == "debian-12"


def test_clone_of_a_snapshot(xen, vms, vm):
    snapshot = xen.VM.snapshot(vm, "s")
    clone = xen.VM.clone(snapshot, "from snapshot")
    vms.append(clone)
    record = xen.VM.get_record(clone)
    assert record["is_a_template"] and not record["is_a_snapshot"] and record["parent"] == snapshot
    assert (record["snapshot_info"], record["snapshot_metadata"]) == ({}, "")
    xen.VM.set_is_a_template(clone, False)
    xen.VM.start(clone, False, False)


def test_clone_needs_a_halted_vm(xen, vm, fails):
    xen.VM.start(vm, False, False)
    assert fails("VM_BAD_POWER_STATE", xen.VM.clone, vm, "x") == [vm, "halted", "running"]
    assert fails("VM_BAD_POWER_STATE", xen.VM.copy, vm, "x", NULL) == [vm, "halted", "running"]


def test_copy(xen, vms, vm, sr, fails):
    for target in (NULL, sr):
        task = xen.Async.VM.copy(vm, "copy", target)
        copy = xen.wait(task)
        vms.append(copy)
        disks = disks_of(xen, copy)
        assert disks.keys() == {"0", "1"} and not set(disks.values()) & set(disks_of(xen, vm).values())
        for device, vdi in disks.items():
            record = xen.VDI.get_record(vdi)
            assert record["SR"] == sr and "vhd-parent" not in record["sm_config"]
            assert record["virtual_size"] == xen.VDI.get_virtual_size(disks_of(xen, vm)[device])
        assert macs(xen, copy)["0"] != macs(xen, vm)["0"]
        assert_idle(xen, vm, copy)
    rows = all_rows(xen)
    fails("HANDLE_INVALID", xen.VM.copy, vm, "copy", "OpaqueRef:none")
    assert all_rows(xen) == rows


# ---- revert

def test_revert(xen, vm, fails):
    snapshot = xen.VM.snapshot(vm, "then")
    disks, cards, name = disks_of(xen, vm), macs(xen, vm), xen.VM.get_name_label(vm)
    uuids = {d: xen.VDI.get_uuid(v) for d, v in disks.items()}
    xen.VM.set_name_label(vm, "later")
    xen.VM.set_tags(vm, ["kept"])
    xen.VM.set_memory(vm, str(GIB))
    added, _ = new_disk(xen, vm, "5")
    xen.VIF.destroy(xen.VM.get_VIFs(vm)[0])
    xen.VM.start(vm, False, False)
    xen.VM.revert(snapshot)
    record = xen.VM.get_record(vm)
    assert (record["name_label"], record["power_state"], record["domid"]) == (name, "Halted", "-1")
    assert record["memory_static_max"] == xen.VM.get_memory_static_max(snapshot)
    assert (record["tags"], record["parent"]) == (["kept"], snapshot)
    assert not record["is_a_template"] and not record["is_a_snapshot"] and record["snapshots"] == [snapshot]
    assert {d: xen.VDI.get_uuid(v) for d, v in disks_of(xen, vm).items()} == uuids
    assert macs(xen, vm) == cards and len(record["VBDs"]) == 3
    assert xen.VDI.get_VBDs(added) == []
    xen.VDI.destroy(added)
    assert_idle(xen, vm, snapshot)
    xen.VM.start(vm, False, False)
    assert fails("REVERT_ONLY_ALLOWED_ON_SNAPSHOT", xen.VM.revert, vm) == []


def test_revert_brings_lost_disks_back(xen, vm):
    snapshot = xen.VM.snapshot(vm, "then")
    lost = disks_of(xen, vm)["1"]
    xen.VDI.destroy(lost)
    assert disks_of(xen, vm).keys() == {"0"}
    xen.VM.revert(snapshot)
    disks = disks_of(xen, vm)
    assert disks.keys() == {"0", "1"} and disks["1"] != lost
    assert not xen.VDI.get_is_a_snapshot(disks["1"])
    assert disks["1"] not in disks_of(xen, snapshot).values()


def test_revert_of_a_vm_that_is_gone(xen, vms, vm):
    snapshot = xen.VM.snapshot(vm, "then")
    uuid, old = xen.VM.get_uuid(vm), disks_of(xen, vm)
    xen.VM.destroy(vm)
    for vdi in old.values():
        xen.VDI.destroy(vdi)
    assert xen.VM.get_snapshot_of(snapshot) == NULL
    xen.VM.revert(snapshot)
    again = xen.VM.get_by_uuid(uuid)
    vms.append(again)
    record = xen.VM.get_record(again)
    assert record["name_label"] == "source" and not record["is_a_template"] and record["snapshots"] == [snapshot]
    assert disks_of(xen, again).keys() == {"0", "1"} and len(record["VIFs"]) == 1
    xen.VM.start(again, False, False)


# ---- checkpoint

def test_checkpoint(xen, vm):
    xen.VM.set_suspend_SR(vm, default_sr(xen))
    xen.VM.start(vm, False, False)
    checkpoint = xen.VM.checkpoint(vm, "with memory")
    record = xen.VM.get_record(checkpoint)
    assert (record["power_state"], record["is_a_snapshot"]) == ("Suspended", True)
    assert xen.VDI.get_type(record["suspend_VDI"]) == "suspend"
    assert (xen.VM.get_power_state(vm), xen.VM.get_suspend_VDI(vm)) == ("Running", NULL)
    assert disks_of(xen, checkpoint).keys() == {"0", "1"}
    assert_idle(xen, vm, checkpoint)
    xen.VM.hard_shutdown(vm)
    xen.VM.revert(checkpoint)
    memory = xen.VM.get_suspend_VDI(vm)
    assert xen.VM.get_power_state(vm) == "Suspended" and memory not in (NULL, record["suspend_VDI"])
    xen.VM.resume(vm, False, False)
    assert xen.VM.get_power_state(vm) == "Running"
    assert xen.VM.get_suspend_VDI(checkpoint) == record["suspend_VDI"]


def test_copies_are_told(xen, vm):
    """One message to the administrator for each, about the VM that was copied."""
    xen.VM.set_suspend_SR(vm, default_sr(xen))
    uuid, seen = xen.VM.get_uuid(vm), set()

    def told():
        new = {ref: r for ref, r in xen.message.get("VM", uuid, "19700101T00:00:00Z").items() if ref not in seen}
        seen.update(new)
        return [(r["name"], r["priority"]) for r in new.values() if r["name"] not in ("VM_STARTED", "VM_SHUTDOWN")]

    told()
    made = [xen.VM.clone(vm, "clone")]
    assert told() == [("VM_CLONED", "5")]
    snapshot = xen.VM.snapshot(vm, "snapshot", [])
    assert told() == [("VM_SNAPSHOTTED", "5")]
    xen.VM.revert(snapshot)
    assert told() == [("VM_SNAPSHOT_REVERTED", "5")]
    xen.VM.start(vm, False, False)
    checkpoint = xen.VM.checkpoint(vm, "checkpoint")
    assert told() == [("VM_CHECKPOINTED", "5")]
    xen.VM.hard_shutdown(vm)
    for ref in (*made, snapshot, checkpoint):
        remove(xen, ref)


def test_checkpoint_of_a_suspended_vm(xen, vm, fails):
    fails("VM_BAD_POWER_STATE", xen.VM.checkpoint, vm, "halted")
    xen.VM.set_suspend_SR(vm, default_sr(xen))
    xen.VM.start(vm, False, False)
    xen.VM.suspend(vm)
    checkpoint = xen.VM.checkpoint(vm, "asleep")
    assert xen.VM.get_power_state(vm) == "Suspended" and xen.VM.get_power_state(checkpoint) == "Suspended"
    assert xen.VM.get_suspend_VDI(vm) != xen.VM.get_suspend_VDI(checkpoint)
    xen.VM.resume(vm, False, False)


def test_clone_of_a_checkpoint_is_off(xen, vms, vm):
    xen.VM.set_suspend_SR(vm, default_sr(xen))
    xen.VM.start(vm, False, False)
    checkpoint = xen.VM.checkpoint(vm, "with memory")
    clone = xen.VM.clone(checkpoint, "clone")
    vms.append(clone)
    assert (xen.VM.get_power_state(clone), xen.VM.get_suspend_VDI(clone)) == ("Halted", NULL)


# ---- provision

DISKS = '<provision><disk device="{}" size="{}" sr="{}" bootable="true" type="system"/></provision>'


@pytest.fixture
def clone(xen, vms):
    ref = xen.VM.clone(xen.VM.get_by_name_label("Debian Bookworm 12")[0], "new")
    vms.append(ref)
    return ref


def ask_for(xen, vm, text):
    xen.VM.remove_from_other_config(vm, "disks")
    xen.VM.add_to_other_config(vm, "disks", text)


def test_provision(xen, clone):
    sr = default_sr(xen)
    ask_for(xen, clone, DISKS.format("0", 2 * GIB, xen.SR.get_uuid(sr)))
    xen.VM.provision(clone)
    record = xen.VM.get_record(clone)
    assert not record["is_a_template"] and "disks" not in record["other_config"]
    vbd = xen.VBD.get_record(record["VBDs"][0])
    vdi = xen.VDI.get_record(vbd["VDI"])
    assert len(record["VBDs"]) == 1
    assert (vbd["userdevice"], vbd["bootable"], vbd["mode"], vbd["type"]) == ("0", True, "RW", "Disk")
    assert not vbd["unpluggable"] and vbd["other_config"] == {"owner": ""}
    assert (vdi["name_label"], vdi["name_description"]) == ("0", "Created by template provisioner")
    assert (int(vdi["virtual_size"]), vdi["SR"], vdi["type"]) == (2 * GIB, sr, "system")
    assert_idle(xen, clone)
    xen.VM.start(clone, False, False)


def test_provision_without_disks(xen, clone):
    xen.VM.remove_from_other_config(clone, "disks")
    xen.VM.provision(clone)
    assert xen.VM.get_VBDs(clone) == [] and not xen.VM.get_is_a_template(clone)


def test_bad_provisions(xen, clone, fails):
    uuid = xen.SR.get_uuid(default_sr(xen))
    rows = all_rows(xen)
    assert fails("UUID_INVALID", xen.VM.provision, clone) == ["SR", ""]
    ask_for(xen, clone, DISKS.format("0", GIB, "nowhere"))
    assert fails("UUID_INVALID", xen.VM.provision, clone) == ["SR", "nowhere"]
    for text in ("<provision", "<disks/>", DISKS.format("0", "-1", uuid), DISKS.format("", GIB, uuid)):
        ask_for(xen, clone, text)
        assert fails("INVALID_VALUE", xen.VM.provision, clone)[0] == "disks"
    ask_for(xen, clone, DISKS.format("900", GIB, uuid))
    fails("INVALID_DEVICE", xen.VM.provision, clone)
    assert all_rows(xen) == rows and xen.VM.get_is_a_template(clone)
    xen.VM.set_is_a_template(clone, False)
    fails("PROVISION_ONLY_ALLOWED_ON_TEMPLATE", xen.VM.provision, clone)
