# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who asked for what: which calls stand in the audit log, how, and how much of it is kept."""

import re
import time
import xmlrpc.client

from conftest import a_pair
from test_directory import READ_ONLY, People
from transfers import Reply, ask, connect_tcp, head
from vms import new_vm

LINE = re.compile(r"\[(\d{8}T\d\d:\d\d:\d\d\.\d{3}Z)\|audit\|[^|]*\|([^|]*)\|([^|]*)\|audit\] "
                  r"\('trackid=([0-9a-f]{16})' '((?:[^'\\]|\\.)*)' '(ALLOWED|DENIED)' '(OK|ERROR:\w+)' "
                  r"'(API|HTTP)' '([^']*)' \((.*)\)\)")


def lines(daemons, xen, **query):
    reply = ask(daemons, "GET", "/audit_log", session_id=xen.session, **query)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain")
    found = []
    for line in reply.body().decode().splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        when, label, task, track, user, allowed, how, kind, call, args = match.groups()
        assert label == call
        found.append({"when": when, "task": task, "track": track, "user": user, "allowed": allowed, "how": how,
                      "kind": kind, "call": call, "args": args, "line": line})
    return found


def about(daemons, xen, text, **query):
    return [x for x in lines(daemons, xen, **query) if text in x["args"]]


def test_lines(daemons, xen, fails):
    vm = new_vm(xen, "it's\nan audited \\ VM")
    uuid = xen.VM.get_uuid(vm)
    xen.VM.set_name_description(vm, "secret words")
    xen.VM.start(vm, False, False)
    xen.wait(xen.Async.VM.hard_shutdown(vm))
    fails("VM_BAD_POWER_STATE", xen.VM.hard_shutdown, vm)
    xen.VM.get_record(vm)
    xen.VM.get_all_records()
    xen.VM.destroy(vm)
    found = about(daemons, xen, vm)
    name = r"it\'s\x0aan audited \\ VM"
    assert [(x["call"], x["how"]) for x in found] == [
        ("VM.set_is_a_template", "OK"), ("VM.set_name_description", "OK"), ("VM.start", "OK"),
        ("VM.hard_shutdown", "OK"), ("VM.hard_shutdown", "ERROR:VM_BAD_POWER_STATE"), ("VM.destroy", "OK")]
    for x in found:
        first = "self" if x["call"] in ("VM.set_is_a_template", "VM.set_name_description", "VM.destroy") else "vm"
        assert (x["args"], x["user"], x["allowed"], x["kind"]) == (
            f"('{first}' '{name}' '{uuid}' '{vm}')", "root", "ALLOWED", "API")
        assert x["track"] == found[0]["track"] != "0" * 16
    assert found[3]["task"].startswith("OpaqueRef:")
    assert not [x for x in lines(daemons, xen) if "secret words" in x["line"] or xen.session in x["line"]]
    assert [x["when"] for x in found] == sorted(x["when"] for x in found)


def test_logins_and_refusals(daemons, xen, fails):
    other = daemons.client()
    for user, password in (("root", "wrong"), ("no'body\n", "wrong")):
        server = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{daemons.http}")  # where a password counts
        assert server.session.login_with_password(user, password, "1.0", "x")["Status"] == "Failure"
    other.call("session.logout")
    logins = [x for x in lines(daemons, xen) if x["call"].startswith("session.log")]
    assert [(x["user"], x["how"]) for x in logins[-3:]] == [
        ("root", "ERROR:SESSION_AUTHENTICATION_FAILED"), (r"no\'body\x0a", "ERROR:SESSION_AUTHENTICATION_FAILED"),
        ("root", "OK")]
    assert not [x for x in logins if "wrong" in x["line"]]


def test_strangers_push_nothing_out(fresh_daemons):
    """Of refused logins only so many a minute are told; what others do is told at all times."""
    server = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{fresh_daemons.http}")
    for i in range(150):
        assert server.session.login_with_password(f"guess {i}", "wrong", "1.0", "x")["Status"] == "Failure"
    xen = fresh_daemons.client()
    vm = new_vm(xen, "seen")
    assert about(fresh_daemons, xen, vm)
    guesses = [x["user"] for x in lines(fresh_daemons, xen) if x["user"].startswith("guess")]
    assert 60 <= len(guesses) <= 120 and guesses[:60] == [f"guess {i}" for i in range(60)]  # a minute may end meanwhile
    assert [x for x in lines(fresh_daemons, xen) if x["call"].startswith("session.login") and x["how"] == "OK"]


