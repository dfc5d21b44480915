# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools, queues and lists that are full: the table in docs/security.md, where hostd must stand still for it."""

import os
import signal
import time
from pathlib import Path

import pytest

from conftest import XenError
from test_limits import answer, post, unix
from transfers import Reply, connect_tcp, head
from vms import new_vm, remove, simulated_sr

WORKERS, QUEUE = 48, 4096
CONTENDERS = 100
TRANSFERS, TRANSFERS_OF_A_SOURCE = 192, 128
FINISHED = 200


class Standing:
    """hostd answers nothing meanwhile, so that who asks it keeps a thread."""

    def __init__(self, daemons):
        self.pid = daemons.hostd.pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        end = time.monotonic() + 20
        while not self.stands():  # the signal is only on its way when kill returns
            assert time.monotonic() < end

    def stands(self):
        try:
            threads = Path(f"/proc/{self.pid}/task").glob("*/stat")
            return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)
        except OSError:  # one has just ended
            return False

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


def asynchronous(daemons, session, method, *params, times):
    """What was answered: results and errors, in order."""
    with unix(daemons) as s:
        found = []
        for _ in range(times):
            s.sendall(post(f"Async.{method}", session, *params))
            found.append(answer(s))
        return found


def pending(xen):
    return [ref for ref, r in xen.task.get_all_records().items() if r["status"] == "pending"]


def await_none_pending(xen, limit=60):
    end, left = time.monotonic() + limit, None
    while left != []:
        assert time.monotonic() < end, left
        try:
            left = pending(xen)
        except XenError as e:  # a long list needs a worker, too
            assert e.code == "TOO_MANY_PENDING_TASKS"


def test_calls_that_wait_for_a_worker(fresh_daemons):
    """48 are worked on, 4,096 wait; one more is refused. Reads go on, and what changes one object. What waited is done."""
    xen = fresh_daemons.ready()
    vm = new_vm(xen, "signalled")
    xen.VM.start(vm, False, False)
    clients = [fresh_daemons.client() for _ in range(10)]  # one session may have 500 calls under way
    answers = []
    with Standing(fresh_daemons):
        for client in clients:
            answers += asynchronous(fresh_daemons, client.session, "VM.send_trigger", vm, "nmi", times=420)
        fates = [xen.task.get_record(a["result"]) for a in answers]
        refused = [r for r in fates if r["status"] == "failure"]
        assert {tuple(r["error_info"]) for r in refused} == {("TOO_MANY_PENDING_TASKS",)}
        assert len(fates) - len(refused) == WORKERS + QUEUE
        assert all(r["status"] == "pending" for r in fates[:WORKERS + QUEUE])
        with pytest.raises(XenError) as full:
            xen.VM.set_start_delay(vm, 7)
        assert full.value.code == "TOO_MANY_PENDING_TASKS"
        assert xen.VM.get_start_delay(vm) == "0"
        xen.VM.set_name_label(vm, "needs no worker")
        assert xen.VM.get_name_label(vm) == "needs no worker"
    await_none_pending(xen)
    xen.VM.set_start_delay(vm, 7)
    remove(xen, vm)


def reboot(xen, vm):
    """A reboot that is under way: its task."""
    task = xen.call("Async.VM.hard_reboot", vm)
    end = time.monotonic() + 20
    while not xen.VM.get_current_operations(vm):
        assert time.monotonic() < end
    return task


