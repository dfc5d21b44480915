# SPDX-License-Identifier: LGPL-2.1-or-later
"""Binary objects."""

import http.client
import time

import pytest

import vms


def test_blob(xen, fails):
    ref = xen.blob.create("text/plain", True)
    record = xen.blob.get_record(ref)
    assert (record["mime_type"], record["public"], record["size"]) == ("text/plain", True, "0")
    plain = xen.blob.create("")
    assert (xen.blob.get_mime_type(plain), xen.blob.get_public(plain)) == ("application/octet-stream", False)
    fails("INVALID_VALUE", xen.blob.create, "text/plain\r\nX: y")
    for one in (ref, plain):
        xen.blob.destroy(one)
    fails("HANDLE_INVALID", xen.blob.destroy, ref)


def test_storage_off(fresh_daemons, fails):
    """Off: those that are there go, and their names; no more can be made."""
    xen = fresh_daemons.client()
    host = xen.host.get_all()[0]
    for on, off, *which in ((xen.pool.enable_binary_storage, xen.pool.disable_binary_storage),
                            (xen.host.enable_binary_storage, xen.host.disable_binary_storage, host)):
        xen.host.create_new_blob(host, "of the host", "text/plain")
        xen.blob.create("text/plain", True)
        off(*which)
        assert xen.blob.get_all() == [] and xen.host.get_blobs(host) == {}
        assert fails("NO_LOCAL_STORAGE", xen.blob.create, "text/plain", True) == []
        off(*which)
        on(*which)
        xen.blob.destroy(xen.blob.create("text/plain", True))
    fails("HANDLE_INVALID", xen.host.disable_binary_storage, "OpaqueRef:none")
    fails("HANDLE_INVALID", xen.host.enable_binary_storage, "OpaqueRef:none")


@pytest.mark.parametrize("cls", ["host", "pool"])
def test_of_an_owner(xen, fails, cls):
    owner = getattr(xen, cls).get_all()[0]
    create, blobs = getattr(xen, cls).create_new_blob, getattr(xen, cls).get_blobs
    one = create(owner, "one", "image/png", True)
    two = create(owner, "two", "")
    assert blobs(owner) == {"one": one, "two": two}
    assert (xen.blob.get_name_label(one), xen.blob.get_public(one)) == ("one", True)
    fails("MAP_DUPLICATE_KEY", create, owner, "one", "")
    xen.blob.destroy(one)
    assert blobs(owner) == {"two": two}
    xen.blob.destroy(two)
    fails("HANDLE_INVALID", create, "OpaqueRef:none", "one", "")


def request(daemons, method, query, body=None, session=None, **headers):
    c = http.client.HTTPConnection("127.0.0.1", daemons.http, timeout=60)
    if session:
        headers["Cookie"] = f"session_id={session}"
    c.request(method, f"/blob?{query}", body=body, headers=headers)
    answer = c.getresponse()
    return answer.status, answer.getheader("content-type"), answer.read()


def upload(daemons, xen, query, body):
    task = xen.task.create("upload", "")
    status = request(daemons, "PUT", f"{query}&task_id={task}", body, xen.session)[0]
    while (record := xen.task.get_record(task))["status"] == "pending":
        xen.call("event.from", [f"task/{task}"], "", 5.0)
    xen.task.destroy(task)
    return status, record["status"]


def test_bytes(daemons, xen):
    ref = xen.blob.create("text/plain", False)
    uuid = xen.blob.get_uuid(ref)
    assert request(daemons, "GET", f"ref={ref}", session=xen.session) == (200, "text/plain", b"")
    for query, body in ((f"ref={ref}", b"hello" * 50000), (f"uuid={uuid}", b"again")):
        assert upload(daemons, xen, query, body) == (200, "success")
        assert xen.blob.get_size(ref) == str(len(body))
        assert request(daemons, "GET", f"uuid={uuid}", session=xen.session) == (200, "text/plain", body)
    assert (daemons.state / "blobs" / uuid).read_bytes() == b"again"
    assert request(daemons, "GET", f"ref={ref}")[0] == 401
    assert request(daemons, "PUT", f"ref={ref}", b"x")[0] == 401
    xen.blob.set_public(ref, True)
    assert request(daemons, "GET", f"ref={ref}")[2] == b"again"
    assert request(daemons, "PUT", f"ref={ref}", b"x")[0] == 401
    assert request(daemons, "GET", "ref=OpaqueRef:none", session=xen.session)[0] == 404
    assert request(daemons, "GET", "uuid=../../password", session=xen.session)[0] == 404
    xen.blob.destroy(ref)
    end = time.monotonic() + 60
    while (daemons.state / "blobs" / uuid).exists():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_bytes_that_do_not_come(daemons, xen):
    ref = xen.blob.create("", False)
    assert upload(daemons, xen, f"ref={ref}", b"kept") == (200, "success")
    c = http.client.HTTPConnection("127.0.0.1", daemons.http, timeout=60)
    c.putrequest("PUT", f"/blob?ref={ref}")
    for header, value in (("Cookie", f"session_id={xen.session}"), ("Content-Length", "1000")):
        c.putheader(header, value)
    c.endheaders(b"cut")
    assert c.getresponse().status == 200
    c.close()
    end = time.monotonic() + 60
    while len(list((daemons.state / "blobs").glob(f"{xen.blob.get_uuid(ref)}*"))) > 1:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert request(daemons, "GET", f"ref={ref}", session=xen.session)[2] == b"kept"
    assert request(daemons, "PUT", f"ref={ref}", session=xen.session, **{"Content-Length": str(65 << 20)})[0] == 500
    xen.blob.destroy(ref)


def test_bytes_of_all(fresh_daemons):
    """2 GiB, here 10,000 bytes; what is removed makes room."""
    d = fresh_daemons
    d.stop(which=["xapi"])
    d.env["XENOLITH_BLOBS_MAX"] = "10000"
    d.start_xapi()
    xen = d.ready()
    one, two = (xen.blob.create("", False) for _ in range(2))
    assert upload(d, xen, f"ref={one}", bytes(6000)) == (200, "success")
    assert request(d, "PUT", f"ref={two}", bytes(6000), xen.session)[0] == 500
    assert upload(d, xen, f"ref={two}", bytes(4000)) == (200, "success")
    xen.blob.destroy(one)
    assert upload(d, xen, f"ref={two}", bytes(6000)) == (200, "success")


@pytest.mark.parametrize("cls", ["VM", "SR", "network"])
def test_of_other_objects(xen, fails, cls):
    vm = vms.new_vm(xen, "owns a blob")
    owner = vm if cls == "VM" else getattr(xen, cls).get_all()[0]
    blob = getattr(xen, cls).create_new_blob(owner, "one", "image/png", True)
    assert getattr(xen, cls).get_blobs(owner) == {"one": blob}
    assert fails("MAP_DUPLICATE_KEY", getattr(xen, cls).create_new_blob, owner, "one", "")[0] == cls
    xen.blob.destroy(blob)
    assert getattr(xen, cls).get_blobs(owner) == {}
    vms.remove(xen, vm)
