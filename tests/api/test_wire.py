# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients see of the wire: envelopes, types, names, counts, errors, limits."""

import json
import re
import socket
import urllib.request

import pytest

from conftest import UnixConnection


def post(daemons, path, body, kind="application/json", headers=()):
    c = UnixConnection(daemons.socket)
    c.request("POST", path, body, {"Content-Type": kind, **dict(headers)})
    r = c.getresponse()
    return r.status, r.getheader("content-type"), r.read().decode()


def rpc(daemons, method, *params, version="2.0", id_=0):
    body = {"method": method, "params": list(params), "id": id_}
    if version == "2.0":
        body["jsonrpc"] = "2.0"
    status, kind, text = post(daemons, "/jsonrpc", json.dumps(body))
    assert (status, kind) == (200, "application/json")
    return json.loads(text)


@pytest.fixture
def session(xen):
    return xen.session


def test_json_2(daemons, session):
    answer = rpc(daemons, "pool.get_all", session, id_="abc")
    assert answer["jsonrpc"] == "2.0" and answer["id"] == "abc" and len(answer["result"]) == 1
    answer = rpc(daemons, "VM.get_record", session, "OpaqueRef:x")
    assert answer["error"] == {"code": 1, "message": "HANDLE_INVALID", "data": ["VM", "OpaqueRef:x"]}


def test_json_1(daemons, session):
    answer = rpc(daemons, "pool.get_all", session, version="1.0", id_=7)
    assert answer["error"] is None and answer["id"] == 7 and len(answer["result"]) == 1
    answer = rpc(daemons, "VM.get_record", session, "OpaqueRef:x", version="1.0")
    assert answer["result"] is None and answer["error"] == ["HANDLE_INVALID", "VM", "OpaqueRef:x"]


def test_json_types(daemons, session):
    host = rpc(daemons, "host.get_all", session)["result"][0]
    record = rpc(daemons, "host.get_record", session, host)["result"]
    assert isinstance(record["memory_overhead"], int) and isinstance(record["enabled"], bool)
    assert isinstance(record["software_version"], dict) and isinstance(record["capabilities"], list)
    metrics = rpc(daemons, "host_metrics.get_record", session, record["metrics"])["result"]
    assert re.fullmatch(r"\d{8}T\d\d:\d\d:\d\dZ", metrics["last_updated"])


@pytest.mark.parametrize("path", ["/", "/RPC2", "/xmlrpc", "/json", "/anything"])
def test_xml_on_every_post_path(daemons, session, path):
    body = f"<methodCall><methodName>pool.get_all</methodName><params><param><value>{session}</value></param></params></methodCall>"
    status, kind, text = post(daemons, path, body, "text/xml")
    assert (status, kind) == (200, "text/xml")
    assert "<name>Status</name><value>Success</value>" in text and "OpaqueRef:" in text


def test_xml_failure_is_no_fault(daemons):
    body = "<methodCall><methodName>VM.get_all</methodName><params><param><value>no</value></param></params></methodCall>"
    _, _, text = post(daemons, "/", body, "text/xml")
    assert "fault" not in text and "SESSION_INVALID" in text and "<value>Failure</value>" in text


def test_list_methods_needs_no_session(daemons):
    names = daemons.server().system.listMethods()
    assert "VM.start" in names and "Bond.get_all_records" in names and "system.listMethods" in names
    assert rpc(daemons, "system.listMethods")["result"] == names


def test_every_get_all_records_answers(daemons, xen):
    names = [n for n in daemons.server().system.listMethods() if n.endswith(".get_all_records")]
    assert len(names) >= 55
    for name in names:
        try:
            assert isinstance(xen.call(name), dict), name
        except Exception as e:
            assert getattr(e, "code", "") == "MESSAGE_REMOVED", (name, e)


def test_unknown_and_removed(daemons, xen, fails):
    assert fails("MESSAGE_METHOD_UNKNOWN", xen.call, "VM.fly") == ["VM.fly"]
    fails("MESSAGE_REMOVED", xen.call, "VBD.get_metrics", "OpaqueRef:x")


def test_underscore_spelling(xen):
    assert xen.call("pool_get_all") == xen.call("pool.get_all")


def test_counts(xen, fails):
    assert fails("MESSAGE_PARAMETER_COUNT_MISMATCH", xen.call, "VM.start", "OpaqueRef:x") == ["VM.start", "3", "1"]
    assert fails("MESSAGE_PARAMETER_COUNT_MISMATCH", xen.call, "VM.get_record") == ["VM.get_record", "1", "0"]


def test_types_are_checked(xen, fails):
    vm = xen.VM.get_all()[0]
    fails("FIELD_TYPE_ERROR", xen.call, "VM.set_name_label", vm, 5)
    fails("FIELD_TYPE_ERROR", xen.call, "VM.set_other_config", vm, "no map")
    fails("FIELD_TYPE_ERROR", xen.call, "VM.set_tags", vm, {"a": "b"})


