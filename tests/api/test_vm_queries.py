# SPDX-License-Identifier: LGPL-2.1-or-later
"""Questions about a VM, and signals to its guest."""

import pytest

from vms import new_card, new_disk, new_vm, remove


@pytest.fixture
def vm(xen):
    ref = new_vm(xen, "queries")
    yield ref
    remove(xen, ref)


def test_assert_operation_valid(xen, vm, fails):
    xen.VM.assert_operation_valid(vm, "start")
    assert fails("VM_BAD_POWER_STATE", xen.VM.assert_operation_valid, vm, "pause") == [vm, "running", "halted"]
    fails("FIELD_TYPE_ERROR", xen.VM.assert_operation_valid, vm, "fly")
    xen.VM.update_allowed_operations(vm)
    fails("HANDLE_INVALID", xen.VM.update_allowed_operations, "OpaqueRef:none")


def test_free_devices(xen, vm, fails):
    assert xen.VM.get_allowed_VBD_devices(vm)[:2] == ["0", "1"]
    new_disk(xen, vm, "1")
    new_card(xen, vm, "0")
    assert xen.VM.get_allowed_VBD_devices(vm)[:2] == ["0", "2"]
    assert xen.VM.get_allowed_VIF_devices(vm)[0] == "1"
    fails("HANDLE_INVALID", xen.VM.get_allowed_VIF_devices, "OpaqueRef:none")


def test_where_it_can_boot(xen, vm, fails):
    host = xen.host.get_all()[0]
    xen.VM.assert_can_boot_here(vm, host)
    assert xen.VM.get_possible_hosts(vm) == [host]
    fails("HANDLE_INVALID", xen.VM.assert_can_boot_here, vm, "OpaqueRef:none")
    huge = str(1 << 50)
    xen.VM.set_memory_limits(vm, "0", huge, huge, huge)
    fails("HOST_NOT_ENOUGH_FREE_MEMORY", xen.VM.assert_can_boot_here, vm, host)
    assert xen.VM.get_possible_hosts(vm) == []


def test_allocated(xen, vm, fails):
    """Memory is promised only to what could run here, and taken back when it has run."""
    host = xen.host.get_all()[0]
    fails("HANDLE_INVALID", xen.host.allocate_resources_for_vm, "OpaqueRef:none", vm, True)
    free = int(xen.host.compute_free_memory(host))
    xen.host.allocate_resources_for_vm(host, vm, False)
    assert xen.VM.get_scheduled_to_be_resident_on(vm) == host
    assert int(xen.host.compute_free_memory(host)) < free
    xen.VM.start(vm, False, False)
    xen.VM.hard_shutdown(vm)
    assert xen.VM.get_scheduled_to_be_resident_on(vm) == "OpaqueRef:NULL"
    huge = str(1 << 50)
    xen.VM.set_memory_limits(vm, "0", huge, huge, huge)
    fails("HOST_NOT_ENOUGH_FREE_MEMORY", xen.host.allocate_resources_for_vm, host, vm, True)


def test_boot_record(xen, vm, fails):
    assert fails("VM_BAD_POWER_STATE", xen.VM.get_boot_record, vm)[2] == "halted"
    xen.VM.start(vm, False, False)
    record = xen.VM.get_boot_record(vm)
    assert (record["uuid"], record["power_state"]) == (xen.VM.get_uuid(vm), "Running")


def test_assert_agile(xen, vm, fails):
    new_card(xen, vm)
    xen.VM.assert_agile(vm)
    vdi, _ = new_disk(xen, vm)
    sr = xen.VDI.get_SR(vdi)
    assert fails("HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", xen.VM.assert_agile, vm) == [sr]


def test_power_state_reset(xen, vm, fails):
    xen.VM.power_state_reset(vm)
    assert xen.VM.get_power_state(vm) == "Halted"
    xen.VM.start(vm, False, False)
    assert fails("DOMAIN_EXISTS", xen.VM.power_state_reset, vm) == [vm, xen.VM.get_domid(vm)]
    assert xen.VM.get_power_state(vm) == "Running"
    dom0 = [r for r, v in xen.VM.get_all_records().items() if v["is_control_domain"]][0]
    assert fails("CANNOT_RESET_CONTROL_DOMAIN", xen.VM.power_state_reset, dom0) == [dom0]


def test_signals(xen, vm, fails):
    fails("VM_BAD_POWER_STATE", xen.VM.send_trigger, vm, "nmi")
    fails("VM_BAD_POWER_STATE", xen.VM.send_sysrq, vm, "h")
    fails("VM_BAD_POWER_STATE", xen.VM.call_plugin, vm, "p", "f", {})
    xen.VM.start(vm, False, False)
    xen.VM.send_trigger(vm, "nmi")
    assert fails("INVALID_VALUE", xen.VM.send_trigger, vm, "shake") == ["trigger", "shake"]
    fails("NOT_IMPLEMENTED", xen.VM.send_sysrq, vm, "h")
    assert fails("XENAPI_MISSING_PLUGIN", xen.VM.call_plugin, vm, "p", "f", {}) == ["p"]
    assert fails("XENAPI_MISSING_PLUGIN", xen.VM.call_host_plugin, vm, "p", "f", {}) == ["p"]
    fails("NOT_SYSTEM_DOMAIN", xen.VM.query_services, vm)
    xen.VM.add_to_other_config(vm, "is_system_domain", "true")
    assert xen.VM.query_services(vm) == {}
