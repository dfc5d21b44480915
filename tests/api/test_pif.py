# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces of the host."""

import pytest

import nets


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


@pytest.fixture
def pif(xen):
    """The second interface of the simulated host, which may be played with."""
    return [ref for ref, r in xen.PIF.get_all_records().items() if not r["management"]][0]


def test_first_start(xen, host):
    for record in xen.PIF.get_all_records().values():
        assert record["host"] == host and record["VLAN"] == "-1"
        assert record["metrics"] in xen.PIF_metrics.get_all()
    assert len([r for r in xen.PIF.get_all_records().values() if r["management"]]) <= 1


def test_scan(xen, host, fails):
    before = set(xen.PIF.get_all())
    xen.PIF.scan(host)
    assert before <= set(xen.PIF.get_all())
    fails("HANDLE_INVALID", xen.PIF.scan, "OpaqueRef:none")


def test_management_interface_stays(xen, fails):
    for ref, record in xen.PIF.get_all_records().items():
        if record["management"]:
            assert fails("PIF_IS_MANAGEMENT_INTERFACE", xen.PIF.unplug, ref) == [ref]
            assert fails("PIF_IS_MANAGEMENT_INTERFACE", xen.PIF.forget, ref) == [ref]


def test_forget_and_introduce(xen, host, pif, fails):
    record = xen.PIF.get_record(pif)
    fails("MAC_INVALID", xen.PIF.introduce, host, "nonsense", record["device"])
    fails("DUPLICATE_PIF_DEVICE_NAME", xen.PIF.introduce, host, record["MAC"], record["device"])
    fails("COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS",
          xen.PIF.introduce, host, "", "nothing0")
    xen.PIF.forget(pif)
    again = xen.PIF.introduce(host, record["MAC"], record["device"])
    assert xen.PIF.get_network(again) == record["network"]
    xen.PIF.db_forget(again)
    xen.PIF.introduce(host, "", record["device"])


def test_plug_and_unplug(xen, pif, fails):
    xen.PIF.set_disallow_unplug(pif, True)
    assert fails("PIF_DOES_NOT_ALLOW_UNPLUG", xen.PIF.unplug, pif) == [pif]
    xen.PIF.set_disallow_unplug(pif, False)
    xen.PIF.unplug(pif)
    assert xen.PIF.get_currently_attached(pif) is False
    xen.PIF.plug(pif)
    xen.PIF.plug(pif)
    assert xen.PIF.get_currently_attached(pif) is True


def test_fields(xen, fails):
    pif = xen.PIF.get_all()[0]
    xen.PIF.set_disallow_unplug(pif, True)
    assert xen.PIF.get_disallow_unplug(pif) is True
    xen.PIF.set_disallow_unplug(pif, False)
    xen.PIF.set_property(pif, "gro", "off")
    assert xen.PIF.get_properties(pif)["gro"] == "off"
    xen.PIF.set_property(pif, "gro", "on")
    fails("INVALID_VALUE", xen.PIF.set_property, pif, "gro", "perhaps")
    fails("INVALID_VALUE", xen.PIF.set_property, pif, "colour", "on")


def test_reconfigure_ip(xen, pif, fails):
    host_pif = [ref for ref, r in xen.PIF.get_all_records().items() if r["management"]]
    for ref in host_pif:
        fails("PIF_IS_MANAGEMENT_INTERFACE", xen.PIF.reconfigure_ip, ref, "None", "", "", "", "")
    assert fails("PIF_CONFIGURATION_ERROR", xen.PIF.reconfigure_ip, pif, "DHCP", "", "", "", "")[0] == pif
    xen.PIF.reconfigure_ip(pif, "None", "", "", "", "")
    with nets.interfaces(xen, 1) as (idle,):
        for arguments, name in ((("x", "255.255.255.0", "", ""), "IP"), (("10.0.0.2", "255.0.255.0", "", ""), "netmask"),
                                (("10.0.0.2", "255.255.255.0", "x", ""), "gateway"),
                                (("10.0.0.2", "255.255.255.0", "", "10.0.0.1,x"), "DNS")):
            assert fails("INVALID_IP_ADDRESS_SPECIFIED", xen.PIF.reconfigure_ip, idle, "Static", *arguments) == [name]
        xen.PIF.reconfigure_ip(idle, "Static", "10.0.0.2", "255.255.255.0", "10.0.0.1", "10.0.0.1,fd00::1")
        record = xen.PIF.get_record(idle)
        assert record["ip_configuration_mode"] == "Static"
        assert [record[k] for k in ("IP", "netmask", "gateway", "DNS")] == \
            ["10.0.0.2", "255.255.255.0", "10.0.0.1", "10.0.0.1,fd00::1"]
        xen.PIF.reconfigure_ip(idle, "None", "", "", "", "")
        assert xen.PIF.get_IP(idle) == ""


def test_reconfigure_ipv6(xen, pif, fails):
    assert fails("PIF_CONFIGURATION_ERROR", xen.PIF.reconfigure_ipv6, pif, "Autoconf", "", "", "")[0] == pif
    with nets.interfaces(xen, 1) as (idle,):
        for address in ("fd00::1", "fd00::1/129", "fd00::1/", "x/64"):
            fails("INVALID_CIDR_ADDRESS_SPECIFIED", xen.PIF.reconfigure_ipv6, idle, "Static", address, "", "")
        fails("INVALID_IP_ADDRESS_SPECIFIED", xen.PIF.reconfigure_ipv6, idle, "Static", "fd00::2/64", "10.0.0.1", "")
        xen.PIF.reconfigure_ipv6(idle, "Static", "fd00::2/64", "fd00::1", "")
        record = xen.PIF.get_record(idle)
        assert (record["ipv6_configuration_mode"], record["IPv6"], record["ipv6_gateway"]) == \
            ("Static", ["fd00::2/64"], "fd00::1")
        xen.PIF.reconfigure_ipv6(idle, "None", "", "", "")
        assert xen.PIF.get_IPv6(idle) == []


def test_primary_address_type(xen, fails):
    for ref, record in xen.PIF.get_all_records().items():
        if record["management"]:
            fails("PIF_IS_MANAGEMENT_INTERFACE", xen.PIF.set_primary_address_type, ref, "IPv6")
    with nets.interfaces(xen, 1) as (pif,):
        xen.PIF.set_primary_address_type(pif, "IPv6")
        assert xen.PIF.get_primary_address_type(pif) == "IPv6"


@pytest.mark.parametrize("call", ["db_introduce", "pool_introduce"])
def test_introduce_rows(xen, call, fails):
    with nets.networks(xen, 1) as (network,):
        pif = nets.introduce(xen, "test7", network, call=call, IPv6=["fd00::7/64"], ipv6_configuration_mode="Static",
                             disallow_unplug=True, properties={"gro": "on"})
        record = xen.PIF.get_record(pif)
        assert (record["device"], record["network"], record["currently_attached"]) == ("test7", network, False)
        assert (record["IPv6"], record["disallow_unplug"], record["properties"]) == (["fd00::7/64"], True, {"gro": "on"})
        assert record["metrics"] in xen.PIF_metrics.get_all()
        xen.PIF.db_forget(pif)
        assert record["metrics"] not in xen.PIF_metrics.get_all()
        fails("HANDLE_INVALID", nets.introduce, xen, "test7", "OpaqueRef:none")
