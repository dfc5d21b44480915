# SPDX-License-Identifier: LGPL-2.1-or-later
"""For each type of plan: what has to be there, and the one call that makes the plan run.

A scenario is a function that prepares and returns the call; the name of its plan stands in the decorator. Nothing
here knows what the call does: the model before it and behind it, once undisturbed, are the measure.
"""

import json
import time
from pathlib import Path

from bed import LIMIT, NULL, Wrong, XenError
from vms import GIB, MIB, default_sr, new_card, new_disk, new_vdi, new_vm, simulated_sr, vbd_fields

SCENARIOS = {}  # plan -> function(bed, xen) -> call(xen)
# Plans with steps that nothing takes back (a guest that was told to go, a disk that was erased): when a later step
# fails they end in between, and the call can be made again.
ONE_WAY = set()


def plan(name, one_way=False):
    def add(function):
        SCENARIOS[name] = function
        if one_way:
            ONE_WAY.add(name)
        return function
    return add


def host_of(xen):
    return xen.host.get_all()[0]


def wait_until(xen, what, true):
    end = time.monotonic() + LIMIT
    while not true():
        if time.monotonic() > end:
            raise Wrong(f"{what} does not come")
        time.sleep(0.005)


def extra_sr(xen):
    """A repository and its connection."""
    sr = xen.SR.create(host_of(xen), {}, "0", "extra", "", "file", "user", False, {})
    return sr, xen.SR.get_PBDs(sr)[0]


def running(xen, disks=0, cards=0, sr=None):
    vm = halted(xen, disks, cards, sr)
    xen.VM.start(vm, False, False)
    return vm


def halted(xen, disks=0, cards=0, sr=None):
    vm = new_vm(xen, "subject")
    for i in range(disks):
        new_disk(xen, vm, str(i), sr=sr)
    for i in range(cards):
        new_card(xen, vm, str(i))
    xen.VM.set_suspend_SR(vm, default_sr(xen))
    return vm


# ---- storage

@plan("SR.create")
def sr_create(bed, xen):
    return lambda c: c.SR.create(host_of(c), {}, "0", "extra", "", "file", "user", False, {})


@plan("SR.destroy", one_way=True)
def sr_destroy(bed, xen):
    sr, pbd = extra_sr(xen)
    xen.PBD.unplug(pbd)
    return lambda c: c.SR.destroy(sr)


@plan("SR.scan")
def sr_scan(bed, xen):
    sr, _ = extra_sr(xen)
    xen.VDI.forget(new_vdi(xen, sr=sr))
    return lambda c: c.SR.scan(sr)


@plan("PBD.plug")
def pbd_plug(bed, xen):
    sr, pbd = extra_sr(xen)
    new_vdi(xen, sr=sr)
    xen.PBD.unplug(pbd)
    return lambda c: c.PBD.plug(pbd)


@plan("PBD.unplug")
def pbd_unplug(bed, xen):
    sr, pbd = extra_sr(xen)
    new_vdi(xen, sr=sr)
    return lambda c: c.PBD.unplug(pbd)


@plan("VDI.create")
def vdi_create(bed, xen):
    return new_vdi


@plan("VDI.destroy", one_way=True)
def vdi_destroy(bed, xen):
    vdi = new_vdi(xen)
    return lambda c: c.VDI.destroy(vdi)


@plan("VDI.clone")
def vdi_clone(bed, xen):
    vdi = new_vdi(xen)
    return lambda c: c.VDI.clone(vdi, {})


@plan("VDI.snapshot")
def vdi_snapshot(bed, xen):
    vdi = new_vdi(xen)
    return lambda c: c.VDI.snapshot(vdi, {})


@plan("VDI.copy")
def vdi_copy(bed, xen):
    vdi = new_vdi(xen)
    return lambda c: c.VDI.copy(vdi, NULL, NULL, NULL)


@plan("VDI.revert")
def vdi_revert(bed, xen):
    vdi = new_vdi(xen)
    snapshot = xen.VDI.snapshot(vdi, {})
    xen.VDI.resize(vdi, str(128 * MIB))
    return lambda c: c.VDI.revert(snapshot)


