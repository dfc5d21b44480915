# SPDX-License-Identifier: LGPL-2.1-or-later
"""VLANs: an interface over another one."""

import pytest

import nets

NULL = "OpaqueRef:NULL"


@pytest.fixture
def base(xen):
    with nets.interfaces(xen, 1) as (pif,):
        yield pif


@pytest.fixture
def network(xen):
    with nets.networks(xen, 1) as (ref,):
        yield ref


def test_create_and_destroy(xen, base, network, fails):
    vlan = xen.VLAN.create(base, "42", network)
    record = xen.VLAN.get_record(vlan)
    assert (record["tagged_PIF"], record["tag"]) == (base, "42")
    pif = xen.PIF.get_record(record["untagged_PIF"])
    assert (pif["device"], pif["VLAN"], pif["network"], pif["VLAN_master_of"]) == ("test0", "42", network, vlan)
    assert (pif["MAC"], pif["physical"], pif["currently_attached"]) == ("fe:ff:ff:ff:ff:ff", False, False)
    assert xen.PIF.get_VLAN_slave_of(base) == [vlan]
    assert xen.network.get_PIFs(network) == [record["untagged_PIF"]]
    assert fails("PIF_VLAN_STILL_EXISTS", xen.PIF.forget, base) == [base]
    fails("PIF_CONFIGURATION_ERROR", xen.PIF.plug, record["untagged_PIF"])
    xen.VLAN.destroy(vlan)
    assert record["untagged_PIF"] not in xen.PIF.get_all()
    assert pif["metrics"] not in xen.PIF_metrics.get_all()
    fails("HANDLE_INVALID", xen.VLAN.destroy, vlan)


@pytest.mark.parametrize("tag", ["-1", "4095"])
def test_tags(xen, base, network, fails, tag):
    assert fails("VLAN_TAG_INVALID", xen.VLAN.create, base, tag, network) == [tag]


def test_refused(xen, base, network, fails):
    host = xen.host.get_all()[0]
    vlan = xen.VLAN.create(base, "1", network)
    over = xen.VLAN.get_untagged_PIF(vlan)
    assert fails("PIF_VLAN_EXISTS", xen.VLAN.create, base, "1", network) == ["test0"]
    assert fails("NETWORK_ALREADY_CONNECTED", xen.VLAN.create, base, "2", network) == [host, over]
    assert fails("PIF_IS_VLAN", xen.VLAN.create, over, "2", network) == [over]
    fails("HANDLE_INVALID", xen.VLAN.create, base, "2", NULL)
    xen.VLAN.destroy(vlan)


def test_unmanaged(xen, network, fails):
    with nets.interfaces(xen, 1, managed=False) as (pif,):
        assert fails("PIF_UNMANAGED", xen.VLAN.create, pif, "3", network) == [pif]


def test_over_a_bond_member(xen, network, fails):
    with nets.networks(xen, 1) as (on,), nets.interfaces(xen, 1) as (pif,):
        bond = xen.Bond.create(on, [pif], "")
        assert fails("CANNOT_ADD_VLAN_TO_BOND_SLAVE", xen.VLAN.create, pif, "3", network) == [pif]
        xen.Bond.destroy(bond)


def test_introduce(xen, base, network):
    untagged = nets.introduce(xen, "test0", network, physical=False)
    vlan = xen.VLAN.pool_introduce(base, untagged, "7", {"k": "v"})
    record = xen.VLAN.get_record(vlan)
    assert (record["untagged_PIF"], record["tag"], record["other_config"]) == (untagged, "7", {"k": "v"})
    assert xen.PIF.get_VLAN_master_of(untagged) == vlan
    xen.PIF.db_forget(untagged)
    assert vlan not in xen.VLAN.get_all()


def test_old_calls(xen, base, network, fails):
    host = xen.host.get_all()[0]
    pif = xen.PIF.create_VLAN("test0", network, host, "9")
    assert xen.VLAN.get_tag(xen.PIF.get_VLAN_master_of(pif)) == "9"
    fails("PIF_DEVICE_NOT_FOUND", xen.PIF.create_VLAN, "nothing0", network, host, "9")
    assert fails("PIF_IS_PHYSICAL", xen.PIF.destroy, base) == [base]
    xen.PIF.destroy(pif)
    assert xen.PIF.get_VLAN_slave_of(base) == []


def test_on_all_hosts(xen, base, network, fails):
    for call, where in ((xen.pool.create_VLAN, "test0"), (xen.pool.create_VLAN_from_PIF, base)):
        made, = call(where, network, "7")
        record = xen.PIF.get_record(made)
        assert (record["VLAN"], record["device"], record["network"]) == ("7", "test0", network)
        assert fails("PIF_VLAN_EXISTS", call, where, network, "7") == ["test0"]
        assert fails("VLAN_TAG_INVALID", call, where, network, "4095") == ["4095"]
        xen.VLAN.destroy(record["VLAN_master_of"])
    fails("PIF_DEVICE_NOT_FOUND", xen.pool.create_VLAN, "nothing0", network, "7")
