# SPDX-License-Identifier: LGPL-2.1-or-later
"""Moving VMs: what can be answered on one host."""

import random

import pytest

from transfers import Reply, connect, get, head, put
from vms import new_disk, new_vm, remove, vbd_fields

DEST = {"host": "OpaqueRef:far", "SM": "http://far/SM", "xenops": "http://far/xenops", "session_id": "OpaqueRef:s",
        "master": "http://far"}


@pytest.fixture
def vm(xen):
    ref = new_vm(xen, "traveller")
    yield ref
    remove(xen, ref)


def test_pool_migrate(xen, vm, fails):
    host = xen.host.get_all()[0]
    for call in (lambda h: xen.VM.pool_migrate(vm, h, {"live": "true"}), lambda h: xen.VM.pool_migrate_complete(vm, h)):
        fails("VM_BAD_POWER_STATE", call, host)
    xen.VM.start(vm, False, False)
    xen.VM.pool_migrate(vm, host, {"live": "true"})
    xen.VM.pool_migrate_complete(vm, host)
    fails("HANDLE_INVALID", xen.VM.pool_migrate, vm, "OpaqueRef:none", {})


@pytest.fixture
def dest(xen):
    host = xen.host.get_all()[0]
    pif = next(p for p in xen.PIF.get_all() if xen.PIF.get_management(p))
    return xen.host.migrate_receive(host, xen.PIF.get_network(pif), {})


@pytest.fixture
def other_sr(xen):
    ref = xen.SR.create(xen.host.get_all()[0], {}, "0", "other", "", "file", "user", False, {})
    yield ref
    for vdi in xen.SR.get_VDIs(ref):
        xen.VDI.destroy(vdi)
    xen.PBD.unplug(xen.SR.get_PBDs(ref)[0])
    xen.SR.destroy(ref)


def caller(xen, name, vm):
    def call(dest, vdi_map, vif_map=None, options=None):
        last = [{}, options or {}] if name == "assert_can_migrate_sender" else [options or {}]
        return getattr(xen.VM, name)(vm, dest, True, vdi_map, vif_map or {}, *last)
    return call


@pytest.mark.parametrize("name", ["migrate_send", "assert_can_migrate", "assert_can_migrate_sender"])
def test_migrate_checks(xen, vm, dest, other_sr, fails, name):
    call = caller(xen, name, vm)
    vdi, vbd = new_disk(xen, vm)
    here = xen.VDI.get_SR(vdi)
    assert fails("INVALID_VALUE", call, {"host": "h"}, {}) == ["dest", "SM"]
    assert fails("VDI_NOT_IN_MAP", call, DEST, {}) == [vdi]
    params = fails("VM_MIGRATE_FAILED", call, DEST, {vdi: here})
    assert params[:3] == [vm, xen.host.get_all()[0], "OpaqueRef:far"]
    fails("HANDLE_INVALID", call, dest, {vdi: "OpaqueRef:none"})
    fails("OPERATION_NOT_ALLOWED", call, dest, {vdi: here}, {"OpaqueRef:vif": "OpaqueRef:network"})
    fails("OPERATION_NOT_ALLOWED", call, dest, {vdi: here}, {}, {"copy": "true"})
    other = new_vm(xen, "shares it")
    xen.VBD.create(vbd_fields(other, vdi))
    assert fails("VDI_IN_USE", call, dest, {vdi: other_sr}) == [vdi, "migrate_send"]
    xen.VM.destroy(other)
    assert call(dest, {vdi: here}) == (vm if name == "migrate_send" else "")
    assert xen.VBD.get_VDI(vbd) == vdi
    xen.VM.start(vm, True, False)
    fails("VM_BAD_POWER_STATE", call, dest, {})
    xen.VM.unpause(vm)
    assert fails("SR_DOES_NOT_SUPPORT_MIGRATION", call, dest, {vdi: other_sr}) == [here, "Vdi_mirror"]
    call(dest, {vdi: here})