@plan("VDI.resize")
def vdi_resize(bed, xen):
    vdi = new_vdi(xen)
    return lambda c: c.VDI.resize(vdi, str(128 * MIB))


# ---- network

def second_pif(xen):
    return [ref for ref, r in xen.PIF.get_all_records().items() if not r["management"]][0]


@plan("PIF.unplug")
def pif_unplug(bed, xen):
    pif = second_pif(xen)
    return lambda c: c.PIF.unplug(pif)


@plan("PIF.plug")
def pif_plug(bed, xen):
    pif = second_pif(xen)
    xen.PIF.unplug(pif)
    return lambda c: c.PIF.plug(pif)


@plan("network.attach")
def network_attach(bed, xen):
    pif = second_pif(xen)
    xen.PIF.unplug(pif)
    network = xen.PIF.get_network(pif)
    return lambda c: c.network.attach(network, host_of(c))


@plan("VDI.checksum")
def vdi_checksum(bed, xen):
    vdi = new_vdi(xen)
    return lambda c: c.VDI.checksum(vdi)


# ---- several VMs

@plan("VM_appliance.power", one_way=True)
def vm_appliance_start(bed, xen):
    appliance = xen.VM_appliance.create({"name_label": "appliance", "name_description": ""})
    for order in ("0", "1"):
        vm = new_vm(xen, f"member {order}")
        xen.VM.set_order(vm, order)
        xen.VM.set_appliance(vm, appliance)
    return lambda c: c.VM_appliance.start(appliance, False)


@plan("VMSS.run", one_way=True)
def vmss_snapshot_now(bed, xen):
    vmss = xen.VMSS.create({"name_label": "schedule", "name_description": "", "type": "snapshot", "frequency": "hourly",
                            "schedule": {"min": "0"}, "enabled": False})
    vm = halted(xen, disks=1)
    xen.VM.set_snapshot_schedule(vm, vmss)

    def run(c):
        said = c.VMSS.snapshot_now(vmss)
        if said != "Success":
            raise XenError(["INTERNAL_ERROR", said])
    return run


# ---- devices

@plan("VBD.plug")
def vbd_plug(bed, xen):
    _, vbd = new_disk(xen, running(xen))
    return lambda c: c.VBD.plug(vbd)


@plan("VBD.unplug")
def vbd_unplug(bed, xen):
    vbd = xen.VM.get_VBDs(running(xen, disks=1))[0]
    return lambda c: c.VBD.unplug(vbd)


def drive_and_disc(bed, xen):
    (sr,) = [r for r in xen.SR.get_all() if xen.SR.get_content_type(r) == "iso"]
    (pbd,) = xen.SR.get_PBDs(sr)
    folder = xen.PBD.get_device_config(pbd).get("location") or str(bed.state / "sr" / xen.SR.get_uuid(sr))
    Path(folder, "disc.iso").write_bytes(b"CD001" * 4096)
    xen.SR.scan(sr)
    (disc,) = [v for v in xen.SR.get_VDIs(sr) if xen.VDI.get_location(v) == "disc.iso"]
    vm = halted(xen)
    drive = xen.VBD.create(vbd_fields(vm, NULL, "3", mode="RO", type="CD", empty=True))
    xen.VM.start(vm, False, False)
    return drive, disc


@plan("VBD.insert")
def vbd_insert(bed, xen):
    drive, disc = drive_and_disc(bed, xen)
    return lambda c: c.VBD.insert(drive, disc)


@plan("VBD.eject")
def vbd_eject(bed, xen):
    drive, disc = drive_and_disc(bed, xen)
    xen.VBD.insert(drive, disc)
    return lambda c: c.VBD.eject(drive)


@plan("VIF.plug")
def vif_plug(bed, xen):
    vif = new_card(xen, running(xen))
    return lambda c: c.VIF.plug(vif)


@plan("VIF.unplug")
def vif_unplug(bed, xen):
    vif = xen.VM.get_VIFs(running(xen, cards=1))[0]
    return lambda c: c.VIF.unplug(vif)


