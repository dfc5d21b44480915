# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bonds: several interfaces become one."""

import contextlib

import nets
import vms


@contextlib.contextmanager
def parts(xen, **optional):
    with nets.networks(xen, 2) as (on, other), nets.interfaces(xen, 2, **optional) as members:
        yield on, other, members


def test_create_and_destroy(xen, fails):
    with parts(xen) as (on, other, members):
        bond = xen.Bond.create(on, members, "")
        record = xen.Bond.get_record(bond)
        assert sorted(record["slaves"]) == sorted(members)
        assert (record["mode"], record["primary_slave"], record["properties"]) == ("balance-slb", members[0], {})
        master = xen.PIF.get_record(record["master"])
        assert (master["device"], master["network"], master["MAC"]) == ("bond0", on, "02:00:00:00:01:00")
        assert (master["bond_master_of"], master["physical"], master["currently_attached"]) == ([bond], False, False)
        assert xen.PIF.get_bond_slave_of(members[1]) == bond
        assert fails("CANNOT_PLUG_BOND_SLAVE", xen.PIF.plug, members[0]) == [members[0]]
        assert fails("PIF_ALREADY_BONDED", xen.Bond.create, other, members, "") == [members[0]]
        xen.Bond.destroy(bond)
        assert xen.PIF.get_bond_slave_of(members[1]) == "OpaqueRef:NULL"
        assert record["master"] not in xen.PIF.get_all()
        fails("HANDLE_INVALID", xen.Bond.destroy, bond)


def test_refused(xen, fails):
    with parts(xen) as (on, other, members):
        fails("PIF_BOND_NEEDS_MORE_MEMBERS", xen.Bond.create, on, [], "")
        assert fails("MAC_INVALID", xen.Bond.create, on, members, "nonsense") == ["nonsense"]
        own = xen.PIF.get_network(members[0])
        fails("NETWORK_ALREADY_CONNECTED", xen.Bond.create, own, members, "")
        xen.PIF.set_property(members[0], "gro", "off")
        fails("INCOMPATIBLE_PIF_PROPERTIES", xen.Bond.create, on, members, "")
        xen.PIF.set_property(members[1], "gro", "off")
        vlan = xen.VLAN.create(members[0], "5", other)
        over = xen.VLAN.get_untagged_PIF(vlan)
        assert fails("PIF_IS_VLAN", xen.Bond.create, on, [over], "") == [over]
        for pif in members:
            xen.PIF.reconfigure_ip(pif, "DHCP", "", "", "", "")
        fails("PIF_BOND_MORE_THAN_ONE_IP", xen.Bond.create, on, members, "")
        xen.PIF.reconfigure_ip(members[0], "None", "", "", "", "")
        assert fails("PIF_CONFIGURATION_ERROR", xen.Bond.create, on, members, "")[0] == members[1]
        xen.VLAN.destroy(vlan)


def test_what_hangs_on_the_members_moves(xen):
    with parts(xen) as (on, other, members):
        vlan = xen.VLAN.create(members[1], "5", other)
        vm = vms.new_vm(xen, "on the network of a member")
        vif = xen.VIF.create({"device": "0", "network": xen.PIF.get_network(members[1]), "VM": vm, "MAC": "",
                              "MTU": "1500", "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}})
        bond = xen.Bond.create(on, members, "")
        assert xen.VLAN.get_tagged_PIF(vlan) == xen.Bond.get_master(bond)
        assert xen.PIF.get_device(xen.VLAN.get_untagged_PIF(vlan)) == "bond0"
        assert xen.VIF.get_network(vif) == on
        xen.Bond.destroy(bond)
        assert xen.VLAN.get_tagged_PIF(vlan) == members[0]
        assert xen.PIF.get_device(xen.VLAN.get_untagged_PIF(vlan)) == "test0"
        assert xen.VIF.get_network(vif) == xen.PIF.get_network(members[0])
        xen.VLAN.destroy(vlan)
        vms.remove(xen, vm)


def test_mode_and_properties(xen, fails):
    with parts(xen) as (on, _, members):
        assert fails("INVALID_VALUE", xen.Bond.create, on, members, "", "active-backup", {"lacp-time": "fast"}) == \
            ["properties", "lacp-time=fast"]
        bond = xen.Bond.create(on, members, "02:00:00:00:02:00", "lacp", {"lacp-time": "fast"})
        assert xen.PIF.get_MAC(xen.Bond.get_master(bond)) == "02:00:00:00:02:00"
        assert xen.Bond.get_auto_update_mac(bond) is False
        assert xen.Bond.get_properties(bond) == {"hashing_algorithm": "tcpudp_ports", "lacp-time": "fast",
                                                 "lacp-fallback-ab": "true"}
        xen.Bond.set_property(bond, "hashing_algorithm", "src_mac")
        xen.Bond.set_property(bond, "lacp-aggregation-key", "7")
        assert xen.Bond.get_properties(bond)["hashing_algorithm"] == "src_mac"
        assert xen.Bond.get_properties(bond)["lacp-aggregation-key"] == "7"
        for name, value in (("lacp-aggregation-key", "65536"), ("lacp-time", "never"), ("colour", "red")):
            assert fails("INVALID_VALUE", xen.Bond.set_property, bond, name, value) == ["properties", f"{name}={value}"]
        xen.Bond.set_mode(bond, "active-backup")
        assert (xen.Bond.get_mode(bond), xen.Bond.get_properties(bond)) == ("active-backup", {})
        xen.Bond.destroy(bond)