def test_who_lacks_a_role(fresh_daemons, fails):
    people = People(fresh_daemons)
    people.xen.pool.enable_external_auth(people.pool, {}, "accounts", "PAM")
    who = people.xen.auth.get_subject_identifier("anna")
    subject = people.xen.subject.create({"subject_identifier": who, "other_config": {}})
    people.xen.subject.add_to_roles(subject, READ_ONLY)
    anna = people.login()
    fails("RBAC_PERMISSION_DENIED", anna.call, "host.disable", people.host)
    assert ask(fresh_daemons, "GET", "/export_metadata", all="true", session_id=anna.session).status == 403
    found = [x for x in lines(fresh_daemons, anna) if x["user"] == "anna" and x["allowed"] == "DENIED"]
    assert [(x["kind"], x["call"], x["how"]) for x in found] == [
        ("API", "host.disable", "ERROR:RBAC_PERMISSION_DENIED"),
        ("HTTP", "get_export_metadata", "ERROR:RBAC_PERMISSION_DENIED")]


def test_requests(daemons, xen):
    vm = new_vm(xen, "audited")
    ask(daemons, "GET", "/export_metadata", ref=vm, session_id=xen.session).body()
    ask(daemons, "GET", "/export_metadata", ref="OpaqueRef:none", session_id=xen.session).body()
    wanted = [("get_export_metadata", "ERROR:HANDLE_INVALID", "('ref' '' '' 'OpaqueRef:none')"),
              ("get_export_metadata", "OK", f"('ref' '' '' '{vm}')")]
    end = time.monotonic() + 20
    while True:  # a line is written when its request is over, which its client may know first
        found = [x for x in lines(daemons, xen) if x["kind"] == "HTTP"]
        if sorted((x["call"], x["how"], x["args"]) for x in found[-2:]) == wanted:
            break
        assert time.monotonic() < end, found[-2:]
        time.sleep(0.05)
    assert "get_audit_log" not in [x["call"] for x in found]
    xen.VM.destroy(vm)


def test_since(daemons, xen):
    first = new_vm(xen, "before")
    xen.VM.destroy(first)
    time.sleep(1.1)  # the format has seconds
    second = new_vm(xen, "since")
    xen.VM.destroy(second)
    when = about(daemons, xen, second)[0]["when"]
    iso = f"{when[:4]}-{when[4:6]}-{when[6:17]}Z"
    for since in (iso, when[:17]):
        assert not about(daemons, xen, first, since=since) and about(daemons, xen, second, since=since)
    assert about(daemons, xen, first, since=when[:8])
    assert lines(daemons, xen, since="29991231") == []
    assert ask(daemons, "GET", "/audit_log", since="yesterday", session_id=xen.session).status == 400


def test_bounded_and_kept():
    """Five files of eight megabytes are the most; what is there outlives the daemon."""
    with a_pair() as d:
        d.start_hostd()
        folder = d.state / "audit"
        folder.mkdir()
        filler = b"[20200101T00:00:00.000Z|audit|h|x|t|audit] ('trackid=0000000000000000' 'u' 'ALLOWED' 'OK' 'API' 'x' ())\n"
        for i in range(1, 5):
            (folder / f"audit.log.{i}").write_bytes(filler)
        (folder / "audit.log").write_bytes(filler * ((8 << 20) // len(filler) + 1))
        d.start_xapi()
        xen = d.ready()
        vm = new_vm(xen, "one more")
        assert {p.name for p in folder.iterdir()} == {"audit.log", *(f"audit.log.{i}" for i in range(1, 5))}
        assert (folder / "audit.log.1").stat().st_size > 8 << 20 > (folder / "audit.log").stat().st_size
        assert (folder / "audit.log").stat().st_mode & 0o777 == 0o600
        found = lines(d, xen, since="20210101")
        assert [x for x in found if vm in x["args"]] and len(lines(d, xen)) > 70000
        d.stop(which=("xapi",))
        d.start_xapi()
        xen = d.ready()
        assert [x for x in lines(d, xen, since="20210101") if vm in x["args"]]


def test_who_may(daemons, xen):
    s = connect_tcp(daemons)
    s.sendall(head("GET", "/audit_log"))
    assert Reply(s).status == 401
