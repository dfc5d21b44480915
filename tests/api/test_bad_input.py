# SPDX-License-Identifier: LGPL-2.1-or-later
"""What must be refused whole: bad members, images that lie, storage that vanishes or is full, roles."""

import os
import resource
import signal

import pytest

from conftest import Daemons, XenError, a_pair
from transfers import ask, get, put
from vms import MIB, default_sr, new_disk, new_vm, remove, remove_sr, vdi_fields


def disk_fields(sr, **more):
    return vdi_fields(sr, "bad", 4 * MIB, **more)


def census(xen):
    """Every row that a half-made thing could be."""
    return {c: sorted(xen.call(f"{c}.get_all")) for c in ("VM", "VDI", "VBD", "VIF", "SR", "PBD", "network", "console")}


class TestCreate:
    """`create` of a record: members are checked, all of them, before anything is made."""

    @pytest.fixture(autouse=True)
    def nothing_is_left(self, xen):
        before = census(xen)
        yield
        assert census(xen) == before

    def test_unknown_member_is_ignored(self, xen):
        """XenAPI servers ignore members they do not know; nothing of them may stay."""
        vdi = xen.VDI.create(disk_fields(default_sr(xen), colour="red"))
        assert "colour" not in xen.VDI.get_record(vdi)
        xen.VDI.destroy(vdi)

    @pytest.mark.parametrize("changes", [
        {"virtual_size": "many"}, {"virtual_size": {}}, {"sharable": {}}, {"other_config": []}, {"type": "round"},
        {"other_config": {"a": {"b": "c"}}}, {"name_label": []}, {"virtual_size": str(1 << 64)},
    ], ids=lambda c: next(iter(c)))
    def test_wrong_type(self, xen, changes):
        with pytest.raises(XenError) as caught:
            xen.VDI.create(disk_fields(default_sr(xen), **changes))
        assert caught.value.code == "FIELD_TYPE_ERROR"
        assert caught.value.params

    def test_reference_of_another_class(self, xen, fails):
        host = xen.host.get_all()[0]
        assert fails("HANDLE_INVALID", xen.VDI.create, disk_fields(host)) == ["SR", host]

    def test_not_a_record(self, xen):
        for value in ("text", ["list"], True):
            with pytest.raises(XenError) as caught:
                xen.VDI.create(value)
            assert caught.value.code == "FIELD_TYPE_ERROR"


@pytest.fixture
def sr(xen):
    """A repository of files of its own."""
    ref = xen.SR.create(xen.host.get_all()[0], {}, "0", "short-lived", "", "file", "user", False, {})
    yield ref
    remove_sr(xen, ref)


def folder_of(daemons, xen, sr):
    uuid = xen.SR.get_uuid(sr)
    found = [p for p in (daemons.state / "sr").iterdir() if p.name == uuid]
    assert found, list((daemons.state / "sr").iterdir())
    return found[0]


def test_directory_that_vanishes(daemons, xen, sr):
    """Errors while it is away, no row lost, nothing made; all is well when it is back."""
    vdi = xen.VDI.create(disk_fields(sr))
    put(daemons, xen, vdi, b"kept" * 1000)
    before = census(xen)
    folder = folder_of(daemons, xen, sr)
    away = folder.with_name("away")
    folder.rename(away)
    try:
        for call, *args in ((xen.SR.scan, sr), (xen.VDI.create, disk_fields(sr)), (xen.VDI.snapshot, vdi),
                            (xen.VDI.resize, vdi, str(8 * MIB)), (xen.VDI.copy, vdi, sr)):
            with pytest.raises(XenError) as caught:
                call(*args)
            assert caught.value.code.startswith("SR_BACKEND_FAILURE_"), (call, caught.value)
            assert census(xen) == before
            assert not folder.exists()
        assert ask(daemons, "GET", "/export_raw_vdi", vdi=vdi, session_id=xen.session).status == 500
    finally:
        away.rename(folder)
    xen.SR.scan(sr)
    assert census(xen) == before
    assert get(daemons, xen, vdi)[:4000] == b"kept" * 1000
    assert xen.SR.get_current_operations(sr) == xen.VDI.get_current_operations(vdi) == {}


