# SPDX-License-Identifier: LGPL-2.1-or-later
"""Floods of logins, sessions, tasks, listeners and uploads: bounded, and another client is served as before.

Wrong passwords: test_limits.py. Transfers: test_full.py, too."""

import contextlib
import select

import pytest

from test_limits import answer, post, unix
from transfers import Reply, connect_tcp, head
from vms import new_vdi


@contextlib.contextmanager
def sockets():
    made = []
    try:
        yield made
    finally:
        for s in made:
            s.close()


def served(xen, word):
    """A client that was there before: it reads, writes, and has a task done."""
    vm = xen.VM.get_by_name_label("Other install media")[0]
    xen.VM.set_name_description(vm, word)
    assert xen.VM.get_name_description(vm) == word
    task = xen.task.create(word, "")
    assert xen.task.get_status(task) == "pending"
    xen.task.destroy(task)
    xen.wait(xen.Async.VM.assert_operation_valid(vm, "clone"))


def ask(s, method, *params):
    s.sendall(post(method, *params))
    return answer(s)


def test_sessions(fresh_daemons):
    """2,500 logins under names of all kinds: those in use stay, 2,000 of a user are left."""
    other = fresh_daemons.client()
    refs = []
    with unix(fresh_daemons) as s:
        for i in range(2500):
            refs.append(ask(s, "session.login_with_password", "root", "", "1.0", f"flood {i}")["result"])
            if i % 100 == 0:
                other.pool.get_all()
        served(other, "sessions")
        alive = sum("result" in ask(s, "session.get_uuid", ref, ref) for ref in refs)
        assert 1990 <= alive <= 2000
        assert "result" in ask(s, "session.get_uuid", refs[-1], refs[-1])


def test_tasks(fresh_daemons):
    """One session makes 1,000; what it finishes makes room again."""
    other, flood = fresh_daemons.client(), fresh_daemons.client()
    made = []
    with unix(fresh_daemons) as s:
        for _ in range(1001):
            got = ask(s, "task.create", flood.session, "flood", "")
            if "error" in got:
                break
            made.append(got["result"])
        assert got["error"]["message"] == "TOO_MANY_PENDING_TASKS" and len(made) == 1000
        served(other, "tasks")
        for task in made[:3]:
            flood.task.destroy(task)
        flood.task.create("again", "")


def test_listeners(fresh_daemons):
    """400 of ten sessions hear everything; nobody else is held up, and neither are their own small calls."""
    other, floods = fresh_daemons.client(), [fresh_daemons.client() for _ in range(10)]
    flood = floods[0]
    token = flood.call("event.from", ["pool"], "", 0.0)["token"]
    with sockets() as waiting:
        for i in range(400):
            waiting.append(unix(fresh_daemons))
            waiting[-1].sendall(post("event.from", floods[i % 10].session, ["*"], token, 60.0))
        for i in range(5):
            served(other, f"listeners {i}")
        assert flood.pool.get_all()
        for s in waiting[:3] + waiting[-3:]:
            assert select.select([s], [], [], 60)[0] and answer(s)["result"]["events"]


def test_uploads_that_stand_still(fresh_daemons):
    """As many as a source may have; others, consoles among them, have threads left."""
    other = fresh_daemons.client()
    vdis = [new_vdi(other, f"upload {i}", 1 << 20) for i in range(4)]
    with sockets() as uploads:
        for i in range(140):
            s = unix(fresh_daemons)
            uploads.append(s)
            s.sendall(head("PUT", "/import_raw_vdi", length=1 << 20, vdi=vdis[i % 4]) + b"x" * 1000)
        for s in uploads[-1:]:
            assert select.select([s], [], [], 60)[0]
            refused = Reply(s).status
        served(other, "uploads")
        assert refused == 503
        with connect_tcp(fresh_daemons) as s:
            s.sendall(head("GET", "/export_raw_vdi", vdi=new_vdi(other, "wanted", 2 << 20), session_id=other.session))
            reply = Reply(s)
            assert reply.status == 200 and len(reply.body()) == 2 << 20


@pytest.mark.parametrize("method", ["VM.get_all_records", "event.from"])
def test_answers_that_nobody_reads(fresh_daemons, method):
    """Each connection holds one answer; who does not read it gets no further."""
    other, flood = fresh_daemons.client(), fresh_daemons.client()
    params = [flood.session] + ([["*"], "", 0.0] if method == "event.from" else [])
    with sockets() as idle:
        for _ in range(100):
            idle.append(unix(fresh_daemons))
            idle[-1].sendall(post(method, *params) * 20)
        served(other, method)