def refused(xen, tasks):
    """The one of these tasks that ends without having waited, and why."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for task in tasks:
            if xen.task.get_status(task) == "failure":
                return task, xen.task.get_error_info(task)[0]
    raise TimeoutError


def test_calls_that_wait_for_other_operations(fresh_daemons):
    """100 wait; one more is told at once what is in its way. Who waited is served when that is over."""
    xen = fresh_daemons.ready()
    vm = new_vm(xen, "busy")
    xen.VM.start(vm, False, False)
    with Standing(fresh_daemons):
        first = reboot(xen, vm)
        waiting = [xen.call("Async.VM.clean_reboot", vm) for _ in range(CONTENDERS)]
        for _ in range(20):  # each wakes those who wait, who then do not lose their places
            waiting.append(xen.call("Async.VM.clean_reboot", vm))
            late, why = refused(xen, waiting[::-1])  # the last one, or on a busy machine one that a worker took up after it
            assert why == "OTHER_OPERATION_IN_PROGRESS"
            waiting.remove(late)
            xen.task.destroy(late)
        assert {xen.task.get_status(t) for t in waiting} == {"pending"}
    xen.wait(first)
    await_none_pending(xen)
    assert {xen.task.get_status(t) for t in waiting} == {"success"}
    remove(xen, vm)


def test_a_call_waits_for_others_so_long_and_no_longer(fresh_daemons):
    """Two hours; here two seconds."""
    d = fresh_daemons
    d.stop(which=["xapi"])
    d.env["XENOLITH_CONTENTION_US"] = "2000000"
    d.start_xapi()
    xen = d.ready()
    vm = new_vm(xen, "busy")
    xen.VM.start(vm, False, False)
    with Standing(d):
        first = reboot(xen, vm)
        begin = time.monotonic()
        with pytest.raises(XenError) as told:
            xen.VM.clean_reboot(vm)
        assert told.value.code == "OTHER_OPERATION_IN_PROGRESS"
        assert 1.9 <= time.monotonic() - begin < 20
    xen.wait(first)
    remove(xen, vm)


def test_transfers_that_wait_for_a_thread(fresh_daemons):
    """128 of one source are under way, the next one is told to come again; others have threads left, and wait for one
    when there is none. All get their disk."""
    d = fresh_daemons
    xen = d.ready()
    vdi = xen.VDI.create({"name_label": "wanted", "name_description": "", "SR": simulated_sr(xen), "virtual_size": str(2 << 20),
                          "type": "user", "sharable": False, "read_only": False, "other_config": {}})

    def ask(s, session=""):
        s.sendall(head("GET", "/export_raw_vdi", vdi=vdi, session_id=session) if session else head("GET", "/export_raw_vdi", vdi=vdi))
        return s

    def await_pending(n):
        end = time.monotonic() + 20
        while len(pending(xen)) != n:  # each has begun its task
            assert time.monotonic() < end, len(pending(xen))

    with Standing(d):
        taken = [ask(unix(d)) for _ in range(TRANSFERS_OF_A_SOURCE)]
        await_pending(TRANSFERS_OF_A_SOURCE)
        with unix(d) as s:
            assert Reply(ask(s)).status == 503
        others = TRANSFERS - TRANSFERS_OF_A_SOURCE
        taken += [ask(connect_tcp(d), xen.session) for _ in range(others)]
        await_pending(TRANSFERS)
        taken += [ask(connect_tcp(d), xen.session) for _ in range(20)]  # these wait
    for s in taken:
        reply = Reply(s)
        assert reply.status == 200 and len(reply.body()) == 2 << 20
        s.close()
    await_none_pending(xen)
    with unix(d) as s:
        assert Reply(ask(s)).status == 200
    await_none_pending(xen)
    xen.VDI.destroy(vdi)


def test_finished_tasks_go(fresh_daemons):
    """200 are kept, those that ended last, and all that have not ended."""
    xen = fresh_daemons.ready()
    mine = xen.task.create("goes on", "")
    vm = new_vm(xen, "named")
    tasks = []
    for batch in range(3):
        tasks += [a["result"] for a in asynchronous(fresh_daemons, xen.session, "VM.get_cooperative", vm, times=80)]
        end = time.monotonic() + 20
        while pending(xen) != [mine]:
            assert time.monotonic() < end
        second = int(time.time())
        while int(time.time()) == second:
            time.sleep(0.05)  # the time of an end is told in seconds: batches differ
    end = time.monotonic() + 20
    while len(kept := xen.task.get_all_records()) > FINISHED + 1 and time.monotonic() < end:
        time.sleep(0.1)
    assert mine in kept
    assert len([r for r in kept.values() if r["status"] != "pending"]) == FINISHED
    assert set(tasks[80:]) <= set(kept)
    xen.task.destroy(mine)
