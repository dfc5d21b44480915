# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listening: event.from with its tokens, and the older register and next."""

import threading
import time


def test_from_reports_add_mod_del(xen):
    first = xen.call("event.from", ["task"], "", 5.0)
    assert first["valid_ref_counts"]["task"] == len(xen.task.get_all())
    task = xen.task.create("seen", "")
    added = xen.call("event.from", ["task"], first["token"], 5.0)
    mine = [e for e in added["events"] if e["ref"] == task]
    assert mine[0]["operation"] == "add" and mine[0]["class"] == "task"
    assert mine[0]["snapshot"]["name_label"] == "seen"
    xen.task.add_to_other_config(task, "k", "v")
    changed = xen.call("event.from", [f"task/{task}"], added["token"], 5.0)
    assert [e["operation"] for e in changed["events"]] == ["mod"]
    assert changed["events"][0]["snapshot"]["other_config"] == {"k": "v"}
    xen.task.set_status(task, "success")
    xen.task.destroy(task)
    gone = xen.call("event.from", ["Task"], changed["token"], 5.0)
    assert [e["operation"] for e in gone["events"] if e["ref"] == task] == ["del"]


def test_from_times_out_empty(xen):
    token = xen.call("event.from", ["vm_group"], "", 0.0)["token"]
    start = time.monotonic()
    answer = xen.call("event.from", ["vm_group"], token, 0.3)
    assert answer["events"] == [] and 0.2 < time.monotonic() - start < 5


def test_waiting_listener_is_woken(daemons, xen):
    listener = daemons.client()
    token = listener.call("event.from", ["task"], "", 0.0)["token"]
    got = []
    thread = threading.Thread(target=lambda: got.append(listener.call("event.from", ["task"], token, 30.0)))
    thread.start()
    task = xen.task.create("wakes", "")
    thread.join(20)
    assert got and task in [e["ref"] for e in got[0]["events"]]
    xen.task.set_status(task, "success")
    xen.task.destroy(task)


def test_created_and_destroyed_never_appears(xen):
    token = xen.call("event.from", ["task"], "", 0.0)["token"]
    task = xen.task.create("brief", "")
    xen.task.set_status(task, "success")
    xen.task.destroy(task)
    answer = xen.call("event.from", ["task"], token, 0.2)
    assert task not in [e["ref"] for e in answer["events"]]


def test_inject_gives_token(xen):
    pool = xen.pool.get_all()[0]
    token = xen.call("event.inject", "pool", pool)
    events = xen.call("event.from", ["pool"], token, 5.0)["events"]
    assert pool in [e["ref"] for e in events]


def test_legacy_next(xen, fails):
    fails("SESSION_NOT_REGISTERED", xen.call, "event.next")
    xen.call("event.register", ["task"])
    task = xen.task.create("legacy", "")
    events = xen.call("event.next")
    assert any(e["ref"] == task and e["operation"] == "add" for e in events)
    assert int(xen.call("event.get_current_id")) >= 0
    xen.call("event.unregister", ["task"])
    xen.task.set_status(task, "success")
    xen.task.destroy(task)


def test_bad_class_and_token(xen, fails):
    fails("EVENT_SUBSCRIPTION_PARSE_FAILURE", xen.call, "event.from", ["no such class"], "", 1.0)
    fails("EVENT_FROM_TOKEN_PARSE_FAILURE", xen.call, "event.from", ["task"], "rubbish", 1.0)
