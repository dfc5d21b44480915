# SPDX-License-Identifier: LGPL-2.1-or-later
"""xenolith-verify beside running daemons, at rest, and on things that were broken on purpose."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import zlib
from contextlib import closing

import pytest

from conftest import PROGRAMS
from vms import MIB, disks_of, new_disk, new_vm


def run(daemons, *options):
    """(exit status, standard output, standard error)."""
    done = subprocess.run([PROGRAMS["xenolith-verify"], "--state", daemons.state, *options], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


class Host:
    """A host with a bit of everything: a running guest with a disk, a snapshot, a halted VM."""

    def __init__(self, daemons):
        self.daemons = daemons
        self.state = daemons.state
        xen = daemons.client()
        self.vm = new_vm(xen, "runs")
        self.vdi, _ = new_disk(xen, self.vm)
        xen.VM.start(self.vm, False, False)
        self.halted = new_vm(xen, "halted")
        self.spare, _ = new_disk(xen, self.halted)
        self.snapshot = xen.VDI.snapshot(self.spare, {})
        self.uuid = xen.VM.get_uuid(self.vm)
        self.vdi_uuid = xen.VDI.get_uuid(self.vdi)
        self.spare_uuid = xen.VDI.get_uuid(self.spare)
        self.sr_uuid = xen.SR.get_uuid(xen.VDI.get_SR(self.vdi))
        self.sr_dir = self.state / "sr" / self.sr_uuid

    def rest(self):
        self.daemons.stop(("xapi",))
        self.daemons.stop(("hostd",))

    def image_of(self, vdi):
        record = json.loads((self.sr_dir / f"{vdi}.vdi.json").read_text())
        return self.sr_dir / (record["node"] + ".qcow2")

    def sql(self, text, *args):
        with closing(sqlite3.connect(self.state / "store.db")) as db, db:
            return db.execute(text, args).fetchall()

    def rewrite(self, ref, change):
        """A row as a program with a bug would have written it: `change` gets and gives the record."""
        (text, cls, gen, created), = self.sql("SELECT json, class, gen, created FROM object WHERE ref=?", ref)
        record = json.loads(text)
        change(record)
        text = json.dumps(record)
        data = f"{text}{cls}\0{ref}\0".encode() + gen.to_bytes(8, "little") + created.to_bytes(8, "little")
        self.sql("UPDATE object SET json=?, sum=? WHERE ref=?", text, zlib.crc32(data), ref)

    def found(self, *options):
        return self.daemons.verify(*options)


@pytest.fixture
def host(fresh_daemons):
    return Host(fresh_daemons)


@pytest.fixture
def resting(host):
    host.rest()
    return host


def test_nothing_wrong(host):
    """Beside the daemons, after each of them was killed, at rest."""
    assert host.found() == {}
    assert host.found("--live") == {}
    host.daemons.stop(("xapi",), signal.SIGKILL)
    assert host.found() == {}
    host.daemons.stop(("hostd",), signal.SIGKILL)
    assert host.found() == {}
    host.daemons.start()
    assert host.found() == {}
    host.rest()
    status, out, err = run(host.daemons)
    assert (status, err) == (0, "")
    assert "0 errors, 0 warnings" in out
    assert run(host.daemons, "--quiet") == (0, "", "")
    assert host.found("--live") == {}


def test_a_directory_for_each_daemon(resting, tmp_path):
    """As the service units have it: hostd's is another one, with `run` elsewhere again."""
    own = tmp_path / "own"
    (own / "run").mkdir(parents=True)
    for name in ("store.db", "host.pem"):
        os.rename(resting.state / name, own / name)
    os.rename(resting.state / "run", tmp_path / "run")
    (resting.state / "run").symlink_to(tmp_path / "run")

    def look(*options):
        return subprocess.run([PROGRAMS["xenolith-verify"], "--state", own, "--hostd-state", resting.state, *options],
                              capture_output=True, text=True, check=False)

    done = look()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    (resting.state / "password").chmod(0o644)
    (own / "host.pem").chmod(0o644)
    (resting.sr_dir / ".making-x").touch()
    assert [f["code"] for f in json.loads(look("--json").stdout)["findings"]] == ["half-made-image"] + 2 * ["file-mode"]