def lying_images():
    """name -> bytes of files that claim to be disks."""
    def qcow2(size, **more):
        fields = {"version": 3, "backing": 0, "backing_size": 0, "bits": 16, "l1": 1, "l1_at": 0x30000} | more
        return (b"QFI\xfb" + fields["version"].to_bytes(4, "big") + fields["backing"].to_bytes(8, "big") +
                fields["backing_size"].to_bytes(4, "big") + fields["bits"].to_bytes(4, "big") + size.to_bytes(8, "big") +
                bytes(4) + fields["l1"].to_bytes(4, "big") + fields["l1_at"].to_bytes(8, "big") + (1 << 16).to_bytes(8, "big") +
                (1).to_bytes(4, "big") + bytes(36) + (4).to_bytes(4, "big") + (104).to_bytes(4, "big")).ljust(1 << 18, b"\0")
    return {"huge": qcow2((1 << 63) - 1), "clusters": qcow2(4 * MIB, bits=63), "table": qcow2(4 * MIB, l1=1 << 30),
            "version": qcow2(4 * MIB, version=9), "backing": qcow2(4 * MIB, backing=1 << 17, backing_size=1 << 30),
            "short": b"QFI\xfb", "kernel": b"MZ" + os.urandom(100_000)}


def test_images_that_lie(daemons, xen, sr):
    """They are not taken for disks that a guest may use, and do no harm to those that are."""
    vdi = xen.VDI.create(disk_fields(sr))
    put(daemons, xen, vdi, b"kept")
    before, folder = census(xen), folder_of(daemons, xen, sr)
    files = []
    for i, (name, data) in enumerate(lying_images().items()):
        files.append(folder / f"00000000-0000-4000-8000-{i:012d}.qcow2")
        files[-1].write_bytes(data)
    try:
        xen.SR.scan(sr)
        assert census(xen)["VDI"] == before["VDI"]
        for file in files:
            with pytest.raises(XenError):
                xen.VDI.introduce(file.stem, "lie", "", sr, "user", False, False, {}, file.stem, {}, {}, True, "0",
                                  False, "19700101T00:00:00Z", "OpaqueRef:NULL")
        assert census(xen) == before
    finally:
        for file in files:
            file.unlink(missing_ok=True)
    assert get(daemons, xen, vdi)[:4] == b"kept"


def test_image_content_is_never_probed(daemons, xen, sr):
    """A raw import that looks like a qcow2 naming another file: the guest's bytes, nothing else."""
    data = next(iter(lying_images().values()))
    vdi = xen.VDI.create(disk_fields(sr))
    put(daemons, xen, vdi, data)
    copy = xen.VDI.copy(vdi, sr)
    for each in (vdi, copy):
        assert xen.VDI.get_virtual_size(each) == str(4 * MIB)
        assert get(daemons, xen, each)[:len(data)] == data


class Bounded(Daemons):
    """hostd may write files of 3 MiB at most: a file system that is full."""

    def start_hostd(self):
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN) # EFBIG instead, in the children too
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 * MIB, old[1]))
        try:
            super().start_hostd()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
            signal.signal(signal.SIGXFSZ, handler)


def test_disk_that_is_full():
    with a_pair(Bounded) as d:
        xen = d.start()
        sr = default_sr(xen)
        vdi = xen.VDI.create(disk_fields(sr, virtual_size=str(16 * MIB)))
        put(d, xen, vdi, b"first")  # what is written again needs no more room
        with pytest.raises(XenError) as caught:
            put(d, xen, vdi, os.urandom(16 * MIB))
        assert caught.value.code == "SR_BACKEND_FAILURE_44" and "No space left" in caught.value.params[1]
        put(d, xen, vdi, b"small")
        assert get(d, xen, vdi)[:5] == b"small"
        xen.VDI.destroy(vdi)
        assert not [p for p in folder_of(d, xen, sr).rglob("*") if p.suffix in (".qcow2", ".raw")]


def test_states(xen, fails):
    """Each refusal names the object, the states it needs and the one it has, and changes nothing."""
    vm = new_vm(xen, "wrong state")
    before = xen.VM.get_record(vm)
    for call, needed in ((xen.VM.pause, "running"), (xen.VM.unpause, "paused"), (xen.VM.suspend, "running"),
                         (xen.VM.clean_reboot, "running"), (xen.VM.hard_reboot, "running")):
        got = fails("VM_BAD_POWER_STATE", call, vm)
        assert got[0] == vm and needed in got[1].lower() and got[2].lower() == "halted", got
    fails("VM_BAD_POWER_STATE", xen.VM.resume, vm, False, False)
    assert xen.VM.get_record(vm) == before
    _, vbd = new_disk(xen, vm)
    fails("VM_BAD_POWER_STATE", xen.VBD.plug, vbd)
    remove(xen, vm)
