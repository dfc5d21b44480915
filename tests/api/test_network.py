# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks."""

import pytest


def create(xen, **fields):
    return xen.network.create({"name_label": "n", "name_description": "", "MTU": "1500", "other_config": {}} | fields)


@pytest.fixture
def network(xen):
    ref = create(xen)
    yield ref
    if ref in xen.network.get_all():
        xen.network.destroy(ref)


def test_first_start(xen):
    records = xen.network.get_all_records().values()
    internal = [r for r in records if r["other_config"].get("is_host_internal_management_network") == "true"]
    assert len(internal) == 1 and internal[0]["bridge"] == "xenapi"
    for pif in xen.PIF.get_all_records().values():
        assert xen.network.get_name_label(pif["network"]) == f"Pool-wide network associated with {pif['device']}"


def test_create_and_destroy(xen, fails):
    one, other = create(xen), create(xen, bridge="mine0", MTU="9000")
    assert xen.network.get_bridge(one).startswith("xapi")
    assert (xen.network.get_bridge(other), int(xen.network.get_MTU(other))) == ("mine0", 9000)
    assert fails("BRIDGE_NAME_EXISTS", create_bridge, xen, "mine0") == ["mine0"]
    for ref in (one, other):
        xen.network.destroy(ref)
    fails("HANDLE_INVALID", xen.network.destroy, one)


def create_bridge(xen, name):
    return create(xen, bridge=name)


@pytest.mark.parametrize("name", ["xenbr7", "xapi9", "vif1", "tap0", "eth0", "a" * 16, "a/b", "a b"])
def test_reserved_bridges(xen, fails, name):
    assert fails("INVALID_VALUE", create_bridge, xen, name) == ["bridge", name]


def test_mtu_default(xen):
    ref = create(xen, MTU="0")
    assert int(xen.network.get_MTU(ref)) == 1500
    xen.network.destroy(ref)


def test_destroy_refused(xen, fails):
    records = xen.network.get_all_records()
    internal = [n for n, r in records.items() if r["bridge"] == "xenapi"][0]
    assert fails("CANNOT_DESTROY_SYSTEM_NETWORK", xen.network.destroy, internal) == [internal]
    for ref, record in records.items():
        if record["PIFs"]:
            assert fails("NETWORK_CONTAINS_PIF", xen.network.destroy, ref) == record["PIFs"]


def test_fields(xen, network):
    xen.network.set_default_locking_mode(network, "disabled")
    assert xen.network.get_default_locking_mode(network) == "disabled"


def test_purpose(xen, network, fails):
    xen.network.add_purpose(network, "nbd")
    xen.network.add_purpose(network, "nbd")
    assert xen.network.get_purpose(network) == ["nbd"]
    other = create(xen)
    fails("NETWORK_INCOMPATIBLE_PURPOSES", xen.network.add_purpose, other, "insecure_nbd")
    xen.network.destroy(other)
    xen.network.remove_purpose(network, "nbd")
    assert xen.network.get_purpose(network) == []
