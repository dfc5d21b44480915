# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of class Observer."""


def make(xen, **more):
    return xen.Observer.create({"name_label": "o", "name_description": "", "hosts": [], "attributes": {},
                                "endpoints": ["bugtool"], "components": [], "enabled": False, **more})


def test_observer(xen, fails):
    host = xen.host.get_all()[0]
    ref = make(xen, components=["xapi"])
    assert xen.Observer.get_components(ref) == ["xapi"]
    values = {"hosts": [host], "enabled": True, "attributes": {"a.b": "c"},
              "endpoints": ["https://collector.example/api"], "components": ["smapi", "xenopsd"]}
    for field, value in values.items():
        getattr(xen.Observer, f"set_{field}")(ref, value)
    record = xen.Observer.get_record(ref)
    assert {k: record[k] for k in values} == values
    for field, bad in (("attributes", {"a b": "c"}), ("endpoints", ["file:///x"]), ("components", ["qemu"])):
        fails("INVALID_VALUE", getattr(xen.Observer, f"set_{field}"), ref, bad)
    fails("HANDLE_INVALID", xen.Observer.set_hosts, ref, ["OpaqueRef:none"])
    xen.Observer.destroy(ref)
    fails("HANDLE_INVALID", xen.Observer.destroy, ref)


def test_hosts(xen, fails):
    host = xen.host.get_all()[0]
    ref = make(xen)
    for call in (xen.Observer.register, xen.Observer.unregister):
        call(ref, host)
        fails("HANDLE_INVALID", call, ref, "OpaqueRef:none")
    xen.Observer.destroy(ref)
