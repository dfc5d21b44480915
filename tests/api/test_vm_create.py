# SPDX-License-Identifier: LGPL-2.1-or-later
"""Making a VM from nothing and removing it again."""

import pytest

from conftest import NULL
from vms import GIB, MIB, disks_of, new_card, new_disk, new_vm, remove, template


@pytest.fixture
def record(xen):
    """What a client sends: the record of a template with members changed, more than needed included."""
    r = xen.VM.get_record(template(xen))
    return r | {"name_label": "made", "is_a_template": False, "memory_static_min": str(64 * MIB),
                "memory_dynamic_min": str(GIB), "memory_dynamic_max": str(GIB), "memory_static_max": str(GIB)}


@pytest.fixture
def create(xen):
    made = []

    def make(record):
        made.append(xen.VM.create(record))
        return made[-1]

    yield make
    for vm in made:
        remove(xen, vm)


def test_create(xen, record, create):
    vm = create(record | {"blocked_operations": {"start": "no"}, "ha_always_run": True, "tags": ["a", "b"],
                          "affinity": "OpaqueRef:nowhere", "uuid": "mine", "other_config": {"k": "v"}})
    got = xen.VM.get_record(vm)
    assert (got["name_label"], got["power_state"], got["is_a_template"]) == ("made", "Halted", False)
    assert got["uuid"] not in ("mine", record["uuid"]) and got["tags"] == ["a", "b"]
    assert (got["blocked_operations"], got["ha_always_run"], got["affinity"]) == ({}, False, NULL)
    assert got["other_config"]["k"] == "v" and len(got["other_config"]["mac_seed"]) == 36
    assert (got["domid"], got["resident_on"], got["VBDs"], got["VIFs"]) == ("-1", NULL, [], [])
    assert xen.VM_metrics.get_record(got["metrics"])["memory_actual"] == "0"
    assert int(got["memory_overhead"]) > MIB
    assert {"start", "clone", "snapshot", "destroy"} <= set(got["allowed_operations"])


def test_domain_type_and_policy_agree(xen, record, create):
    hvm = create(record | {"domain_type": "unspecified", "HVM_boot_policy": "BIOS order"})
    pv = create(record | {"domain_type": "unspecified", "HVM_boot_policy": ""})
    new = create(record | {"domain_type": "hvm", "HVM_boot_policy": ""})
    assert xen.VM.get_domain_type(hvm) == "hvm" and xen.VM.get_domain_type(pv) == "pv"
    assert xen.VM.get_HVM_boot_policy(new) == "BIOS order"


@pytest.mark.parametrize("changes, field", [
    ({"VCPUs_max": "1", "VCPUs_at_startup": "2"}, "VCPUs_at_startup"),
    ({"VCPUs_max": "0", "VCPUs_at_startup": "0"}, "VCPUs_at_startup"),
    ({"HVM_boot_params": {"firmware": "coreboot"}}, "HVM-boot-params['firmware']"),
    ({"platform": {"cores-per-socket": "3"}, "VCPUs_max": "4", "VCPUs_at_startup": "1"}, "platform:cores-per-socket"),
    ({"platform": {"cores-per-socket": "zero"}}, "platform:cores-per-socket"),
    ({"platform": {"tsc_mode": "7"}}, "platform:tsc_mode"),
    ({"platform": {"usb": "false", "usb_tablet": "true"}}, "platform:usb_tablet"),
    ({"platform": {"parallel": "/dev/sda"}}, "platform:parallel"),
    ({"HVM_shadow_multiplier": 0.5}, "HVM_shadow_multiplier"),
    ({"ha_restart_priority": "always"}, "ha_restart_priority"),
    ({"order": "-1"}, "order"),
    ({"start_delay": "-1"}, "start_delay"),
    ({"power_state": "Running"}, "power_state"),
    ({"power_state": "Suspended", "suspend_VDI": NULL}, "power_state"),
])
def test_bad_values(xen, record, create, fails, changes, field):
    before = xen.VM.get_all()
    assert fails("INVALID_VALUE", create, record | changes)[0] == field
    assert xen.VM.get_all() == before


def test_bad_memory(record, create, fails):
    fails("MEMORY_CONSTRAINT_VIOLATION_ORDER", create, record | {"memory_dynamic_min": str(2 * GIB)})
    fails("MEMORY_CONSTRAINT_VIOLATION_ORDER", create, record | {"memory_static_min": "-1"})


def test_missing_member(record, create, fails):
    del record["memory_static_max"]
    assert "memory_static_max" in fails("INTERNAL_ERROR", create, record)[0]


def test_destroy(xen, fails):
    vm = new_vm(xen, "to destroy")
    vdi, vbd = new_disk(xen, vm)
    vif = new_card(xen, vm)
    metrics = xen.VM.get_metrics(vm)
    xen.VM.destroy(vm)
    fails("HANDLE_INVALID", xen.VM.get_uuid, vm)
    fails("HANDLE_INVALID", xen.VBD.get_uuid, vbd)
    fails("HANDLE_INVALID", xen.VIF.get_uuid, vif)
    fails("HANDLE_INVALID", xen.VM_metrics.get_uuid, metrics)
    assert xen.VDI.get_VBDs(vdi) == []
    xen.VDI.destroy(vdi)
    fails("HANDLE_INVALID", xen.VM.destroy, vm)


def test_destroy_refused(xen, fails):
    default = template(xen)
    assert fails("VM_CANNOT_DELETE_DEFAULT_TEMPLATE", xen.VM.destroy, default) == [default]
    dom0 = [r for r, v in xen.VM.get_all_records().items() if v["is_control_domain"]][0]
    fails("VM_BAD_POWER_STATE", xen.VM.destroy, dom0)
    vm = new_vm(xen, "running")
    try:
        xen.VM.start(vm, False, False)
        assert fails("VM_BAD_POWER_STATE", xen.VM.destroy, vm) == [vm, "halted, suspended", "running"]
        xen.VM.hard_shutdown(vm)
        xen.VM.add_to_blocked_operations(vm, "destroy", "precious")
        assert fails("OPERATION_BLOCKED", xen.VM.destroy, vm) == [vm, "precious"]
        xen.VM.remove_from_blocked_operations(vm, "destroy")
    finally:
        remove(xen, vm)


def test_destroy_keeps_the_tree(xen):
    vm = new_vm(xen, "tree")
    try:
        first = xen.VM.snapshot(vm, "first")
        second = xen.VM.snapshot(vm, "second")
        assert xen.VM.get_parent(second) == first and xen.VM.get_parent(vm) == second
        xen.VM.destroy(second)
        assert xen.VM.get_parent(vm) == first
        xen.VM.destroy(first)
        assert xen.VM.get_parent(vm) == NULL and disks_of(xen, vm) == {}
    finally:
        remove(xen, vm)