def test_misuse(resting, tmp_path):
    daemons = resting.daemons
    for options, words in ((("--yes",), "--yes goes with --repair"), (("now",), "'now' is no option"),
                           (("--state", tmp_path / "none"), "cannot find the state directory"),
                           (("--state", tmp_path), "cannot open")):
        status, out, err = run(daemons, *options)
        assert (status, out) == (2, ""), options
        assert words in err
    resting.sql("PRAGMA user_version=99")
    status, _, err = run(daemons)
    assert status == 2 and "has format 99, written by a newer version" in err
    assert run(daemons, "--help")[0] == 0 and run(daemons, "--version")[0] == 0


def test_nothing_is_changed(resting):
    """A check writes nothing, wherever it finds what."""
    (resting.sr_dir / ".making-x").write_bytes(b"x")
    subprocess.run(["cp", "-a", resting.state, f"{resting.state}.before"], check=True)
    try:
        assert resting.found()
        status, out, _ = run(resting.daemons, "--repair")  # nobody agrees
        assert status == 1
        done = subprocess.run(["diff", "-r", "--no-dereference", f"{resting.state}.before", resting.state],
                              capture_output=True, text=True, check=False)
        assert not [line for line in done.stdout.splitlines() if "is a socket" not in line]
    finally:
        shutil.rmtree(f"{resting.state}.before")


def test_beside_busy_daemons(host):
    """What is under way is no finding, at any moment."""
    rounds = []

    def work():
        xen = host.daemons.client()
        for i in range(25):
            xen.VM.start(host.halted, False, False)
            xen.VM.hard_shutdown(host.halted)
            xen.VDI.destroy(xen.VDI.snapshot(host.spare, {}))
            vm = xen.VM.clone(host.halted, "copy")
            vdi, = disks_of(xen, vm).values()
            xen.VM.destroy(vm)
            xen.VDI.destroy(vdi)
            rounds.append(i)

    worker = threading.Thread(target=work)
    worker.start()
    looks = 0
    while worker.is_alive():
        assert host.found() == {}
        looks += 1
    worker.join()
    assert len(rounds) == 25 and looks > 3


# ---- the store ----

def test_rows(resting):
    """Each row is right by itself, and together they are not."""
    before = resting.sql("SELECT * FROM object")
    resting.rewrite(resting.spare, lambda r: r.update(virtual_size=r["virtual_size"] * 2))
    assert resting.found() == {"disk-size-differs": [resting.spare_uuid]}
    (vbd,), = resting.sql("SELECT ref FROM object WHERE class='VBD' AND json LIKE ?", f"%{resting.halted}%")
    resting.rewrite(vbd, lambda r: r.update(VDI="OpaqueRef:11111111-2222-3333-4444-555555555555"))
    assert resting.found()["reference-dangling"] == [vbd]
    resting.rewrite(vbd, lambda r: r.update(VDI=resting.spare, currently_attached=True))
    assert "drive-of-halted" in resting.found()
    resting.rewrite(resting.vm, lambda r: r.update(power_state="Halted"))
    assert {"domain-of-halted", "process-without-vm"} <= set(resting.found())
    (pool,), = resting.sql("SELECT ref FROM object WHERE class='pool'")
    resting.rewrite(pool, lambda r: r.update(master="OpaqueRef:NULL"))
    assert resting.found()["host-missing"] == [pool]
    resting.sql("DELETE FROM object WHERE ref=?", pool)
    assert resting.found()["pool-rows"] == ["pool"]
    resting.sql("DELETE FROM object")
    with closing(sqlite3.connect(resting.state / "store.db")) as db, db:
        db.executemany("INSERT INTO object VALUES(?, ?, ?, ?, ?, ?, ?)", before)
    assert resting.found() == {}
    resting.sql("UPDATE object SET created=gen+1 WHERE ref=?", resting.halted)
    assert "store-damaged" in resting.found()  # its checksum


