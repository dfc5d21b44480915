# SPDX-License-Identifier: LGPL-2.1-or-later
"""Archives for those who look for a fault: what is in them, and what is not."""

import io
import json
import re
import tarfile
import xml.etree.ElementTree as ET
import zipfile

import pytest

from conftest import XenError
from transfers import Reply, ask, connect_tcp, head
from vms import new_vm

FILES = {"host.json", "figures.txt", "database.xml", "tasks.json", "messages.json", "audit.log", "domains.json",
         "verify.txt", "daemons.log", "kernel.log"}


def fetch(daemons, xen, path="/system-status", **query):
    reply = ask(daemons, "GET", path, session_id=xen.session, **query)
    assert reply.status == 200, reply.body()
    return reply, reply.body()


def unpack(body, output):
    if output == "zip":
        with zipfile.ZipFile(io.BytesIO(body)) as z:
            assert z.testzip() is None
            return {name: z.read(name) for name in z.namelist()}
    mode = {"tar": "r:", "tar.bz2": "r:bz2", "tar.gz": "r:gz"}[output]
    with tarfile.open(fileobj=io.BytesIO(body), mode=mode) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar}


@pytest.mark.parametrize("output, kind", [("tar", "appliation/x-tar"), ("tar.bz2", "application/x-bzip2"),
                                          ("zip", "application/zip")])
def test_report(daemons, xen, output, kind):
    vm = new_vm(xen, "in the report")
    xen.VM.start(vm, False, False)
    secret = xen.secret.create({"value": "geheim-1", "other_config": {}})
    xen.VM.add_to_other_config(vm, "my_password", "geheim-2")
    reply, body = fetch(daemons, xen, output=output)
    host = xen.host.get_record(xen.host.get_all()[0])
    name = re.fullmatch(r'attachment; filename="(system_status-\d{8}T\d{6}Z-[\w.-]*)\.' + re.escape(output) + '"',
                        reply.headers["content-disposition"])
    assert name and reply.headers["content-type"] == kind
    files = {path.removeprefix(name[1] + "/"): data for path, data in unpack(body, output).items()}
    assert set(files) == FILES
    assert host["uuid"] in files["host.json"].decode()
    rows = {r.get("ref") for r in ET.fromstring(files["database.xml"]).iter("row")}
    assert {vm, secret} <= rows
    assert xen.VM.get_uuid(vm) in [json.loads(line)["uuid"] for line in files["domains.json"].decode().splitlines()]
    assert b": 0 errors, 0 warnings." in files["verify.txt"]
    assert b"VM.start" in files["figures.txt"] and b"VM.start" in files["audit.log"]
    for data in files.values():
        assert b"geheim" not in data and daemons.password.encode() not in data and xen.session.encode() not in data
    xen.VM.hard_shutdown(vm)
    xen.VM.destroy(vm)
    xen.secret.destroy(secret)


def test_parts(daemons, xen):
    told = ET.fromstring(xen.host.get_system_status_capabilities(xen.host.get_all()[0]))
    keys = {c.get("key") for c in told}
    listed = ET.fromstring(fetch(daemons, xen, list="true")[1])
    assert keys == {c.get("key") for c in listed} and len(keys) == len(FILES)
    files = unpack(fetch(daemons, xen, entries="xapi-figures,host-info")[1], "tar")
    assert {path.split("/")[1] for path in files} == {"figures.txt", "host.json"}
    for query in ({"entries": "host-info,/etc/shadow"}, {"output": "rar"}, {"output": "tar.gz"}):
        assert ask(daemons, "GET", "/system-status", session_id=xen.session, **query).status == 400


def test_parts_are_cut(fresh_daemons):
    """At 64 MiB, here at 20 KB: what is a document stays one."""
    d = fresh_daemons
    d.stop(which=["xapi"])
    d.env["XENOLITH_REPORT_PART"] = "20000"
    d.start_xapi()
    xen = d.ready()
    row = "x" * 1000
    for i in range(40):
        xen.message.create("long", "5", "VM", xen.VM.get_uuid(xen.VM.get_all()[0]), row)
    files = {path.split("/")[1]: data for path, data in unpack(fetch(d, xen)[1], "tar").items()}
    assert 20000 <= len(files["messages.json"]) < 25000
    assert [json.loads(line)["body"] for line in files["messages.json"].decode().splitlines()][0] == row
    assert 20000 < len(files["database.xml"]) < 100000
    ET.fromstring(files["database.xml"])


def test_logs(daemons, xen):
    reply, body = fetch(daemons, xen, "/host_logs_download")
    assert reply.headers["content-type"] == "application/gzip"
    assert {path.split("/")[1] for path in unpack(body, "tar.gz")} == {"daemons.log", "kernel.log", "audit.log"}


def test_task(daemons, xen):
    task = xen.task.create("t", "")
    fetch(daemons, xen, task_id=task)
    assert xen.wait(task) == ""
    task = xen.task.create("t", "")
    assert ask(daemons, "GET", "/system-status", output="x", session_id=xen.session, task_id=task).status == 400
    with pytest.raises(XenError, match="INVALID_VALUE"):
        xen.wait(task)


@pytest.mark.waits
def test_without_the_host(fresh_daemons):
    """What hostd knows is missing, and the report says so."""
    xen = fresh_daemons.client()
    fresh_daemons.stop(which=("hostd",))
    files = {path.split("/")[1]: data for path, data in unpack(fetch(fresh_daemons, xen, entries="domains,xapi-db")[1], "tar").items()}
    assert b"cannot be told" in files["domains.json"] and b"<row" in files["database.xml"]
    fresh_daemons.start_hostd()


def verify_part(daemons, xen):
    body = fetch(daemons, xen, entries="verify")[1]
    (path, text), = unpack(body, "tar").items()
    assert path.endswith("/verify.txt")
    return text.decode()


@pytest.mark.waits
def test_what_does_not_fit(fresh_daemons):
    """Looked at beside the daemons, as xenolith-verify does; nothing is left of it."""
    xen = fresh_daemons.client()
    vm = new_vm(xen, "looked at")
    xen.VM.start(vm, False, False)
    assert verify_part(fresh_daemons, xen).endswith(": 0 errors, 0 warnings.\n")
    lost = "00000000-0000-4000-8000-0000000dead0"
    (fresh_daemons.state / "nvram").mkdir(exist_ok=True)
    (fresh_daemons.state / f"nvram/{lost}.fd").write_bytes(b"x")
    (fresh_daemons.state / "verify/xenolith-verify-killed").mkdir()
    (fresh_daemons.state / "verify/xenolith-verify-killed/store.db").write_bytes(b"x")
    text = verify_part(fresh_daemons, xen)
    assert f"nvram-without-vm: {lost}" in text and text.endswith(": 0 errors, 1 warnings.\n")
    assert list((fresh_daemons.state / "verify").iterdir()) == []
    assert (fresh_daemons.state / f"nvram/{lost}.fd").exists()
    fresh_daemons.stop(which=("hostd",))
    assert "cannot be told" in verify_part(fresh_daemons, xen)
    fresh_daemons.start_hostd()
