# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of classes Rate_limit and Caller; how often callers call, and how often they may."""

import http.client
import select
import socket
import time

import pytest

from test_limits import answer, post, unix
from transfers import Reply

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
    for nobody in ("", "*"):
        fails("INVALID_VALUE", caller, xen, nobody, nobody)
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


def test_last_access(daemons, xen):
    """Within seconds; of all rows that fit, and not of others."""
    seen, also, other = caller(xen, "seen/1"), caller(xen, "seen/*"), caller(xen, "unseen/1")
    never = xen.Caller.get_last_access(seen)
    knock(daemons, "seen/1", 1, xen.session)
    end = time.monotonic() + 30
    while never in (xen.Caller.get_last_access(seen), xen.Caller.get_last_access(also)):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert xen.Caller.get_last_access(other) == never
    for row in (seen, also, other):
        xen.Caller.destroy(row)


def test_all_usage(daemons, xen):
    """Rows, and callers that have none; who called most comes first."""
    rows = [caller(xen, "first/*"), caller(xen, "third/1", "192.0.2.1")]
    knock(daemons, "first/1", 2, xen.session)
    knock(daemons, "first/2", 2, xen.session)
    knock(daemons, "second/1", 1, xen.session)
    uuids = [xen.Caller.get_uuid(row) for row in rows]
    told = [row for row in xen.Caller.query_all_usage() if row[0] in uuids or "second" in row[1]]
    assert told[::2] == [[uuids[0], "c", "4.000", "4"], [uuids[1], "c", "0.000", "0"]]
    assert told[1][1:] == ["user_agent: second/1, client_ip: 127.0.0.1", "1.000", "1"] or told[1][0]
    for row in rows:
        xen.Caller.destroy(row)


def await_callers(xen, wanted):
    """user_agent -> record of those that registered themselves, once `wanted` says yes to it."""
    end = time.monotonic() + 60
    while True:
        found = {r["user_agent"]: r for r in xen.Caller.get_all_records().values() if r["auto_registered"]}
        if wanted(found):
            return found
        assert time.monotonic() < end, sorted(found)
        time.sleep(0.1)


@pytest.mark.waits
def test_callers_register_themselves(daemons, xen):
    """Once each, with a session, unless a row is theirs alone; what an administrator makes of it is kept."""
    mine = caller(xen, "mine/1", "127.0.0.1")
    caller(xen, "self/*")
    for agent in ("self/1", "self/1", "mine/1", "like*", "selb\xe4\xff/1"):
        knock(daemons, agent, 1, xen.session)
    with socket.create_connection(("127.0.0.1", daemons.http), timeout=60) as s:
        body = "<methodCall><methodName>pool.get_all</methodName><params><param><value>none</value></param></params></methodCall>"
        s.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nUser-Agent: stranger/1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        assert b"SESSION_INVALID" in s.recv(65536)
    row = await_callers(xen, lambda found: "self/1" in found and "selb??/1" in found)["self/1"]
    assert (row["client_ip"], row["name_label"], row["groups"], row["rate_limit"]) == ("127.0.0.1", "", [], NULL)
    assert row["last_access"] != "19700101T00:00:00Z" and not xen.Caller.get_auto_registered(mine)
    ref = xen.Caller.get_by_uuid(row["uuid"])
    knock(daemons, "self/1", 2, xen.session)
    assert xen.Caller.query_call_count(ref) == "2"  # since the row was made
    xen.Caller.set_name_label(ref, "kept")
    for i in range(140):
        knock(daemons, f"crowd/{i}", 1, xen.session)
    found = await_callers(xen, lambda found: "crowd/139" in found)
    assert len(found) <= 128 and found["self/1"]["name_label"] == "kept"
    knock(daemons, "crowd/last", 1, xen.session)
    found = await_callers(xen, lambda found: "crowd/last" in found)
    assert len(found) == 128 and "self/1" in found and not {"like*", "stranger/1"} & set(found)
    for row in xen.Caller.get_all():
        xen.Caller.destroy(row)