def test_a_damaged_store(resting):
    """Each object that cannot be read is named; the repair saves the others, keeps the file, and tells listeners."""
    path = resting.state / "store.db"
    data = bytearray(path.read_bytes())
    at = data.index(b'"halted"') // 4096 * 4096
    data[at:at + 4096] = bytes(4096)
    path.write_bytes(data)
    found = resting.found()
    assert found["store-damaged"] == ["store.db"]
    lost = found["object-unreadable"]
    assert resting.halted in lost
    status, out, _ = run(resting.daemons, "--repair")
    assert status == 1 and "would write all that can be read into a new store.db" in out
    assert path.read_bytes() == data
    status, out, err = run(resting.daemons, "--repair", "--yes")
    kept = [f for f in resting.state.glob("store.db.damaged-*") if not f.name.endswith("-wal")]
    assert [f.read_bytes() for f in kept] == [data], err
    assert "error: store-damaged" not in out
    xen = resting.daemons.start()
    assert not set(lost) & set(xen.VM.get_all())
    assert resting.daemons.log("xenolithd").count("read-only") == 0
    xen.VM.set_name_label(xen.VM.get_all()[0], "written again")
    got = xen.call("event.from", ["vm"], "00000000000000000001,%016x%016x" % (1, 1), 5.0)
    assert resting.halted in {e["ref"] for e in got["events"] if e["operation"] == "del"}


def test_repair_needs_rest(host):
    status, out, err = run(host.daemons, "--repair", "--yes")
    assert status == 2 and "stop xenolithd and xenolith-hostd before a repair" in err


def test_a_task_that_nothing_ends(resting):
    """A plan under way is a note; one whose state is gone is an error."""
    resting.daemons.start()
    xen = resting.daemons.client()
    resting.daemons.control(resting.uuid, ignore_shutdown=True)
    task = xen.Async.VM.clean_shutdown(resting.vm)
    token = ""
    while not xen.VM.get_current_operations(resting.vm):
        token = xen.call("event.from", [f"vm/{resting.vm}"], token, 5.0)["token"]
    assert resting.found() == {}
    resting.rest()
    assert resting.daemons.verify(notes=True)["plan-pending"] == [task]
    domain = resting.state / "run/sim" / resting.uuid
    os.rename(domain, resting.state / "away")
    assert resting.found() == {}  # the plan may have got that far
    resting.sql("UPDATE object SET class='Task' WHERE ref=?", task)  # as if there were none: its checksum is wrong too
    assert "vm-without-process" in resting.found()
    resting.sql("UPDATE object SET class='task' WHERE ref=?", task)
    os.rename(resting.state / "away", domain)
    for change, code in ((lambda r: r.update(plan=""), "task-without-plan"),
                         (lambda r: r.update(plan="VM.clean_shutdown", plan_state="{"), "plan-unreadable"),
                         (lambda r: r.update(status="success"), "plan-of-ended-task")):
        resting.rewrite(task, change)
        assert resting.found()[code] == [task]


# ---- guests ----

def test_domains(resting):
    sim = resting.state / "run/sim"
    domain = (sim / resting.uuid).read_text()
    stranger = "12345678-1234-1234-1234-123456789012"
    (sim / stranger).write_text(domain)
    assert resting.found() == {"process-without-vm": [stranger], "guest-record-missing": [stranger]}
    (sim / stranger).write_text(domain.replace('"state":1', '"state":2'))
    assert resting.found() == {"domain-leftover": [stranger]}
    (sim / stranger).write_text("{")
    assert resting.found() == {"launch-record-unreadable": [stranger]}
    (sim / stranger).unlink()
    os.rename(sim / resting.uuid, resting.state / "away")
    assert resting.found() == {"vm-without-process": [resting.uuid], "guest-record-left": [resting.uuid]}
    os.rename(resting.state / "away", sim / resting.uuid)
    (sim / stranger).write_text(domain.replace('"state":1', '"state":2'))
    (resting.state / f"run/storage/nbd-{stranger}").touch()
    status, out, _ = run(resting.daemons, "--repair", "--yes")
    assert status == 0, out
    aside, = resting.state.glob("set-aside-*")
    assert {f.name for f in aside.iterdir()} == {stranger, f"nbd-{stranger}"}


