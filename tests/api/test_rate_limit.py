# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of classes Rate_limit and Caller."""

NULL = "OpaqueRef:NULL"


def limit(xen, burst=10.0, fill=2.5):
    return xen.Rate_limit.create({"name_label": "l", "name_description": "", "burst_size": burst, "fill_rate": fill})


def caller(xen, agent, address=""):
    return xen.Caller.create({"name_label": "c", "name_description": "", "user_agent": agent, "client_ip": address})


def test_limit(xen, fails):
    ref = limit(xen)
    assert (xen.Rate_limit.get_burst_size(ref), xen.Rate_limit.get_fill_rate(ref)) == (10.0, 2.5)
    xen.Rate_limit.set_burst_size(ref, 20.0)
    xen.Rate_limit.set_fill_rate(ref, 0.5)
    assert (xen.Rate_limit.get_burst_size(ref), xen.Rate_limit.get_fill_rate(ref)) == (20.0, 0.5)
    fails("INVALID_VALUE", xen.Rate_limit.set_burst_size, ref, 0.0)
    fails("INVALID_VALUE", xen.Rate_limit.set_fill_rate, ref, -1.0)
    fails("INVALID_VALUE", limit, xen, 0.0)
    xen.Rate_limit.destroy(ref)
    fails("HANDLE_INVALID", xen.Rate_limit.destroy, ref)


def test_callers(xen, fails):
    one = caller(xen, "backup/1.0", "10.0.0.1")
    fails("DB_UNIQUENESS_CONSTRAINT_VIOLATION", caller, xen, "backup/1.0", "10.0.0.1")
    fails("INVALID_VALUE", caller, xen, "", "")
    ref, other = limit(xen), limit(xen)
    xen.Rate_limit.add_caller(ref, one)
    assert xen.Rate_limit.get_callers(ref) == [one]
    xen.Rate_limit.remove_caller(other, one)
    assert xen.Caller.get_rate_limit(one) == ref
    xen.Rate_limit.remove_caller(ref, one)
    assert xen.Caller.get_rate_limit(one) == NULL
    xen.Rate_limit.add_caller(ref, one)
    xen.Rate_limit.destroy(ref)
    assert xen.Caller.get_rate_limit(one) == NULL
    xen.Caller.add_group(one, "tools")
    xen.Caller.add_group(one, "backup")
    xen.Caller.remove_group(one, "tools")
    assert xen.Caller.get_groups(one) == ["backup"]
    fails("INVALID_VALUE", xen.Caller.add_group, one, "")
    xen.Rate_limit.destroy(other)
    xen.Caller.destroy(one)
    fails("HANDLE_INVALID", xen.Caller.destroy, one)


def test_refused(xen, fails):
    for name, args in (("token_usage", ["OpaqueRef:NULL"]), ("call_count", ["OpaqueRef:NULL"]),
                       ("group_token_usage", ["g"]), ("group_call_count", ["g"]), ("all_usage", [])):
        fails("NOT_IMPLEMENTED", getattr(xen.Caller, f"query_{name}"), *args)
