# SPDX-License-Identifier: LGPL-2.1-or-later
"""Python's xmlrpc.client, as scripts written for XenAPI.py use it (xenapi.py)."""

import datetime
import threading
import time
import xmlrpc.client

import pytest

from conftest import NULL, restart
from xenapi import Failure, Local, Session, value_of


def urls(daemons):
    """Scripts name the host with a slash behind it or without; http.client then asks for / or /RPC2."""
    return [f"{base}{path}" for base in (f"https://127.0.0.1:{daemons.tls}", f"http://127.0.0.1:{daemons.http}")
            for path in ("", "/", "/RPC2")]


@pytest.fixture
def session(daemons):
    s = Session(f"https://127.0.0.1:{daemons.tls}")
    s.login_with_password("root", daemons.password, "1.0", "xmlrpc.client")
    yield s
    s.xenapi.session.logout()


@pytest.fixture
def vm(session):
    template = session.xenapi.VM.get_by_name_label("Other install media")[0]
    ref = session.xenapi.VM.clone(template, "script")
    session.xenapi.VM.set_is_a_template(ref, False)
    yield ref
    try:
        if session.xenapi.VM.get_power_state(ref) != "Halted":
            session.xenapi.VM.hard_shutdown(ref)
        session.xenapi.VM.destroy(ref)
    except Failure as e:
        assert e.details[0] == "HANDLE_INVALID"


def failure(call, *params):
    with pytest.raises(Failure) as caught:
        call(*params)
    return caught.value.details


# ---- sessions ----

def test_every_address(daemons):
    for url in urls(daemons):
        s = Session(url)
        s.xenapi.login_with_password("root", daemons.password)
        assert len(s.xenapi.pool.get_all()) == 1
        s.xenapi.session.logout()
        assert s.handle is None


@pytest.mark.parametrize("more", [(), ("1.0",), ("1.0", "script")], ids=["two", "three", "four"])
def test_login_with_as_many_parameters_as_one_likes(daemons, more):
    s = Session(f"https://127.0.0.1:{daemons.tls}/")
    s.login_with_password("root", daemons.password, *more)
    assert s.handle.startswith("OpaqueRef:")
    assert s.xenapi.session.get_originator(s.handle) == (more[1] if len(more) > 1 else "")
    s.xenapi.session.logout()
    assert failure(lambda: value_of(s.VM.get_all("OpaqueRef:old")))[0] == "SESSION_INVALID"


def test_local_login(daemons):
    s = Session("http://localhost/", Local(daemons.socket))
    s.login_with_password("root", "", "", "script")
    assert s.xenapi.session.get_is_local_superuser(s.handle) is True
    s.xenapi.session.logout()


def test_slave_local_login(daemons):
    s = Session(f"https://127.0.0.1:{daemons.tls}")
    s.slave_local_login_with_password("root", daemons.password)
    local = s.session
    assert local.startswith("OpaqueRef:")
    value_of(s._plain("session.local_logout")(local))
    assert failure(lambda: value_of(s._plain("session.local_logout")(local)))[0] == "SESSION_INVALID"


def test_wrong_password(daemons):
    s = Session(f"https://127.0.0.1:{daemons.tls}")
    assert failure(s.login_with_password, "root", "guess")[:2] == ["SESSION_AUTHENTICATION_FAILED", "root"]


def test_session_that_has_ended_is_renewed(daemons, session):
    old = session.handle
    other = Session(f"https://127.0.0.1:{daemons.tls}")
    other.session = old
    other.xenapi.session.logout()
    assert session.xenapi.host.get_all()
    assert session.handle != old


def test_restart_of_the_daemon(fresh_daemons):
    s = Session(f"http://127.0.0.1:{fresh_daemons.http}")
    s.login_with_password("root", fresh_daemons.password)
    host = s.xenapi.host.get_all()
    restart(fresh_daemons)
    assert s.xenapi.host.get_all() == host  # xmlrpc.client itself connects again


def test_methods_without_a_session(daemons):
    server = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{daemons.http}")
    methods = server.system.listMethods()
    assert {"VM.start", "VM.get_all_records", "session.login_with_password", "event.from"} <= set(methods)
    assert len(methods) == len(set(methods)) > 2000


# ---- values ----

