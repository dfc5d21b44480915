# SPDX-License-Identifier: LGPL-2.1-or-later
"""Texts that would be something else to whoever does not quote them: in names, filters, headers, queries, archives.

Lines of logs: test_limits.py, test_audit_log.py. Arguments of host calls: test_host_calls.py. Members of archives that are wrong
in other ways: test_metadata.py, test_backup.py. Names of callers: test_rate_limit.py."""

import json
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from conftest import XenError
from metadata import archive, export, read, restore
from test_limits import answer, post, unix
from transfers import Reply, ask, connect, connect_tcp, head
from vms import new_disk, new_vm, remove

NAMES = ["'; DROP TABLE rows; --", '" or "1" = "1', "<value>&lt;&amp;<![CDATA[x]]>", "]]></name></member>", "../../etc/passwd", "/",
         "$(touch x)`touch x`|&;\n", "%s%n%00%x", "a,b=c,id=d", "\u202egpj.exe\u0085\u2028", "\x1b[31m\r\n", "\\\"'\\", "{{7*7}}${7*7}",
         "OpaqueRef:NULL", "-rf", "--help", "\U0001f600" * 40]


def on_the_wire(text):
    """XML cannot carry control characters; they are left out there."""
    return "".join(c for c in text if c >= " " or c in "\t\n\r")


def rpc(daemons, method, *params):
    with unix(daemons) as s:
        s.sendall(post(method, *params))
        return answer(s)


def failure(daemons, xen, task):
    """error_info of a task that fails, as JSON."""
    end = time.monotonic() + 60
    while (record := rpc(daemons, "task.get_record", xen.session, task)["result"])["status"] == "pending":
        assert time.monotonic() < end
        time.sleep(0.01)
    xen.task.destroy(task)
    assert record["status"] == "failure"
    return record["error_info"]


@pytest.fixture
def vm(xen):
    ref = new_vm(xen, "injection")
    new_disk(xen, ref)
    yield ref
    remove(xen, ref)


@pytest.mark.parametrize("name", NAMES)
def test_names(daemons, xen, vm, name):
    """What was written is read, everywhere, and is nothing else."""
    session, token = xen.session, xen.call("event.from", ["vm"], "", 0.0)["token"]
    for method, value in (("set_name_label", name), ("set_name_description", name), ("set_tags", [name]),
                          ("set_xenstore_data", {name: name}), ("set_other_config", {name: name})):
        assert rpc(daemons, f"VM.{method}", session, vm, value)["result"] == ""
    record = rpc(daemons, "VM.get_record", session, vm)["result"]
    assert (record["name_label"], record["tags"], record["other_config"]) == (name, [name], {name: name})
    assert rpc(daemons, "VM.get_by_name_label", session, name)["result"] == [vm]
    said = on_the_wire(name)
    assert xen.VM.get_name_label(vm) == said and xen.VM.get_other_config(vm) == {said: said}
    events = rpc(daemons, "event.from", session, [f"VM/{vm}"], token, 5.0)["result"]["events"]
    assert {"name_label": name, "tags": [name]}.items() <= events[-1]["snapshot"].items()
    _, objects = read(export(daemons, xen, ref=vm))
    assert said in [record["name_label"] for cls, record in objects.values() if cls == "VM"]
    xen.VM.start(vm, False, False)
    xen.VM.hard_shutdown(vm)
    task = rpc(daemons, "task.create", session, name, name)["result"]
    assert rpc(daemons, "task.get_record", session, task)["result"]["name_label"] == name
    xen.task.destroy(task)
    assert xen.VM.get_name_label(vm) == said


def test_names_are_in_reports(daemons, xen, vm):
    """The database as XML and what becomes of it hold them all, and nothing breaks out."""
    for i, name in enumerate(NAMES):
        rpc(daemons, "VM.add_to_other_config", xen.session, vm, f"name {i}", name)
    text = ask(daemons, "GET", "/pool/xmldbdump", session_id=xen.session).body()
    rows = [r for r in ET.fromstring(text).iter("row") if r.get("ref") == vm]
    assert len(rows) == 1 and all(f"'name%.{i}'" in rows[0].get("other_config") for i in range(len(NAMES)))
    reply = ask(daemons, "GET", "/system-status", session_id=xen.session, entries="xapi-db,host-info")
    assert reply.status == 200 and b"DROP%.TABLE" in reply.body()


def test_a_host_name_stays_within_a_header(daemons, xen):
    host = xen.host.get_all()[0]
    before = xen.host.get_name_label(host)
    rpc(daemons, "host.set_name_label", xen.session, host, 'x"\r\nSet-Cookie: a=b\r\n\r\n')
    reply = ask(daemons, "GET", "/system-status", session_id=xen.session, entries="host-info")
    assert reply.status == 200 and "set-cookie" not in reply.headers
    xen.host.set_name_label(host, before)


@pytest.mark.parametrize("mime", ["text/html\r\nSet-Cookie: a=b", "text/html\n\n<script>", "a\x7fb", "t\u00e4xt"])
def test_a_type_of_a_blob_stays_within_a_header(daemons, xen, vm, mime):
    assert rpc(daemons, "VM.create_new_blob", xen.session, vm, "b", mime, True)["error"]["message"] == "INVALID_VALUE"


