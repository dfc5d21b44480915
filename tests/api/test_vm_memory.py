# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory and processors: limits of a VM that is off, changes of one that runs."""

import pytest

from vms import GIB, MIB, new_vm, remove, template

ORDER = "MEMORY_CONSTRAINT_VIOLATION_ORDER"


@pytest.fixture
def vm(xen):
    ref = new_vm(xen, "memory")
    xen.VM.set_memory_limits(ref, str(64 * MIB), str(GIB), str(GIB), str(GIB))
    yield ref
    remove(xen, ref)


def limits(xen, vm):
    r = xen.VM.get_record(vm)
    return [int(r[f"memory_{k}"]) // MIB for k in ("static_min", "dynamic_min", "dynamic_max", "static_max")]


def test_memory_limits(xen, vm, fails):
    xen.VM.set_memory_limits(vm, str(128 * MIB), str(2 * GIB), str(256 * MIB), str(GIB))
    assert limits(xen, vm) == [128, 256, 1024, 2048]
    fails(ORDER, xen.VM.set_memory_limits, vm, str(GIB), str(GIB), str(GIB - 1), str(GIB))
    fails(ORDER, xen.VM.set_memory_limits, vm, "0", str(GIB), "0", str(GIB + 1))
    assert limits(xen, vm) == [128, 256, 1024, 2048]
    xen.VM.start(vm, False, False)
    fails("VM_BAD_POWER_STATE", xen.VM.set_memory_limits, vm, "0", str(GIB), str(GIB), str(GIB))


def test_set_memory(xen, vm, fails):
    xen.VM.set_memory(vm, str(512 * MIB))
    assert limits(xen, vm) == [64, 512, 512, 512]
    fails(ORDER, xen.VM.set_memory, vm, str(32 * MIB))
    fails("FIELD_TYPE_ERROR", xen.VM.set_memory, vm, "much")


def test_static_range(xen, vm, fails):
    xen.VM.set_memory_static_range(vm, str(32 * MIB), str(3 * GIB))
    assert limits(xen, vm) == [32, 1024, 1024, 3072]
    xen.VM.set_memory_static_min(vm, "0")
    xen.VM.set_memory_static_max(vm, str(2 * GIB))
    assert limits(xen, vm) == [0, 1024, 1024, 2048]
    fails(ORDER, xen.VM.set_memory_static_max, vm, str(512 * MIB))
    fails(ORDER, xen.VM.set_memory_static_min, vm, str(2 * GIB))
    xen.VM.start(vm, False, False)
    assert fails("VM_BAD_POWER_STATE", xen.VM.set_memory_static_max, vm, str(GIB)) == [vm, "halted", "running"]


def test_dynamic_range(xen, vm, fails):
    xen.VM.set_memory_dynamic_range(vm, str(256 * MIB), str(512 * MIB))
    assert limits(xen, vm) == [64, 256, 512, 1024]
    xen.VM.set_memory_dynamic_min(vm, str(300 * MIB))
    xen.VM.set_memory_dynamic_max(vm, str(900 * MIB))
    assert limits(xen, vm) == [64, 300, 900, 1024]
    fails(ORDER, xen.VM.set_memory_dynamic_range, vm, str(512 * MIB), str(256 * MIB))
    fails(ORDER, xen.VM.set_memory_dynamic_max, vm, str(2 * GIB))


def test_memory_live(xen, vm, fails):
    xen.VM.set_memory_dynamic_range(vm, str(256 * MIB), str(GIB))
    xen.VM.start(vm, False, False)
    assert xen.VM.get_memory_target(vm) == str(GIB)
    xen.VM.set_memory_dynamic_range(vm, str(256 * MIB), str(512 * MIB))
    assert limits(xen, vm) == [64, 256, 512, 1024]
    assert xen.VM.get_memory_target(vm) == str(512 * MIB)
    task = xen.Async.VM.set_memory_target_live(vm, str(300 * MIB))
    xen.wait(task)
    assert limits(xen, vm) == [64, 300, 300, 1024]
    assert xen.VM.get_memory_target(vm) == str(300 * MIB)
    fails(ORDER, xen.VM.set_memory_dynamic_range, vm, str(256 * MIB), str(2 * GIB))
    xen.VM.pause(vm)
    fails("VM_BAD_POWER_STATE", xen.VM.set_memory_dynamic_range, vm, str(256 * MIB), str(512 * MIB))


def test_failed_balloon_changes_nothing(daemons, xen, vm):
    from conftest import XenError
    xen.VM.set_memory_dynamic_range(vm, str(256 * MIB), str(GIB))
    xen.VM.start(vm, False, False)
    daemons.control(xen.VM.get_uuid(vm), fail="set_memory")
    with pytest.raises(XenError):
        xen.VM.set_memory_dynamic_range(vm, str(256 * MIB), str(512 * MIB))
    assert limits(xen, vm) == [64, 256, 1024, 1024]
    assert xen.VM.get_current_operations(vm) == {}


def test_wait_for_memory_target(xen, vm, fails):
    fails("VM_BAD_POWER_STATE", xen.VM.wait_memory_target_live, vm)
    xen.VM.set_memory_dynamic_range(vm, str(256 * MIB), str(GIB))
    xen.VM.start(vm, False, False)
    xen.VM.set_memory_target_live(vm, str(512 * MIB))
    xen.VM.wait_memory_target_live(vm)
    actual = int(xen.VM_metrics.get_memory_actual(xen.VM.get_metrics(vm)))
    assert abs(actual - 512 * MIB) <= 4 * MIB


def test_nested_virtualisation_pins_memory(xen, vm, fails):
    xen.VM.add_to_platform(vm, "nested-virt", "true")
    assert fails("MEMORY_CONSTRAINT_VIOLATION_MAXPIN", xen.VM.set_memory_static_max, vm, str(2 * GIB)) == ["nested-virt"]
    xen.VM.set_memory(vm, str(2 * GIB))
    assert limits(xen, vm) == [64, 2048, 2048, 2048]


def test_overhead_and_maximum(xen, vm, fails):
    overhead = int(xen.VM.compute_memory_overhead(vm))
    assert MIB < overhead < 64 * MIB and xen.VM.get_memory_overhead(vm) == str(overhead)
    most = int(xen.VM.maximise_memory(vm, str(4 * GIB), False))
    assert 3 * GIB < most < 4 * GIB
    xen.VM.set_memory(vm, str(most))
    assert most + int(xen.VM.compute_memory_overhead(vm)) <= 4 * GIB
    assert xen.VM.maximise_memory(vm, "0", False) == "0"
    assert xen.VM.get_cooperative(vm) is True
    fails("HANDLE_INVALID", xen.VM.compute_memory_overhead, "OpaqueRef:none")


def test_shadow_multiplier(xen, vm, fails):
    before = int(xen.VM.get_memory_overhead(vm))
    xen.VM.set_HVM_shadow_multiplier(vm, 4.0)
    assert xen.VM.get_HVM_shadow_multiplier(vm) == 4.0 and int(xen.VM.get_memory_overhead(vm)) > before
    fails("INVALID_VALUE", xen.VM.set_HVM_shadow_multiplier, vm, 0.9)
    fails("VM_BAD_POWER_STATE", xen.VM.set_shadow_multiplier_live, vm, 2.0)
    xen.VM.start(vm, False, False)
    fails("VM_BAD_POWER_STATE", xen.VM.set_HVM_shadow_multiplier, vm, 2.0)
    xen.VM.set_shadow_multiplier_live(vm, 2.0)
    assert xen.VM.get_HVM_shadow_multiplier(vm) == 2.0


def test_memory_of_the_control_domain(xen, fails):
    dom0 = [r for r, v in xen.VM.get_all_records().items() if v["is_control_domain"]][0]
    fails("OPERATION_NOT_ALLOWED", xen.VM.set_memory_limits, dom0, "0", str(GIB), str(GIB), str(GIB))


def test_vcpus(xen, vm, fails):
    xen.VM.set_VCPUs_max(vm, "4")
    xen.VM.set_VCPUs_at_startup(vm, "3")
    assert fails("INVALID_VALUE", xen.VM.set_VCPUs_at_startup, vm, "5") == ["VCPUs_at_startup", "5"]
    assert fails("INVALID_VALUE", xen.VM.set_VCPUs_at_startup, vm, "0") == ["VCPUs_at_startup", "0"]
    assert fails("INVALID_VALUE", xen.VM.set_VCPUs_max, vm, "2") == ["VCPUs_max", "2"]
    assert (xen.VM.get_VCPUs_max(vm), xen.VM.get_VCPUs_at_startup(vm)) == ("4", "3")
    xen.VM.start(vm, False, False)
    fails("VM_BAD_POWER_STATE", xen.VM.set_VCPUs_max, vm, "8")


def test_vcpus_live(xen, vm, fails):
    fails("VM_BAD_POWER_STATE", xen.VM.set_VCPUs_number_live, vm, "1")
    xen.VM.start(vm, False, False)
    assert fails("VM_LACKS_FEATURE", xen.VM.set_VCPUs_number_live, vm, "1") == [vm]


def test_scheduling_live(xen, daemons, vm, fails):
    change = xen.VM.add_to_VCPUs_params_live
    fails("VM_BAD_POWER_STATE", change, vm, "weight", "256")
    xen.VM.set_VCPUs_params(vm, {"weight": "512", "note": "mine"})
    xen.VM.start(vm, False, False)
    before = daemons.driver_calls("set_scheduling")
    for key, value in (("weight", "0"), ("weight", "65536"), ("weight", "x"), ("cap", "-1"), ("mask", ""), ("mask", "1,"),
                       ("mask", "1;2"), ("mask", "1," * 1000 + "1"), ("priority", "1")):
        assert fails("INVALID_VALUE", change, vm, key, value) == (["key", key] if key == "priority" else [key, value])
    assert daemons.driver_calls("set_scheduling") == before
    assert xen.VM.get_VCPUs_params(vm) == {"weight": "512", "note": "mine"}
    for key, value in (("weight", "1024"), ("cap", "0"), ("mask", "0,2")):
        change(vm, key, value)
    assert daemons.driver_calls("set_scheduling") == before + 3
    assert xen.VM.get_VCPUs_params(vm) == {"weight": "1024", "cap": "0", "mask": "0,2", "note": "mine"}


def test_templates_have_memory_too(xen, fails):
    ref = xen.VM.clone(template(xen), "template")
    try:
        xen.VM.set_memory(ref, str(GIB))
        xen.VM.set_VCPUs_max(ref, "2")
        assert limits(xen, ref)[1:] == [1024, 1024, 1024]
    finally:
        remove(xen, ref)