def test_names_that_are_no_text(daemons, xen):
    """A header is bytes: whatever they are, lists of callers can be read."""
    knock(daemons, "b\xff\xfe{\"<&>\\/1", 1, xen.session)
    with unix(daemons) as s:
        for method, *more in (("Caller.query_all_usage",), ("host.get_tracked_user_agents", xen.host.get_all()[0])):
            s.sendall(post(method, xen.session, *more))
            assert "b??{" in str(answer(s)["result"])
    assert any("b??{" in row[1] for row in xen.Caller.query_all_usage())


# ---- limits hold ----

class Program:
    """One that calls over a connection of its own and may have to wait for the answer."""

    def __init__(self, daemons, agent, session):
        self.socket = socket.create_connection(("127.0.0.1", daemons.http), timeout=60)
        self.agent, self.session = agent, session

    def ask(self, method="pool.get_all", *params):
        values = "".join(f"<param><value>{p}</value></param>" for p in (self.session, *params))
        body = f"<methodCall><methodName>{method}</methodName><params>{values}</params></methodCall>"
        self.socket.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nUser-Agent: {self.agent}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    def told(self, wait=60):
        """The answer; None: not yet."""
        if not select.select([self.socket], [], [], wait)[0]:
            return None
        return self.socket.recv(65536).decode()

    def call(self, *words):
        self.ask(*words)
        return self.told()


def a_limit(xen, agents, burst, fill):
    """A limit that these share, and the rows, to be destroyed."""
    ref, rows = limit(xen, burst, fill), [caller(xen, agent) for agent in agents]
    for row in rows:
        xen.Rate_limit.add_caller(ref, row)
    return ref, rows


@pytest.fixture
def programs(daemons, xen):
    made = []

    def make(agent):
        made.append(Program(daemons, agent, xen.session))
        return made[-1]
    yield make
    for program in made:
        program.socket.close()
    for row in xen.Caller.get_all():
        xen.Caller.destroy(row)
    for ref in xen.Rate_limit.get_all():
        xen.Rate_limit.destroy(ref)


def test_who_calls_too_often_waits(xen, programs):
    """Three at once, one more in 1,000 s; others are not held up, and whoever waits is let go with the limit."""
    ref, _ = a_limit(xen, ["greedy/*"], 3.0, 0.001)
    greedy, more, other = programs("greedy/1"), programs("greedy/2"), programs("modest/1")
    for _ in range(3):
        assert "Success" in greedy.call()
    greedy.ask()
    more.ask()
    for _ in range(20):
        assert "Success" in other.call()
    assert greedy.told(0) is None and more.told(0) is None
    xen.Rate_limit.set_fill_rate(ref, 0.002)
    assert "Success" in greedy.told() and "Success" in more.told()
    for _ in range(3):  # a limit that was changed begins full
        assert "Success" in greedy.call()
    greedy.ask()
    xen.Rate_limit.destroy(ref)
    assert "Success" in greedy.told()
    for _ in range(10):
        assert "Success" in greedy.call()


def test_tokens_come_back(xen, programs):
    a_limit(xen, ["steady/1"], 1.0, 20.0)
    steady = programs("steady/1")
    for _ in range(5):
        assert "Success" in steady.call()


def test_callers_share_a_limit(xen, programs):
    ref, rows = a_limit(xen, ["one/1", "two/1"], 2.0, 0.001)
    one, two = programs("one/1"), programs("two/1")
    assert "Success" in one.call() and "Success" in two.call()
    one.ask()
    two.ask()
    xen.Rate_limit.remove_caller(ref, rows[0])
    assert one.told(0.2) is None  # it waits for a token of the limit it had
    late = programs("one/1")
    assert "Success" in late.call()
    assert two.told(0) is None
    xen.Rate_limit.destroy(ref)
    assert "Success" in one.told() and "Success" in two.told()


def test_the_rule_that_says_most_decides(xen, programs):
    a_limit(xen, ["kind/*"], 1.0, 0.001)
    a_limit(xen, ["kind/1"], 5.0, 0.001)
    exact, like = programs("kind/1"), programs("kind/10")
    for _ in range(5):
        assert "Success" in exact.call()
    assert "Success" in like.call()
    like.ask()
    exact.ask()
    assert like.told(0.2) is None and exact.told(0) is None


