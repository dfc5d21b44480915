# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listening: event.from with its tokens, and the older register and next."""

import threading
import time

import pytest

from conftest import XenError


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
    before = int(xen.call("event.get_current_id"))
    token = xen.call("event.inject", "pool", pool)
    events = xen.call("event.from", ["pool"], token, 5.0)["events"]
    assert [(e["ref"], e["operation"]) for e in events] == [(pool, "mod")]
    assert int(xen.call("event.get_current_id")) > before


def test_legacy_next(xen, fails):
    fails("SESSION_NOT_REGISTERED", xen.call, "event.next")
    xen.call("event.register", ["task"])
    task = xen.task.create("legacy", "")
    events = xen.call("event.next")
    assert any(e["ref"] == task and e["operation"] == "add" for e in events)
    assert int(xen.call("event.get_current_id")) >= 0
    xen.call("event.unregister", ["task"])
    fails("SESSION_NOT_REGISTERED", xen.call, "event.next")
    xen.task.set_status(task, "success")
    xen.task.destroy(task)


def test_bad_class_and_token(xen, fails):
    fails("EVENT_SUBSCRIPTION_PARSE_FAILURE", xen.call, "event.from", ["no such class"], "", 1.0)
    fails("EVENT_FROM_TOKEN_PARSE_FAILURE", xen.call, "event.from", ["task"], "rubbish", 1.0)


@pytest.mark.parametrize("token", ["1,2", "-1", "0" * 53, "0" * 200, "0" * 20 + "," + "z" * 32])
def test_bad_tokens(xen, fails, token):
    fails("EVENT_FROM_TOKEN_PARSE_FAILURE", xen.call, "event.from", ["task"], token, 0.0)


@pytest.mark.parametrize("text", ["", "task/", "**", "/", "task /x"])
def test_bad_subscriptions(xen, fails, text):
    assert fails("EVENT_SUBSCRIPTION_PARSE_FAILURE", xen.call, "event.from", ["task", text], "", 0.0) == [text]


def test_additions_then_changes_then_deletions(xen):
    old, gone = xen.task.create("old", ""), xen.task.create("gone", "")
    token = xen.call("event.from", ["task"], "", 0.0)["token"]
    xen.task.destroy(gone)
    xen.task.set_progress(old, 0.1)
    new = xen.task.create("new", "")
    xen.task.set_progress(new, 0.2)
    events = xen.call("event.from", ["task"], token, 5.0)["events"]
    mine = [(e["operation"], e["ref"]) for e in events if e["ref"] in (old, gone, new)]
    assert mine == [("add", new), ("mod", old), ("del", gone)]
    for task in (old, new):
        xen.task.destroy(task)


def test_one_object_of_a_class(xen):
    one, other = xen.task.create("one", ""), xen.task.create("other", "")
    token = xen.call("event.from", [f"TASK/{one}"], "", 0.0)["token"]
    xen.task.set_progress(other, 0.2)
    xen.task.set_progress(one, 0.2)
    events = xen.call("event.from", [f"TASK/{one}"], token, 5.0)["events"]
    assert [e["ref"] for e in events] == [one]
    for task in (one, other):
        xen.task.destroy(task)


def test_counts_and_snapshots(xen):
    batch = xen.call("event.from", ["pool", "host"], "", 5.0)
    assert {(e["class"], e["operation"]) for e in batch["events"]} == {("pool", "add"), ("host", "add")}
    assert batch["valid_ref_counts"] == {"pool": 1, "host": 1}
    snapshot = [e for e in batch["events"] if e["class"] == "pool"][0]["snapshot"]
    assert snapshot == xen.pool.get_record(xen.pool.get_all()[0])


def test_everything_has_a_count_of_tasks(xen):
    batch = xen.call("event.from", ["*"], "", 5.0)
    assert batch["valid_ref_counts"]["task"] >= 0 and "session" not in batch["valid_ref_counts"]


def test_logout_ends_a_waiting_call(daemons, fails):
    listener, other = daemons.client(), daemons.client()
    token = listener.call("event.from", ["vm_group"], "", 0.0)["token"]
    errors = []

    def wait():
        try:
            listener.call("event.from", ["vm_group"], token, 30.0)
        except XenError as e:
            errors.append(e)

    thread = threading.Thread(target=wait)
    thread.start()
    other.session = listener.session
    other.call("session.logout")
    thread.join(20)
    assert [(e.code, e.params) for e in errors] == [("SESSION_INVALID", [listener.session])]


def test_a_flood_becomes_few_batches(xen, daemons):
    token = xen.call("event.from", ["task"], "", 0.0)["token"]
    writer = daemons.client()
    task = writer.task.create("flood", "")

    def flood():
        for i in range(300):
            writer.task.set_progress(task, i / 300)
        writer.task.set_status(task, "success")

    thread = threading.Thread(target=flood)
    began = time.monotonic()
    thread.start()
    batches, status = 0, "pending"
    while status == "pending":
        batch = xen.call("event.from", [f"task/{task}"], token, 10.0)
        token, batches = batch["token"], batches + 1
        status = batch["events"][-1]["snapshot"]["status"] if batch["events"] else status
    thread.join()
    assert batches <= 4 + (time.monotonic() - began) / 0.05
    writer.task.destroy(task)


def test_heartbeat(fresh_daemons):
    """Now and then, here each second, the pool is told of though nothing changed; nothing is written for it."""
    d = fresh_daemons
    d.stop(which=["xapi"])
    d.env["XENOLITH_HEARTBEAT_US"] = "1000000"
    d.start_xapi()
    xen = d.ready()
    before, token = xen.pool.get_all_records(), xen.call("event.from", ["pool"], "", 0.1)["token"]
    generation = token.split(",")[0]
    for _ in range(2):
        batch = xen.call("event.from", ["pool"], token, 30.0)
        (event,), token = batch["events"], batch["token"]
        assert (event["operation"], {event["ref"]: event["snapshot"]}) == ("mod", before)
    assert token.split(",")[0] == generation