def test_types(session, vm):
    record = session.xenapi.VM.get_record(vm)
    assert isinstance(record["VCPUs_max"], str) and int(record["VCPUs_max"]) >= 1
    assert record["is_a_template"] is False
    assert record["VBDs"] == [] and isinstance(record["other_config"], dict)
    assert isinstance(record["snapshot_time"], xmlrpc.client.DateTime)
    now = session.xenapi.host.get_servertime(session.xenapi.host.get_all()[0])
    assert abs(datetime.datetime.strptime(now.value, "%Y%m%dT%H:%M:%SZ") - datetime.datetime.utcnow()) < datetime.timedelta(hours=1)
    metrics = session.xenapi.VM.get_metrics(vm)
    assert isinstance(session.xenapi.VM_metrics.get_start_time(metrics), xmlrpc.client.DateTime)
    task = session.xenapi.task.create("float", "")
    session.xenapi.task.set_progress(task, 0.25)
    assert session.xenapi.task.get_progress(task) == 0.25
    session.xenapi.task.destroy(task)


def test_ints_may_be_numbers_or_texts(session, vm):
    for value in ("2", 2):
        session.xenapi.VM.set_VCPUs_max(vm, value)
        session.xenapi.VM.set_VCPUs_at_startup(vm, value)
        assert session.xenapi.VM.get_VCPUs_max(vm) == "2"
        session.xenapi.VM.set_VCPUs_at_startup(vm, 1)
        session.xenapi.VM.set_VCPUs_max(vm, 1)
    session.xenapi.VM.set_memory_limits(vm, str(1 << 28), str(1 << 30), str(1 << 29), str(1 << 30))
    assert session.xenapi.VM.get_memory_dynamic_min(vm) == str(1 << 29)
    with pytest.raises(OverflowError):  # xmlrpc.client's own limit, hence the texts
        session.xenapi.VM.set_memory_static_max(vm, 1 << 31)


@pytest.mark.parametrize("text", ["plain", "<&>\"'", " spaces  kept ", "zwei\nZeilen", "ünïcödé ☃ 𝄞", ""])
def test_texts(session, vm, text):
    session.xenapi.VM.set_name_label(vm, text)
    assert session.xenapi.VM.get_name_label(vm) == text
    assert vm in session.xenapi.VM.get_by_name_label(text)
    session.xenapi.VM.add_to_other_config(vm, "text", text)
    assert session.xenapi.VM.get_other_config(vm)["text"] == text


def test_create_with_a_record(session):
    record = {"name_label": "script disk", "name_description": "", "SR": session.xenapi.pool.get_default_SR(session.xenapi.pool.get_all()[0]),
              "virtual_size": str(1 << 22), "type": "user", "sharable": False, "read_only": False, "other_config": {"a": "b"},
              "xenstore_data": {}, "sm_config": {}, "tags": []}
    vdi = session.xenapi.VDI.create(record)
    got = session.xenapi.VDI.get_record(vdi)
    assert {key: got[key] for key in record} == record
    session.xenapi.VDI.destroy(vdi)


def test_records_and_filters(session, vm):
    everything = session.xenapi.VM.get_all_records()
    assert set(everything) == set(session.xenapi.VM.get_all()) and everything[vm]["name_label"] == "script"
    assert list(session.xenapi.VM.get_all_records_where('field "name__label" = "script"')) == [vm]
    assert session.xenapi.VM.get_by_uuid(everything[vm]["uuid"]) == vm
    host = session.xenapi.host.get_all_records()
    assert list(host) == session.xenapi.host.get_all()


# ---- failures ----

def test_failures(session, vm):
    assert failure(session.xenapi.VM.get_record, "OpaqueRef:gone") == ["HANDLE_INVALID", "VM", "OpaqueRef:gone"]
    assert failure(session.xenapi.VM.get_by_uuid, "gone") == ["UUID_INVALID", "VM", "gone"]
    assert failure(session.xenapi.VM.dance) == ["MESSAGE_METHOD_UNKNOWN", "VM.dance"]
    assert failure(session.xenapi.VM.unpause, vm) == ["VM_BAD_POWER_STATE", vm, "paused", "halted"]
    assert failure(session.xenapi.VM.get_record)[:2] == ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_record"]
    session.xenapi.VM.add_to_other_config(vm, "key", "")
    assert failure(session.xenapi.VM.add_to_other_config, vm, "key", "")[:3] == ["MAP_DUPLICATE_KEY", "VM", "other_config"]
    session.xenapi.VM.remove_from_other_config(vm, "key")
    session.xenapi.VM.remove_from_other_config(vm, "key")


