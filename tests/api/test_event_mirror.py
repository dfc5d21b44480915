# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mirrors kept from events equal the records: under load, after deaths, for those who listen slowly."""

import contextlib
import random
import select
import signal
import threading

import pytest

from test_limits import answer, post, unix
from vms import new_vdi, new_vm, vbd_fields

# What the writers change, and what has no fields that change by themselves.
CHECKED = ("VM", "VBD", "VDI", "task", "network", "blob")


class Mirror:
    """What a client knows that only listens. Strict: what is told must fit what was told before."""

    def __init__(self, client, classes=("*",)):
        self.client, self.classes, self.token, self.objects = client, list(classes), "", {}

    def take(self, timeout=0.0, strict=True):
        """One answer; the references in it."""
        got = self.client.call("event.from", self.classes, self.token, timeout)
        for event in got["events"]:
            known = self.objects.setdefault(event["class"], {})
            ref, operation = event["ref"], event["operation"]
            assert not strict or (ref in known) == (operation != "add"), event
            if operation == "del":
                known.pop(ref, None)
            else:
                known[ref] = event["snapshot"]
        self.token = got["token"]
        for name, count in got["valid_ref_counts"].items():
            assert len(self.objects.get(name, {})) == count, name
        return {event["ref"] for event in got["events"]}

    def drain(self):
        while self.take():
            pass

    def check(self, name):
        """Whatever did not change while the records were fetched must be the same."""
        self.take()
        records = getattr(self.client, name).get_all_records()
        before = dict(self.objects.get(name.lower(), {}))
        changed = self.take()
        same = 0
        for ref in set(records) | set(before):
            brief = ref not in before and ref not in self.objects.get(name.lower(), {})  # gone before it was told
            if ref not in changed and not brief:
                assert before.get(ref) == records.get(ref), ref
                same += 1
        return same


class Writer(threading.Thread):
    """Makes, changes and destroys things until it is stopped."""

    def __init__(self, daemons, seed):
        super().__init__()
        self.xen, self.random, self.stopped, self.failure, self.done = daemons.client(), random.Random(seed), threading.Event(), None, 0
        self.vms = [new_vm(self.xen, f"mirror {seed} {i}") for i in range(4)]

    def run(self):
        try:
            while not self.stopped.is_set():
                self.random.choice((self.change, self.change, self.change, self.vm, self.disk, self.task, self.blob))()
                self.done += 1
        except Exception as e:  # told by the test
            self.failure = e

    def change(self):
        vm = self.random.choice(self.vms)
        self.xen.VM.set_name_description(vm, str(self.done))

    def vm(self):
        if len(self.vms) < 8:
            self.vms.append(new_vm(self.xen, "mirror, one more"))
        else:
            self.xen.VM.destroy(self.vms.pop(self.random.randrange(8)))

    def disk(self):
        vdi = new_vdi(self.xen, "mirrored", 1 << 20)
        vbd = self.xen.VBD.create(vbd_fields(self.vms[0], vdi, "autodetect"))
        self.xen.VM.set_name_label(self.vms[0], f"with {vdi}")
        self.xen.VBD.destroy(vbd)
        self.xen.VDI.destroy(vdi)

    def task(self):
        task = self.xen.task.create("mirrored", "")
        self.xen.task.set_progress(task, 0.5)
        if self.random.random() < 0.5:
            self.xen.task.destroy(task)
        else:
            self.xen.task.set_status(task, "success")

    def blob(self):
        blob = self.xen.blob.create("text/plain", False)
        self.xen.blob.set_name_label(blob, "mirrored")
        self.xen.blob.destroy(blob)


