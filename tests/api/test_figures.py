# SPDX-License-Identifier: LGPL-2.1-or-later
"""Data sources: figures under names."""

import vms


def test_vm(xen, fails):
    vm = vms.new_vm(xen, "counted")
    fails("VM_BAD_POWER_STATE", xen.VM.get_data_sources, vm)
    xen.VM.start(vm, False, False)
    found = {source["name_label"]: source for source in xen.VM.get_data_sources(vm)}
    assert {"memory", "memory_target", "cpu_seconds_total"} <= set(found)
    memory = found["memory"]
    assert memory["units"] == "B" and memory["enabled"] and memory["standard"]
    assert 0 < memory["value"] <= memory["max"]
    assert xen.VM.query_data_source(vm, "memory") == memory["value"]
    xen.VM.record_data_source(vm, "memory")
    xen.VM.forget_data_source_archives(vm, "memory")
    for call in (xen.VM.query_data_source, xen.VM.record_data_source, xen.VM.forget_data_source_archives):
        assert fails("INVALID_VALUE", call, vm, "luck") == ["data_source", "luck"]
    vms.remove(xen, vm)


def test_sr(xen, fails):
    sr = vms.default_sr(xen)
    found = {source["name_label"]: source["value"] for source in xen.SR.get_data_sources(sr)}
    assert set(found) == {"size", "physical_utilisation"}
    assert found["size"] == float(xen.SR.get_physical_size(sr)) == xen.SR.query_data_source(sr, "size")
    xen.SR.record_data_source(sr, "size")
    xen.SR.forget_data_source_archives(sr, "size")
    for call in (xen.SR.query_data_source, xen.SR.record_data_source, xen.SR.forget_data_source_archives):
        assert fails("INVALID_VALUE", call, sr, "luck") == ["data_source", "luck"]
    fails("HANDLE_INVALID", xen.SR.get_data_sources, "OpaqueRef:none")