@plan("VIF.move")
def vif_move(bed, xen):
    vif = xen.VM.get_VIFs(running(xen, cards=1))[0]
    here = xen.VIF.get_network(vif)
    there = sorted(set(xen.network.get_all()) - {here}, key=xen.network.get_name_label)[0]
    return lambda c: c.VIF.move(vif, there)


# ---- the life of a VM

@plan("VM.start")
def vm_start(bed, xen):
    vm = halted(xen, disks=1, cards=1)
    return lambda c: c.VM.start(vm, False, False)


@plan("VM.pause")
def vm_pause(bed, xen):
    vm = running(xen)
    return lambda c: c.VM.pause(vm)


@plan("VM.unpause")
def vm_unpause(bed, xen):
    vm = halted(xen)
    xen.VM.start(vm, True, False)
    return lambda c: c.VM.unpause(vm)


@plan("VM.clean_shutdown", one_way=True)
def vm_clean_shutdown(bed, xen):
    vm = running(xen, disks=1)
    return lambda c: c.VM.clean_shutdown(vm)


@plan("VM.hard_shutdown", one_way=True)
def vm_hard_shutdown(bed, xen):
    vm = running(xen, disks=1)
    xen.VM.suspend(vm)
    return lambda c: c.VM.hard_shutdown(vm)


@plan("VM.clean_reboot", one_way=True)
def vm_clean_reboot(bed, xen):
    vm = running(xen)
    return lambda c: c.VM.clean_reboot(vm)


@plan("VM.hard_reboot")
def vm_hard_reboot(bed, xen):
    vm = running(xen)
    return lambda c: c.VM.hard_reboot(vm)


@plan("VM.suspend")
def vm_suspend(bed, xen):
    vm = running(xen, disks=1)
    return lambda c: c.VM.suspend(vm)


@plan("VM.resume", one_way=True)
def vm_resume(bed, xen):
    vm = running(xen, disks=1)
    xen.VM.suspend(vm)
    return lambda c: c.VM.resume(vm, False, False)


