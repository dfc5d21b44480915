# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces of the host."""

import pytest


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