def test_ints_may_be_strings_or_numbers(daemons, session, xen):
    vm = xen.VM.get_all()[0]
    for value in ("7", 7):
        assert rpc(daemons, "VM.set_user_version", session, vm, value)["result"] == ""
        assert rpc(daemons, "VM.get_user_version", session, vm)["result"] == 7
    assert "error" in rpc(daemons, "VM.set_user_version", session, vm, "seven")
    rpc(daemons, "VM.set_user_version", session, vm, 1)


def test_no_async_for_sessions(xen, fails):
    assert "No async mode" in fails("Fault", xen.call, "Async.session.logout")[0]


def test_maps_and_sets(xen, fails):
    vm = xen.VM.get_all()[0]
    xen.VM.add_tags(vm, "blue")
    xen.VM.add_tags(vm, "blue")
    assert xen.VM.get_tags(vm).count("blue") == 1
    xen.VM.remove_tags(vm, "blue")
    xen.VM.remove_tags(vm, "blue")
    assert "blue" not in xen.VM.get_tags(vm)
    xen.VM.add_to_other_config(vm, "wire", "1")
    assert fails("MAP_DUPLICATE_KEY", xen.VM.add_to_other_config, vm, "wire", "1")[0] == "VM"
    xen.VM.remove_from_other_config(vm, "wire")
    xen.VM.remove_from_other_config(vm, "wire")


def test_text_survives_both_wires(daemons, session, xen):
    vm = xen.VM.get_all()[0]
    before = xen.VM.get_name_description(vm)
    text = "ä <&> \"quotes\" ]]> \t tab\nline \u2603 \U0001f600"
    xen.VM.set_name_description(vm, text)
    assert xen.VM.get_name_description(vm) == text
    assert rpc(daemons, "VM.get_name_description", session, vm)["result"] == text
    xen.VM.set_name_description(vm, before)


def test_get_by_uuid_and_name(xen, fails):
    vm = xen.VM.get_all()[0]
    assert xen.VM.get_by_uuid(xen.VM.get_uuid(vm)) == vm
    assert vm in xen.VM.get_by_name_label(xen.VM.get_name_label(vm))
    assert xen.VM.get_by_name_label("no such name at all") == []
    assert fails("UUID_INVALID", xen.VM.get_by_uuid, "x") == ["VM", "x"]


def test_filters(xen, fails):
    found = xen.call("VM.get_all_records_where", 'field "is_control_domain" = "true"')
    assert len(found) == 1 and all(r["is_control_domain"] for r in found.values())
    name = list(found.values())[0]["name_label"]
    assert xen.call("VM.get_all_where", f'(field "name__label" = "{name}") and not field "is_a_template" = "true"')
    assert xen.call("VM.get_all_where", "false") == []
    assert len(xen.call("VM.get_all_where", "true")) == len(xen.VM.get_all())
    assert fails("INVALID_VALUE", xen.call, "VM.get_all_where", 'field "x" =')[0] == 'field "x" ='


@pytest.mark.parametrize("body", ["", "<", "<methodCall>", "{}", "[1,2", "<!DOCTYPE x><methodCall/>", "\0\1\2",
                                  "<methodCall><methodName>x</methodName><params>" + "<param>" * 5000], ids=range(8))
def test_malformed_bodies(daemons, body):
    for path in ("/", "/jsonrpc"):
        status, _, text = post(daemons, path, body.encode("latin-1"))
        assert status in (200, 400, 411), (status, text)
        assert "result\": \"" not in text


def test_deep_nesting_is_refused(daemons, session):
    deep = "[" * 2000 + "]" * 2000
    status, _, text = post(daemons, "/jsonrpc", '{"jsonrpc":"2.0","id":1,"method":"VM.set_tags","params":["%s","x",%s]}' % (session, deep))
    assert status == 200 and "error" in json.loads(text)


def test_oversized_body(daemons):
    status, _, _ = post(daemons, "/", b"x" * (301 << 10), "text/xml")
    assert status == 500


def test_oversized_head(daemons):
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(daemons.socket))
    s.sendall(b"POST / HTTP/1.1\r\nx: " + b"y" * 20000 + b"\r\n\r\n")
    assert b" 431 " in s.recv(200)


def test_truncated_body_is_dropped(daemons):
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(daemons.socket))
    s.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nshort")
    s.shutdown(socket.SHUT_WR)
    assert b" 200 " not in s.recv(200)


def test_plain_tcp_and_tls(daemons):
    import ssl
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session.login_with_password",
                       "params": ["root", daemons.password]}).encode()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for url, ctx in ((f"http://127.0.0.1:{daemons.http}/jsonrpc", None), (f"https://127.0.0.1:{daemons.tls}/jsonrpc", context)):
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        answer = json.load(urllib.request.urlopen(request, context=ctx, timeout=30))
        assert answer["result"].startswith("OpaqueRef:")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(socket.create_connection(("127.0.0.1", daemons.tls)), server_hostname="x")


def test_cors(daemons):
    c = UnixConnection(daemons.socket)
    c.request("OPTIONS", "/jsonrpc", headers={"Access-Control-Request-Headers": "content-type"})
    r = c.getresponse()
    assert r.status == 200 and r.getheader("access-control-allow-origin") == "*"
    assert "content-type" in r.getheader("access-control-allow-headers")
