# SPDX-License-Identifier: LGPL-2.1-or-later
"""Setters of VM that have a rule."""

import pytest

from conftest import NULL
from vms import default_sr, new_disk, new_vm, remove, template


@pytest.fixture
def vm(xen):
    ref = new_vm(xen, "settings")
    yield ref
    remove(xen, ref)


def test_set_is_a_template(xen, vm, fails):
    metrics = xen.VM.get_metrics(vm)
    assert xen.VM_metrics.get_install_time(metrics).value > "19700101T00:00:00Z"
    xen.VM.set_is_a_template(vm, True)
    assert xen.VM.get_is_a_template(vm) is True and "start" not in xen.VM.get_allowed_operations(vm)
    xen.VM.set_is_a_template(vm, True)
    xen.VM.set_is_a_template(vm, False)
    xen.VM.start(vm, False, False)
    assert fails("VM_BAD_POWER_STATE", xen.VM.set_is_a_template, vm, True) == [vm, "halted", "running"]
    snapshot = xen.VM.snapshot(vm, "s")
    fails("VM_IS_SNAPSHOT", xen.VM.set_is_a_template, snapshot, False)


def test_set_is_default_template(xen, vm, fails):
    xen.VM.set_is_default_template(vm, True)
    record = xen.VM.get_record(vm)
    assert record["is_default_template"] and record["is_a_template"]
    assert record["other_config"]["default_template"] == "true"
    fails("VM_CANNOT_DELETE_DEFAULT_TEMPLATE", xen.VM.destroy, vm)
    xen.VM.set_is_default_template(vm, False)
    record = xen.VM.get_record(vm)
    assert not record["is_default_template"] and "default_template" not in record["other_config"]


def test_order_and_delays(xen, vm, fails):
    for name in ("order", "start_delay", "shutdown_delay"):
        getattr(xen.VM, f"set_{name}")(vm, "7")
        assert getattr(xen.VM, f"get_{name}")(vm) == "7"
        assert fails("INVALID_VALUE", getattr(xen.VM, f"set_{name}"), vm, "-1") == [name, "-1"]


def test_actions_after_crash(xen, vm, fails):
    xen.VM.set_actions_after_crash(vm, "preserve")
    assert xen.VM.get_actions_after_crash(vm) == "preserve"
    fails("FIELD_TYPE_ERROR", xen.VM.set_actions_after_crash, vm, "panic")


def test_ha_priority(xen, vm, fails):
    for value in ("restart", "best-effort", ""):
        xen.VM.set_ha_restart_priority(vm, value)
        assert xen.VM.get_ha_restart_priority(vm) == value
    assert fails("INVALID_VALUE", xen.VM.set_ha_restart_priority, vm, "9") == ["ha_restart_priority", "9"]
    xen.VM.set_ha_always_run(vm, True)
    assert xen.VM.get_ha_always_run(vm) is True


def test_domain_type(xen, vm, fails):
    xen.VM.set_domain_type(vm, "pv")
    assert xen.VM.get_HVM_boot_policy(vm) == ""
    xen.VM.set_HVM_boot_policy(vm, "BIOS order")
    assert xen.VM.get_domain_type(vm) == "hvm"
    fails("INVALID_VALUE", xen.VM.set_domain_type, vm, "unspecified")


def test_vendor_device(xen, vm, fails):
    xen.VM.set_has_vendor_device(vm, False)
    assert xen.VM.get_has_vendor_device(vm) is False
    xen.VM.start(vm, False, False)
    assert fails("VM_BAD_POWER_STATE", xen.VM.set_has_vendor_device, vm, True) == [vm, "halted", "running"]


def test_set_suspend_vdi(xen, vm, fails):
    xen.VM.set_suspend_SR(vm, default_sr(xen))
    assert fails("VM_BAD_POWER_STATE", xen.VM.set_suspend_VDI, vm, NULL) == [vm, "suspended", "halted"]
    vdi, _ = new_disk(xen, vm)
    xen.VM.start(vm, False, False)
    xen.VM.suspend(vm)
    memory = xen.VM.get_suspend_VDI(vm)
    fails("VDI_INCOMPATIBLE_TYPE", xen.VM.set_suspend_VDI, vm, vdi)
    fails("HANDLE_INVALID", xen.VM.set_suspend_VDI, vm, NULL)
    xen.VM.set_suspend_VDI(vm, memory)
    assert xen.VM.get_suspend_VDI(vm) == memory


def test_other_config(xen, vm, fails):
    xen.VM.add_to_other_config(vm, "k", "v")
    assert fails("MAP_DUPLICATE_KEY", xen.VM.add_to_other_config, vm, "k", "w") == ["VM", "other_config", vm, "k"]
    xen.VM.remove_from_other_config(vm, "k")
    xen.VM.remove_from_other_config(vm, "k")
    assert "k" not in xen.VM.get_other_config(vm)
    xen.VM.set_other_config(vm, {"a": "1"})
    assert xen.VM.get_other_config(vm) == {"a": "1"}


