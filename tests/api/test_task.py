# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tasks made by clients and by Async calls."""

import json
import threading
import time

import pytest

from conftest import UnixConnection
from transfers import Reply, connect, head
from vms import new_vm, remove


def test_client_task(xen, fails):
    task = xen.task.create("backup", "nightly")
    record = xen.task.get_record(task)
    assert (record["name_label"], record["name_description"], record["status"]) == ("backup", "nightly", "pending")
    xen.task.set_progress(task, 0.5)
    assert xen.task.get_progress(task) == 0.5
    xen.task.set_result(task, "<value>x</value>")
    xen.task.set_status(task, "success")
    assert xen.task.get_status(task) == "success"
    assert xen.task.get_result(task) == "<value>x</value>"
    broken = xen.task.create("b", "")
    xen.task.set_error_info(broken, ["SOME_ERROR", "x"])
    assert xen.task.get_error_info(broken) == ["SOME_ERROR", "x"]
    for t in (task, broken):
        xen.task.destroy(t)
    fails("HANDLE_INVALID", xen.task.get_record, task)


def test_cancel(xen):
    task = xen.task.create("long", "")
    xen.task.cancel(task)
    assert "cancel" in xen.task.get_current_operations(task).values() or xen.task.get_status(task) == "cancelled"
    xen.task.set_status(task, "cancelled")
    xen.task.destroy(task)


def test_destroy(xen, fails):
    task = xen.task.create("short", "")
    xen.task.set_status(task, "success")
    xen.task.destroy(task)
    assert fails("HANDLE_INVALID", xen.task.destroy, task) == ["task", task]


def test_other_config(xen, fails):
    task = xen.task.create("marked", "")
    xen.task.add_to_other_config(task, "key", "value")
    assert fails("MAP_DUPLICATE_KEY", xen.task.add_to_other_config, task, "key", "other")[0] == "task"
    xen.task.remove_from_other_config(task, "key")
    xen.task.remove_from_other_config(task, "key")
    assert xen.task.get_other_config(task) == {}
    xen.task.set_other_config(task, {"a": "1"})
    assert xen.task.get_other_config(task) == {"a": "1"}
    xen.task.set_status(task, "success")
    xen.task.destroy(task)


@pytest.fixture
def vm(daemons, xen):
    """A VM that runs and takes no notice of a request to shut down."""
    ref = new_vm(xen, "stays")
    xen.VM.start(ref, False, False)
    daemons.control(xen.VM.get_uuid(ref), ignore_shutdown=True)
    yield ref
    remove(xen, ref)


def test_destroy_while_pending(xen, vm, fails):
    """The row stays until the work has ended, then goes without telling how."""
    task = xen.call("Async.VM.clean_shutdown", vm)
    xen.task.destroy(task)
    assert "destroy" in xen.task.get_current_operations(task).values()
    assert xen.task.get_status(task) == "pending"
    token = xen.call("event.from", [f"task/{task}"], "", 5.0)["token"]
    xen.task.cancel(task)
    gone = []
    while not gone:
        batch = xen.call("event.from", [f"task/{task}"], token, 20.0)
        token = batch["token"]
        gone = [e for e in batch["events"] if e["operation"] == "del"]
    fails("HANDLE_INVALID", xen.task.get_record, task)


def test_cancel_of_a_call_that_waits_for_another(xen, vm, fails):
    """It has no plan yet: nothing but the task's row tells it."""
    first = xen.call("Async.VM.clean_shutdown", vm)
    token = ""
    while not xen.VM.get_current_operations(vm):
        token = xen.call("event.from", [f"vm/{vm}"], token, 5.0)["token"]
    second = xen.call("Async.VM.clean_reboot", vm)
    xen.task.cancel(second)
    assert fails("TASK_CANCELLED", xen.wait, second, 10) == [second]
    assert xen.task.get_status(first) == "pending"
    xen.task.cancel(first)
    fails("TASK_CANCELLED", xen.wait, first, 10)
    assert xen.VM.get_current_operations(vm) == {}


def test_cancel_at_any_moment(xen, vm, fails):
    """However early the cancel comes: before the body, between intent and plan, in the first step."""
    for _ in range(40):
        task = xen.call("Async.VM.clean_shutdown", vm)
        xen.task.cancel(task)
        assert fails("TASK_CANCELLED", xen.wait, task, 10) == [task]
    assert xen.VM.get_current_operations(vm) == {}


def test_parts_of_a_task(daemons, xen):
    """A header, a cookie or the query says which task a call or a transfer is part of; one that is not there is no error."""
    whole = xen.task.create("whole", "")
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "Async.VM.assert_operation_valid",
                       "params": [xen.session, xen.VM.get_by_name_label("Other install media")[0], "clone"]})

    def part(headers, query=""):
        c = UnixConnection(daemons.socket)
        c.request("POST", f"/jsonrpc{query}", body, headers)
        return json.loads(c.getresponse().read())["result"]

    parts = [part({"subtask_of": whole}), part({"Cookie": f"a=b; subtask_of={whole}"}), part({}, f"?subtask_of={whole}")]
    with connect(daemons) as s:
        s.sendall(head("GET", "/audit_log", session_id=xen.session, subtask_of=whole))
        parts.append(Reply(s).headers["task-id"])
    assert sorted(xen.task.get_subtasks(whole)) == sorted(parts)
    assert all(xen.task.get_subtask_of(ref) == whole for ref in parts)
    assert xen.task.get_subtask_of(part({"subtask_of": "OpaqueRef:none"})) in ("", "OpaqueRef:NULL")
    xen.task.destroy(whole)


def test_notes_in_headers(daemons, xen, vm):
    """What a client writes into headers of its own is found in the task of the call, of an Async one, and of a transfer."""
    notes = {"X-Http-Other-Config-dbg": "Backup 5", "x-http-other-config-Other": "\xff", "X-HTTP-OTHER-CONFIG-": "", "X-Other-Config-no": "x"}
    told = {"http:dbg": "Backup 5", "http:Other": "?", "http:": ""}

    def ask(name, *params, **more):
        c = UnixConnection(daemons.socket)
        c.request("POST", "/jsonrpc", json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": [xen.session, *params]}), {**notes, **more})
        return json.loads(c.getresponse().read()).get("result")

    template = xen.VM.get_by_name_label("Other install media")[0]
    assert xen.task.get_other_config(ask("Async.VM.assert_operation_valid", template, "clone")) == told
    with connect(daemons) as s:
        s.sendall(head("GET", "/audit_log", session_id=xen.session)[:-2] + b"X-Http-Other-Config-dbg: one\r\nX-Http-Other-Config-dbg: two\r\n\r\n")
        assert xen.task.get_other_config(Reply(s).headers["task-id"]) == {"http:dbg": "one"}
    whole = xen.task.create("whole", "")
    waits = threading.Thread(target=ask, args=("VM.clean_shutdown", vm), kwargs={"subtask_of": whole})
    waits.start()
    end = time.monotonic() + 30
    while not (own := [(ref, t) for ref, t in xen.task.get_all_records().items() if t["name_label"] == "VM.clean_shutdown"]):
        assert time.monotonic() < end
    (ref, task), = own
    assert task["other_config"] == told and task["subtask_of"] == whole
    xen.task.cancel(ref)
    waits.join()
    xen.task.destroy(whole)
