# SPDX-License-Identifier: LGPL-2.1-or-later
"""What only this host knows: saved, and brought back."""

import gzip
import io
import json
import tarfile

import pytest

from metadata import archive
from transfers import Reply, ask, connect_tcp, head, put_task
from vms import new_disk, new_vm, remove


def backup(daemons, xen):
    reply = ask(daemons, "GET", "/host_backup", session_id=xen.session)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/gzip")
    return reply.body()


def restore(daemons, xen, body, **query):
    assert put_task(daemons, xen, "/host_restore", body, **query) == ""


def members(body):
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar}


def test_back_again(daemons, xen):
    vm = new_vm(xen, "saved")
    new_disk(xen, vm)
    body = backup(daemons, xen)
    files = members(body)
    assert set(files) == {"host-backup/manifest.json", "host-backup/database.xml"}
    about = json.loads(files["host-backup/manifest.json"])
    assert (about["host"], about["schema_major"], about["schema_minor"]) == (
        xen.host.get_uuid(xen.host.get_all()[0]), 5, 909)
    for data in files.values():
        assert daemons.password.encode() not in data and b"PRIVATE KEY" not in data
    xen.VM.set_name_label(vm, "since")
    restore(daemons, xen, body, dry_run="true")
    assert xen.VM.get_name_label(vm) == "since"
    restore(daemons, xen, body)
    assert xen.VM.get_name_label(vm) == "saved"
    xen.VM.set_name_label(vm, "since")
    restore(daemons, xen, gzip.decompress(body))  # who looked into it may not have packed it again
    assert xen.VM.get_name_label(vm) == "saved"
    remove(xen, vm)


@pytest.mark.parametrize("body, part", [
    (b"x" * 1000, "no tar archive"), (b"x" * 100, "IMPORT_ERROR_PREMATURE_EOF"), (bytes(1024), "no database.xml"),
    (archive(("other", b"x")), "no database.xml"), (archive(("a/database.xml", b"<database>")), "line 1"),
    (gzip.compress(b"x" * 1000), "no tar archive"), (gzip.compress(bytes(99))[:12], "cut off"),
], ids=range(7))
def test_bad_files(daemons, xen, fails, body, part):
    before = xen.VM.get_all_records()
    assert part in fails("RESTORE_SCRIPT_FAILED", restore, daemons, xen, body)[0]
    assert xen.VM.get_all_records() == before


def test_guests_that_run(daemons, xen, fails):
    vm = new_vm(xen, "runs")
    body = backup(daemons, xen)
    xen.VM.start(vm, False, False)
    assert fails("HOST_IN_USE", restore, daemons, xen, body)[2] == vm
    remove(xen, vm)


def test_probe_and_who_may(daemons, xen):
    assert ask(daemons, "PUT", "/host_restore", length=0, session_id=xen.session).status == 200
    for verb, path in (("GET", "/host_backup"), ("PUT", "/host_restore")):
        s = connect_tcp(daemons)
        s.sendall(head(verb, path, 0))
        assert Reply(s).status == 401
