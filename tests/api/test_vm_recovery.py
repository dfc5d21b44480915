# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recovery of VMs where a session leads: here, where they are."""

import vms


def test_vm(xen, fails):
    vm = vms.new_vm(xen, "saved")
    vms.new_disk(xen, vm)
    here = xen.session
    assert xen.VM.get_SRs_required_for_recovery(vm, here) == [vms.default_sr(xen)]
    xen.VM.assert_can_be_recovered(vm, here)
    assert fails("VM_TO_IMPORT_IS_NOT_NEWER_VERSION", xen.VM.recover, vm, here, False) == [vm, "0", "0"]
    xen.VM.recover(vm, here, True)
    for call in (xen.VM.get_SRs_required_for_recovery, xen.VM.assert_can_be_recovered):
        fails("HANDLE_INVALID", call, vm, "OpaqueRef:none")
    appliance = xen.VM_appliance.create({"name_label": "a", "name_description": ""})
    xen.VM.set_appliance(vm, appliance)
    assert fails("VM_IS_PART_OF_AN_APPLIANCE", xen.VM.assert_can_be_recovered, vm, here) == [vm, appliance]
    xen.VM_appliance.destroy(appliance)
    vms.remove(xen, vm)


def test_appliance(xen, fails):
    appliance = xen.VM_appliance.create({"name_label": "a", "name_description": ""})
    vm = vms.new_vm(xen, "saved")
    vms.new_disk(xen, vm)
    xen.VM.set_appliance(vm, appliance)
    here = xen.session
    assert xen.VM_appliance.get_SRs_required_for_recovery(appliance, here) == [vms.default_sr(xen)]
    xen.VM_appliance.assert_can_be_recovered(appliance, here)
    fails("HANDLE_INVALID", xen.VM_appliance.assert_can_be_recovered, appliance, "OpaqueRef:none")
    assert fails("VM_TO_IMPORT_IS_NOT_NEWER_VERSION", xen.VM_appliance.recover, appliance, here, False) == [vm, "0", "0"]
    xen.VM_appliance.recover(appliance, here, True)
    xen.VM_appliance.destroy(appliance)
    vms.remove(xen, vm)