@contextlib.contextmanager
def writing(daemons, n=3):
    writers = [Writer(daemons, seed) for seed in range(n)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.stopped.set()
        for writer in writers:
            writer.join(60)
    assert [writer.failure for writer in writers] == [None] * n


def all_equal(mirror):
    mirror.drain()
    for name in CHECKED:
        records = getattr(mirror.client, name).get_all_records()
        assert mirror.objects.get(name.lower(), {}) == records, name


def test_a_mirror_is_right_at_any_time(fresh_daemons):
    """Of everything, of some classes, and of one object, while others write."""
    everything = Mirror(fresh_daemons.client())
    some = Mirror(fresh_daemons.client(), ["vm", "VBD", "task"])
    with writing(fresh_daemons) as writers:
        one = Mirror(fresh_daemons.client(), [f"vm/{writers[0].vms[0]}"])
        one.classes.append("blob")
        checks = same = 0
        while min(writer.done for writer in writers) < 60 or checks < 60:
            same += everything.check(CHECKED[checks % len(CHECKED)])
            some.check(("VM", "VBD", "task")[checks % 3])
            checks += 1
            assert all(writer.is_alive() for writer in writers), [writer.failure for writer in writers]
        assert same > checks  # it did compare
    for mirror in (everything, some):
        mirror.drain()
    all_equal(everything)
    for name in ("VM", "VBD", "task"):
        assert some.objects[name.lower()] == everything.objects[name.lower()]


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_tokens_survive_an_end(fresh_daemons, sig):
    """Deletions that were not told yet are told by the next daemon, and by the one after it: rows of the
    database and rows that lived in memory."""
    xen = fresh_daemons.client()
    kept, changed, destroyed = (new_vm(xen, name) for name in ("kept", "changed", "destroyed"))
    client_task, ended_task = xen.task.create("ends with the daemon", ""), xen.task.create("destroyed", "")
    mirrors = [Mirror(xen), Mirror(xen, ["task"]), Mirror(xen, ["vm"])]
    for mirror in mirrors:
        mirror.take()
    blob = xen.blob.create("text/plain", False)
    xen.VM.set_name_label(changed, "another name")
    xen.VM.destroy(destroyed)
    xen.task.destroy(ended_task)
    brief = xen.task.create("never seen", "")
    for _ in range(2):
        fresh_daemons.stop(("xapi",), sig)
        fresh_daemons.start_xapi()
        xen = fresh_daemons.ready()
    assert {client_task, ended_task} <= set(mirrors[1].objects["task"])
    told = set()
    for mirror in mirrors:
        mirror.client = xen
        told |= mirror.take(strict=False)  # what has fields in memory is told again
        assert brief not in told
    everything, tasks, vms = mirrors
    assert {client_task, ended_task, destroyed, changed, blob} <= told
    assert not {client_task, ended_task} & set(tasks.objects["task"])
    assert kept in vms.objects["vm"] and destroyed not in vms.objects["vm"]
    all_equal(everything)
    for mirror in (tasks, vms):
        mirror.drain()
        name = mirror.classes[0]
        assert mirror.objects[name] == everything.objects[name]


def test_a_slow_listener_is_told_the_end(daemons, xen):
    """Changes that pile up while it does not ask, or does not read, become one of each object."""
    vms = [new_vm(xen, f"slow {i}") for i in range(5)]
    token = xen.call("event.from", ["vm"], "", 0.0)["token"]

    def write(word):
        for i in range(200):
            xen.VM.set_name_description(vms[i % 5], f"{word} {i}")

    with unix(daemons) as s:
        s.sendall(post("event.from", xen.session, ["vm"], token, 60.0))
        for word in ("first", "second", "third"):
            write(word)
            first = answer(s)["result"]  # may be of the first change of all
            s.sendall(post("event.from", xen.session, ["vm"], first["token"], 60.0))
            got = answer(s)["result"] if first["events"][-1]["snapshot"]["name_description"] != f"{word} 199" else first
            refs = [e["ref"] for e in got["events"]]
            assert len(refs) == len(set(refs)) <= 5 and set(refs) <= set(vms)
            said = {e["ref"]: e["snapshot"]["name_description"] for e in first["events"] + got["events"]}
            assert [said[vm] for vm in vms] == [f"{word} {195 + i}" for i in range(5)]
            if got is not first:
                s.sendall(post("event.from", xen.session, ["vm"], got["token"], 60.0))
    for vm in vms:
        xen.VM.destroy(vm)


def memory(daemons):
    with open(f"/proc/{daemons.xapi.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def test_those_who_do_not_read_share_what_waits_for_them(fresh_daemons):
    """Bytes for each listener are bounded: it gets the records that all others get."""
    xen = fresh_daemons.client()
    vms = [new_vm(xen, f"big {i}") for i in range(8)]
    token = xen.call("event.from", ["vm"], "", 0.0)["token"]
    for vm in vms:
        xen.VM.set_name_description(vm, "x" * 200000)
    one = len(str(xen.call("event.from", ["vm"], token, 0.0)))
    assert one > 1600000
    before = memory(fresh_daemons)
    sockets = []
    try:
        for _ in range(200):  # one session each: a session's listeners are paced together
            sockets.append(unix(fresh_daemons))
            sockets[-1].sendall(post("event.from", fresh_daemons.client().session, ["vm"], token, 60.0))
        for s in sockets:
            assert select.select([s], [], [], 60)[0]  # its answer has begun
        assert memory(fresh_daemons) - before < 20 * one
        assert len(answer(sockets[0])["result"]["events"]) == 8
        xen.VM.set_name_label(vms[0], "others are not held up")
        assert len(answer(sockets[-1])["result"]["events"]) == 8
    finally:
        for s in sockets:
            s.close()