def test_migrate_send(daemons, xen, vm, dest, other_sr):
    """Disks of a VM that is off move with their contents, and nothing stays behind; those not meant stay."""
    moving, vbd = new_disk(xen, vm, "0")
    staying, still = new_disk(xen, vm, "1")
    put(daemons, xen, moving, b"contents")
    here = xen.VDI.get_SR(moving)
    snapshot = xen.VDI.snapshot(moving, {})
    caller(xen, "assert_can_migrate", vm)(dest, {moving: other_sr, staying: here})
    assert xen.VBD.get_VDI(vbd) == moving
    task = xen.call("Async.VM.migrate_send", vm, dest, True, {moving: other_sr, staying: here}, {}, {})
    assert xen.wait(task) == vm
    moved = xen.VBD.get_VDI(vbd)
    assert xen.SR.get_VDIs(other_sr) == [moved] and xen.VBD.get_VDI(still) == staying
    assert get(daemons, xen, moved)[:8] == b"contents"
    assert xen.VDI.get_snapshot_of(snapshot) == moved
    assert moving not in xen.VDI.get_all() and xen.VM.get_current_operations(vm) == {}
    xen.SR.scan(here)
    assert xen.VDI.get_name_label(moved) not in {xen.VDI.get_name_label(v) for v in xen.SR.get_VDIs(here) if v != snapshot}
    assert daemons.verify() == {}
    xen.VDI.destroy(snapshot)


def test_an_original_that_cannot_be_erased(daemons, xen, vm, dest, other_sr, fails):
    """Somebody reads it: the VM has moved, the call says what is wrong, and the disk is there to be destroyed."""
    moving, vbd = new_disk(xen, vm, "0", size=64 << 20)
    put(daemons, xen, moving, random.Random(5).randbytes(64 << 20))
    with connect(daemons) as s:
        s.sendall(head("GET", "/export_raw_vdi", vdi=moving, session_id=xen.session))
        assert Reply(s).status == 200
        assert fails("VDI_IN_USE", caller(xen, "migrate_send", vm), dest, {moving: other_sr})[0] == moving
    moved = xen.VBD.get_VDI(vbd)
    assert xen.SR.get_VDIs(other_sr) == [moved] and xen.VM.get_current_operations(vm) == {}
    assert xen.VDI.get_VBDs(moving) == [] and xen.VDI.get_current_operations(moving) == {}
    caller(xen, "migrate_send", vm)(dest, {moved: other_sr})  # it is there
    xen.VDI.destroy(moving)
    assert daemons.verify() == {}


def test_migrate_receive(xen, dest, fails):
    host = xen.host.get_all()[0]
    pifs = {r["device"]: (ref, r) for ref, r in xen.PIF.get_all_records().items()}
    (_, first), (second, other) = pifs["eth0"], pifs["eth1"]
    assert dest["host"] == host and dest["master"] == f"http://{xen.host.get_address(host)}"
    assert dest["SM"] == f"http://{first['IP']}/services/SM?session_id={xen.session}"
    assert dest["xenops"] == f"http://{first['IP']}/services/xenops?session_id={xen.session}"
    assert dest["session_id"] == xen.session
    assert fails("PIF_HAS_NO_NETWORK_CONFIGURATION", xen.host.migrate_receive, host, other["network"], {}) == [second]
    network = xen.network.create({"name_label": "n", "name_description": "", "MTU": "1500", "other_config": {}})
    assert fails("HOST_CANNOT_ATTACH_NETWORK", xen.host.migrate_receive, host, network, {}) == [host, network]
    xen.network.destroy(network)
    for args in (("OpaqueRef:none", first["network"], {}), (host, "OpaqueRef:none", {})):
        fails("HANDLE_INVALID", xen.host.migrate_receive, *args)


def test_restart_device_models(xen, vm, fails):
    fails("VM_BAD_POWER_STATE", xen.VM.restart_device_models, vm)
    xen.VM.start(vm, False, False)
    assert fails("CANNOT_RESTART_DEVICE_MODEL", xen.VM.restart_device_models, vm) == [vm]


def test_resident_on(xen, vm, fails):
    host = xen.host.get_all()[0]
    assert fails("VM_BAD_POWER_STATE", xen.VM.atomic_set_resident_on, vm, host) == [vm, "paused, running", "halted"]
    xen.VM.start(vm, False, False)
    xen.VM.atomic_set_resident_on(vm, host)
    assert xen.VM.get_resident_on(vm) == host
