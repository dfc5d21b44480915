# SPDX-License-Identifier: LGPL-2.1-or-later
"""A store that was hit: the daemon tells what is left and changes nothing; guests go on."""

import shutil
import signal
import sqlite3
import time
import zlib

import pytest

from conftest import XenError
from vms import new_vm

PAGE = 4096


class Host:
    """A pair of daemons with a running guest and some rows, whose xenolithd is stopped and hit."""

    def __init__(self, daemons):
        self.daemons = daemons
        self.path = daemons.state / "store.db"
        xen = daemons.client()
        self.vm = new_vm(xen, "goes on")
        xen.VM.start(self.vm, False, False)
        self.uuid = xen.VM.get_uuid(self.vm)
        for i in range(20):
            new_vm(xen, f"filler {i}")
        self.records = xen.VM.get_all_records()
        daemons.stop(("xapi",))
        self.whole = self.path.read_bytes()

    def hit(self, *pages, how=b"\0"):
        data = bytearray(self.whole)
        for page in pages:
            data[page * PAGE:(page + 1) * PAGE] = (how * PAGE)[:PAGE]
        self.path.write_bytes(data)

    def start(self):
        self.daemons.start_xapi()
        return self.daemons.ready()

    def repair(self):
        self.daemons.stop(("xapi",), signal.SIGKILL)
        for leftover in self.path.parent.glob("store.db*"):
            leftover.unlink()
        self.path.write_bytes(self.whole)

    def pages_with(self, text):
        return {at // PAGE for at in range(len(self.whole)) if self.whole.startswith(text, at)}

    def domain(self):
        end = time.monotonic() + 30
        while True:
            try:
                domains = self.daemons.host_call("vm_list")["domains"]
                return [d["state"] for d in domains if d["uuid"] == self.uuid]
            except ConnectionError: # hostd is only starting
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)


@pytest.fixture
def host(fresh_daemons):
    return Host(fresh_daemons)


def refused(call, *args):
    with pytest.raises(XenError) as caught:
        call(*args)
    assert caught.value.code == "OPERATION_NOT_ALLOWED", caught.value
    assert "the store is damaged and read-only" in caught.value.params[0]
    assert "xenolith-verify --repair" in caught.value.params[0]


def assert_reads_and_nothing_else(host, xen):
    """What must hold whatever was hit."""
    left = xen.VM.get_all_records()
    assert set(left) <= set(host.records)
    assert all(left[ref]["uuid"] == host.records[ref]["uuid"] for ref in left)
    for cls in ("host", "pool", "SR", "VDI", "VBD", "network", "PIF", "task", "message", "role", "SM"):
        getattr(xen, cls).get_all_records()
    got = xen.call("event.from", ["*"], "", 5.0)
    assert {e["ref"] for e in got["events"] if e["class"] == "vm"} == set(left)
    assert xen.call("event.from", ["vm"], got["token"], 0.1)["events"] == []
    refused(xen.network.create, {"name_label": "new", "name_description": "", "MTU": "1500", "other_config": {},
                                 "bridge": "", "managed": True, "tags": []})
    for vm in list(left)[:3]:
        refused(xen.VM.set_name_label, vm, "other")
        refused(xen.VM.send_trigger, vm, "nmi")
    if host.vm in left:
        refused(xen.VM.hard_shutdown, host.vm)
        task = xen.Async.VM.hard_shutdown(host.vm)
        with pytest.raises(XenError) as caught:
            xen.wait(task)
        assert caught.value.code == "OPERATION_NOT_ALLOWED"
    refused(xen.call, "session.change_password", "", "secret")
    other = host.daemons.client()
    assert other.call("session.get_auth_user_name", other.session) is not None
    other.call("session.logout")
    assert host.domain() == ["running"]
    return left


def test_each_kind_of_page(host):
    """The header, the roots, pages of rows; zeros and noise. Every VM is there or named in the log."""
    db = sqlite3.connect(host.path)
    roots = {row[0] - 1 for row in db.execute("SELECT rootpage FROM sqlite_master")}
    db.close()
    host.path.write_bytes(host.whole)
    rows = sorted(host.pages_with(b"filler 1"))
    missing = 0
    for page in sorted({0} | roots | set(rows[:2]) | set(host.pages_with(b"goes on"))):
        for how in (b"\0", bytes(range(256))):
            host.hit(page, how=how)
            hit = host.path.read_bytes()
            before = host.daemons.log("xenolithd")
            xen = host.start()
            log = host.daemons.log("xenolithd")[len(before):]
            try:
                xen.VM.set_name_label(host.vm, "goes on")
            except XenError as e:
                assert e.code in ("OPERATION_NOT_ALLOWED", "HANDLE_INVALID"), e
                left = assert_reads_and_nothing_else(host, xen)
                for ref in set(host.records) - set(left):
                    assert f"{ref} cannot be read" in log, log
                    missing += 1
                assert "To go on: stop xenolithd, then xenolith-verify" in log
                assert host.path.read_bytes() == hit
                copy = f"store.db.damaged-{zlib.crc32(hit):08x}"
                assert (host.path.parent / copy).read_bytes() == hit
                assert (host.path.parent / copy).stat().st_mode & 0o777 == 0o600
            host.repair()
    assert missing > 0
    xen = host.start()
    assert set(xen.VM.get_all_records()) == set(host.records)
    xen.VM.hard_shutdown(host.vm)