def test_a_guest_of_xen(resting, monkeypatch, tmp_path):
    """A directory as the driver of Xen leaves it. Xen is asked by its own program; here one that knows domain 7."""
    vm = resting.state / "run/vm" / resting.uuid
    vm.mkdir(parents=True)
    os.unlink(resting.state / "run/sim" / resting.uuid)
    program = tmp_path / "xenstore-read"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def knows(uuid, fails="xenstore-read: couldn't read path $1"):
        program.write_text(f'#!/bin/sh\ntest "$1" = /local/domain/7/vm && echo /vm/{uuid} && exit\necho "{fails}" >&2\nexit 1\n')
        program.chmod(0o755)

    def write(domid):
        (vm / "xen.json").write_text(json.dumps({"version": 1, "uuid": resting.uuid, "domid": domid}))

    knows(resting.uuid)
    write(7)
    assert resting.found() == {}
    for domid in (0, 8):
        write(domid)
        assert resting.found() == {"vm-without-process": [resting.uuid]}
    write(7)
    knows("12345678-1234-1234-1234-123456789012")
    assert resting.found() == {"vm-without-process": [resting.uuid]}
    write(8)
    knows(resting.uuid, "xenstore-read: cannot connect")
    assert resting.found()["launch-record-unreadable"] == [resting.uuid]
    (vm / "xen.json").write_text("{")
    assert resting.found()["launch-record-unreadable"] == [resting.uuid]


def test_a_guest_of_qemu(resting):
    """A directory as the qemu driver leaves it: its process lives, is gone, or is another one."""
    vm = resting.state / "run/vm" / resting.uuid
    vm.mkdir(parents=True)
    os.unlink(resting.state / "run/sim" / resting.uuid)
    with open(vm / "log", "wb") as log:
        process = subprocess.Popen(["sleep", "60"], stderr=log)
    try:
        start = int(open(f"/proc/{process.pid}/stat", encoding="ascii").read().rpartition(")")[2].split()[19])
        record = {"version": 1, "uuid": resting.uuid, "domid": 1, "pid": process.pid, "start_time": start,
                  "memory_max": 1, "vcpus_max": 1, "on_reboot": 0, "started": 1, "ran": True,
                  "machine": {"version": 1, "type": "pc-q35-7.2", "cpu": "max", "accel": "tcg", "sata": False,
                              "nic_ports": 0}, "disks": [], "nics": []}

        def write(**changes):
            (vm / "launch.json").write_text(json.dumps(record | changes))

        write()
        assert resting.found() == {}
        write(start_time=start + 1)
        assert resting.found() == {"vm-without-process": [resting.uuid]}
        write(pid=0)
        assert resting.found() == {"vm-without-process": [resting.uuid], "process-unknown": [resting.uuid]}
        write(version=9)
        assert resting.found()["launch-record-unreadable"] == [resting.uuid]
    finally:
        process.kill()
        process.wait()
    write()
    assert resting.found() == {"vm-without-process": [resting.uuid]}


def test_a_storage_daemon_of_nobody(host):
    """Known by the file its messages go to; at rest every one is left over."""
    owner = host.state / "run/storage/owner-x"
    owner.mkdir()
    with open(owner / "log", "wb") as log:
        process = subprocess.Popen(["sleep", "60"], stderr=log)
    try:
        (owner / "pid").write_text(f"{process.pid} 1\n")
        assert host.found() == {}
        (owner / "pid").write_text("1 1\n")
        assert host.found() == {"storage-daemon-unknown": [str(process.pid)]}
        host.rest()
        assert host.found() == {"storage-daemon-left": [str(process.pid)]}
    finally:
        process.kill()
        process.wait()


# ---- storage ----

