# SPDX-License-Identifier: LGPL-2.1-or-later
"""Moving VMs: what can be answered on one host."""

import pytest

from vms import new_disk, new_vm, remove

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


@pytest.mark.parametrize("name", ["migrate_send", "assert_can_migrate", "assert_can_migrate_sender"])
def test_migrate_send(xen, vm, fails, name):
    def call(dest, vdi_map):
        last = ({}, {}, {}) if name == "assert_can_migrate_sender" else ({}, {})
        return getattr(xen.VM, name)(vm, dest, True, vdi_map, *last)

    vdi, _ = new_disk(xen, vm)
    assert fails("INVALID_VALUE", call, {"host": "h"}, {}) == ["dest", "SM"]
    assert fails("VDI_NOT_IN_MAP", call, DEST, {}) == [vdi]
    params = fails("VM_MIGRATE_FAILED", call, DEST, {vdi: xen.VDI.get_SR(vdi)})
    assert params[:3] == [vm, xen.host.get_all()[0], "OpaqueRef:far"]
    xen.VM.start(vm, True, False)
    fails("VM_BAD_POWER_STATE", call, DEST, {})


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