def test_tasks_wait_too(xen, programs):
    """The task is there at once, its work later."""
    ref, _ = a_limit(xen, ["async/1"], 1.0, 0.001)
    program = programs("async/1")
    assert "Success" in program.call()
    group = xen.VM_group.create({"name_label": "g", "name_description": "", "placement": "normal"})
    answer = program.call("Async.VM_group.destroy", group)
    task = answer[answer.index("OpaqueRef:"):][:46]
    assert xen.task.get_status(task) == "pending" and group in xen.VM_group.get_all()
    xen.Rate_limit.destroy(ref)
    xen.wait(task)
    assert group not in xen.VM_group.get_all()


def download(daemons, agent, session):
    s = socket.create_connection(("127.0.0.1", daemons.http), timeout=60)
    s.sendall(f"GET /audit_log?session_id={session} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n\r\n".encode())
    return s


def test_transfers_wait_too(daemons, xen, programs):
    """They take a token as calls do, and wait for it; so do others' not."""
    ref, _ = a_limit(xen, ["copy/*"], 2.0, 0.001)
    assert "Success" in programs("copy/1").call()
    with download(daemons, "copy/1", xen.session) as s:
        assert Reply(s).status == 200
    with download(daemons, "copy/1", xen.session) as waits, download(daemons, "other/1", xen.session) as other:
        assert Reply(other).status == 200
        assert not select.select([waits], [], [], 0.2)[0]
        xen.Rate_limit.set_fill_rate(ref, 0.002)
        assert Reply(waits).status == 200
    for wait in (0.0, 0.3):  # who leaves, leaves nothing behind
        gone = [download(daemons, "copy/1", xen.session) for _ in range(3)]
        select.select(gone, [], [], wait)
        for s in gone:
            s.close()


def test_transfers_wait_over_a_change_of_the_daemon(fresh_daemons):
    """The next program has those that wait; one that only stops says so."""
    xen = fresh_daemons.client()
    ref, _ = a_limit(xen, ["copy/1"], 1.0, 0.001)
    with download(fresh_daemons, "copy/1", xen.session) as first:
        assert Reply(first).status == 200
    with download(fresh_daemons, "copy/1", xen.session) as s:
        assert not select.select([s], [], [], 0.2)[0]
        old = fresh_daemons.hand_over()
        assert Reply(s).status == 200  # which begins with a full bucket
        old.wait(30)
    with download(fresh_daemons, "copy/1", xen.session) as s:
        assert not select.select([s], [], [], 0.2)[0]
        fresh_daemons.stop(["xapi"])
        assert Reply(s).status == 500
    fresh_daemons.start_xapi()
    fresh_daemons.ready().Rate_limit.destroy(ref)


def test_who_waits_may_leave(daemons, xen, programs):
    """Neither the peer that goes nor a session that ends leaves anything behind."""
    ref, _ = a_limit(xen, ["leaver/1"], 1.0, 0.001)
    first, gone, ended = programs("leaver/1"), programs("leaver/1"), programs("leaver/1")
    assert "Success" in first.call()
    gone.ask()
    gone.socket.close()
    other = daemons.client()
    ended.session = other.session
    ended.ask()
    other.call("session.logout")
    xen.Rate_limit.destroy(ref)
    assert "SESSION_INVALID" in ended.told()


def test_a_limit_outlives_the_daemon(fresh_daemons):
    xen = fresh_daemons.client()
    ref, _ = a_limit(xen, ["again/1"], 1.0, 0.001)
    fresh_daemons.stop(["xapi"])
    fresh_daemons.start_xapi()
    xen = fresh_daemons.ready()
    program = Program(fresh_daemons, "again/1", xen.session)
    assert "Success" in program.call()
    program.ask()
    assert program.told(0.2) is None
    old = fresh_daemons.hand_over()  # the next program begins with a full bucket, and has the call
    assert "Success" in program.told()
    program.ask()
    assert program.told(0.2) is None
    fresh_daemons.ready().Rate_limit.destroy(ref)
    assert "Success" in program.told()
    old.wait(30)
