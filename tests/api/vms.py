# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMs for tests: made from a template without disks, removed with what they own."""

from conftest import NULL, XenError

MIB = 1 << 20
GIB = 1 << 30


def template(xen):
    return xen.VM.get_by_name_label("Other install media")[0]


def new_vm(xen, name):
    """A halted VM without disks or cards."""
    ref = xen.VM.clone(template(xen), name)
    xen.VM.set_is_a_template(ref, False)
    return ref


def default_sr(xen):
    return xen.pool.get_default_SR(xen.pool.get_all()[0])


def simulated_sr(xen):
    """A repository whose disks guests of the simulated hypervisor can have open during a snapshot."""
    for ref, record in xen.SR.get_all_records().items():
        if record["type"] == "sim":
            return ref
    return xen.SR.create(xen.host.get_all()[0], {}, "0", "simulated", "", "sim", "user", False, {})


def vdi_fields(sr, name="disk", size=64 * MIB, **more):
    """What VDI.create is given."""
    return {"name_label": name, "name_description": "", "SR": sr, "virtual_size": str(size), "type": "user",
            "sharable": False, "read_only": False, "other_config": {}} | more


def new_vdi(xen, name="disk", size=64 * MIB, sr=None, **more):
    return xen.VDI.create(vdi_fields(sr or default_sr(xen), name, size, **more))


def vbd_fields(vm, vdi, device="0", **more):
    """What VBD.create is given."""
    return {"VM": vm, "VDI": vdi, "userdevice": device, "bootable": False, "mode": "RW", "type": "Disk",
            "empty": False, "unpluggable": True, "other_config": {}, "qos_algorithm_type": "",
            "qos_algorithm_params": {}} | more


def new_disk(xen, vm, device="0", size=64 * MIB, sr=None, **vbd):
    """A disk of the VM: (VDI, VBD)."""
    vdi = new_vdi(xen, f"disk {device}", size, sr)
    return vdi, xen.VBD.create(vbd_fields(vm, vdi, device, **vbd))


def new_card(xen, vm, device="0", mac=""):
    network = min(xen.network.get_all(), key=xen.network.get_name_label)
    return xen.VIF.create({"device": device, "network": network, "VM": vm, "MAC": mac, "MTU": "1500",
                           "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}})


def disks_of(xen, vm):
    """userdevice -> VDI of its disks."""
    records = [xen.VBD.get_record(vbd) for vbd in xen.VM.get_VBDs(vm)]
    return {r["userdevice"]: r["VDI"] for r in records if r["type"] == "Disk" and r["VDI"] != NULL}


def remove(xen, vm):
    """Ends and removes a VM, its snapshots and their disks; one that is gone is fine."""
    try:
        record = xen.VM.get_record(vm)
    except XenError:
        return
    for snapshot in record["snapshots"]:
        remove(xen, snapshot)
    disks = list(disks_of(xen, vm).values())
    if record["power_state"] != "Halted":
        xen.VM.hard_shutdown(vm)
    xen.VM.destroy(vm)
    for vdi in disks:
        try:
            xen.VDI.destroy(vdi)
        except XenError as e:
            if e.code != "HANDLE_INVALID":
                raise


def remove_sr(xen, sr):
    """A repository with what is left in it."""
    for vdi in xen.SR.get_VDIs(sr):
        xen.VDI.destroy(vdi)
    for pbd in xen.SR.get_PBDs(sr):
        xen.PBD.unplug(pbd)
    xen.SR.destroy(sr)
