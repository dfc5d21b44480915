# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks in and out over HTTP: exact bytes, honest tasks, and clients that send nonsense or vanish."""

import hashlib
import random

import pytest

from conftest import XenError
from transfers import PIB, Reply, ask, connect, connect_tcp, get, head, put, put_task, records
from vms import MIB, default_sr, new_disk, new_vdi, new_vm, remove, simulated_sr

SIZE = 8 * MIB


@pytest.fixture(params=["files", "simulated"])
def vdi(request, xen):
    sr = default_sr(xen) if request.param == "files" else simulated_sr(xen)
    ref = new_vdi(xen, "transfer", SIZE, sr)
    yield ref
    try:
        xen.VDI.set_read_only(ref, False)
        xen.VDI.destroy(ref)
    except XenError as e:
        if e.code != "HANDLE_INVALID":
            raise


def pattern(size=SIZE, seed=1):
    """Random bytes with holes, none of it on a round border."""
    r = random.Random(seed)
    data = bytearray(size)
    for _ in range(20):
        n = r.randrange(1, size // 20)
        at = r.randrange(size - n)
        data[at:at + n] = r.randbytes(n)
    return bytes(data)


def wait_closed(sock):
    """Until the server has let go of the connection."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass


def test_roundtrip(daemons, xen, vdi):
    data = pattern()
    assert put(daemons, xen, vdi, data) == ""
    assert get(daemons, xen, vdi) == data
    reply = ask(daemons, "GET", "/export_raw_vdi", vdi=xen.VDI.get_uuid(vdi), session_id=xen.session, format="raw")
    assert reply.headers["content-type"] == "application/octet-stream"
    assert f'filename="{xen.VDI.get_uuid(vdi)}.raw"' in reply.headers["content-disposition"]
    assert reply.body() == data


def test_later_bytes_win(daemons, xen, vdi):
    """Zeroes over data are zeroes, data over zeroes is data."""
    put(daemons, xen, vdi, pattern(seed=1))
    put(daemons, xen, vdi, pattern(seed=2))
    assert get(daemons, xen, vdi) == pattern(seed=2)


def test_short_body_of_a_small_image(daemons, xen, vdi):
    """An image smaller than the disk: its length is what counts."""
    put(daemons, xen, vdi, pattern())
    put(daemons, xen, vdi, b"\xaa" * 100_000)
    assert get(daemons, xen, vdi) == b"\xaa" * 100_000 + pattern()[100_000:]


def test_sparse_import(daemons, xen, vdi):
    data = pattern()
    parts = [(at, data[at:at + 300_000]) for at in range(0, SIZE, 300_000)]
    random.Random(3).shuffle(parts)
    put(daemons, xen, vdi, records(*parts), chunked="1")
    assert get(daemons, xen, vdi) == data


def test_records_that_overlap_are_written_in_order(daemons, xen, vdi):
    parts = [(i * 512, bytes([i % 255 + 1]) * 65536) for i in range(100)] * 2
    expected = bytearray(SIZE)
    for at, data in parts:
        expected[at:at + len(data)] = data
    put(daemons, xen, vdi, records(*parts), chunked="1")
    assert get(daemons, xen, vdi) == bytes(expected)


@pytest.mark.parametrize("body", [
    records((SIZE - 100, b"x" * 101)), records((SIZE, b"x")), records(((1 << 64) - 1, b"x")), records((1 << 62, b"x")),
    records((0, b"x" * 1000))[:500], records((0, b"abc"))[:-12], b"short",
], ids=["over the end", "at the end", "offset wraps", "far out", "cut data", "no end", "cut head"])
def test_bad_records(daemons, xen, vdi, fails, body):
    fails("INTERNAL_ERROR", lambda: put(daemons, xen, vdi, body, chunked="1"))
    put(daemons, xen, vdi, pattern())
    assert get(daemons, xen, vdi) == pattern()


def test_body_larger_than_the_disk(daemons, xen, vdi, fails):
    fails("INTERNAL_ERROR", put, daemons, xen, vdi, b"\x55" * (SIZE + MIB))
    assert len(get(daemons, xen, vdi)) == SIZE
    assert xen.VDI.get_virtual_size(vdi) == str(SIZE)
    put(daemons, xen, vdi, pattern())
    assert get(daemons, xen, vdi) == pattern()


def test_truncated_body(daemons, xen, vdi, fails):
    """What came is in the disk, and the failure says how much that is."""
    told = fails("INTERNAL_ERROR", lambda: put(daemons, xen, vdi, b"\x55" * MIB, length=SIZE))
    assert told == [f"the body ends after {MIB} of {SIZE} bytes"]
    assert get(daemons, xen, vdi) == b"\x55" * MIB + bytes(SIZE - MIB)
    cut = records((MIB, b"\x66" * MIB))[:-12 - 1000]
    told = fails("INTERNAL_ERROR", lambda: put(daemons, xen, vdi, cut, chunked="1"))
    assert told == [f"the body ends after {2 * MIB - 1000} bytes of the disk, in the middle of a record"]
    assert get(daemons, xen, vdi) == b"\x55" * MIB + b"\x66" * (MIB - 1000) + bytes(SIZE - 2 * MIB + 1000)


@pytest.mark.parametrize("first", [1, 4096, 300_001, SIZE - 1])
def test_export_from_a_byte_on(daemons, xen, vdi, first):
    data = pattern()
    put(daemons, xen, vdi, data)
    reply = ask(daemons, "GET", "/export_raw_vdi", vdi=vdi, session_id=xen.session, fields=[f"Range: bytes={first}-"])
    assert (reply.status, reply.headers["content-range"]) == (206, f"bytes {first}-{SIZE - 1}/{SIZE}")
    assert reply.headers["content-length"] == str(SIZE - first)
    assert reply.body() == data[first:]


def test_ranges_that_are_not_served(daemons, xen, vdi):
    """All of it, as RFC 9110 allows; but nothing behind the end."""
    data = pattern()
    put(daemons, xen, vdi, data)
    for field in ("bytes=0-", "bytes=5-9", "bytes=-5", "bytes=1-,5-", "lines=5-", "bytes=99999999999999999999-", "bytes= 5-"):
        reply = ask(daemons, "GET", "/export_raw_vdi", vdi=vdi, session_id=xen.session, fields=[f"Range: {field}"])
        assert reply.status == 200 and reply.body() == data, field
    reply = ask(daemons, "GET", "/export_raw_vdi", vdi=vdi, session_id=xen.session, fields=[f"Range: bytes={SIZE}-"])
    assert reply.status == 416 and b"INVALID_VALUE" in reply.body()


@pytest.mark.parametrize("sr", [default_sr, simulated_sr])
def test_import_makes_a_disk(daemons, xen, fails, sr):
    sr, before = sr(xen), set(xen.VDI.get_all())
    made = put_task(daemons, xen, "/import_raw_vdi", pattern(), sr_id=sr)
    record = xen.VDI.get_record(made)
    assert (record["name_label"], record["virtual_size"], record["SR"]) == ("Imported VDI", str(SIZE), sr)
    assert get(daemons, xen, made) == pattern()
    xen.VDI.destroy(made)
    made = put_task(daemons, xen, "/import_raw_vdi", b"x" * 512, sr_id=xen.SR.get_uuid(sr))
    xen.VDI.destroy(made)
    # Nothing is left of what did not come whole; a probe makes nothing.
    told = fails("INTERNAL_ERROR", lambda: put_task(daemons, xen, "/import_raw_vdi", bytes(MIB), length=SIZE, sr_id=sr))
    assert told == [f"the body ends after {MIB} of {SIZE} bytes"]
    assert ask(daemons, "PUT", "/import_raw_vdi", length=0, sr_id=sr, session_id=xen.session).status == 200
    assert set(xen.VDI.get_all()) == before


def test_import_that_cannot_make_a_disk(daemons, xen):
    sr, before = default_sr(xen), set(xen.VDI.get_all())
    for status, word, query in ((400, b"INVALID_VALUE", {"sr_id": sr, "chunked": "1", "length": 100}), (400, b"HANDLE_INVALID", {"sr_id": "none"}),
                                (400, b"INVALID_VALUE", {"sr_id": sr, "verb": "PUT"}), (400, b"HANDLE_INVALID", {})):
        s = connect(daemons)
        length = query.pop("length", None if query.pop("verb", None) else 1)
        s.sendall(head("PUT", "/import_raw_vdi", length, session_id=xen.session, **query))
        reply = Reply(s)
        assert (reply.status, word in reply.body()) == (status, True), query
        s.close()
    assert set(xen.VDI.get_all()) == before


@pytest.mark.parametrize("length", [0, PIB])
def test_empty_probe_changes_nothing(daemons, xen, vdi, length):
    put(daemons, xen, vdi, pattern())
    reply = ask(daemons, "PUT", "/import_raw_vdi", length=length, vdi=vdi, session_id=xen.session)
    assert reply.status == 200
    assert xen.wait(reply.headers["task-id"]) == ""
    assert get(daemons, xen, vdi) == pattern()


def test_upload_right_behind_its_probe(daemons, xen, vdi):
    """A client that has seen the answer to its probe cuts that off, and the upload it meant finds the disk free."""
    for seed in range(20):
        probe = connect(daemons)
        probe.sendall(head("PUT", "/import_raw_vdi", PIB, vdi=vdi, session_id=xen.session))
        assert Reply(probe).status == 200
        probe.close()
        put(daemons, xen, vdi, pattern(MIB, seed))
    assert get(daemons, xen, vdi)[:MIB] == pattern(MIB, 19)


@pytest.mark.parametrize("sr", [default_sr, simulated_sr])
def test_destroy_right_behind_an_upload_that_was_cut_off(daemons, xen, sr):
    for _ in range(20):
        vdi = new_vdi(xen, "cut", SIZE, sr(xen))
        s = connect(daemons)
        s.sendall(head("PUT", "/import_raw_vdi", SIZE, vdi=vdi, session_id=xen.session))
        assert Reply(s).status == 200
        s.sendall(bytes(MIB))
        task = xen.Async.VDI.destroy(vdi)
        s.close()
        xen.wait(task)


def test_disk_that_another_upload_keeps(daemons, xen):
    vdi = new_vdi(xen, "kept", SIZE)
    other = connect(daemons)
    other.sendall(head("PUT", "/import_raw_vdi", SIZE, vdi=vdi, session_id=xen.session))
    assert Reply(other).status == 200
    reply = ask(daemons, "PUT", "/import_raw_vdi", length=SIZE, vdi=vdi, session_id=xen.session)
    assert (reply.status, b"VDI_IN_USE" in reply.body()) == (500, True)
    with pytest.raises(XenError, match="VDI_IN_USE"):
        xen.VDI.destroy(vdi)
    other.close()
    xen.VDI.destroy(vdi)


def test_length_unknown_to_the_client(daemons, xen, vdi):
    put(daemons, xen, vdi, pattern(), length=PIB)
    assert get(daemons, xen, vdi) == pattern()


@pytest.mark.parametrize("verb, path", [("PUT", "/import_raw_vdi"), ("GET", "/export_raw_vdi")])
class TestRefused:
    def ended(self, xen, task):
        with pytest.raises(XenError) as caught:
            xen.wait(task, 10)
        return [caught.value.code, *caught.value.params]

    def test_wrong_disk(self, daemons, xen, verb, path):
        task = xen.task.create("t", "")
        reply = ask(daemons, verb, path, vdi="OpaqueRef:none", session_id=xen.session, task_id=task)
        assert reply.status == 400
        assert self.ended(xen, task) == ["HANDLE_INVALID", "VDI", "OpaqueRef:none"]

    def test_what_the_client_sent_is_no_markup(self, daemons, xen, verb, path):
        reply = ask(daemons, verb, path, vdi="%3Cscript%3E", session_id=xen.session)
        assert reply.status == 400
        assert b"<script>" not in reply.body()

    def test_unknown_format(self, daemons, xen, vdi, verb, path):
        task = xen.task.create("t", "")
        assert ask(daemons, verb, path, vdi=vdi, format="bmp", session_id=xen.session, task_id=task).status == 404
        assert self.ended(xen, task) == ["INTERNAL_ERROR", "Unknown format bmp"]

    def test_no_session(self, daemons, vdi, verb, path):
        s = connect_tcp(daemons)
        s.sendall(head(verb, path, 0, vdi=vdi))
        reply = Reply(s)
        assert (reply.status, reply.headers["www-authenticate"][:5]) == (401, "Basic")

    def test_session_that_is_over(self, daemons, vdi, verb, path):
        other = daemons.client()
        other.call("session.logout")
        assert ask(daemons, verb, path, vdi=vdi, session_id=other.session).status == 401

    def test_task_that_is_not_there_or_over(self, daemons, xen, vdi, verb, path):
        task = xen.task.create("t", "")
        xen.task.set_status(task, "success")
        assert ask(daemons, verb, path, vdi=vdi, session_id=xen.session, task_id=task).status == 400
        assert xen.task.get_status(task) == "success"
        xen.task.destroy(task)
        assert ask(daemons, verb, path, vdi=vdi, session_id=xen.session, task_id=task).status == 400


def test_chunked_encoding_is_refused(daemons, xen, vdi):
    s = connect(daemons)
    s.sendall((f"PUT /import_raw_vdi?vdi={vdi}&session_id={xen.session} HTTP/1.1\r\nHost: x\r\n"
               "Transfer-Encoding: chunked\r\n\r\n").encode())
    assert Reply(s).status == 404


def test_read_only_disk(daemons, xen, vdi):
    xen.VDI.set_read_only(vdi, True)
    reply = ask(daemons, "PUT", "/import_raw_vdi", length=512, vdi=vdi, session_id=xen.session)
    assert (reply.status, b"VDI_READONLY" in reply.body()) == (500, True)
    assert get(daemons, xen, vdi) == bytes(SIZE)


def test_disk_of_a_running_vm(daemons, xen):
    vm = new_vm(xen, "owner")
    vdi, _ = new_disk(xen, vm, size=SIZE, sr=simulated_sr(xen))
    xen.VM.start(vm, False, False)
    reply = ask(daemons, "PUT", "/import_raw_vdi", length=512, vdi=vdi, session_id=xen.session)
    assert (reply.status, b"VDI_IN_USE" in reply.body()) == (500, True)
    remove(xen, vm)


def test_progress_and_cancel(daemons, xen, vdi, fails):
    """A client that sends half and then nothing: the task says half; its cancel ends the connection."""
    task = xen.task.create("slow", "")
    s = connect(daemons)
    s.sendall(head("PUT", "/import_raw_vdi", SIZE, vdi=vdi, session_id=xen.session, task_id=task))
    assert Reply(s).status == 200
    token, progress, sent = "", 0, 0
    while not progress and sent < SIZE - MIB:
        s.sendall(b"\x11" * MIB)
        sent += MIB
        got = xen.call("event.from", [f"task/{task}"], token, 0.5)
        token = got["token"]
        progress = max([e["snapshot"]["progress"] for e in got["events"]], default=progress)
    assert 0 < progress < 1
    xen.task.cancel(task)
    wait_closed(s)
    assert fails("TASK_CANCELLED", xen.wait, task, 10) == [task]
    put(daemons, xen, vdi, pattern())
    assert get(daemons, xen, vdi) == pattern()


def test_writer_that_disappears(daemons, xen, vdi, fails):
    task = xen.task.create("gone", "")
    s = connect(daemons)
    s.sendall(head("PUT", "/import_raw_vdi", SIZE, vdi=vdi, session_id=xen.session, task_id=task) + b"x" * 1000)
    s.close()
    fails("INTERNAL_ERROR", xen.wait, task, 20)
    put(daemons, xen, vdi, pattern())
    assert get(daemons, xen, vdi) == pattern()


def test_reader_that_disappears(daemons, xen, vdi, fails):
    put(daemons, xen, vdi, pattern())
    task = xen.task.create("gone", "")
    s = connect(daemons)
    s.sendall(head("GET", "/export_raw_vdi", vdi=vdi, session_id=xen.session, task_id=task))
    assert s.recv(100).startswith(b"HTTP/1.")
    s.close()
    fails("INTERNAL_ERROR", xen.wait, task, 20)
    xen.VDI.destroy(vdi)  # nothing holds it


def test_checksum(daemons, xen, vdi, fails):
    assert xen.VDI.checksum(vdi) == hashlib.md5(bytes(SIZE)).hexdigest()
    put(daemons, xen, vdi, pattern())
    assert xen.VDI.checksum(vdi) == hashlib.md5(pattern()).hexdigest()
    assert xen.VDI.get_current_operations(vdi) == {}
    fails("HANDLE_INVALID", xen.VDI.checksum, "OpaqueRef:none")
