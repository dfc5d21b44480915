# SPDX-License-Identifier: LGPL-2.1-or-later
"""SR-IOV: refused with the reason."""

import nets


def test_refused(xen, fails):
    with nets.interfaces(xen, 1) as (pif,), nets.networks(xen, 2) as (on, other):
        assert fails("PIF_IS_NOT_SRIOV_CAPABLE", xen.network_sriov.create, pif, on) == [pif]
        vlan = xen.VLAN.create(pif, "5", other)
        over = xen.VLAN.get_untagged_PIF(vlan)
        assert fails("PIF_IS_NOT_PHYSICAL", xen.network_sriov.create, over, on) == [over]
        fails("NETWORK_ALREADY_CONNECTED", xen.network_sriov.create, pif, other)
        xen.VLAN.destroy(vlan)
    fails("HANDLE_INVALID", xen.network_sriov.destroy, pif)
    fails("HANDLE_INVALID", xen.network_sriov.get_remaining_capacity, pif)