def test_a_name_cannot_leave_its_quotes(xen, vm, fails):
    """Texts in a filter have no escapes: who puts a name with a quote into one is told, or finds nothing else."""
    def look_up(name):
        return xen.call("VM.get_all_where", f'field "name__label" = "{name}"')

    xen.VM.set_name_label(vm, "plain")
    assert look_up("plain") == [vm]
    assert set(look_up('x" or "1" = "1')) == set(xen.VM.get_all())  # a whole expression is what it says
    for name in ('"', 'a"b', 'x\\" or true', 'x"; true'):
        assert fails("INVALID_VALUE", look_up, name)[0] == f'field "name__label" = "{name}"'
    assert look_up("\\") == [] == look_up("' or '1' = '1") == look_up("%") == look_up("*")


@pytest.mark.parametrize("column", ["plan_state", "launch_record", "guest_token", "contents", "value", "pem", "session_user",
                                    "sqlite_master", "rowid", "../x", "uuid' or '1", "_ref\"", "*"])
def test_filters_see_no_more_than_records(xen, column):
    """What no record shows cannot be guessed bit by bit either."""
    for cls in ("VM", "task", "VTPM", "Certificate"):
        with pytest.raises(XenError) as caught:
            xen.call(f"{cls}.get_all_where", f'field "{column}" = "x"')
        assert caught.value.code == "INVALID_VALUE", cls


QUERIES = [("vdi", "%ff%fe"), ("vdi", "%c3%28"), ("vdi", "%ed%a0%80"), ("task_id", "%ff"), ("session_id", "%ff"), ("x%ff", "y"),
           ("vdi", "%00"), ("vdi", "%0")]


@pytest.mark.parametrize("name, value", QUERIES)
def test_queries_are_text(daemons, xen, name, value):
    """Else their errors, which stand in tasks, could not be told to anybody."""
    task = xen.task.create("query", "")
    query = {"session_id": xen.session, "task_id": task} | {name: value}
    with connect(daemons) as s:
        s.sendall(head("GET", "/export_raw_vdi", **query))
        assert Reply(s).status == 400
    assert xen.task.get_status(task) == "pending"
    xen.task.destroy(task)


@pytest.mark.parametrize("value", ["%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a", "%3cscript%3e", "..%2f..%2fetc", "'%22;--", "%e2%80%ae", "%7f%1b"])
def test_queries_stay_values(daemons, xen, value):
    task = xen.task.create("query", "")
    with connect(daemons) as s:
        s.sendall(head("GET", "/export_raw_vdi", vdi=value, session_id=xen.session, task_id=task))
        reply = Reply(s)
    assert reply.status == 400 and "set-cookie" not in reply.headers and b"<script" not in reply.body()
    info = failure(daemons, xen, task)
    assert info[0] == "HANDLE_INVALID" and len(info) == 3


@pytest.mark.parametrize("line", ["Host: a\rSet-Cookie: b", "X: y\n Z: \0", "X y: z", "Cookie: task_id=%ff; session_id=\xff",
                                  "traceparent: 00-\xff-\xfe-01", "subtask_of: \xff", "Access-Control-Request-Headers: x\r\r\ny: z"])
def test_headers_stay_lines(daemons, line):
    """Refused, or without effect; the next request of another is answered."""
    for verb, path in (("OPTIONS", "/jsonrpc"), ("GET", "/export_raw_vdi")):
        with connect_tcp(daemons) as s:
            s.sendall(f"{verb} {path} HTTP/1.1\r\nConnection: close\r\n{line}\r\n\r\n".encode("latin-1"))
            data = b"".join(iter(lambda: s.recv(65536), b""))
        first, *more = data.split(b"\r\n\r\n")[0].split(b"\r\n")
        assert first.split()[1] in (b"200", b"400", b"401")
        assert not any(l.lower().startswith((b"set-cookie", b"y:")) for l in more)
    assert json.loads(json.dumps(rpc(daemons, "system.listMethods")))["result"]


def everything(daemons, xen):
    """Rows of VMs, and files where a member of an archive could end up."""
    elsewhere = [p for p in (daemons.state.parent / "ova.xml", daemons.state.parent / "x", Path("/etc/ova.xml"), Path("/x")) if p.exists()]
    return xen.VM.get_all_records(), sorted(daemons.state.iterdir()), elsewhere


@pytest.mark.parametrize("name", ["../../ova.xml", "/etc/ova.xml", "ova.xml/../../x", "x\udcff\udcfe.xml", "x" * 100, "a\nb", "'; --", "%s%n", "-x"])
def test_names_of_members(daemons, xen, fails, name):
    """Told by name, and never a file."""
    before = everything(daemons, xen)
    task = xen.task.create("archive", "")
    body = archive((name, b"<value/>"))
    reply = ask(daemons, "PUT", "/import_metadata", body, session_id=xen.session, task_id=task)
    assert reply.status == 200
    info = failure(daemons, xen, task)
    reply.sock.close()
    assert info[0] == "IMPORT_ERROR_UNEXPECTED_FILE" and len(info) == 3
    assert all(c == name.encode("utf-8", "replace").decode()[i] or c == "?" for i, c in enumerate(info[2])), info
    with pytest.raises(XenError, match="IMPORT_ERROR|RESTORE"):
        restore(daemons, xen, body)
    assert everything(daemons, xen) == before