@plan("VM.set_memory_dynamic_range")
def vm_memory(bed, xen):
    vm = running(xen)
    most = int(xen.VM.get_memory_dynamic_max(vm))
    return lambda c: c.VM.set_memory_dynamic_range(vm, str(most // 2), str(most // 2))


@plan("VM.destroy", one_way=True)
def vm_destroy(bed, xen):
    vm = halted(xen, disks=1, cards=1)
    return lambda c: c.VM.destroy(vm)


def guest_acts(bed, xen, act, after_shutdown):
    """The guest does something by itself, while the daemon listens; the plan comes of the event."""
    vm = halted(xen)
    xen.VM.set_actions_after_shutdown(vm, after_shutdown)
    xen.VM.start(vm, False, False)
    uuid, metrics = xen.VM.get_uuid(vm), xen.VM.get_metrics(vm)
    domid = xen.VM.get_domid(vm)

    def call(c):
        bed.control(uuid, act)
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            record = c.VM.get_record(vm)
            # The end of the plan: its operation has gone, and the run is over or another one.
            if not record["current_operations"] and (record["power_state"] == "Halted" or record["domid"] != domid):
                if after_shutdown == "restart" and record["power_state"] == "Halted":
                    raise XenError(["INTERNAL_ERROR", "the guest was not started again"])
                return
            time.sleep(0.002)
    assert metrics
    return call


@plan("VM.guest_stopped", one_way=True)
def vm_guest_stopped(bed, xen):
    return guest_acts(bed, xen, "poweroff", "destroy")


@plan("VM.guest_restarted", one_way=True)
def vm_guest_restarted(bed, xen):
    return guest_acts(bed, xen, "poweroff", "restart")


# ---- copies

@plan("VM.snapshot")
def vm_snapshot(bed, xen):
    vm = halted(xen, disks=2, cards=1)
    return lambda c: c.VM.snapshot(vm, "then", [])


@plan("VM.clone")
def vm_clone(bed, xen):
    vm = halted(xen, disks=2, cards=1)
    return lambda c: c.VM.clone(vm, "copy")


@plan("VM.copy")
def vm_copy(bed, xen):
    vm = halted(xen, disks=2, cards=1)
    return lambda c: c.VM.copy(vm, "copy", NULL)


@plan("VM.migrate_send", one_way=True)
def vm_migrate_send(bed, xen):
    vm, (sr, _) = halted(xen, disks=2), extra_sr(xen)
    moves = {xen.VBD.get_VDI(vbd): sr for vbd in xen.VM.get_VBDs(vm)}
    dest = {key: "x" for key in ("SM", "xenops", "session_id", "master")} | {"host": host_of(xen)}
    return lambda c: c.VM.migrate_send(vm, dest, True, moves, {}, {})


@plan("VM.checkpoint")
def vm_checkpoint(bed, xen):
    vm = running(xen, disks=1, sr=simulated_sr(xen))
    return lambda c: c.VM.checkpoint(vm, "then")


@plan("VM.checkpoint suspended")
def vm_checkpoint_suspended(bed, xen):
    vm = running(xen, disks=1)
    xen.VM.suspend(vm)
    return lambda c: c.VM.checkpoint(vm, "then")


@plan("VM.revert", one_way=True)
def vm_revert(bed, xen):
    vm = running(xen, disks=2, sr=simulated_sr(xen))
    snapshot = xen.VM.checkpoint(vm, "then")
    xen.VM.hard_shutdown(vm)
    xen.VM.set_memory(vm, str(3 * GIB))
    xen.VM.start(vm, False, False)
    return lambda c: c.VM.revert(snapshot)


@plan("VM.provision")
def vm_provision(bed, xen):
    vm = xen.VM.clone(xen.VM.get_by_name_label("Debian Bookworm 12")[0], "subject")
    disk = '<disk device="{}" size="%d" sr="%s" bootable="true" type="system"/>' % (
        2 * GIB, xen.SR.get_uuid(default_sr(xen)))
    xen.VM.remove_from_other_config(vm, "disks")
    xen.VM.add_to_other_config(vm, "disks", f"<provision>{disk.format(0)}{disk.format(1)}</provision>")
    return lambda c: c.VM.provision(vm)


# No guest says yet that it can take processors while it runs, so every such call is refused before its plan begins.
NOT_YET = {"VM.set_VCPUs_number_live": lambda xen: xen.VM.set_VCPUs_number_live(running(xen), "1")}


# ---- back to the beginning

def erased(xen, sr):
    """A repository whose destruction failed halfway is empty: destroying it again ends it."""
    try:
        xen.SR.destroy(sr)
        return True
    except XenError:
        return False


def remove_all(bed, xen, known):
    """Ends and removes whatever is not in `known` (references of VM, VDI, SR), by the API alone."""
    for vm, record in xen.VM.get_all_records().items():
        if vm not in known and record["power_state"] != "Halted":
            xen.VM.hard_shutdown(vm)
    for cls in ("VM", "VDI"):
        for ref in set(getattr(xen, cls).get_all()) - known:
            if cls == "VDI" and (not xen.VDI.get_managed(ref) or xen.SR.get_content_type(xen.VDI.get_SR(ref)) == "iso"):
                continue
            try:
                getattr(xen, cls).destroy(ref)
            except XenError as e:
                if e.code not in ("HANDLE_INVALID", "SR_HAS_NO_PBDS"):
                    raise
    for sr, record in xen.SR.get_all_records().items():
        if sr in known or erased(xen, sr):
            continue
        for pbd in record["PBDs"]:
            xen.PBD.plug(pbd)
        for vdi in xen.SR.get_VDIs(sr):
            if xen.VDI.get_managed(vdi):
                xen.VDI.destroy(vdi)
        for pbd in record["PBDs"]:
            xen.PBD.unplug(pbd)
        xen.SR.destroy(sr)
    for pif, record in xen.PIF.get_all_records().items():
        if not record["currently_attached"]:
            xen.PIF.plug(pif)
    for sr, record in xen.SR.get_all_records().items():
        if record["content_type"] == "iso":
            for path in Path(bed.state).glob("**/disc.iso"):
                path.unlink()
            xen.SR.scan(sr)
    bed.host_call("vm_control", command=json.dumps({"clear": True}))