def test_platform(xen, vm, fails):
    xen.VM.set_platform(vm, {"vga": "std"})
    xen.VM.add_to_platform(vm, "tsc_mode", "1")
    assert fails("MAP_DUPLICATE_KEY", xen.VM.add_to_platform, vm, "vga", "cirrus") == ["VM", "platform", vm, "vga"]
    xen.VM.remove_from_platform(vm, "vga")
    assert xen.VM.get_platform(vm) == {"tsc_mode": "1"}
    assert fails("INVALID_VALUE", xen.VM.add_to_platform, vm, "parallel", "/etc/passwd")[0] == "platform:parallel"
    assert fails("INVALID_VALUE", xen.VM.set_platform, vm, {"tsc_mode": "x"})[0] == "platform:tsc_mode"
    # How sockets and processors fit together is only known at the start: they are set one by one.
    xen.VM.add_to_platform(vm, "cores-per-socket", "3")
    assert fails("INVALID_VALUE", xen.VM.start, vm, False, False) == ["platform:cores-per-socket", "3"]
    xen.VM.set_VCPUs_max(vm, "6")
    xen.VM.start(vm, False, False)


def test_nvram(xen, vm, fails):
    xen.VM.set_NVRAM(vm, {"a": "1"})
    xen.VM.add_to_NVRAM(vm, "b", "2")
    assert fails("MAP_DUPLICATE_KEY", xen.VM.add_to_NVRAM, vm, "b", "3") == ["VM", "NVRAM", vm, "b"]
    xen.VM.remove_from_NVRAM(vm, "a")
    xen.VM.remove_from_NVRAM(vm, "a")
    assert xen.VM.get_NVRAM(vm) == {"b": "2"}
    xen.VM.start(vm, False, False)
    fails("VM_BAD_POWER_STATE", xen.VM.set_NVRAM, vm, {})
    xen.VM.set_NVRAM_EFI_variables(vm, "AAAA")
    assert xen.VM.get_NVRAM(vm) == {"b": "2", "EFI-variables": "AAAA"}


def test_blocked_operations(xen, vm, fails):
    xen.VM.set_blocked_operations(vm, {"start": "no", "clone": "neither"})
    assert not {"start", "clone"} & set(xen.VM.get_allowed_operations(vm))
    fails("OPERATION_BLOCKED", xen.VM.clone, vm, "copy")
    fails("MAP_DUPLICATE_KEY", xen.VM.add_to_blocked_operations, vm, "start", "still no")
    xen.VM.remove_from_blocked_operations(vm, "start")
    xen.VM.remove_from_blocked_operations(vm, "pause")
    xen.VM.add_to_blocked_operations(vm, "snapshot", "why")
    assert xen.VM.get_blocked_operations(vm) == {"clone": "neither", "snapshot": "why"}
    fails("FIELD_TYPE_ERROR", xen.VM.add_to_blocked_operations, vm, "fly", "no")


def test_bios_strings(xen, vm, fails):
    for key, value in (("colour", "red"), ("bios-vendor", ""), ("bios-vendor", "x" * 513), ("bios-vendor", "\u00fc"),
                       ("oem-1", "maker")):
        assert fails("INVALID_VALUE", xen.VM.set_bios_strings, vm, {key: value})[0] == key
    xen.VM.set_bios_strings(vm, {"system-manufacturer": "Maker"})
    strings = xen.VM.get_bios_strings(vm)
    assert strings["system-manufacturer"] == "Maker" and strings["bios-vendor"] == "Xen"
    fails("VM_BIOS_STRINGS_ALREADY_SET", xen.VM.set_bios_strings, vm, {})
    host = xen.host.get_all()[0]
    fails("VM_BIOS_STRINGS_ALREADY_SET", xen.VM.copy_bios_strings, vm, host)
    other = new_vm(xen, "other")
    try:
        xen.VM.copy_bios_strings(other, host)
        assert xen.VM.get_bios_strings(other) == xen.host.get_bios_strings(host)
        fails("HANDLE_INVALID", xen.VM.copy_bios_strings, other, "OpaqueRef:none")
    finally:
        remove(xen, other)


def test_groups_and_schedules(xen, vm, fails):
    fails("HANDLE_INVALID", xen.VM.set_appliance, "OpaqueRef:none", NULL)
    xen.VM.set_appliance(vm, NULL)
    xen.VM.set_appliance(vm, "OpaqueRef:gone")
    assert xen.VM.get_appliance(vm) == NULL
    xen.VM.set_snapshot_schedule(vm, NULL)
    fails("HANDLE_INVALID", xen.VM.set_snapshot_schedule, vm, "OpaqueRef:gone")
    fails("VM_IS_TEMPLATE", xen.VM.set_snapshot_schedule, template(xen), "OpaqueRef:gone")
    xen.VM.set_groups(vm, [])
    fails("TOO_MANY_GROUPS", xen.VM.set_groups, vm, ["OpaqueRef:a", "OpaqueRef:b"])
