# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests that another host of the pool serves are answered with 302 and its address."""

import json
import sqlite3
import uuid
import zlib
from contextlib import closing

import pytest

from transfers import ask, get
from vms import MIB, new_vdi, new_vm

ADDRESS = "192.0.2.77"


class Store:
    """Rows of a pair that rests."""

    def __init__(self, daemons):
        self.path = daemons.state / "store.db"
        self.columns = [c[1] for c in self.sql("PRAGMA table_info(object)")]

    def sql(self, text, *args):
        with closing(sqlite3.connect(self.path)) as db, db:
            return db.execute(text, args).fetchall()

    def record(self, ref):
        return json.loads(self.sql("SELECT json FROM object WHERE ref=?", ref)[0][0])

    def _write(self, how, ref, like, record):
        row = dict(zip(self.columns, self.sql("SELECT * FROM object WHERE ref=?", like)[0]), ref=ref, json=json.dumps(record))
        data = f"{row['json']}{row['class']}\0{ref}\0".encode() + row["gen"].to_bytes(8, "little") + row["created"].to_bytes(8, "little")
        row["sum"] = zlib.crc32(data)
        self.sql(f"{how} INTO object VALUES({','.join('?' * len(self.columns))})", *(row[c] for c in self.columns))
        return ref

    def copy(self, ref, **change):
        """Another row like this one; its reference."""
        return self._write("INSERT", f"OpaqueRef:{uuid.uuid4()}", ref, {**self.record(ref), "uuid": str(uuid.uuid4()), **change})

    def change(self, ref, **change):
        self._write("REPLACE", ref, ref, {**self.record(ref), **change})


@pytest.fixture
def pool(fresh_daemons):
    """Daemons whose pool has a second host that answers, and a disk in a repository that both have attached."""
    d = fresh_daemons
    xen = d.client()
    host, vdi = xen.host.get_all()[0], new_vdi(xen, "far", MIB)
    d.host = host
    d.pbd = xen.SR.get_PBDs(xen.VDI.get_SR(vdi))[0]
    d.stop()
    store = Store(d)
    metrics = store.copy(store.record(host)["metrics"], live=True)
    d.other = store.copy(host, address=ADDRESS, metrics=metrics, hostname="far", name_label="far")
    store.copy(d.pbd, host=d.other)
    d.start()
    d.vdi = vdi
    return d


def sent_to(daemons, verb, path, **query):
    """The Location, if it was answered with 302 and nothing else."""
    reply = ask(daemons, verb, path, **query)
    if reply.status != 302:
        return reply.status
    assert reply.headers["connection"] == "close" and "task-id" not in reply.headers
    return reply.headers["location"]


def test_a_disk_that_another_host_has(pool):
    xen, vdi = pool.ready(), pool.vdi
    size = int(xen.VDI.get_virtual_size(vdi))
    assert get(pool, xen, vdi) == bytes(size)  # both have it: no detour
    xen.PBD.unplug(pool.pbd)
    uuid_, query = xen.VDI.get_uuid(vdi), f"session_id={xen.session}"
    before = set(xen.task.get_all())
    assert sent_to(pool, "GET", "/export_raw_vdi/", vdi=vdi, session_id=xen.session) == f"https://{ADDRESS}/export_raw_vdi/?vdi={vdi}&{query}"
    assert sent_to(pool, "GET", "/export_raw_vdi", vdi=uuid_, format="r%61w", session_id=xen.session) == \
        f"https://{ADDRESS}/export_raw_vdi?vdi={uuid_}&format=r%61w&{query}"
    assert sent_to(pool, "PUT", "/import_raw_vdi/", vdi=vdi, session_id=xen.session) == f"https://{ADDRESS}/import_raw_vdi/?vdi={vdi}&{query}"
    assert set(xen.task.get_all()) == before
    # The client's task is for the host that does it.
    task = xen.task.create("upload", "")
    assert sent_to(pool, "PUT", "/import_raw_vdi/", vdi=vdi, session_id=xen.session, task_id=task).endswith(f"&task_id={task}")
    assert xen.task.get_status(task) == "pending"
    # Nobody is told of other hosts who may not ask.
    assert sent_to(pool, "GET", "/export_raw_vdi/", vdi=vdi, session_id="OpaqueRef:none") == 401
    assert sent_to(pool, "GET", "/export_raw_vdi/", vdi="none", session_id=xen.session) == 400


def test_nobody_has_it(pool):
    """Then this host says so."""
    pool.stop()
    store = Store(pool)
    store.change(store.record(pool.other)["metrics"], live=False)
    pool.start()
    xen = pool.ready()
    xen.PBD.unplug(pool.pbd)
    assert sent_to(pool, "GET", "/export_raw_vdi/", vdi=pool.vdi, session_id=xen.session) == 500


def test_a_console_of_another_host(pool):
    """Clients ask the host that the VM is on; this one refuses before it asks anything of its hypervisor."""
    xen = pool.ready()
    vm = new_vm(xen, "far")
    xen.VM.start(vm, False, False)
    pool.stop()
    Store(pool).change(vm, resident_on=pool.other)
    pool.start()
    xen = pool.ready()
    assert xen.VM.get_power_state(vm) == "Running"
    reply = ask(pool, "CONNECT", "/console", ref=vm, session_id=xen.session)
    assert reply.status == 500 and f"VM_NOT_RESIDENT_HERE: [ {vm}; {pool.host} ]" in reply.body().decode()
