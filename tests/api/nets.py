# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks and interfaces for tests, gone afterwards."""

import contextlib


@contextlib.contextmanager
def networks(xen, n):
    made = [xen.network.create({"name_label": f"n{i}", "name_description": "", "MTU": "1500", "other_config": {}})
            for i in range(n)]
    yield made
    left = xen.network.get_all()
    for ref in made:
        if ref in left:
            xen.network.destroy(ref)


def introduce(xen, device, network, mac="02:00:00:00:01:00", call="db_introduce", physical=True, **optional):
    """An interface as a row: nothing of the machine stands behind it."""
    names = ["disallow_unplug", "ipv6_configuration_mode", "IPv6", "ipv6_gateway", "primary_address_type", "managed",
             "properties"]
    defaults = [False, "None", [], "", "IPv4", True, {}]
    more = [optional.get(name, default) for name, default in zip(names, defaults)]
    return getattr(xen.PIF, call)(device, network, xen.host.get_all()[0], mac, "1500", "-1", physical, "None", "", "",
                                  "", "", "OpaqueRef:NULL", "OpaqueRef:NULL", False, {"made": "by a test"}, *more)


@contextlib.contextmanager
def interfaces(xen, n, **optional):
    """[PIF], each on a network of its own."""
    with networks(xen, n) as on:
        made = [introduce(xen, f"test{i}", on[i], f"02:00:00:00:01:0{i}", **optional) for i in range(n)]
        yield made
        left = xen.PIF.get_all()
        for ref in made:
            if ref in left:
                xen.PIF.db_forget(ref)