def test_a_row_with_broken_text(host):
    """Damage that SQLite cannot see: the text of one row, with and without a right checksum."""
    ref = next(r for r, v in host.records.items() if v["name_label"] == "filler 3")
    db = sqlite3.connect(host.path)
    json, cls, gen, created = db.execute("SELECT json, class, gen, created FROM object WHERE ref=?", (ref,)).fetchone()
    broken = json[:-1] + ","
    text = broken.encode() + cls.encode() + b"\0" + ref.encode() + b"\0"
    total = zlib.crc32(text + gen.to_bytes(8, "little") + created.to_bytes(8, "little"))
    db.execute("UPDATE object SET json=?, sum=? WHERE ref=?", (broken, total, ref))
    db.commit()
    db.close()
    xen = host.start()
    left = assert_reads_and_nothing_else(host, xen)
    assert set(host.records) - set(left) == {ref}
    assert f"VM {ref} cannot be read" in host.daemons.log("xenolithd")


def test_the_row_of_a_running_guest(host):
    """Its domain belongs to no row now, and goes on."""
    host.hit(*host.pages_with(host.vm.encode()) & host.pages_with(b"goes on"))
    xen = host.start()
    left = assert_reads_and_nothing_else(host, xen)
    assert host.vm not in left
    host.daemons.stop(("hostd",), signal.SIGKILL)
    host.daemons.start_hostd()
    host.daemons.stop(("xapi",))
    host.start()
    assert host.domain() == ["running"]


def test_the_row_of_the_pool(host):
    """Without it a start looks like the first one, which makes repositories."""
    before = sorted(p.name for p in (host.daemons.state / "sr").iterdir())
    host.hit(*host.pages_with(b'"master":'))
    xen = host.start()
    assert xen.pool.get_all() == []
    assert_reads_and_nothing_else(host, xen)
    assert sorted(p.name for p in (host.daemons.state / "sr").iterdir()) == before


def test_a_cut_log(host):
    """Answered changes that only the log has, behind a page of it that was hit."""
    xen = host.start()
    for i in range(30):
        xen.VM.set_name_label(host.vm, f"name {i}")
    host.daemons.stop(("xapi",), signal.SIGKILL)
    log = host.path.parent / "store.db-wal"
    data = bytearray(log.read_bytes())
    middle = len(data) // 2 // PAGE * PAGE
    data[middle:middle + PAGE] = bytes(PAGE)
    log.write_bytes(data)
    xen = host.start()
    refused(xen.VM.set_name_label, host.vm, "x")
    assert "in its log is damaged" in host.daemons.log("xenolithd")
    assert log.read_bytes() == data


@pytest.mark.parametrize("harm, words", [
    ("zero", "no row of it can be read"), ("empty", "is empty, although this host was in use"),
    ("newer", "has format 99, written by a newer version")])
def test_nothing_can_be_read(host, harm, words):
    if harm == "newer":
        db = sqlite3.connect(host.path)
        db.execute("PRAGMA user_version=99")
        db.close()
    else:
        host.path.write_bytes(bytes(len(host.whole)) if harm == "zero" else b"")
    host.daemons.start_xapi()
    assert host.daemons.xapi.wait(30) == 1
    assert words in host.daemons.log("xenolithd")
    assert host.domain() == ["running"]


def test_an_older_store(host):
    """Brought up to date at the start; what it was is kept."""
    db = sqlite3.connect(host.path)
    db.execute("ALTER TABLE tombstone DROP COLUMN sum")
    db.execute("PRAGMA user_version=1")
    db.close()
    xen = host.start()
    assert set(xen.VM.get_all_records()) == set(host.records)
    xen.VM.set_name_label(host.vm, "as before")
    kept = list(host.path.parent.glob("store.db.v1-*"))
    assert len(kept) == 1 and kept[0].stat().st_mode & 0o777 == 0o600
    old = sqlite3.connect(f"file:{kept[0]}?mode=ro", uri=True)
    assert old.execute("PRAGMA user_version").fetchone() == (1,)
    assert old.execute("SELECT count(*) FROM object WHERE class='VM'").fetchone()[0] == len(host.records)
    old.close()
