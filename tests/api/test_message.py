# SPDX-License-Identifier: LGPL-2.1-or-later
"""Messages to the administrator."""

import base64
import contextlib
import http.client
import json
import re
import time
import uuid

NEVER = "19700101T00:00:00Z"


def create(xen, name="TEST", body="text"):
    pool = xen.pool.get_uuid(xen.pool.get_all()[0])
    return xen.message.create(name, "3", "Pool", pool, body), pool


def test_create_get_destroy(xen, fails):
    message, pool = create(xen)
    record = xen.message.get_record(message)
    assert (record["name"], record["priority"], record["cls"]) == ("TEST", "3", "Pool")
    assert (record["obj_uuid"], record["body"]) == (pool, "text")
    assert xen.message.get_by_uuid(record["uuid"]) == message
    assert message in xen.message.get_all()
    assert xen.message.get_all_records()[message] == record
    assert xen.message.get("Pool", pool, NEVER)[message] == record
    assert message not in xen.message.get("Host", pool, NEVER)
    assert message in xen.message.get_since(NEVER)
    assert xen.message.get_since("20990101T00:00:00Z") == {}
    xen.message.destroy(message)
    fails("HANDLE_INVALID", xen.message.destroy, message)


def test_unknown_object(xen, fails):
    nothing = str(uuid.uuid4())
    assert fails("UUID_INVALID", xen.message.create, "TEST", "3", "VM", nothing, "") == ["VM", nothing]


def test_destroy_many(xen, fails):
    made = [create(xen)[0] for _ in range(3)]
    fails("HANDLE_INVALID", xen.message.destroy_many, [made[0], "OpaqueRef:none"])
    assert set(made) <= set(xen.message.get_all())
    xen.message.destroy_many(made)
    assert not set(made) & set(xen.message.get_all())


def test_where(xen, fails):
    message, _ = create(xen, "WANTED")
    other, _ = create(xen, "OTHER")
    assert list(xen.message.get_all_records_where('field "name" = "WANTED"')) == [message]
    fails("INVALID_VALUE", xen.message.get_all_records_where, "field =")
    xen.message.destroy_many([message, other])


def test_events(xen):
    token = xen.call("event.from", ["message"], "", 0.0)["token"]
    message, _ = create(xen)
    batch = xen.call("event.from", ["message"], token, 5.0)
    assert [(e["class"], e["operation"], e["ref"]) for e in batch["events"]] == [("message", "add", message)]
    xen.message.destroy(message)


def test_destroy_all(xen, fails):
    def left():
        return {r["name"] for r in xen.message.get_all_records().values()} & {"ONE", "TWO", "THREE"}

    host = xen.host.get_uuid(xen.host.get_all()[0])
    _, pool = create(xen, "ONE")
    create(xen, "TWO")
    xen.message.create("THREE", "5", "Host", host, "")
    for filters, stay in (({"after": "20990101T00:00:00Z"}, {"ONE", "TWO", "THREE"}),
                          ({"before": "20000101T00:00:00Z"}, {"ONE", "TWO", "THREE"}),
                          ({"name": "ONE", "obj_uuid": pool}, {"TWO", "THREE"}),
                          ({"name": "TWO", "cls": "Host"}, {"TWO", "THREE"}),
                          ({"name": "TWO", "priority": "3", "cls": "Pool"}, {"THREE"})):
        xen.message.destroy_all(filters)
        assert left() == stay, filters
    for key, bad in (("colour", "red"), ("cls", "Nothing"), ("priority", "high"), ("before", "yesterday")):
        assert fails("INVALID_VALUE", xen.message.destroy_all, {key: bad}) == [key, bad]
    xen.message.destroy_all({})
    assert xen.message.get_all() == []


def tcp(daemons):
    return contextlib.closing(http.client.HTTPConnection("127.0.0.1", daemons.http, timeout=30))


def test_refused_logins(fresh_daemons):
    """Once an hour, here each second: who tried a wrong password, by login or by a request of its own."""
    d = fresh_daemons
    d.stop(which=["xapi"])
    d.env["XENOLITH_REFUSALS_US"] = "1000000"
    d.start_xapi()
    xen = d.ready()
    token = xen.call("event.from", ["message"], "", 0.1)["token"]
    for user, originator in (("root", "a <tool>"), ("root", "a <tool>"), ("nobody", "")):
        with tcp(d) as c:
            c.request("POST", "/jsonrpc", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session.login_with_password",
                                                      "params": [user, "wrong", "1.0", originator]}),
                      {"User-Agent": "a program"} if user == "root" else {})
            assert b"SESSION_AUTHENTICATION_FAILED" in c.getresponse().read()
    with tcp(d) as c:
        word = base64.b64encode(b"root:wrong").decode()
        c.request("GET", "/audit_log", headers={"Authorization": f"Basic {word}", "User-Agent": "a page"})
        assert c.getresponse().status == 401
    told, end = [], time.monotonic() + 30
    while sum(int(n) for m in told for n in re.findall("<total>(.*)</total>", m["body"])) < 4:
        batch = xen.call("event.from", ["message"], token, 5.0)
        told += [e["snapshot"] for e in batch["events"] if e["snapshot"]["name"] == "FAILED_LOGIN_ATTEMPTS"]
        token = batch["token"]
        assert time.monotonic() < end
    assert all((m["priority"], m["cls"], m["obj_uuid"]) == ("3", "Pool", xen.pool.get_uuid(xen.pool.get_all()[0])) for m in told)
    text = "".join(m["body"] for m in told)
    assert "<username>root</username>\n<originator>a &lt;tool&gt;</originator>\n<ip>127.0.0.1</ip>\n<useragent>a program</useragent>\n" in text
    assert "<username>root</username>\n<ip>127.0.0.1</ip>\n<useragent>a page</useragent>\n<number>1</number>\n<date>20" in text
    assert "<username>nobody</username>\n<ip>127.0.0.1</ip>\n<number>1</number>" in text
