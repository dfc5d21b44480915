# SPDX-License-Identifier: LGPL-2.1-or-later
"""Graphics cards and what VMs ask of them."""

import pytest

import vms


@pytest.fixture
def pgpu(xen):
    """The simulated card that no screen hangs on."""
    return [ref for ref, r in xen.PGPU.get_all_records().items() if not r["is_system_display_device"]][0]


@pytest.fixture
def group(xen, pgpu):
    return xen.PGPU.get_GPU_group(pgpu)


@pytest.fixture
def whole(xen):
    """The type that is the whole card."""
    return xen.VGPU_type.get_all()[0]


@pytest.fixture
def vm(xen):
    ref = vms.new_vm(xen, "sees")
    yield ref
    vms.remove(xen, ref)


def test_found_at_the_start(xen, pgpu, group, whole):
    assert len(xen.PGPU.get_all()) == 2
    record = xen.PGPU.get_record(pgpu)
    assert (record["supported_VGPU_types"], record["enabled_VGPU_types"]) == ([whole], [whole])
    assert (record["supported_VGPU_max_capacities"], record["dom0_access"]) == ({whole: "1"}, "enabled")
    record = xen.GPU_group.get_record(group)
    assert record["name_label"] == "Group of Simulated Graphics card GPUs"
    assert (record["PGPUs"], record["GPU_types"], record["enabled_VGPU_types"]) == ([pgpu], ["1234/0042"], [whole])
    assert xen.VGPU_type.get_implementation(whole) == "passthrough"
    assert pgpu in xen.VGPU_type.get_supported_on_PGPUs(whole)


def test_types(xen, pgpu, group, whole, fails):
    xen.PGPU.remove_enabled_VGPU_types(pgpu, whole)
    assert (xen.PGPU.get_enabled_VGPU_types(pgpu), xen.GPU_group.get_enabled_VGPU_types(group)) == ([], [])
    xen.PGPU.add_enabled_VGPU_types(pgpu, whole)
    assert (xen.PGPU.get_enabled_VGPU_types(pgpu), xen.GPU_group.get_enabled_VGPU_types(group)) == ([whole], [whole])
    xen.PGPU.set_enabled_VGPU_types(pgpu, [])
    assert xen.PGPU.get_enabled_VGPU_types(pgpu) == []
    xen.PGPU.set_enabled_VGPU_types(pgpu, [whole])
    xen.GPU_group.update_enabled_VGPU_types(group)
    xen.GPU_group.update_supported_VGPU_types(group)
    assert xen.GPU_group.get_supported_VGPU_types(group) == [whole]
    fails("HANDLE_INVALID", xen.PGPU.add_enabled_VGPU_types, pgpu, "OpaqueRef:none")


def test_groups(xen, pgpu, group, fails):
    other = xen.GPU_group.create("mine", "a remark", {"k": "v"})
    assert xen.GPU_group.get_other_config(other) == {"k": "v"}
    xen.PGPU.set_GPU_group(pgpu, other)
    assert (xen.GPU_group.get_PGPUs(other), xen.GPU_group.get_GPU_types(other)) == ([pgpu], ["1234/0042"])
    assert xen.GPU_group.get_GPU_types(group) == []
    assert fails("GPU_GROUP_CONTAINS_PGPU", xen.GPU_group.destroy, other) == [pgpu]
    screen = [ref for ref in xen.PGPU.get_all() if ref != pgpu][0]
    assert fails("PGPU_NOT_COMPATIBLE_WITH_GPU_GROUP", xen.PGPU.set_GPU_group, screen, other) == \
        ["1234/1111", "1234/0042"]
    xen.PGPU.set_GPU_group(pgpu, group)
    xen.GPU_group.destroy(other)
    assert other not in xen.GPU_group.get_all()


def test_vgpu(xen, group, whole, vm, fails):
    assert fails("INVALID_DEVICE", xen.VGPU.create, vm, group, "7") == ["7"]
    vgpu = xen.VGPU.create(vm, group)
    record = xen.VGPU.get_record(vgpu)
    assert (record["VM"], record["GPU_group"], record["device"], record["type"]) == (vm, group, "0", whole)
    second = xen.VGPU.create(vm, group, "0", {}, whole)
    assert xen.VGPU.get_device(second) == "11"
    assert fails("DEVICE_ALREADY_EXISTS", xen.VGPU.create, vm, group, "11") == ["11"]
    assert fails("VM_REQUIRES_GPU", xen.VM.start, vm, False, False) == [vm, group]
    assert set(fails("GPU_GROUP_CONTAINS_PGPU", xen.GPU_group.destroy, group))
    xen.VGPU.destroy(second)
    xen.VGPU.destroy(vgpu)
    assert xen.VM.get_VGPUs(vm) == []
    xen.VM.start(vm, False, False)
    fails("VM_BAD_POWER_STATE", xen.VGPU.create, vm, group)


def test_type_not_enabled(xen, pgpu, group, whole, vm, fails):
    xen.PGPU.set_enabled_VGPU_types(pgpu, [])
    assert fails("VGPU_TYPE_NOT_ENABLED", xen.VGPU.create, vm, group) == [whole, ""]
    xen.PGPU.set_enabled_VGPU_types(pgpu, [whole])


def test_capacity(xen, pgpu, group, whole, vm, fails):
    assert (xen.PGPU.get_remaining_capacity(pgpu, whole), xen.GPU_group.get_remaining_capacity(group, whole)) == ("1", "1")
    one, two = xen.VGPU.create(vm, group), xen.VGPU.create(vm, group)
    xen.VGPU.atomic_set_resident_on(one, pgpu)
    assert xen.PGPU.get_resident_VGPUs(pgpu) == [one]
    assert (xen.PGPU.get_remaining_capacity(pgpu, whole), xen.GPU_group.get_remaining_capacity(group, whole)) == ("0", "0")
    assert fails("PGPU_INSUFFICIENT_CAPACITY_FOR_VGPU", xen.VGPU.atomic_set_resident_on, two, pgpu) == [pgpu, whole]
    assert fails("PGPU_IN_USE_BY_VM", xen.PGPU.remove_enabled_VGPU_types, pgpu, whole) == [vm]
    xen.VGPU.destroy(one)
    assert xen.PGPU.get_remaining_capacity(pgpu, whole) == "1"
