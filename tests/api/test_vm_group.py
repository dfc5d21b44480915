# SPDX-License-Identifier: LGPL-2.1-or-later
"""Groups of VMs for their placement."""

import vms


def test_group(xen, fails):
    group = xen.VM_group.create({"name_label": "apart", "name_description": "", "placement": "anti_affinity"})
    assert xen.VM_group.get_placement(group) == "anti_affinity"
    vm = vms.new_vm(xen, "member")
    xen.VM.set_groups(vm, [group])
    assert xen.VM_group.get_VMs(group) == [vm]
    other = xen.VM_group.create({"name_label": "other", "name_description": "", "placement": "normal"})
    fails("TOO_MANY_GROUPS", xen.VM.set_groups, vm, [group, other])
    xen.VM.start(vm, False, False)
    xen.VM_group.destroy(group)
    assert xen.VM.get_groups(vm) == []
    assert group not in xen.VM_group.get_all()
    xen.VM_group.destroy(other)
    vms.remove(xen, vm)
