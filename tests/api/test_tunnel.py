# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tunnels: an interface whose packets travel inside those of another."""

import nets


def test_create_and_destroy(xen, fails):
    with nets.interfaces(xen, 1) as (transport,), nets.networks(xen, 2) as (on, other):
        tunnel = xen.tunnel.create(transport, on, "vxlan")
        record = xen.tunnel.get_record(tunnel)
        assert (record["protocol"], record["status"]) == ("vxlan", {"active": "false"})
        access = xen.PIF.get_record(record["access_PIF"])
        assert access["device"].startswith("tunnel") and access["network"] == on
        assert access["tunnel_access_PIF_of"] == [tunnel]
        assert xen.PIF.get_tunnel_transport_PIF_of(transport) == [tunnel]
        fails("IS_TUNNEL_ACCESS_PIF", xen.tunnel.create, record["access_PIF"], other)
        fails("IS_TUNNEL_ACCESS_PIF", xen.VLAN.create, record["access_PIF"], "4", other)
        fails("NETWORK_ALREADY_CONNECTED", xen.tunnel.create, transport, on)
        fails("PIF_TUNNEL_STILL_EXISTS", xen.PIF.forget, transport)
        xen.tunnel.destroy(tunnel)
        assert record["access_PIF"] not in xen.PIF.get_all()
        fails("HANDLE_INVALID", xen.tunnel.destroy, tunnel)