def test_repositories(resting):
    """Each thing that can be missing, too many or different on a repository."""
    record = resting.sr_dir / f"{resting.spare_uuid}.vdi.json"
    image = resting.image_of(resting.spare_uuid)
    node = image.with_suffix(".json")
    stranger = "12345678-1234-1234-1234-123456789012"

    def broken(path, data, *codes):
        before = path.read_bytes() if path.exists() else None
        path.unlink() if data is None else path.write_bytes(data)
        found = resting.found()
        assert sorted(found) == sorted(codes), found
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
            path.chmod(0o600)
        return found

    assert broken(record, None, "row-without-disk", "image-unused")["row-without-disk"] == [resting.spare_uuid]
    broken(record, b"{", "record-unreadable", "row-without-disk", "image-unused")
    broken(image, None, "image-broken")
    broken(image, image.read_bytes()[:100], "image-broken")
    broken(image, image.read_bytes().replace(b"QFI\xfb", b"QFI\x00"), "image-broken")
    other = json.loads(node.read_text())
    other["size"] *= 2
    broken(node, json.dumps(other).encode(), "image-broken", "disk-size-differs")
    text = record.read_text().replace(resting.spare_uuid, stranger).encode()
    frozen = text.replace(b'"frozen": false', b'"frozen": true')
    assert broken(resting.sr_dir / f"{stranger}.vdi.json", frozen, "disk-unfinished")["disk-unfinished"] == [stranger]
    snap = json.loads((resting.sr_dir / f"{resting.vdi_uuid}.vdi.json").read_text())
    assert snap["vdi"] == resting.vdi_uuid
    broken(resting.sr_dir / f"{stranger}.qcow2", b"x", "image-without-record")
    broken(resting.sr_dir / f".making-{stranger}", b"x", "half-made-image")
    broken(resting.sr_dir / "sr.json", b"{}", "repository-unreadable")
    broken(resting.state / f"storage/{resting.sr_uuid}.json", b"{", "attachment-unreadable", "repository-not-attached")
    broken(resting.state / f"storage/{resting.sr_uuid}.json", None, "repository-not-attached")
    entry = (resting.state / f"storage/{resting.sr_uuid}.json").read_text().replace(resting.sr_uuid, stranger)
    broken(resting.state / f"storage/{stranger}.json", entry.encode(), "attachment-without-row")
    assert resting.found() == {}


def test_a_disk_without_a_row(resting):
    """An older store is put back: what was made since has no row until its repository is scanned."""
    store = resting.state / "store.db"
    old = store.read_bytes()
    resting.daemons.start()
    xen = resting.daemons.client()
    made, _ = new_disk(xen, resting.halted, "1", size=8 * MIB)
    made = xen.VDI.get_uuid(made)
    resting.rest()
    assert resting.found() == {}
    store.write_bytes(old)
    assert resting.found() == {"disk-without-row": [made]}
    xen = resting.daemons.start()
    xen.SR.scan(xen.SR.get_by_uuid(resting.sr_uuid))
    assert resting.found() == {}


# ---- files ----

def test_modes(resting):
    secret = [resting.state / name for name in ("password", "host.pem", "store.db", "accounts", "directory")]
    secret[-1].touch(mode=0o600)  # how a directory server is asked
    for path in secret:
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
    found = resting.found()
    assert sorted(found["file-mode"]) == sorted(p.name for p in secret)
    status, out, _ = run(resting.daemons, "--repair", "--yes", "--quiet")
    assert status == 0, out
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in secret)


def test_uefi_variables_of_nobody(resting):
    nvram = resting.state / "nvram"
    nvram.mkdir(exist_ok=True)
    (nvram / f"{resting.uuid}.fd").write_bytes(b"x")
    assert resting.found() == {}
    stranger = "12345678-1234-1234-1234-123456789012"
    (nvram / f"{stranger}.fd").write_bytes(b"x")
    assert resting.found() == {"nvram-without-vm": [stranger]}
    status, out, _ = run(resting.daemons, "--repair", "--yes")
    assert status == 0, out
    assert not (nvram / f"{stranger}.fd").exists()