def test_object_that_goes_while_a_script_walks(session, vm):
    """for vm in VM.get_all(): try ... except Failure: HANDLE_INVALID means that it has gone meanwhile."""
    refs = session.xenapi.VM.get_all()
    session.xenapi.VM.destroy(vm)
    gone = []
    for ref in refs:
        try:
            session.xenapi.VM.get_record(ref)
        except Failure as e:
            assert e.details[0] == "HANDLE_INVALID"
            gone.append(ref)
    assert gone == [vm]


# ---- tasks and events ----

def wait_for_task(session, task, limit=30):
    """As scripts do it: asked again and again."""
    end = time.monotonic() + limit
    while session.xenapi.task.get_status(task) == "pending":
        assert time.monotonic() < end
        time.sleep(0.02)
    record = session.xenapi.task.get_record(task)
    session.xenapi.task.destroy(task)
    return record


def test_async(session, vm):
    record = wait_for_task(session, session.xenapi.Async.VM.start(vm, False, False))
    assert (record["status"], record["result"], record["progress"]) == ("success", "<value></value>", 1.0)
    assert isinstance(record["finished"], xmlrpc.client.DateTime)
    record = wait_for_task(session, session.xenapi.Async.VM.start(vm, False, False))
    assert (record["status"], record["error_info"]) == ("failure", ["VM_BAD_POWER_STATE", vm, "halted", "running"])
    record = wait_for_task(session, session.xenapi.Async.VM.snapshot(vm, "shot"))
    snapshot = record["result"].removeprefix("<value>").removesuffix("</value>")
    assert session.xenapi.VM.get_snapshot_of(snapshot) == vm
    session.xenapi.VM.destroy(snapshot)
    assert session.xenapi.VM.get_resident_on(vm) != NULL


def events(session, classes, token, timeout=10.0):
    got = getattr(session.xenapi.event, "from")(classes, token, timeout)
    return got["events"], got["token"], got["valid_ref_counts"]


def test_event_loop(session, vm):
    """A mirror of VMs, kept by event.from while another session changes things."""
    seen, counts = {}, {}
    got, token, counts = events(session, ["vm"], "")
    for event in got:
        assert (event["class"], event["operation"]) == ("vm", "add")
        seen[event["ref"]] = event["snapshot"]
    assert set(seen) == set(session.xenapi.VM.get_all()) and int(counts["vm"]) == len(seen)
    session.xenapi.VM.set_name_description(vm, "changed")
    clone = session.xenapi.VM.clone(vm, "second")
    session.xenapi.VM.destroy(clone)
    end = time.monotonic() + 20
    while seen[vm]["name_description"] != "changed" or clone in seen:
        assert time.monotonic() < end
        got, token, counts = events(session, ["VM"], token)
        for event in got:
            if event["operation"] == "del":
                seen.pop(event["ref"], None)
            else:
                seen[event["ref"]] = event["snapshot"]
    assert seen == session.xenapi.VM.get_all_records()
    assert events(session, ["VM"], token, 0.1)[0] == []


def test_event_wakes_a_script_that_waits(daemons, session, vm):
    token = events(session, [f"VM/{vm}"], "")[1]
    woken = []

    def listen():
        other = Session(f"http://127.0.0.1:{daemons.http}")
        other.login_with_password("root", daemons.password)
        woken.extend(events(other, [f"VM/{vm}"], token, 30.0)[0])
        other.xenapi.session.logout()

    thread = threading.Thread(target=listen)
    thread.start()
    session.xenapi.VM.set_name_description(vm, "now")
    thread.join(20)
    assert [(e["operation"], e["snapshot"]["name_description"]) for e in woken] == [("mod", "now")]


def test_old_events(session, vm):
    """event.register and event.next, which older scripts still use."""
    session.xenapi.event.register(["vm"])
    session.xenapi.VM.set_name_description(vm, "seen")
    end = time.monotonic() + 20
    while True:
        assert time.monotonic() < end
        if any(e["ref"] == vm and e["snapshot"]["name_description"] == "seen" for e in session.xenapi.event.next()):
            break
    session.xenapi.event.unregister(["vm"])
