# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of classes Rate_limit and Caller; how often callers call."""

import http.client

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


def knock(daemons, agent, times, session):
    """Calls by a program of that name, over the network."""
    body = f"<methodCall><methodName>pool.get_all</methodName><params><param><value>{session}</value></param></params></methodCall>"
    for _ in range(times):
        c = http.client.HTTPConnection("127.0.0.1", daemons.http, timeout=30)
        c.request("POST", "/", body, {"User-Agent": agent})
        assert b"Success" in c.getresponse().read()
        c.close()


def test_usage(daemons, xen, fails):
    one, two, local = caller(xen, "counted/1.0"), caller(xen, "counted/2.0", "127.0.0.1"), caller(xen, "counted/1.0", "192.0.2.1")
    for ref in (one, two, local):
        xen.Caller.add_group(ref, "counted")
        assert xen.Caller.query_call_count(ref) == "0"
    knock(daemons, "counted/1.0", 3, xen.session)
    knock(daemons, "counted/2.0", 2, xen.session)
    knock(daemons, "counted/3.0", 1, xen.session)
    assert [xen.Caller.query_call_count(ref) for ref in (one, two, local)] == ["3", "2", "0"]
    assert [xen.Caller.query_token_usage(ref) for ref in (one, two, local)] == [3.0, 2.0, 0.0]
    assert (xen.Caller.query_group_call_count("counted"), xen.Caller.query_group_token_usage("counted")) == ("5", 5.0)
    assert (xen.Caller.query_group_call_count("none"), xen.Caller.query_group_token_usage("none")) == ("0", 0.0)
    for query in (xen.Caller.query_call_count, xen.Caller.query_token_usage):
        fails("HANDLE_INVALID", query, "OpaqueRef:none")
    for ref in (one, two, local):
        xen.Caller.destroy(ref)


def test_agents(daemons, xen, fails):
    host = xen.host.get_all()[0]
    knock(daemons, "teller/1.0 (some words)", 1, xen.session)
    knock(daemons, "teller/2.5", 1, xen.session)
    knock(daemons, "plain", 1, xen.session)
    agents = xen.host.get_tracked_user_agents(host)
    assert (agents["teller"], agents["plain"]) == ("2.5", "")
    for i in range(200):  # only the latest are known, and a long name is cut
        knock(daemons, f"flood{i}" + "x" * 1000, 1, xen.session)
    agents = xen.host.get_tracked_user_agents(host)
    assert len(agents) <= 128 and "teller" not in agents and max(map(len, agents)) == 256
    fails("HANDLE_INVALID", xen.host.get_tracked_user_agents, "OpaqueRef:none")


def test_timing(daemons, xen, fails):
    host = xen.host.get_all()[0]
    xen.VM.get_all()
    plain, counted = xen.host.get_diagnostic_timing_stats(host), xen.host.get_diagnostic_timing_stats(host, True)
    assert 0 < float(plain["VM.get_all"]) < 60 and "VM.start_on" not in set(plain) - set(counted)
    calls = int(counted["VM.get_all"].split()[0])
    xen.VM.get_all()
    again = xen.host.get_diagnostic_timing_stats(host, True)["VM.get_all"].split()
    assert int(again[0]) == calls + 1 and 0 < float(again[1]) < 60
    fails("HANDLE_INVALID", xen.host.get_diagnostic_timing_stats, "OpaqueRef:none")


def test_all_usage(daemons, xen):
    knock(daemons, "first/1", 2, xen.session)
    knock(daemons, "second/1", 1, xen.session)
    told = [row for row in xen.Caller.query_all_usage() if row[0] in ("first/1", "second/1")]
    assert told == [["second/1", "127.0.0.1", "1", "1"], ["first/1", "127.0.0.1", "2", "2"]]
