# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks."""

import pytest

import vms


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


@pytest.fixture
def pif(xen):
    """An interface that may be played with, unplugged."""
    ref = [p for p, r in xen.PIF.get_all_records().items() if not r["management"]][0]
    xen.PIF.unplug(ref)
    yield ref
    xen.PIF.plug(ref)


def test_attach(xen, network, pif, fails):
    host = xen.host.get_all()[0]
    xen.network.attach(xen.PIF.get_network(pif), host)
    assert xen.PIF.get_currently_attached(pif) is True
    xen.network.attach(network, host)
    fails("HANDLE_INVALID", xen.network.attach, network, "OpaqueRef:none")
    assert xen.network.get_current_operations(network) == {}


def test_attach_for_vm(xen, pif):
    host, vm = xen.host.get_all()[0], vms.new_vm(xen, "on two networks")
    for device, network in (("0", xen.PIF.get_network(pif)), ("1", xen.network.get_all()[0])):
        xen.VIF.create({"device": device, "network": network, "VM": vm, "MAC": "", "MTU": "1500", "other_config": {},
                        "qos_algorithm_type": "", "qos_algorithm_params": {}})
    xen.network.attach_for_vm(host, vm)
    assert xen.PIF.get_currently_attached(pif) is True
    xen.network.detach_for_vm(host, vm)
    vms.remove(xen, vm)


def test_pool_introduce(xen, fails):
    made = xen.network.pool_introduce("told", "by a host", "9000", {"k": "v"}, "xenbr17", False, [])
    record = xen.network.get_record(made)
    assert (record["bridge"], record["MTU"], record["managed"], record["other_config"]) == \
        ("xenbr17", "9000", False, {"k": "v"})
    assert fails("BRIDGE_NAME_EXISTS", xen.network.pool_introduce, "", "", "0", {}, "xenbr17", True, []) == ["xenbr17"]
    xen.network.destroy(made)


def test_reset_networking(fresh_daemons, fails):
    """All interfaces go, with what was made on them, and those of the machine come back with a scan."""
    xen = fresh_daemons.client()
    host = xen.host.get_all()[0]
    pif = min(xen.PIF.get_all(), key=xen.PIF.get_device)
    of_machine = {xen.PIF.get_device(p) for p in xen.PIF.get_all()}
    network = xen.network.create({"name_label": "n", "name_description": "", "MTU": "1500", "other_config": {}})
    xen.VLAN.create(pif, "5", network)
    fails("HANDLE_INVALID", xen.host.reset_networking, "OpaqueRef:none")
    xen.host.reset_networking(host)
    assert xen.PIF.get_all() == xen.VLAN.get_all() == xen.PIF_metrics.get_all() == []
    assert xen.host.get_PIFs(host) == [] and network in xen.network.get_all()
    xen.PIF.scan(host)
    assert {xen.PIF.get_device(p) for p in xen.PIF.get_all()} == of_machine
